//! Fireworks AI. <https://docs.fireworks.ai/api-reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Fireworks AI.
pub static PROVIDER: Compatible = Compatible {
    name: "fireworks",
    also_called: &["fireworks_ai"],
    base_url: Some("https://api.fireworks.ai/inference/v1"),
    environment: Environment { key: Some("FIREWORKS_API_KEY"), base_url: Some("FIREWORKS_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiCompletions, Dialect::OpenAiEmbeddings, Dialect::JinaRerank, Dialect::OpenAiResponses],
    quirks: Quirks::COMPATIBLE,
    model_prefixes: &["accounts/fireworks/"],
    example_model: Some("accounts/fireworks/models/gpt-oss-20b"),
    ..Compatible::BASE
};
