//! vLLM's server. <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>

use crate::Environment;
use crate::compatible::{Compatible, Key};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// vLLM's server.
pub static PROVIDER: Compatible = Compatible {
    name: "vllm",
    also_called: &["hosted_vllm"],
    environment: Environment { key: None, base_url: Some("VLLM_BASE_URL"), also: &[] },
    also: &[
        Dialect::OpenAiCompletions,
        Dialect::OpenAiEmbeddings,
        Dialect::JinaRerank,
        Dialect::OpenAiResponses,
        Dialect::OpenAiTranscriptions,
        Dialect::OpenAiTranslations,
    ],
    key: Key::Optional,
    quirks: Quirks::COMPATIBLE,
    ..Compatible::BASE
};
