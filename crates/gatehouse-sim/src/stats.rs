//! What arrived and how it ended, per path and model, and waiting until a count is reached.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;

use crate::options::STATS_ROWS_MAX;

/// What a row is called when there are already [`STATS_ROWS_MAX`].
const OTHER: &str = "(other)";

/// Counts since the start or the last reset. A call counts as received once its body is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls.
    pub received: u64,
    /// Calls whose answer has not ended.
    pub in_flight: u64,
    /// Answers handed over to their end.
    pub completed: u64,
    /// Calls whose client left before the end of the answer, also before its beginning.
    pub cancelled: u64,
    /// Answers that the simulator cut on purpose.
    pub cut: u64,
    /// Answers that came to a stall on purpose, whatever became of them.
    pub stalled: u64,
    /// Answers with a status of 400 or more.
    pub refused: u64,
    /// Calls that ended later than `Options::deadline` after their arrival.
    pub after_deadline: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answers' bodies.
    pub bytes_out: u64,
}

/// One row of [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The path that was called.
    pub path: String,
    /// The model that was asked for; empty when none was named.
    pub model: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// All counts at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// Over all rows.
    pub total: Counts,
    /// Apart, in the order of path and model.
    pub rows: Vec<Row>,
}

/// Which rows to look at; `None` means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this path.
    pub path: Option<String>,
    /// Only this model.
    pub model: Option<String>,
}

macro_rules! tally {
    ($($name:ident),*) => {
        /// The live counts of a row.
        #[derive(Debug, Default)]
        pub(crate) struct Tally { $( pub(crate) $name: AtomicU64, )* }

        impl Tally {
            fn read(&self) -> Counts { Counts { $( $name: self.$name.load(Relaxed), )* } }
        }

        impl Counts {
            /// The count of that name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<u64> {
                match name { $( stringify!($name) => Some(self.$name), )* _ => None }
            }

            fn add(&mut self, other: &Self) { $( self.$name += other.$name; )* }
        }
    };
}

tally!(received, in_flight, completed, cancelled, cut, stalled, refused, after_deadline, bytes_in, bytes_out);

type Rows = HashMap<String, HashMap<String, Arc<Tally>>>;

/// The book of counts.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    rows: RwLock<Rows>,
    changed: Arc<Notify>,
}

/// One call from its arrival to its end. Dropped before [`Flight::complete`] or [`Flight::cut`], it
/// counts as cancelled: whoever owned it (the handler, then the answer's body) was given up.
#[derive(Debug)]
pub(crate) struct Flight {
    tally: Arc<Tally>,
    changed: Arc<Notify>,
    arrived: Instant,
    deadline: Duration,
    ended: bool,
}

// === impl Stats ===

impl Stats {
    /// A call has arrived.
    pub(crate) fn begin(&self, path: &str, model: &str, bytes_in: usize, deadline: Duration) -> Flight {
        let tally = self.tally(path, model);
        tally.received.fetch_add(1, Relaxed);
        tally.in_flight.fetch_add(1, Relaxed);
        tally.bytes_in.fetch_add(u64::try_from(bytes_in).unwrap_or(u64::MAX), Relaxed);
        self.changed.notify_waiters();
        Flight { tally, changed: self.changed.clone(), arrived: Instant::now(), deadline, ended: false }
    }

    fn tally(&self, path: &str, model: &str) -> Arc<Tally> {
        let found = |rows: &Rows| rows.get(path).and_then(|models| models.get(model)).cloned();
        if let Some(tally) = found(&self.rows.read().unwrap_or_else(PoisonError::into_inner)) {
            return tally;
        }
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        let full = rows.values().map(HashMap::len).sum::<usize>() >= STATS_ROWS_MAX;
        let (path, model) = if full { (OTHER, OTHER) } else { (path, model) };
        rows.entry(path.to_owned()).or_default().entry(model.to_owned()).or_default().clone()
    }

    /// All counts now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Row> = Vec::new();
        for (path, models) in rows.iter() {
            let row = |(model, tally): (&String, &Arc<Tally>)| Row {
                path: path.clone(),
                model: model.clone(),
                counts: tally.read(),
            };
            all.extend(models.iter().map(row));
        }
        all.sort_by(|one, other| (&one.path, &one.model).cmp(&(&other.path, &other.model)));
        let mut total = Counts::default();
        all.iter().for_each(|row| total.add(&row.counts));
        Snapshot { total, rows: all }
    }

    /// The sum of the rows that match.
    pub(crate) fn sum(&self, filter: &Filter) -> Counts {
        let mut sum = Counts::default();
        let wanted = |want: &Option<String>, have: &str| want.as_deref().is_none_or(|want| want == have);
        for (path, models) in self.rows.read().unwrap_or_else(PoisonError::into_inner).iter() {
            let matching = models.iter().filter(|(model, _)| wanted(&filter.model, model));
            matching.filter(|_| wanted(&filter.path, path)).for_each(|(_, tally)| sum.add(&tally.read()));
        }
        sum
    }

    /// Waits until `reached` says yes of the sum of the matching rows, or the time is over. Gives the
    /// last sum and whether it was reached.
    pub(crate) async fn wait(
        &self,
        filter: &Filter,
        timeout: Duration,
        reached: impl Fn(&Counts) -> bool,
    ) -> (Counts, bool) {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                // Listening begins before the look, so that no change in between is missed.
                changed.as_mut().enable();
                let sum = self.sum(filter);
                if reached(&sum) {
                    return sum;
                }
                changed.await;
            }
        };
        match tokio::time::timeout(timeout, waiting).await {
            Ok(sum) => (sum, true),
            Err(_) => (self.sum(filter), false),
        }
    }

    /// Forgets everything; calls that still run are counted in what was forgotten.
    pub(crate) fn reset(&self) {
        self.rows.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.changed.notify_waiters();
    }
}

// === impl Flight ===

impl Flight {
    /// The status of the answer.
    pub(crate) fn answered(&self, status: u16) {
        if status >= 400 {
            self.tally.refused.fetch_add(1, Relaxed);
        }
    }

    /// A piece of the answer was handed over.
    pub(crate) fn sent(&self, bytes: usize) {
        self.tally.bytes_out.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Relaxed);
    }

    /// The answer stands still on purpose.
    pub(crate) fn stalled(&self) {
        self.tally.stalled.fetch_add(1, Relaxed);
        self.changed.notify_waiters();
    }

    /// The answer was handed over to its end.
    pub(crate) fn complete(&mut self) {
        self.end(|tally| &tally.completed);
    }

    /// The answer was cut on purpose.
    pub(crate) fn cut(&mut self) {
        self.end(|tally| &tally.cut);
    }

    fn end(&mut self, how: impl Fn(&Tally) -> &AtomicU64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        how(&self.tally).fetch_add(1, Relaxed);
        self.tally.in_flight.fetch_sub(1, Relaxed);
        if self.arrived.elapsed() > self.deadline {
            self.tally.after_deadline.fetch_add(1, Relaxed);
        }
        self.changed.notify_waiters();
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.end(|tally| &tally.cancelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_flight_was_cancelled_and_whoever_waits_is_told() {
        let stats = Stats::default();
        let flight = stats.begin("/v1/x", "m", 7, Duration::from_secs(60));
        assert_eq!(stats.snapshot().total.in_flight, 1);
        let filter = Filter { model: Some("m".to_owned()), path: None };
        let wait = stats.wait(&filter, Duration::from_secs(60), |counts| counts.cancelled == 1);
        let (_, (sum, reached)) = tokio::join!(async { drop(flight) }, wait);
        assert!(reached);
        assert_eq!((sum.cancelled, sum.in_flight, sum.bytes_in, sum.after_deadline), (1, 0, 7, 0));
    }

    #[test]
    fn rows_are_bounded() {
        let stats = Stats::default();
        for number in 0..STATS_ROWS_MAX + 50 {
            stats.begin("/v1/x", &number.to_string(), 0, Duration::ZERO).complete();
        }
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.rows.len(), STATS_ROWS_MAX + 1);
        assert_eq!(snapshot.total.completed, u64::try_from(STATS_ROWS_MAX).unwrap() + 50);
    }
}
