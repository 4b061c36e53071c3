//! Together AI. <https://docs.together.ai/reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Together AI.
pub static PROVIDER: Compatible = Compatible {
    name: "together",
    also_called: &["together_ai"],
    base_url: Some("https://api.together.xyz/v1"),
    environment: Environment { key: Some("TOGETHER_API_KEY"), base_url: Some("TOGETHER_BASE_URL"), also: &[] },
    also: &[
        Dialect::OpenAiCompletions,
        Dialect::OpenAiEmbeddings,
        Dialect::JinaRerank,
        Dialect::OpenAiImages,
        Dialect::OpenAiSpeech,
        Dialect::OpenAiTranscriptions,
        Dialect::OpenAiTranslations,
    ],
    quirks: Quirks { drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], ..Quirks::COMPATIBLE },
    example_model: Some("meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ..Compatible::BASE
};
