//! Load: connections that ask, wait for the whole answer, look at it, and ask again.

mod connection;
mod idle;
mod loops;

pub(crate) use connection::Connection;
pub(crate) use idle::Held;
pub(crate) use loops::{closed, open, paced};

use std::time::Duration;

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Right answers.
    pub(crate) calls: u32,
    /// The time to each of them: to the whole answer, or to the first event of a stream.
    pub(crate) latencies: Vec<Duration>,
    /// Wrong answers and failures.
    pub(crate) failures: u32,
    /// The first of those.
    pub(crate) first_failure: Option<String>,
}

// === impl Outcome ===

impl Outcome {
    fn took(&mut self, result: anyhow::Result<Duration>) -> bool {
        match result {
            Ok(latency) => {
                self.calls += 1;
                self.latencies.push(latency);
                true
            }
            Err(error) => {
                self.failures += 1;
                self.first_failure.get_or_insert(format!("{error:#}"));
                false
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.latencies.extend(other.latencies);
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }
}
