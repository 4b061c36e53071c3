//! Who came in, and who was not let in: what is written down of it, and how those who try keys are slowed down.
//!
//! A key is used for many requests: its leaf is written at the first use of an hour. Failures are counted: a leaf at
//! the first of a minute, another with how many more.

use gatehouse_audit::{Event, EventKind};
use gatehouse_identity::admin::Admin;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long whoever has a wrong key waits for his answer.
pub const FAILURE_PAUSE: Duration = Duration::from_millis(500);
/// How many of them wait at once; those beyond are told to come back later.
const WAITING_MAX: usize = 64;
/// How long failures are counted before they are written down, in seconds.
const COUNTED_SECONDS: u64 = 60;
const HOUR_SECONDS: u64 = 3600;

/// What is known of those who come.
pub struct Gate {
    /// In which hour each key was last written down; as many as there are keys.
    seen: Mutex<HashMap<Arc<str>, u64>>,
    failures: Mutex<Failures>,
    waiting: Arc<Semaphore>,
}

/// Failures that are not written down yet.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    since: Option<u64>,
    more: u64,
}

/// Somebody who was not let in.
#[derive(Debug)]
pub struct Refused {
    /// What has to be written down.
    pub event: Option<Event>,
    /// His place among those who wait; `None` when there is none.
    pub place: Option<OwnedSemaphorePermit>,
}

impl Default for Gate {
    fn default() -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        Self { seen: Mutex::default(), failures: Mutex::default(), waiting }
    }
}

// === impl Gate ===

impl Gate {
    /// Somebody is let in: what has to be written down before he is. Times are Unix seconds.
    #[must_use]
    pub fn comes(&self, admin: &Admin, now: u64) -> Option<Event> {
        let hour = now / HOUR_SECONDS;
        if lock(&self.seen).get(&admin.id) == Some(&hour) {
            return None;
        }
        let event = Event::new(EventKind::SignedIn, now.saturating_mul(1_000_000))
            .by(Arc::clone(&admin.id))
            .field("role", admin.role.as_str());
        Some(event)
    }

    /// His coming is written down.
    pub fn is_recorded(&self, admin: &Admin, now: u64) {
        lock(&self.seen).insert(Arc::clone(&admin.id), now / HOUR_SECONDS);
    }

    /// Keys have changed: those that are gone are forgotten.
    pub fn forget(&self) {
        lock(&self.seen).clear();
    }

    /// Somebody is not let in.
    #[must_use]
    pub fn refuses(&self, code: &'static str, now: u64) -> Refused {
        let place = Arc::clone(&self.waiting).try_acquire_owned().ok();
        let mut failures = lock(&self.failures);
        let event = match failures.since {
            Some(since) if now < since.saturating_add(COUNTED_SECONDS) => {
                failures.more += 1;
                None
            }
            // What was counted before is in this one too.
            _ => {
                let attempts = failures.more + 1;
                *failures = Failures { since: Some(now), more: 0 };
                Some(failed(attempts, now).field("code", code))
            }
        };
        Refused { event, place }
    }

    /// The failures that were counted long enough, or all of them.
    #[must_use]
    pub fn due(&self, now: u64, all: bool) -> Option<Event> {
        let mut failures = lock(&self.failures);
        let since = failures.since?;
        if !all && now < since.saturating_add(COUNTED_SECONDS) {
            return None;
        }
        let more = failures.more;
        *failures = Failures::default();
        (more > 0).then(|| failed(more, now))
    }
}

fn failed(attempts: u64, now: u64) -> Event {
    Event::new(EventKind::SignInFailed, now.saturating_mul(1_000_000)).field("attempts", attempts)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Gate, WAITING_MAX};
    use gatehouse_audit::{Event, Field};
    use gatehouse_identity::admin::{Admin, Role};

    fn attempts(event: &Event) -> u64 {
        match event.fields.iter().find(|(name, _)| name == "attempts") {
            Some((_, Field::Number(number))) => *number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_failure_is_counted_once_and_a_flood_writes_two_leaves_a_minute() {
        let gate = Gate::default();
        let mut leaves = Vec::new();
        for number in 0..12_000_u64 {
            leaves.extend(gate.refuses("invalid_api_key", number / 100).event);
        }
        leaves.extend(gate.due(121, true));
        assert_eq!(leaves.iter().map(attempts).sum::<u64>(), 12_000);
        assert_eq!(leaves.len(), 3);
        assert!(gate.due(1000, true).is_none());
    }

    #[test]
    fn those_who_try_wait_and_only_so_many_of_them() {
        let gate = Gate::default();
        let held: Vec<_> = (0..WAITING_MAX).map(|_| gate.refuses("x", 0).place.unwrap()).collect();
        assert!(gate.refuses("x", 0).place.is_none());
        drop(held);
        assert!(gate.refuses("x", 0).place.is_some());
    }

    #[test]
    fn a_key_is_written_down_once_an_hour() {
        let gate = Gate::default();
        let admin = Admin {
            id: "gha_a".into(),
            name: "".into(),
            role: Role::Viewer,
            org: "".into(),
            team: "".into(),
            content: false,
            mark: 0,
        };
        assert!(gate.comes(&admin, 10).is_some() && gate.comes(&admin, 11).is_some());
        gate.is_recorded(&admin, 11);
        assert!(gate.comes(&admin, 3599).is_none() && gate.comes(&admin, 3600).is_some());
    }
}
