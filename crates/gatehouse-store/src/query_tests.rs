//! Lists and reports say what the records say, and at once.

use crate::filter::Filter;
use crate::index::{HOUR_MICROS, INDEX_FILE, Index};
use crate::samples::{AT, SECOND, by, call_at, index, log, projector, settled};
use crate::usage::Dimension;
use gatehouse_audit::{Leaf, Log, Options};
use gatehouse_core::call::CallId;
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::{CostStatus, Ending, Settled};
use gatehouse_core::verdict::{Decision, Outcome};

fn guard(name: &str, decision: Decision) -> Outcome {
    Outcome { guard: name.into(), decision, findings: 1, categories: vec![] }
}

/// Calls of many kinds over four days, in no order that anything could lean on.
fn varied(number: u64) -> Settled {
    let mut end = settled(number);
    end.at = AT + number * 7919 % 5000 * 69 * SECOND;
    end.call = call_at(end.at, number);
    end.scope.user = ["", "ann", "bob"][usize::try_from(number % 3).unwrap()].into();
    end.scope.run = if number.is_multiple_of(10) { "run-1" } else { "" }.into();
    end.cost.amount = Nanodollars(number + 1);
    end.timing.total_micros = number * 1000;
    if number % 7 == 1 {
        end.guards = vec![guard("pii", Decision::Redact), guard("injection", Decision::Allow)];
    }
    end
}

/// Reports from ready sums are those from the calls, to the last cent, from any moment to any other.
#[test]
fn ready_sums_are_exact_against_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let mut projector = projector(dir.path(), &log);
    for number in 0..700 {
        log.append(Leaf::Settled(&varied(number))).unwrap();
        if number % 90 == 0 {
            projector.catch_up().unwrap();
        }
    }
    let index = index(dir.path());
    let text = |text: &str| Some(text.to_owned());
    let day = 24 * HOUR_MICROS;
    let times = [
        (None, None),
        (Some(AT + 123_456_789), None),
        (Some(AT + day / 3), Some(AT + 3 * day + 17)),
        (Some(AT + 5), Some(AT + 4000 * SECOND)),
        (Some(AT + day), Some(AT + day)),
    ];
    let filters = [
        Filter::default(),
        Filter { team: text("sales"), ..Filter::default() },
        Filter { user: text("ann"), ..Filter::default() },
        Filter { ending: text("failed"), ..Filter::default() },
        Filter { guard: text("pii=redact"), user: text(""), ..Filter::default() },
    ];
    for (since, until) in times {
        for filter in &filters {
            let ready = Filter { since, until, ..filter.clone() };
            // Asking for a cost of at least nothing leaves out the calls without a price, so it is not asked so here.
            let single = Filter { micros_min: Some(0), ..ready.clone() };
            for words in [
                vec![],
                vec!["team", "key"],
                vec!["user", "day"],
                vec!["hour"],
                vec!["outcome", "day", "user"],
            ] {
                assert_eq!(by(&index, &words, &ready), by(&index, &words, &single), "{words:?} {ready:?}");
            }
        }
    }
    assert_eq!(by(&index, &[], &Filter::default())[0].calls, 700);
    let views = ["usage_minutes", "usage_hours", "usage_days"];
    for view in views {
        let sql = format!("SELECT sum(calls), sum(cost_nanos) FROM {view}");
        let found: (i64, i64) =
            index.connection().query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let total = &by(&index, &[], &Filter::default())[0];
        assert_eq!((found.0, found.1), (700, i64::try_from(total.cost.0).unwrap()), "{view}");
    }
    let record: String = index
        .connection()
        .query_row(
            "SELECT record FROM records WHERE guards LIKE '%pii=redact%' ORDER BY at LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(CallId::parse(&record).is_some());
}

/// Whatever is asked for, pages show the same calls as looking through all of them would.
#[test]
fn pages_from_several_lists_are_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(dir.path());
    let mut ends: Vec<Settled> = (0..300).map(varied).collect();
    for end in &ends {
        log.append(Leaf::Settled(end)).unwrap();
    }
    let index = index(dir.path());
    ends.sort_by_key(|end| std::cmp::Reverse(end.call));
    let text = |text: &str| Some(text.to_owned());
    type Meant = fn(&Settled) -> bool;
    let cases: Vec<(Filter, Meant)> = vec![
        (Filter { team: text("sales"), ..Filter::default() }, |end| &*end.scope.team == "sales"),
        (Filter { user: text("bob"), model: text("gpt-5.2"), ..Filter::default() }, |end| {
            &*end.scope.user == "bob"
        }),
        (Filter { run: text("run-1"), status: Some(200), ..Filter::default() }, |end| {
            &*end.scope.run == "run-1" && end.status == 200
        }),
        (Filter { guard: text("pii"), ..Filter::default() }, |end| !end.guards.is_empty()),
        (Filter { guard: text("pii=block"), ..Filter::default() }, |_| false),
        (Filter { guard: text("injection=allow"), ending: text("failed"), ..Filter::default() }, |end| {
            !end.guards.is_empty() && end.status == 504
        }),
        (Filter { cost_min: Some(Nanodollars(100)), key: text("ghk_a"), ..Filter::default() }, |end| {
            end.key.as_deref() == Some("ghk_a")
                && end.cost.status == CostStatus::Exact
                && end.cost.amount.0 >= 100
        }),
        (Filter { micros_min: Some(50_000), error: text("upstream_timeout"), ..Filter::default() }, |end| {
            end.error.is_some() && end.timing.total_micros >= 50_000
        }),
        (Filter { since: Some(AT + 24 * HOUR_MICROS), team: text("support"), ..Filter::default() }, |end| {
            end.at >= AT + 24 * HOUR_MICROS && &*end.scope.team == "support"
        }),
    ];
    for (filter, meant) in cases {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = index.calls(&filter, after.as_ref(), 7).unwrap();
            seen.extend(page.rows.into_iter().map(|row| row.call));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<String> =
            ends.iter().filter(|end| meant(end)).map(|end| end.call.to_string()).collect();
        assert_eq!(seen, expected, "{filter:?}");
    }
}

/// Whoever does not wait any more holds nobody up.
#[test]
fn a_question_is_given_up_when_its_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options::new(dir.path())).unwrap();
    let mut projector = projector(dir.path(), &log);
    for number in 0..3_000 {
        log.append(Leaf::Settled(&varied(number))).unwrap();
    }
    projector.catch_up().unwrap();
    let index = Index::open(dir.path()).unwrap();
    let (by, all) = ([Dimension::Tag("env".to_owned())], Filter::default());
    index.give_up_when(|| false).unwrap();
    assert!(!index.usage(&by, &all).unwrap().is_empty());
    index.give_up_when(|| true).unwrap();
    let error = index.usage(&by, &all).unwrap_err();
    assert!(error.is_given_up(), "{error}");
}

/// `CALLS=10000000 cargo test --release -p gatehouse-store -- --ignored --nocapture cost_of_asking`
#[test]
#[ignore = "prints a figure"]
fn cost_of_asking() {
    let calls: u64 = std::env::var("CALLS").map_or(100_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(&Options::new(dir.path())).unwrap();
    let mut projector = projector(dir.path(), &log);
    let mut project = std::time::Duration::ZERO;
    for number in 0..calls {
        let mut end = settled(number);
        // A day, 40 teams, 200 applications, 10,000 users; one call in 100,000 is denied, and in one team alone.
        end.at = AT + number * 86_400 * SECOND / calls;
        end.call = call_at(end.at, number);
        end.scope.team = format!("team-{}", number % 40).into();
        end.scope.app = format!("app-{}", number % 200).into();
        end.scope.user = format!("user-{}", number * 7919 % 10_000).into();
        if number % 100_000 == 77 {
            (end.outcome, end.error, end.status) = (Ending::Denied, Some("guard_blocked"), 400);
        }
        end.payload.clear();
        log.append(Leaf::Settled(&end)).unwrap();
        if number % 100_000 == 99_999 {
            let started = std::time::Instant::now();
            projector.catch_up().unwrap();
            project += started.elapsed();
        }
    }
    projector.catch_up().unwrap();
    println!("project: {:?} a call", project / u32::try_from(calls).unwrap());
    let bytes = std::fs::metadata(dir.path().join(INDEX_FILE)).unwrap().len();
    println!("index: {} bytes a call", bytes / calls);
    let index = Index::open(dir.path()).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        Filter { team: text("team-37"), error: text("guard_blocked"), ..Filter::default() },
        Filter { user: text("user-63"), model: text("smart"), ..Filter::default() },
        Filter { team: text("team-3"), ending: text("failed"), ..Filter::default() },
        Filter { app: text("app-3"), since: Some(AT + 40_000 * SECOND), ..Filter::default() },
    ];
    for filter in filters {
        let started = std::time::Instant::now();
        let rows = index.calls(&filter, None, 50).unwrap().rows.len();
        println!("first page: {:?} for {rows} rows: {filter:?}", started.elapsed());
    }
    for (words, since) in [(["team"], None), (["team"], Some(AT + 12_345_678_901)), (["user"], None)] {
        let started = std::time::Instant::now();
        let rows = by(&index, &words, &Filter { since, ..Filter::default() });
        println!("report by {words:?} since {since:?}: {:?} for {} rows", started.elapsed(), rows.len());
    }
}
