//! How long a session, and silence in it, may last.

use crate::clock::left;
use std::time::{Duration, Instant};

/// The limits of time of a session.
pub(super) struct Times {
    pub(super) deadline: Instant,
    /// How long the provider may be silent while it answers.
    pub(super) answering: Duration,
    /// How long both may be silent otherwise.
    pub(super) idle: Duration,
    /// When something was said last.
    pub(super) last: Instant,
}

// === impl Times ===

impl Times {
    /// When to look at the clock again: a response may begin at any time.
    pub(super) fn wake(&self) -> Instant {
        let silence = self.answering.min(self.idle);
        let next = self.last + silence;
        // Silence that is allowed now is looked at once more when it may not be any more.
        let next = if left(next).is_zero() { Instant::now() + silence } else { next };
        self.deadline.min(next).min(self.last + self.idle).max(Instant::now())
    }

    /// When the silence, or the session, has lasted too long.
    pub(super) fn next(&self, answering: bool) -> Instant {
        let silence = if answering { self.answering.min(self.idle) } else { self.idle };
        self.deadline.min(self.last + silence)
    }

    /// How long one side may take to take a message.
    pub(super) fn patience(&self) -> Duration {
        self.answering.min(left(self.deadline))
    }
}
