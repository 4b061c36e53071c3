//! Rules of the record: for some calls more or less is kept than for others.

use super::{Content, Durability, Only};
use crate::unit::{Bytes, Duration};
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

/// What happens while the record cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnwritable {
    /// Calls are refused with `audit_unavailable`.
    #[default]
    Refuse,
    /// Records go to `record.spool` and from there into the log when it can be written again; when that is full, or cannot
    /// be written either, calls are refused.
    Spool,
}

/// Where records go while the log cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// A folder on another disk than that of the data folder.
    pub dir: Option<String>,
    /// How much it may hold.
    pub max: Bytes,
}

impl Default for Spool {
    fn default() -> Self {
        Self { dir: None, max: Bytes(1 << 30) }
    }
}

/// The second place, where all of the record is kept again, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Remote {
    /// A folder on another machine's disk, mounted here.
    pub dir: Option<String>,
    /// How long the end of an answer waits for it where `durability` is `remote`; then the call fails with
    /// `audit_unavailable`.
    pub timeout: Duration,
}

impl Default for Remote {
    fn default() -> Self {
        Self { dir: None, timeout: Duration::seconds(5) }
    }
}
