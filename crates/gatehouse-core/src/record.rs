//! What the book says about a call. The audit crate gives it its canonical bytes.

use crate::call::{CallId, Operation, Scope};
use crate::content::Dialect;
use crate::money::Nanodollars;
use crate::usage::{Usage, UsageSource};
use crate::verdict::Outcome;
use std::sync::Arc;

/// Microseconds since the Unix epoch, UTC.
pub type UnixMicros = u64;

/// The first of a call's two leaves, in the log before a provider is contacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The call.
    pub call: CallId,
    /// When it was accepted.
    pub at: UnixMicros,
    /// The caller key's public part.
    pub key: Arc<str>,
    /// On whose account.
    pub scope: Scope,
    /// What is asked.
    pub operation: Operation,
    /// The wire format that the caller speaks.
    pub surface: Dialect,
    /// The model that the caller named.
    pub model: Arc<str>,
    /// What was reserved for it, so that a crash can be settled.
    pub reserved: Nanodollars,
    /// The targets to be tried, in order (`provider/model`).
    pub plan: Vec<Arc<str>>,
}

/// The last leaf of a call: exactly one for each exchange, whatever its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The call.
    pub call: CallId,
    /// When it was accepted.
    pub at: UnixMicros,
    /// How it ended.
    pub outcome: Ending,
    /// The stable error code, when it did not succeed.
    pub error: Option<&'static str>,
    /// The HTTP status that the caller got.
    pub status: u16,
    /// The caller key's public part; absent when nobody was authenticated.
    pub key: Option<Arc<str>>,
    /// On whose account.
    pub scope: Scope,
    /// What was asked; absent when the path was not understood.
    pub operation: Option<Operation>,
    /// The wire format that the caller speaks; absent when the path was not understood.
    pub surface: Option<Dialect>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The model that the caller named.
    pub model: Option<Arc<str>>,
    /// Who served, as `provider/model`.
    pub target: Option<Arc<str>>,
    /// The rule or reason of the route.
    pub route: Option<Arc<str>>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What guardrails decided.
    pub guards: Vec<Outcome>,
    /// What was left out of the request for the provider.
    pub dropped: Vec<Arc<str>>,
    /// Why the model stopped, in OpenAI's words.
    pub finish: Option<Arc<str>>,
    /// Tokens of the attempt that served.
    pub usage: Usage,
    /// Who counted them.
    pub usage_source: UsageSource,
    /// What it cost.
    pub cost: Cost,
    /// How long things took.
    pub timing: Timing,
    /// The version of the configuration it ran under: hex SHA-256 of the document.
    pub config: Arc<str>,
    /// What was said, as far as the policy keeps it.
    pub payload: Vec<Payload>,
    /// The trace that the caller or we started (32 hex digits).
    pub trace: Option<Arc<str>>,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The caller got a whole answer.
    Settled,
    /// Identity, policy or the request itself stopped it before a provider was contacted.
    Denied,
    /// A provider or we failed.
    Failed,
    /// The caller left before the end.
    Aborted,
}

/// One try at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// `provider/model`.
    pub target: Arc<str>,
    /// The provider's status; absent when none came.
    pub status: Option<u16>,
    /// The stable code of its failure; absent for the one that served.
    pub error: Option<&'static str>,
    /// The provider's own id of the request.
    pub upstream_id: Option<Arc<str>>,
    /// From sending to the first byte of the answer, or to the failure.
    pub micros: u64,
}

/// What a call cost and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The amount; meaningless when `status` is `Unpriced`.
    pub amount: Nanodollars,
    /// How it was found.
    pub status: CostStatus,
    /// The price row used.
    pub price: Option<Arc<str>>,
}

impl Cost {
    /// Both together, as sure as the less sure one: what several attempts cost.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            amount: self.amount.saturating_add(other.amount),
            status: self.status.max(other.status),
            price: other.price.or(self.price),
        }
    }
}

/// How sure a cost is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CostStatus {
    /// Nothing was used.
    #[default]
    Free,
    /// The provider's usage at a known price.
    Exact,
    /// Our count at a known price.
    Estimated,
    /// Used, but no price is known: never taken for zero.
    Unpriced,
}

/// Durations of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From accept to the first attempt.
    pub queue_micros: u64,
    /// From accept to the first byte of the answer.
    pub first_byte_micros: u64,
    /// From accept to the end.
    pub total_micros: u64,
}

/// A body, as the content policy keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Which one.
    pub role: PayloadRole,
    /// Its size on the wire.
    pub bytes: u64,
    /// SHA-256 of the bytes, when the policy keeps a digest.
    pub sha256: Option<[u8; 32]>,
    /// The text itself, when the policy keeps it.
    pub text: Option<String>,
    /// Whether something was taken out of the text, or may have been.
    pub redacted: bool,
}

/// Which body of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadRole {
    /// What the caller sent.
    Request,
    /// What the caller got.
    Answer,
}

// === impl names ===

impl Ending {
    /// The kind of the leaf.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "call.settled",
            Self::Denied => "call.denied",
            Self::Failed => "call.failed",
            Self::Aborted => "stream.aborted",
        }
    }
}

impl CostStatus {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Unpriced => "unpriced",
        }
    }
}

impl PayloadRole {
    /// The name in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Answer => "answer",
        }
    }
}
