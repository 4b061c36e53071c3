//! xAI: chat and Responses. <https://docs.x.ai/docs/api-reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::{MaxTokens, Quirks};

/// xAI.
pub static PROVIDER: Compatible = Compatible {
    name: "xai",
    convention_name: Some("x_ai"),
    base_url: Some("https://api.x.ai/v1"),
    environment: Environment { key: Some("XAI_API_KEY"), base_url: Some("XAI_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiResponses, Dialect::OpenAiImages, Dialect::OpenAiImageEdits],
    quirks: Quirks { max_tokens: MaxTokens::CompletionTokens, refuse: &["logit_bias"], ..Quirks::COMPATIBLE },
    model_prefixes: &["grok-"],
    example_model: Some("grok-4-1-fast-non-reasoning"),
    ..Compatible::BASE
};
