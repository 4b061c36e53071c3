//! Ollama, through its OpenAI-compatible paths. <https://docs.ollama.com/openai>

use crate::Environment;
use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Ollama.
pub static PROVIDER: Compatible = Compatible {
    name: "ollama",
    also_called: &["ollama_chat"],
    environment: Environment { key: None, base_url: Some("OLLAMA_HOST"), also: &[] },
    also: &[Dialect::OpenAiCompletions, Dialect::OpenAiEmbeddings],
    key: Key::Optional,
    quirks: Quirks { drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], refuse: &["logit_bias", "logprobs"], ..Quirks::COMPATIBLE },
    ..Compatible::BASE
};
