//! Identifiers in each provider's form, counted from one, so that they differ and tests can be read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// The source of a simulator's identifiers.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    next: AtomicU64,
}

// === impl Ids ===

impl Ids {
    /// A new identifier: the prefix and 24 letters.
    pub(crate) fn next(&self, prefix: &str) -> String {
        let number = self.next.fetch_add(1, Relaxed) + 1;
        format!("{prefix}{number:024x}")
    }
}

/// Seconds since 1970, for `created` members.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
