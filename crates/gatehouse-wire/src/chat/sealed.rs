//! What only its maker can read, and must get back unchanged.

/// Bytes that mean something to their maker alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Whose it is.
    pub origin: Origin,
    /// The value, exactly as its maker wrote it.
    pub value: String,
}

/// Who made something opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// OpenAI, or a server that speaks its Responses.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google.
    Gemini,
    /// OpenRouter's `reasoning_details`.
    OpenRouter,
    /// Amazon Bedrock's `reasoningContent`.
    Bedrock,
}

// === impl Origin ===

impl Origin {
    /// All of them.
    pub(crate) const ALL: &'static [Self] =
        &[Self::OpenAi, Self::Anthropic, Self::Gemini, Self::OpenRouter, Self::Bedrock];

    /// The name in envelopes and in `x-gatehouse-dropped`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenRouter => "openrouter",
            Self::Bedrock => "bedrock",
        }
    }
}

// === impl Seal ===

impl Seal {
    /// How it is named in `x-gatehouse-dropped`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("thinking signature of {}", self.origin.as_str())
    }
}
