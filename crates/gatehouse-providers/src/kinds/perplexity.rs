//! Perplexity: every chunk carries the usage so far. <https://docs.perplexity.ai/api-reference>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_wire::codec::Quirks;

/// Perplexity.
pub static PROVIDER: Compatible = Compatible {
    name: "perplexity",
    base_url: Some("https://api.perplexity.ai"),
    environment: Environment { key: Some("PERPLEXITY_API_KEY"), base_url: Some("PERPLEXITY_BASE_URL"), also: &[] },
    also: &[],
    quirks: Quirks { stream_options: false, drop: &["user", "metadata", "store", "service_tier", "safety_identifier", "seed", "stream_options"], refuse: &["tools", "tool_choice", "logit_bias", "logprobs", "n"], ..Quirks::COMPATIBLE },
    model_prefixes: &["sonar"],
    example_model: Some("sonar"),
    ..Compatible::BASE
};
