//! Mistral: `any` for a forced tool, `random_seed`, ids of nine characters; it refuses members that it does not
//! know, also in messages (422). <https://docs.mistral.ai/api>

use crate::Environment;
use crate::compatible::Compatible;
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::{ToolIds, Quirks};

/// Mistral.
pub static PROVIDER: Compatible = Compatible {
    name: "mistral",
    convention_name: Some("mistral_ai"),
    base_url: Some("https://api.mistral.ai/v1"),
    environment: Environment { key: Some("MISTRAL_API_KEY"), base_url: Some("MISTRAL_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiEmbeddings, Dialect::OpenAiModerations, Dialect::OpenAiTranscriptions],
    quirks: Quirks { stream_options: false, tool_ids: ToolIds::NineAlphanumeric, forced_tool: "any", seed: "random_seed", drop: &["top_k", "name", "reasoning_content", "reasoning", "thinking", "annotations", "refusal", "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "verbosity", "stream_options"], refuse: &["logit_bias", "logprobs", "top_logprobs"], ..Quirks::COMPATIBLE },
    model_prefixes: &["mistral-", "ministral-", "codestral", "magistral-", "pixtral-", "devstral-"],
    example_model: Some("mistral-small-latest"),
    ..Compatible::BASE
};
