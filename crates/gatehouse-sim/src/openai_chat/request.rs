//! Reading and checking a chat request, as strictly as OpenAI does.

use serde_json::Value;

use super::complaint::{
    boolean, integer_from, invalid_type, invalid_value, missing_parameter, model, number_range,
};
use super::{messages, tools};
use crate::conversation::{Conversation, Format};
use crate::fault::{Checked, Fault};
use crate::json::{get, text, unknown};
use crate::options::CHOICES_MAX;

/// The members that a request may have.
const KNOWN: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// The models that refuse `max_tokens`.
const COMPLETION_TOKENS_ONLY: [&str; 4] = ["o1", "o3", "o4", "gpt-5"];

/// A checked request.
pub(crate) struct ChatRequest {
    /// What decides the answer.
    pub(crate) conversation: Conversation,
    /// How many answers.
    pub(crate) choices: u64,
    /// Whether they are streamed.
    pub(crate) stream: bool,
    /// Whether the stream tells the usage at its end.
    pub(crate) include_usage: bool,
    /// Whether each token's probability is told.
    pub(crate) logprobs: bool,
}

// === impl ChatRequest ===

impl ChatRequest {
    /// A request that asks for nothing in particular.
    pub(crate) fn plain(model: &str, stream: bool, include_usage: bool) -> Self {
        Self { conversation: Conversation::new(model), choices: 1, stream, include_usage, logprobs: false }
    }
}

/// Checks a body and reads what decides the answer.
pub(crate) fn read(body: &Value) -> Checked<ChatRequest> {
    refuse_unknown(body)?;
    let mut request = ChatRequest::plain(model(body)?, boolean(body, "stream")?, false);
    stream_options(body, &mut request)?;
    numbers(body, &mut request)?;
    let conversation = &mut request.conversation;
    conversation.stop = stop(body)?;
    conversation.reasoning = reasoning(body)?;
    tools::read(body, conversation)?;
    messages::read(body, conversation)?;
    conversation.format = format(body)?;
    Ok(request)
}

fn refuse_unknown(body: &Value) -> Checked<()> {
    let names = unknown(body, &KNOWN);
    match names.as_slice() {
        [] => Ok(()),
        [one] => Err(Fault::bad(format!("Unrecognized request argument supplied: {one}"))),
        more => Err(Fault::bad(format!("Unrecognized request arguments supplied: {}", more.join(", ")))),
    }
}

fn stream_options(body: &Value, request: &mut ChatRequest) -> Checked<()> {
    let Some(options) = get(body, "stream_options") else { return Ok(()) };
    if !request.stream {
        let said = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Fault::bad(said).param("stream_options"));
    }
    if !options.is_object() {
        return Err(invalid_type("stream_options", "an object", options));
    }
    if let Some(name) = unknown(options, &["include_usage", "include_obfuscation"]).first() {
        let param = format!("stream_options.{name}");
        return Err(Fault::bad(format!("Unknown parameter: '{param}'."))
            .param(param)
            .code("unknown_parameter"));
    }
    request.include_usage = boolean(options, "include_usage")?;
    Ok(())
}

fn numbers(body: &Value, request: &mut ChatRequest) -> Checked<()> {
    number_range(body, "temperature", 0.0, 2.0)?;
    number_range(body, "top_p", 0.0, 1.0)?;
    number_range(body, "frequency_penalty", -2.0, 2.0)?;
    number_range(body, "presence_penalty", -2.0, 2.0)?;
    request.choices = integer_from(body, "n", 1)?.unwrap_or(1).min(CHOICES_MAX);
    request.logprobs = boolean(body, "logprobs")?;
    if get(body, "top_logprobs").is_some() && !request.logprobs {
        let said = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.";
        return Err(Fault::bad(said).param("top_logprobs"));
    }
    let old = integer_from(body, "max_tokens", 1)?;
    let new = integer_from(body, "max_completion_tokens", 1)?;
    if old.is_some() && new.is_some() {
        let said = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Fault::bad(said).param("max_tokens").code("invalid_parameter_combination"));
    }
    let name = &request.conversation.model;
    if old.is_some() && COMPLETION_TOKENS_ONLY.iter().any(|family| name.starts_with(family)) {
        let said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
            'max_completion_tokens' instead.";
        return Err(Fault::bad(said).param("max_tokens").code("unsupported_parameter"));
    }
    request.conversation.max_tokens = new.or(old);
    Ok(())
}

/// The stop sequences: one text or up to four.
pub(super) fn stop(body: &Value) -> Checked<Vec<String>> {
    let wrong = |value: &Value| invalid_type("stop", "a string or an array of strings", value);
    match get(body, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) if many.len() > 4 => {
            let said = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with \
                 length {} instead.",
                many.len()
            );
            Err(Fault::bad(said).param("stop").code("array_above_max_length"))
        }
        Some(Value::Array(many)) => {
            many.iter().map(|one| one.as_str().map(str::to_owned).ok_or_else(|| wrong(one))).collect()
        }
        Some(other) => Err(wrong(other)),
    }
}

fn reasoning(body: &Value) -> Checked<bool> {
    const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    match get(body, "reasoning_effort") {
        None => Ok(false),
        Some(Value::String(effort)) if EFFORTS.contains(&effort.as_str()) => Ok(effort != "none"),
        Some(Value::String(effort)) => Err(invalid_value("reasoning_effort", effort, &EFFORTS)),
        Some(other) => Err(invalid_type("reasoning_effort", "a string", other)),
    }
}

fn format(body: &Value) -> Checked<Format> {
    let Some(format) = get(body, "response_format") else { return Ok(Format::Text) };
    if !format.is_object() {
        return Err(invalid_type("response_format", "an object", format));
    }
    match text(format, "type") {
        Some("text") => Ok(Format::Text),
        Some("json_object") => {
            messages::require_the_word_json(body)?;
            Ok(Format::JsonObject)
        }
        Some("json_schema") => json_schema(format),
        Some(other) => {
            Err(invalid_value("response_format.type", other, &["json_object", "json_schema", "text"]))
        }
        None => Err(missing_parameter("response_format.type")),
    }
}

fn json_schema(format: &Value) -> Checked<Format> {
    let Some(wrapper) = get(format, "json_schema") else {
        return Err(missing_parameter("response_format.json_schema"));
    };
    let Some(name) = text(wrapper, "name") else {
        return Err(missing_parameter("response_format.json_schema.name"));
    };
    let Some(schema) = get(wrapper, "schema") else {
        return Err(missing_parameter("response_format.json_schema.schema"));
    };
    tools::check_strict(wrapper, schema, &format!("response_format '{name}'"), "response_format")?;
    Ok(Format::Schema(schema.clone()))
}
