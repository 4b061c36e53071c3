//! The laws of budgets: nothing is overspent, nothing is lost, whatever the order of events.

use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use gatehouse_ledger::{Counters, Hold, Used, Window, parse_limit};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2026-11-22 19:37:05 UTC.
const NOW: u64 = 1_795_376_225;
const MIDNIGHT: u64 = 1_795_392_000;

fn window(key: &str, limit: &str) -> Window {
    Window::new(key, parse_limit(limit).unwrap())
}

fn dollars(text: &str) -> Nanodollars {
    Nanodollars::parse_dollars(text).unwrap()
}

fn used(spent: &str, reserved: &str) -> Used {
    Used { spent: dollars(spent), reserved: dollars(reserved) }
}

#[test]
fn a_call_takes_from_all_its_windows_or_from_none() {
    let counters = Arc::new(Counters::default());
    let (key, team) = (window("key/k", "1 USD/day"), window("team/t", "0.5 USD/month"));
    let both = [key.clone(), team.clone()];
    let hold = counters.reserve(&both, dollars("0.4"), NOW).unwrap();
    let refused = counters.reserve(&both, dollars("0.2"), NOW).unwrap_err();
    assert_eq!((&*refused.window.key, refused.left()), ("team/t", dollars("0.1")));
    assert_eq!(counters.used(&key, NOW), used("0", "0.4"));
    hold.settle(dollars("0.25"));
    assert_eq!(counters.used(&key, NOW), used("0.25", "0"));
    assert_eq!(counters.used(&team, NOW), used("0.25", "0"));
    counters.reserve(&both, dollars("0.25"), NOW).unwrap().release();
    assert_eq!(counters.used(&team, NOW), used("0.25", "0"));
}

#[test]
fn what_is_refused_says_which_budget_and_when_it_renews() {
    let counters = Arc::new(Counters::default());
    let day = window("key/k", "0.1 USD/day");
    let refused = counters.reserve(&[day], dollars("0.2"), NOW).unwrap_err();
    assert_eq!(refused.renews_at, Some(MIDNIGHT));
    assert_eq!(refused.retry_after(NOW).unwrap().as_secs(), MIDNIGHT - NOW);
    let error = Error::from(refused);
    assert_eq!(error.code, Code::BudgetExceeded);
    assert_eq!(
        error.message,
        "the budget key/k of 0.1 USD/day has 0.1 USD left; this call may cost 0.2 USD; \
         it renews at 2026-11-23T00:00:00Z"
    );
    let ever = counters.reserve(&[window("key/l", "0 USD")], dollars("1"), NOW).unwrap_err();
    assert_eq!(ever.retry_after(NOW), None);
    assert!(ever.to_string().ends_with("it does not renew"));
}

#[test]
fn a_hold_settles_in_the_span_in_which_it_was_reserved() {
    let counters = Arc::new(Counters::default());
    let day = [window("key/k", "1 USD/day")];
    let late = counters.reserve(&day, dollars("0.9"), MIDNIGHT - 1).unwrap();
    let early = counters.reserve(&day, dollars("0.8"), MIDNIGHT).unwrap();
    late.settle(dollars("0.9"));
    assert_eq!(counters.used(&day[0], MIDNIGHT), used("0", "0.8"));
    early.settle(dollars("0.7"));
    assert_eq!(counters.used(&day[0], MIDNIGHT), used("0.7", "0"));
    // A clock that steps back over midnight does not open yesterday again.
    assert!(counters.reserve(&day, dollars("0.9"), MIDNIGHT - 1).is_err());
}

#[test]
fn a_dropped_hold_counts_in_full_and_is_seen() {
    let counters = Arc::new(Counters::default());
    let day = [window("key/k", "1 USD/day")];
    drop(counters.reserve(&day, dollars("0.6"), NOW).unwrap());
    assert_eq!(counters.used(&day[0], NOW), used("0.6", "0"));
    assert_eq!(counters.unsettled(), 1);
}

#[test]
fn an_overrun_is_booked_in_full_and_closes_the_budget() {
    let counters = Arc::new(Counters::default());
    let day = [window("key/k", "1 USD/day")];
    counters.reserve(&day, dollars("0.5"), NOW).unwrap().settle(dollars("1.5"));
    assert_eq!(counters.used(&day[0], NOW), used("1.5", "0"));
    assert!(counters.reserve(&day, Nanodollars::ZERO, NOW).is_err());
    assert!(counters.reserve(&day, dollars("1"), MIDNIGHT).is_ok_and(|hold| {
        hold.release();
        true
    }));
}

#[test]
fn a_dearer_target_raises_the_hold_or_leaves_it() {
    let counters = Arc::new(Counters::default());
    let day = [window("key/k", "1 USD/day")];
    let mut hold = counters.reserve(&day, dollars("0.5"), NOW).unwrap();
    assert!(hold.raise_to(dollars("1.1"), NOW).is_err());
    assert_eq!(hold.amount(), dollars("0.5"));
    hold.raise_to(dollars("0.8"), NOW).unwrap();
    hold.raise_to(dollars("0.2"), NOW).unwrap();
    assert_eq!(counters.used(&day[0], NOW), used("0", "0.8"));
    hold.settle(dollars("0.8"));
    assert_eq!(counters.used(&day[0], NOW), used("0.8", "0"));
}

#[test]
fn what_the_log_says_is_restored() {
    let counters = Arc::new(Counters::default());
    let (day, month) = (window("key/k", "1 USD/day"), window("key/k", "9 USD/month"));
    counters.restore(&day, dollars("0.75"), NOW);
    counters.restore(&month, dollars("7"), NOW);
    assert_eq!(counters.used(&day, NOW), used("0.75", "0"));
    assert_eq!(counters.used(&month, NOW), used("7", "0"));
    assert!(counters.reserve(std::slice::from_ref(&day), dollars("0.26"), NOW).is_err());
    counters.forget("key/k");
    assert_eq!(counters.used(&day, NOW), Used::default());
}

#[test]
fn the_same_window_twice_is_taken_from_once() {
    let counters = Arc::new(Counters::default());
    let day = window("key/k", "1 USD/day");
    let hold = counters.reserve(&[day.clone(), day.clone()], dollars("0.7"), NOW).unwrap();
    assert_eq!(counters.used(&day, NOW), used("0", "0.7"));
    hold.release();
}

/// Many threads against one small budget: what was admitted never passes the limit by a nanodollar.
#[test]
fn threads_never_overspend() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 2_000;
    let counters = Arc::new(Counters::default());
    let windows = [window("key/k", "0.000001 USD/day"), window("team/t", "0.0000015 USD/day")];
    let (spent, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (counters, windows, spent, refused) = (&counters, &windows, &spent, &refused);
            scope.spawn(move || {
                for call in 0..CALLS {
                    let most = 1 + (thread * 31 + call * 17) % 5;
                    match counters.reserve(windows, Nanodollars(most), NOW) {
                        Ok(hold) => {
                            let actual = (thread + call) % (most + 1);
                            spent.fetch_add(actual, Ordering::Relaxed);
                            hold.settle(Nanodollars(actual));
                        }
                        Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    let spent = Nanodollars(spent.into_inner());
    assert!(spent <= windows[0].limit.amount, "{spent}");
    for window in &windows {
        assert_eq!(counters.used(window, NOW), Used { spent, reserved: Nanodollars::ZERO });
    }
    assert!(refused.into_inner() > 0, "the limit was never reached, so nothing was tested");
}

/// What can happen to a budget.
#[derive(Clone, Debug)]
enum Event {
    Reserve(u64),
    /// Settle the hold at this place of those open with this share (in hundredths) of what it reserved.
    Settle(usize, u64),
    Raise(usize, u64),
    Drop(usize),
}

/// A place in the list of open holds; nothing happens when there are fewer.
fn place() -> impl Strategy<Value = usize> {
    0_usize..5
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..60).prop_map(Event::Reserve),
        3 => (place(), 0_u64..=100).prop_map(|(at, share)| Event::Settle(at, share)),
        1 => (place(), 0_u64..90).prop_map(|(at, to)| Event::Raise(at, to)),
        1 => place().prop_map(Event::Drop),
    ]
}

proptest! {
    /// Under any order of events what is spent and reserved stays within the limit, and equals, to the
    /// nanodollar, what the holds say.
    #[test]
    fn any_order_stays_within_the_limit_and_adds_up(events in prop::collection::vec(event(), 0..120)) {
        let counters = Arc::new(Counters::default());
        let windows = [window("key/k", "0.0000001 USD/day"), window("org/o", "0.00000009 USD")];
        let (mut open, mut spent): (Vec<Hold>, u64) = (Vec::new(), 0);
        for event in events {
            match event {
                Event::Reserve(amount) => {
                    open.extend(counters.reserve(&windows, Nanodollars(amount), NOW));
                }
                Event::Settle(at, share) if at < open.len() => {
                    let hold = open.swap_remove(at);
                    let actual = hold.amount().0 * share / 100;
                    spent += actual;
                    hold.settle(Nanodollars(actual));
                }
                Event::Raise(at, to) if at < open.len() => drop(open[at].raise_to(Nanodollars(to), NOW)),
                Event::Drop(at) if at < open.len() => spent += open.swap_remove(at).amount().0,
                Event::Settle(..) | Event::Raise(..) | Event::Drop(_) => {}
            }
            let reserved = open.iter().map(|hold| hold.amount().0).sum();
            for window in &windows {
                let used = counters.used(window, NOW);
                prop_assert_eq!(used, Used { spent: Nanodollars(spent), reserved: Nanodollars(reserved) });
                prop_assert!(used.total() <= window.limit.amount);
            }
        }
    }
}
