//! How long something may be looked for: until its time is over, or until nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// When to stop looking.
#[derive(Clone, Debug)]
pub struct Until {
    deadline: Instant,
    left: Arc<AtomicBool>,
}

/// Whoever waits; when it is dropped, he has left.
#[derive(Debug)]
pub struct Leaving(Arc<AtomicBool>);

// === impl Until ===

impl Until {
    /// So long from now, and only while somebody waits.
    #[must_use]
    pub fn within(time: Duration) -> (Self, Leaving) {
        let left = Arc::new(AtomicBool::new(false));
        (Self { deadline: Instant::now() + time, left: Arc::clone(&left) }, Leaving(left))
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Until;
    use std::time::Duration;

    #[test]
    fn it_is_over_with_its_time_or_when_nobody_waits() {
        let (until, waits) = Until::within(Duration::from_secs(600));
        assert!(!until.is_over());
        drop(waits);
        assert!(until.is_over());
        let (until, _waits) = Until::within(Duration::ZERO);
        assert!(until.is_over());
    }
}
