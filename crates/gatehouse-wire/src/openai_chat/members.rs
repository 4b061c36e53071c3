//! The members of the dialect by name: what a member's letter case is checked against, and what is left
//! over for extensions.
//!
//! Source of the names: OpenAI's API reference, and what the family's servers add to it.

/// Members of a request that the canonical conversation has a place for.
pub(super) const CANONICAL: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "random_seed",
    "stop",
    "n",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
];

/// Members of a request that travel as extensions and change nothing that a caller would miss.
pub(super) const HINTS: &[&str] = &[
    "logit_bias",
    "store",
    "verbosity",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Members of a request that travel as extensions and change what the caller gets.
pub(super) const MEANINGS: &[&str] =
    &["logprobs", "top_logprobs", "modalities", "audio", "web_search_options", "moderation"];

/// Hints that the Responses dialect has too, by the same name and with the same values.
pub(super) const SHARED_WITH_RESPONSES: &[&str] =
    &["store", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "moderation"];

/// Members of a message that are read; others of the same message are extensions.
pub(super) const MESSAGE: &[&str] = &[
    "role",
    "content",
    "tool_calls",
    "tool_call_id",
    "function_call",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking_blocks",
    "extra_content",
    "cache_control",
];

/// Members of a message whose letter case matters beside [`MESSAGE`].
pub(super) const MESSAGE_EXTRA: &[&str] = &["name", "audio", "annotations", "prefix"];

/// Members of a content part.
pub(super) const PART: &[&str] = &[
    "type",
    "text",
    "image_url",
    "input_audio",
    "file",
    "video_url",
    "document_url",
    "document_name",
    "refusal",
    "thinking",
    "cache_control",
    "prompt_cache_breakpoint",
];

/// Members of a tool call.
pub(super) const TOOL_CALL: &[&str] = &["id", "type", "index", "function", "custom", "extra_content"];

/// Members of the function of a tool call or of a tool.
pub(super) const FUNCTION: &[&str] =
    &["name", "description", "parameters", "arguments", "strict", "input", "format"];

/// Members of a tool.
pub(super) const TOOL: &[&str] = &["type", "function", "custom", "cache_control"];

/// Whether `name` is a member of a request that is known by this spelling.
pub(super) fn is_root(name: &str) -> bool {
    CANONICAL.contains(&name) || HINTS.contains(&name) || MEANINGS.contains(&name)
}
