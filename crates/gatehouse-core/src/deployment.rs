//! A model at a provider: what a route picks.

use std::fmt;
use std::sync::Arc;

/// A model at a provider, as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    /// The provider's name in the configuration (`claude`), not its kind.
    pub provider: Arc<str>,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// Where the data goes; empty when nobody said.
    pub region: Arc<str>,
}

/// What a model can do, as far as the catalogue knows. Unknown is `None`: it is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Tokens of prompt and answer together.
    pub context_tokens: Option<u64>,
    /// The longest answer in tokens.
    pub output_tokens: Option<u64>,
    /// Takes `temperature`, `top_p`, `top_k`.
    pub sampling: Option<bool>,
    /// Calls tools.
    pub tools: Option<bool>,
    /// Reads images.
    pub images: Option<bool>,
    /// Reads audio.
    pub audio: Option<bool>,
    /// Reads PDF documents.
    pub documents: Option<bool>,
    /// Answers by a JSON Schema.
    pub structured: Option<bool>,
    /// Thinks before it answers.
    pub reasoning: Option<bool>,
    /// Takes system messages in the middle of a conversation.
    pub system_anywhere: Option<bool>,
    /// Anthropic: `thinking: {type: adaptive}` instead of a token budget.
    pub adaptive_thinking: Option<bool>,
}

impl fmt::Display for Deployment {
    /// `provider/model`, as in `x-gatehouse-target`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}
