//! How long what is recorded is kept.

use crate::unit::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long what is recorded is kept. What is on hold (`gatehouse audit hold`) is kept beyond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// How long what was said is kept, where `record.content` keeps it; absent: as long as its record. It goes up to a
    /// day later, as what was said on one day goes together.
    pub content: Option<Duration>,
    /// How long records are kept; absent: for ever. They go up to a week later. Their hashes stay, so that all others
    /// can still be verified.
    pub records: Option<Duration>,
}

impl Retention {
    /// How long what was said is kept: no longer than its record.
    #[must_use]
    pub fn texts(&self) -> Option<Duration> {
        self.content.or(self.records)
    }
}
