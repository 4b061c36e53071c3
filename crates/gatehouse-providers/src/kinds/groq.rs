//! Groq: OpenAI's chat dialect without log probabilities and names of speakers, and one answer to a call; it
//! refuses members that it does not know, also in messages. Usage is repeated under `x_groq`.
//! <https://console.groq.com/docs/openai>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::{MaxTokens, Quirks};

/// Groq.
pub static PROVIDER: Compatible = Compatible {
    name: "groq",
    base_url: Some("https://api.groq.com/openai/v1"),
    environment: Environment { key: Some("GROQ_API_KEY"), base_url: Some("GROQ_BASE_URL"), also: &[] },
    also: &[
        Dialect::OpenAiResponses,
        Dialect::OpenAiSpeech,
        Dialect::OpenAiTranscriptions,
        Dialect::OpenAiTranslations,
        Dialect::OpenAiFiles,
        Dialect::OpenAiBatches,
    ],
    quirks: Quirks { max_tokens: MaxTokens::CompletionTokens, drop: &["top_k", "name", "reasoning_content", "annotations", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "verbosity"], refuse: &["logprobs", "logit_bias", "top_logprobs", "n"], ..Quirks::COMPATIBLE },
    example_model: Some("llama-3.1-8b-instant"),
    ..Compatible::BASE
};
