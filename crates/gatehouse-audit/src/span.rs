//! How long a time one file of the log holds: what is given up by its age goes file by file.

use gatehouse_core::record::UnixMicros;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A length of time, whose periods begin with 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(u64);

/// How long a time one file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// Of a pack of texts.
    pub texts: Span,
    /// Of a segment of leaves.
    pub leaves: Span,
}

// === impl Span ===

impl Span {
    /// A tenth of the time that things are kept, but no less than a second and no more than `longest`.
    #[must_use]
    pub fn of(kept: Duration, longest: Duration) -> Self {
        let span = (kept / 10).clamp(Duration::from_secs(1), longest);
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    /// The end of the period that a moment is in.
    pub(crate) fn end(self, at: UnixMicros) -> UnixMicros {
        (at / self.0 + 1).saturating_mul(self.0)
    }

    /// Whether a moment is not in the period that ends at `end`, nor shortly before: clocks are put right.
    pub(crate) fn is_over(self, end: UnixMicros, at: UnixMicros) -> bool {
        at >= end || at < end.saturating_sub(self.0.saturating_mul(2))
    }
}

// === impl Spans ===

impl Spans {
    /// For texts and records that are kept so long; a day and a week where they are kept for ever.
    #[must_use]
    pub fn of(texts: Option<Duration>, records: Option<Duration>) -> Self {
        Self {
            texts: Span::of(texts.unwrap_or(Duration::MAX), DAY),
            leaves: Span::of(records.unwrap_or(Duration::MAX), 7 * DAY),
        }
    }
}

impl Default for Spans {
    fn default() -> Self {
        Self::of(None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::Spans;
    use std::time::Duration;

    #[test]
    fn periods_end_and_a_clock_that_was_far_ahead_does_not_hold_them_open() {
        let texts = Spans::default().texts;
        let day = 86_400_000_000;
        assert_eq!((texts.end(0), texts.end(day - 1), texts.end(day)), (day, day, 2 * day));
        assert!(!texts.is_over(day, day - 1) && texts.is_over(day, day));
        assert!(!texts.is_over(10 * day, 8 * day) && texts.is_over(10 * day, 8 * day - 1));
        let short = Spans::of(Some(Duration::from_secs(30)), None).texts;
        assert_eq!(short.end(1), 3_000_000);
    }
}
