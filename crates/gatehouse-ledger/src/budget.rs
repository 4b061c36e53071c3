//! Budgets in memory: what is spent and what is reserved, in every window that a call counts in.
//!
//! Reserve, then spend: a call is admitted only when every one of its windows has room for the most it can
//! cost, and it takes that room before the provider is contacted. So a burst of calls cannot pass together
//! where each alone would have.

use crate::UnixSeconds;
use crate::limit::Limit;
use crate::period::{Period, utc};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::money::Nanodollars;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A limit under a name: one of those that a call counts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Whose budget (`key/ghk_1`, `team/support`). One name has one count for each period.
    pub key: Arc<str>,
    /// How much for how long.
    pub limit: Limit,
}

/// The counters of all budgets of this replica.
///
/// One lock for all of them, held for tens of nanoseconds and never across an await: taking from several
/// windows at once has to be atomic.
#[derive(Debug, Default)]
pub struct Counters {
    /// As many as there are budgets in the configuration and keys with a limit.
    counters: Mutex<HashMap<CounterKey, Counter>>,
    unsettled: AtomicU64,
}

/// What a window has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// By calls that have ended.
    pub spent: Nanodollars,
    /// By calls under way, at most.
    pub reserved: Nanodollars,
}

/// A window has no room for a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the budget {} of {} has {} USD left; this call may cost {asked} USD{}",
    window.key, window.limit, self.left(), renewal(*renews_at)
)]
pub struct Exceeded {
    /// Which one.
    pub window: Window,
    /// What it has used.
    pub used: Used,
    /// What the call could have cost.
    pub asked: Nanodollars,
    /// When it begins anew; absent for one that never does.
    pub renews_at: Option<UnixSeconds>,
}

/// A hold's part in one window.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) window: Window,
    /// The span in which it was reserved.
    pub(crate) start: UnixSeconds,
}

/// A budget's name and period: a key may have a limit for the day and another for the month.
type CounterKey = (Arc<str>, Period);

/// One window's count since `start`. It forgets the span before as soon as a new one begins: what is
/// settled late belongs to a span that admits nobody any more.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    start: UnixSeconds,
    used: Used,
}

// === impl Counters ===

impl Counters {
    /// Reserves `amount` in every window, or in none when one has no room.
    pub(crate) fn claim(
        &self,
        windows: &[Window],
        amount: Nanodollars,
        now: UnixSeconds,
    ) -> Result<Vec<Claim>, Exceeded> {
        let mut counters = self.lock();
        for window in windows {
            current(&mut counters, window, now).check(window, amount, now)?;
        }
        let mut claims: Vec<Claim> = Vec::with_capacity(windows.len());
        for window in windows {
            if claims.iter().any(|claim| claim.window.counter() == window.counter()) {
                continue; // two limits on one count: it is taken from once
            }
            let counter = current(&mut counters, window, now);
            counter.used.reserved = counter.used.reserved.saturating_add(amount);
            claims.push(Claim { window: window.clone(), start: counter.start });
        }
        Ok(claims)
    }

    /// Adds what the log says was spent in a window's current span: at the start of the process, or for a
    /// call that was settled without a hold.
    pub fn restore(&self, window: &Window, spent: Nanodollars, now: UnixSeconds) {
        let mut counters = self.lock();
        let used = &mut current(&mut counters, window, now).used;
        used.spent = used.spent.saturating_add(spent);
    }

    /// What a window has used in its current span.
    #[must_use]
    pub fn used(&self, window: &Window, now: UnixSeconds) -> Used {
        current(&mut self.lock(), window, now).used
    }

    /// Forgets a budget that is no more, such as that of a revoked key. Calls under way end without a trace
    /// in it.
    pub fn forget(&self, key: &str) {
        self.lock().retain(|(name, _), _| &**name != key);
    }

    /// How many holds were dropped without being settled since the process began: each is a bug.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.unsettled.load(Ordering::Relaxed)
    }

    pub(crate) fn count_unsettled(&self) {
        self.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// Raises what `claims` have reserved by `more`, or leaves them when a window has no room. A span that
    /// is over has room for everything.
    pub(crate) fn raise(
        &self,
        claims: &[Claim],
        more: Nanodollars,
        now: UnixSeconds,
    ) -> Result<(), Exceeded> {
        let mut counters = self.lock();
        for claim in claims {
            if let Some(counter) = claimed(&mut counters, claim) {
                counter.check(&claim.window, more, now)?;
            }
        }
        for claim in claims {
            if let Some(counter) = claimed(&mut counters, claim) {
                counter.used.reserved = counter.used.reserved.saturating_add(more);
            }
        }
        Ok(())
    }

    /// Turns what `claims` have reserved into what was spent, in the spans in which it was reserved.
    pub(crate) fn settle(&self, claims: &[Claim], reserved: Nanodollars, spent: Nanodollars) {
        let mut counters = self.lock();
        for claim in claims {
            if let Some(counter) = claimed(&mut counters, claim) {
                counter.used.reserved = counter.used.reserved.saturating_sub(reserved);
                counter.used.spent = counter.used.spent.saturating_add(spent);
            }
        }
    }

    /// Counters stay right when a thread panics: each change is whole before anything that could.
    fn lock(&self) -> MutexGuard<'_, HashMap<CounterKey, Counter>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counter of a window, in the span that `now` is in. A clock that steps back stays in the later span.
fn current<'a>(
    counters: &'a mut HashMap<CounterKey, Counter>,
    window: &Window,
    now: UnixSeconds,
) -> &'a mut Counter {
    let (start, _) = window.limit.period.span(now);
    let counter = counters.entry(window.counter()).or_default();
    if counter.start < start {
        *counter = Counter { start, used: Used::default() };
    }
    counter
}

/// The counter that a claim was made in, unless its span is over.
fn claimed<'a>(counters: &'a mut HashMap<CounterKey, Counter>, claim: &Claim) -> Option<&'a mut Counter> {
    counters.get_mut(&claim.window.counter()).filter(|counter| counter.start == claim.start)
}

// === impl Counter ===

impl Counter {
    fn check(self, window: &Window, amount: Nanodollars, now: UnixSeconds) -> Result<(), Exceeded> {
        if self.used.total().saturating_add(amount) <= window.limit.amount {
            return Ok(());
        }
        let (_, renews_at) = window.limit.period.span(now.max(self.start));
        Err(Exceeded { window: window.clone(), used: self.used, asked: amount, renews_at })
    }
}

// === impl Window ===

impl Window {
    /// A limit under a name.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, limit: Limit) -> Self {
        Self { key: key.into(), limit }
    }

    fn counter(&self) -> CounterKey {
        (self.key.clone(), self.limit.period)
    }
}

// === impl Used ===

impl Used {
    /// Spent and reserved together: what counts against the limit.
    #[must_use]
    pub fn total(self) -> Nanodollars {
        self.spent.saturating_add(self.reserved)
    }
}

// === impl Exceeded ===

impl Exceeded {
    /// What the window has left.
    #[must_use]
    pub fn left(&self) -> Nanodollars {
        self.window.limit.amount.saturating_sub(self.used.total())
    }

    /// How long until the window begins anew; `None` for one that never does.
    #[must_use]
    pub fn retry_after(&self, now: UnixSeconds) -> Option<Duration> {
        self.renews_at.map(|at| Duration::from_secs(at.saturating_sub(now)))
    }
}

fn renewal(at: Option<UnixSeconds>) -> String {
    at.map_or_else(|| "; it does not renew".to_owned(), |at| format!("; it renews at {}", utc(at)))
}

impl From<Exceeded> for Error {
    /// The error for the caller. It says when to come back, not `retry_after`: a client that retries by
    /// itself would only wait for hours.
    fn from(exceeded: Exceeded) -> Self {
        Self::new(Code::BudgetExceeded, exceeded.to_string())
    }
}
