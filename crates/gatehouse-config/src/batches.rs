//! Batches at providers.

use crate::unit::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Batches at providers.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Batches {
    /// How often a provider is asked whether an open batch is over. Then its cost is settled.
    pub poll: Duration,
}

impl Default for Batches {
    fn default() -> Self {
        Self { poll: Duration::seconds(60) }
    }
}
