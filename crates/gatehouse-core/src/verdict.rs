//! What guardrails decide.

use std::ops::Range;
use std::sync::Arc;

/// What a guardrail does about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Note it; nobody is told.
    Observe,
    /// Note it and say so in the answer's headers.
    Flag,
    /// Replace it for good.
    Redact,
    /// Replace it by a placeholder and put the original back into the answer.
    Mask,
    /// Stop the call.
    Block,
}

/// Something a guardrail found in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The category, e.g. `words` or `email`: never the matched text.
    pub category: Arc<str>,
    /// Byte range in the *unescaped* text that was judged.
    pub range: Range<usize>,
    /// What to put there, when the guardrail replaces.
    pub replacement: Arc<str>,
}

/// The outcome of one guardrail over one whole call, for headers and the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The guardrail's name in the configuration.
    pub guard: Arc<str>,
    /// What came of it.
    pub decision: Decision,
    /// Categories found, each once.
    pub categories: Vec<Arc<str>>,
    /// How many findings.
    pub findings: u32,
}

/// What came of a guardrail. Of several the greatest is the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// Nothing found.
    Allow,
    /// Could not run, and its policy lets the call pass.
    ErrorOpen,
    /// Found; the guardrail only observes.
    Observe,
    /// Found and flagged.
    Flag,
    /// Found and replaced.
    Redact,
    /// Found, replaced, and restored in the answer.
    Mask,
    /// Some of it could not be read (token ids), and passed unseen. Whatever was found beside it is counted
    /// in the outcome.
    Unread,
    /// Found and stopped.
    Block,
    /// Could not run, and its policy stops the call.
    ErrorClosed,
}

// === impl Decision ===

impl Decision {
    /// The name in headers and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::ErrorOpen => "error_open",
            Self::Observe => "observe",
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Mask => "mask",
            Self::Unread => "unread",
            Self::Block => "block",
            Self::ErrorClosed => "error_closed",
        }
    }
}

impl From<Action> for Decision {
    fn from(action: Action) -> Self {
        match action {
            Action::Observe => Self::Observe,
            Action::Flag => Self::Flag,
            Action::Redact => Self::Redact,
            Action::Mask => Self::Mask,
            Action::Block => Self::Block,
        }
    }
}
