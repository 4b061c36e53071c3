//! OpenRouter: sealed reasoning comes as `reasoning_details`. <https://openrouter.ai/docs/api-reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::chat::Origin;
use gatehouse_wire::codec::{CacheMarks, Quirks, ReasoningAs};

/// OpenRouter.
pub static PROVIDER: Compatible = Compatible {
    name: "openrouter",
    base_url: Some("https://openrouter.ai/api/v1"),
    environment: Environment { key: Some("OPENROUTER_API_KEY"), base_url: Some("OPENROUTER_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiCompletions, Dialect::OpenAiEmbeddings, Dialect::OpenAiResponses],
    quirks: Quirks { reasoning_as: ReasoningAs::Object, seals: Some(Origin::OpenRouter), cache_marks: CacheMarks::CacheControl, ..Quirks::COMPATIBLE },
    example_model: Some("openai/gpt-5-mini"),
    ..Compatible::BASE
};
