//! Groq: OpenAI's chat dialect without log probabilities; usage is repeated under `x_groq`. <https://console.groq.com/docs/openai>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::{MaxTokens, Quirks};

/// Groq.
pub static PROVIDER: Compatible = Compatible {
    name: "groq",
    base_url: Some("https://api.groq.com/openai/v1"),
    environment: Environment { key: Some("GROQ_API_KEY"), base_url: Some("GROQ_BASE_URL") },
    also: &[Dialect::OpenAiResponses],
    quirks: Quirks { max_tokens: MaxTokens::CompletionTokens, refuse: &["logprobs", "logit_bias", "top_logprobs"], ..Quirks::COMPATIBLE },
    example_model: Some("llama-3.1-8b-instant"),
    ..Compatible::BASE
};
