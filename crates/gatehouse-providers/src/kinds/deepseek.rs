//! DeepSeek: text only; wants its reasoning back within a tool loop. <https://api-docs.deepseek.com>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_wire::codec::{Quirks, ReasoningAs};

/// DeepSeek.
pub static PROVIDER: Compatible = Compatible {
    name: "deepseek",
    base_url: Some("https://api.deepseek.com"),
    environment: Environment { key: Some("DEEPSEEK_API_KEY"), base_url: Some("DEEPSEEK_BASE_URL"), also: &[] },
    also: &[],
    quirks: Quirks { json_schema: false, reasoning_back: true, reasoning_as: ReasoningAs::Thinking, drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], refuse: &["logit_bias", "seed"], ..Quirks::COMPATIBLE },
    model_prefixes: &["deepseek-"],
    example_model: Some("deepseek-chat"),
    ..Compatible::BASE
};
