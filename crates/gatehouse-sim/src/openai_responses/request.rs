//! Reading and checking a Responses request.

use serde_json::{Value, json};

use super::input;
use crate::conversation::{Choice, Conversation, Format, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text, unknown};
use crate::openai_chat::{
    boolean, check_function_name, check_strict, integer_from, invalid_type, invalid_value, missing_parameter,
    model, number_range,
};

const KNOWN: [&str; 32] = [
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// The least that may be asked of `max_output_tokens`.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// A checked request.
pub(crate) struct ResponsesRequest {
    /// What decides the answer.
    pub(crate) conversation: Conversation,
    /// Whether it is streamed.
    pub(crate) stream: bool,
    /// Whether the reasoning comes with a summary.
    pub(crate) summary: bool,
    /// Whether the reasoning comes sealed.
    pub(crate) encrypted: bool,
    /// The request, for the members that are repeated in the answer.
    pub(crate) body: Value,
}

// === impl ResponsesRequest ===

impl ResponsesRequest {
    /// A request that asks for nothing in particular.
    pub(crate) fn plain(model: &str, stream: bool) -> Self {
        let conversation = Conversation::new(model);
        Self { conversation, stream, summary: false, encrypted: false, body: json!({}) }
    }
}

/// Checks a body and reads what decides the answer.
pub(crate) fn read(body: &Value) -> Checked<ResponsesRequest> {
    if let Some(name) = unknown(body, &KNOWN).first() {
        return Err(Fault::bad(format!("Unknown parameter: '{name}'."))
            .param(*name)
            .code("unknown_parameter"));
    }
    let Some(_) = get(body, "model") else { return Err(missing_parameter("model")) };
    let mut request = ResponsesRequest::plain(model(body)?, boolean(body, "stream")?);
    request.body = body.clone();
    if let Some(id) = get(body, "previous_response_id") {
        let said = format!("Previous response with id '{}' not found.", id.as_str().unwrap_or_default());
        return Err(Fault::bad(said).param("previous_response_id").code("previous_response_not_found"));
    }
    number_range(body, "temperature", 0.0, 2.0)?;
    number_range(body, "top_p", 0.0, 1.0)?;
    let conversation = &mut request.conversation;
    conversation.max_tokens = integer_from(body, "max_output_tokens", OUTPUT_TOKENS_MIN)?;
    conversation.parallel =
        get(body, "parallel_tool_calls").is_none() || boolean(body, "parallel_tool_calls")?;
    conversation.tools = tools(body)?;
    conversation.choice = choice(body, &conversation.tools)?;
    if let Some(instructions) = get(body, "instructions") {
        let said =
            instructions.as_str().ok_or_else(|| invalid_type("instructions", "a string", instructions))?;
        conversation.message();
        conversation.hear(said);
    }
    input::read(body, conversation)?;
    conversation.format = format(body)?;
    reasoning(body, &mut request)?;
    Ok(request)
}

fn reasoning(body: &Value, request: &mut ResponsesRequest) -> Checked<()> {
    const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    request.encrypted = list(body, "include").iter().any(|one| one == "reasoning.encrypted_content");
    let Some(reasoning) = get(body, "reasoning") else { return Ok(()) };
    if !reasoning.is_object() {
        return Err(invalid_type("reasoning", "an object", reasoning));
    }
    let effort = text(reasoning, "effort");
    if let Some(effort) = effort.filter(|effort| !EFFORTS.contains(effort)) {
        return Err(invalid_value("reasoning.effort", effort, &EFFORTS));
    }
    request.conversation.reasoning = effort != Some("none");
    request.summary = text(reasoning, "summary").is_some();
    Ok(())
}

fn tools(body: &Value) -> Checked<Vec<Tool>> {
    let tools = match get(body, "tools") {
        None => return Ok(Vec::new()),
        Some(Value::Array(tools)) => tools,
        Some(other) => return Err(invalid_type("tools", "an array of objects", other)),
    };
    let mut functions = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let at = format!("tools[{index}]");
        match text(tool, "type") {
            None => return Err(missing_parameter(&format!("{at}.type"))),
            Some("function") => {}
            // Hosted tools and the like are accepted and never used.
            Some(_) => continue,
        }
        let name = text(tool, "name").ok_or_else(|| missing_parameter(&format!("{at}.name")))?;
        check_function_name(name, &format!("{at}.name"))?;
        let schema = get(tool, "parameters").cloned().unwrap_or(json!({"type": "object", "properties": {}}));
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            let said = format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'."
            );
            return Err(Fault::bad(said)
                .param(format!("{at}.parameters"))
                .code("invalid_function_parameters"));
        }
        check_strict(tool, &schema, &format!("function '{name}'"), &format!("{at}.parameters"))?;
        functions.push(Tool { name: name.to_owned(), schema });
    }
    Ok(functions)
}

fn choice(body: &Value, tools: &[Tool]) -> Checked<Choice> {
    match get(body, "tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            "required" if tools.is_empty() && list(body, "tools").is_empty() => {
                let said = "Tool choice 'required' must be specified with 'tools' parameter.";
                Err(Fault::bad(said).param("tool_choice"))
            }
            "required" => Ok(Choice::Any),
            other => Err(invalid_value("tool_choice", other, &["none", "auto", "required"])),
        },
        Some(object @ Value::Object(_)) => match (text(object, "type"), text(object, "name")) {
            (Some("function"), Some(name)) if tools.iter().any(|tool| tool.name == name) => {
                Ok(Choice::Named(name.to_owned()))
            }
            (Some("function"), Some(name)) => {
                let said = format!("Tool choice '{name}' not found in 'tools' parameter.");
                Err(Fault::bad(said).param("tool_choice"))
            }
            (Some("function"), None) => Err(missing_parameter("tool_choice.name")),
            (Some("allowed_tools"), _) if text(object, "mode") == Some("required") => Ok(Choice::Any),
            (Some(_), _) => Ok(Choice::Auto),
            (None, _) => Err(missing_parameter("tool_choice.type")),
        },
        Some(other) => Err(invalid_type("tool_choice", "a string or an object", other)),
    }
}

fn format(body: &Value) -> Checked<Format> {
    let Some(format) = get(body, "text").and_then(|text| get(text, "format")) else {
        return Ok(Format::Text);
    };
    match text(format, "type") {
        Some("text") => Ok(Format::Text),
        Some("json_object")
            if get(body, "input").is_some_and(|input| input.to_string().to_lowercase().contains("json")) =>
        {
            Ok(Format::JsonObject)
        }
        Some("json_object") => {
            let said = "Response input messages must contain the word 'json' in some form to use 'text.format' of \
                type 'json_object'.";
            Err(Fault::bad(said).param("input"))
        }
        Some("json_schema") => {
            let name = text(format, "name").ok_or_else(|| missing_parameter("text.format.name"))?;
            let schema = get(format, "schema").ok_or_else(|| missing_parameter("text.format.schema"))?;
            check_strict(format, schema, &format!("response_format '{name}'"), "text.format.schema")?;
            Ok(Format::Schema(schema.clone()))
        }
        Some(other) => Err(invalid_value("text.format.type", other, &["json_object", "json_schema", "text"])),
        None => Err(missing_parameter("text.format.type")),
    }
}
