//! What is read of records, without what was said: one leaf at the first time, and one a minute that says how often
//! again, so that a page that asks every second does not fill the log.

use gatehouse_audit::{Event, EventKind};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// For how long the same reading is counted before it is written down, in seconds.
const COUNTED_SECONDS: u64 = 60;
/// How many different readings are counted at once; those beyond are each written down at once.
const COUNTED_MAX: usize = 1024;

/// Who read what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The public part of his key.
    pub by: Arc<str>,
    /// What he read.
    pub what: &'static str,
    /// Of which calls.
    pub of: String,
}

/// How often since when.
#[derive(Clone, Copy, Debug)]
struct Count {
    since: u64,
    requests: u64,
    rows: u64,
}

/// What was read and is not written down yet.
#[derive(Debug, Default)]
pub struct Readings(Mutex<HashMap<Reading, Count>>);

// === impl Reading ===

impl Reading {
    fn event(&self, at: u64, requests: u64, rows: u64) -> Event {
        Event::new(EventKind::RecordsViewed, at.saturating_mul(1_000_000))
            .by(Arc::clone(&self.by))
            .field("what", self.what)
            .field("of", self.of.clone())
            .field("requests", requests)
            .field("records", rows)
    }
}

// === impl Readings ===

impl Readings {
    /// Somebody is about to read so many records. What has to be written down before he does; empty when it is counted
    /// with what he read before. Times are Unix seconds.
    #[must_use]
    pub fn note(&self, reading: &Reading, rows: u64, now: u64) -> Vec<Event> {
        let mut counted = self.lock();
        match counted.get_mut(reading) {
            Some(count) if now < count.since.saturating_add(COUNTED_SECONDS) => {
                count.requests += 1;
                count.rows = count.rows.saturating_add(rows);
                return Vec::new();
            }
            _ => {}
        }
        let mut events = Vec::new();
        if let Some(count) = counted.remove(reading) {
            events.extend((count.requests > 0).then(|| reading.event(now, count.requests, count.rows)));
        }
        events.push(reading.event(now, 1, rows));
        if counted.len() < COUNTED_MAX {
            counted.insert(reading.clone(), Count { since: now, requests: 0, rows: 0 });
        }
        events
    }

    /// What was counted long enough, or all of it.
    #[must_use]
    pub fn due(&self, now: u64, all: bool) -> Vec<Event> {
        let mut events = Vec::new();
        self.lock().retain(|reading, count| {
            let over = all || now >= count.since.saturating_add(COUNTED_SECONDS);
            if over && count.requests > 0 {
                events.push(reading.event(now, count.requests, count.rows));
            }
            !over
        });
        events
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reading, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTED_MAX, Reading, Readings};
    use gatehouse_audit::{Event, Field};

    fn reading(of: &str) -> Reading {
        Reading { by: "gha_a".into(), what: "list", of: of.to_owned() }
    }

    fn figures(event: &Event) -> (u64, u64) {
        let figure = |name: &str| match event.fields.iter().find(|(other, _)| other == name) {
            Some((_, Field::Number(number))) => *number,
            other => panic!("{other:?}"),
        };
        (figure("requests"), figure("records"))
    }

    #[test]
    fn every_reading_is_in_exactly_one_leaf() {
        let readings = Readings::default();
        let mut leaves = Vec::new();
        for now in 0..150 {
            leaves.extend(readings.note(&reading("{}"), 2, now));
        }
        leaves.extend(readings.note(&reading("other"), 5, 150));
        leaves.extend(readings.due(150, false));
        leaves.extend(readings.due(151, true));
        assert!(readings.due(500, true).is_empty());
        let sum = leaves.iter().map(figures).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(sum, (151, 305));
        assert_eq!(leaves.len(), 7);
        // The first one is written down before anything is shown.
        assert_eq!(figures(&leaves[0]), (1, 2));
    }

    #[test]
    fn what_is_beyond_the_limit_is_written_down_at_once() {
        let readings = Readings::default();
        for number in 0..COUNTED_MAX + 10 {
            assert_eq!(readings.note(&reading(&number.to_string()), 1, 0).len(), 1);
        }
        assert_eq!(readings.lock().len(), COUNTED_MAX);
        assert_eq!(readings.note(&reading("1030"), 1, 1).len(), 1);
    }
}
