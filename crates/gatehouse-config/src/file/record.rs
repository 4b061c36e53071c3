//! Rules of the record: for some calls more or less is kept than for others.

use super::{Content, Durability, Only};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says for some calls what is kept of what was said, and when the end of an answer is released. Of several rules that
/// fit a call, the first that says something of the one or the other counts.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecordRule {
    /// Only for calls on these accounts.
    pub only: Only,
    /// Only for calls of this model, as callers name it; `claude-*` means all that begin so.
    pub model: Option<String>,
    /// Only for calls of which this guardrail said this: `injection=block`; without `=` it is enough that it found
    /// something. What a guardrail blocked is kept in full only where a rule of this kind says so.
    pub guard: Option<String>,
    /// What is kept of what was said.
    pub content: Option<Content>,
    /// When the end of an answer is released.
    pub durability: Option<Durability>,
}
