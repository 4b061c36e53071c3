//! What is told of an anchor: in the log of the process when it changes, in the metrics always.

use super::Outcome;
use gatehouse_server::clock;
use gatehouse_server::house::House;
use gatehouse_server::telemetry::book::Anchoring;
use std::sync::Arc;

/// Tells of one anchor.
pub(super) struct Teller {
    house: Arc<House>,
    name: Arc<str>,
    last: Option<Outcome>,
    now: Anchoring,
}

// === impl Teller ===

impl Teller {
    /// One that has nothing to tell yet, but that there is such an anchor.
    pub(super) fn new(house: &Arc<House>, name: &Arc<str>) -> Self {
        let now = Anchoring::default();
        house.metrics.book.anchor(name, now);
        Self { house: Arc::clone(house), name: Arc::clone(name), last: None, now }
    }

    /// Tells what came of a look.
    pub(super) fn tell(&mut self, outcome: Outcome) {
        let (name, is_new) = (&self.name, !self.is_like_the_last(&outcome));
        match &outcome {
            Outcome::Took(leaves) => {
                if is_new {
                    tracing::info!(anchor = %name, leaves, "the anchor of the audit log took a checkpoint");
                }
                self.now =
                    Anchoring { leaves: *leaves, at: clock::unix_seconds(), works: true, drifts: false };
            }
            Outcome::Failed(reason) => {
                if is_new {
                    tracing::warn!(anchor = %name, %reason, "the anchor of the audit log did not take a checkpoint");
                }
                // Who drifted still does, until it took one.
                self.now.works = false;
            }
            Outcome::Drifts(reason) => {
                if is_new {
                    tracing::error!(anchor = %name, %reason, "the audit log and its anchor differ");
                }
                (self.now.works, self.now.drifts) = (false, true);
            }
        }
        self.house.metrics.book.anchor(name, self.now);
        self.last = Some(outcome);
    }

    fn is_like_the_last(&self, outcome: &Outcome) -> bool {
        match (&self.last, outcome) {
            // Their numbers grow.
            (Some(Outcome::Took(_)), Outcome::Took(_)) | (Some(Outcome::Drifts(_)), Outcome::Drifts(_)) => {
                true
            }
            (last, outcome) => last.as_ref() == Some(outcome),
        }
    }
}
