//! Anthropic's prompt cache: which prefixes were marked before.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use crate::options::CACHED_PREFIXES_MAX;

/// Prefixes seen, the oldest first, at most [`CACHED_PREFIXES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Prefixes {
    seen: Mutex<VecDeque<u64>>,
}

// === impl Prefixes ===

impl Prefixes {
    /// Remembers a prefix and says whether it was there before.
    pub(crate) fn touch(&self, prefix: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        prefix.hash(&mut hasher);
        let hash = hasher.finish();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&hash) {
            return true;
        }
        if seen.len() >= CACHED_PREFIXES_MAX {
            seen.pop_front();
        }
        seen.push_back(hash);
        false
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
