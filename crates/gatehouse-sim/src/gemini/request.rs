//! Reading and checking a `generateContent` request.

use serde_json::{Map, Value};

use super::{contents, schema, tools};
use crate::conversation::{Conversation, Format};
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, text, unknown};
use crate::options::CHOICES_MAX;

const KNOWN: [&str; 11] = [
    "cachedContent",
    "contents",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
    "tools",
];

const KNOWN_CONFIG: [&str; 23] = [
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "routingConfig",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
    "responseFormat",
    "audioTimestamp",
];

/// Stop sequences of one request.
const STOP_SEQUENCES_MAX: usize = 5;

/// Members whose values are the client's own: their names are left alone.
const OPAQUE: [&str; 9] = [
    "args",
    "response",
    "properties",
    "parametersJsonSchema",
    "responseJsonSchema",
    "enum",
    "required",
    "default",
    "labels",
];

/// A checked request.
pub(super) struct GenerateRequest {
    /// What decides the answer.
    pub(super) conversation: Conversation,
    /// How many answers.
    pub(super) candidates: u64,
    /// Whether the thoughts are shown.
    pub(super) thoughts: bool,
}

// === impl GenerateRequest ===

impl GenerateRequest {
    /// A request that asks for nothing in particular.
    pub(super) fn plain(model: &str) -> Self {
        Self { conversation: Conversation::new(model), candidates: 1, thoughts: false }
    }
}

/// Checks a body in camel case and reads what decides the answer.
pub(super) fn read(body: &Value, model: &str) -> Checked<GenerateRequest> {
    if let Some(name) = unknown(body, &KNOWN).first() {
        return Err(unknown_name(name, ""));
    }
    let mut request = GenerateRequest::plain(model);
    config(body, &mut request)?;
    let conversation = &mut request.conversation;
    tools::read(body, conversation)?;
    contents::read(body, conversation)?;
    Ok(request)
}

/// The same for counting tokens only.
pub(super) fn read_to_count(body: &Value, model: &str) -> Checked<Conversation> {
    let mut conversation = Conversation::new(model);
    contents::read(body, &mut conversation)?;
    Ok(conversation)
}

/// A member that does not exist.
pub(super) fn unknown_name(name: &str, at: &str) -> Fault {
    let at = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
    Fault::bad(format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field."))
}

/// A member of the wrong kind, in the words of the protocol buffers behind the API.
pub(super) fn invalid_value(at: &str, kind: &str, got: &Value) -> Fault {
    Fault::bad(format!("Invalid value at '{at}' ({kind}), {got}"))
}

/// The same value with the names of its members in camel case, except where they are the client's.
pub(crate) fn camel(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(camel).collect(),
        Value::Object(members) => {
            let renamed = members.iter().map(|(name, member)| {
                let name = camel_name(name);
                let member = if OPAQUE.contains(&name.as_str()) { member.clone() } else { camel(member) };
                (name, member)
            });
            Value::Object(renamed.collect::<Map<String, Value>>())
        }
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        match letter {
            '_' if !camel.is_empty() => raise = true,
            letter if std::mem::take(&mut raise) => camel.push(letter.to_ascii_uppercase()),
            letter => camel.push(letter),
        }
    }
    camel
}

fn config(body: &Value, request: &mut GenerateRequest) -> Checked<()> {
    let Some(config) = get(body, "generationConfig") else { return Ok(()) };
    if !config.is_object() {
        return Err(invalid_value("generation_config", "type.googleapis.com/GenerationConfig", config));
    }
    if let Some(name) = unknown(config, &KNOWN_CONFIG).first() {
        return Err(unknown_name(name, "generation_config"));
    }
    for (name, most) in [("temperature", 2.0), ("topP", 1.0)] {
        let Some(value) = get(config, name) else { continue };
        let at = format!("generation_config.{name}");
        let number = value.as_f64().ok_or_else(|| invalid_value(&at, "TYPE_FLOAT", value))?;
        if !(0.0..=most).contains(&number) {
            let said = format!(
                "* GenerateContentRequest.generation_config.{name}: {name} must be in the range [0.0, {most:?}].\n"
            );
            return Err(Fault::bad(said));
        }
    }
    request.conversation.max_tokens = integer(config, "maxOutputTokens")?;
    request.candidates = integer(config, "candidateCount")?.unwrap_or(1).clamp(1, CHOICES_MAX);
    request.conversation.stop = stop_sequences(config)?;
    request.conversation.format = format(config)?;
    thinking(config, request)
}

fn integer(config: &Value, name: &str) -> Checked<Option<u64>> {
    let Some(value) = get(config, name) else { return Ok(None) };
    match value.as_u64() {
        Some(number) => Ok(Some(number)),
        None => Err(invalid_value(&format!("generation_config.{name}"), "TYPE_INT32", value)),
    }
}

fn stop_sequences(config: &Value) -> Checked<Vec<String>> {
    let at = "generation_config.stop_sequences";
    match get(config, "stopSequences") {
        None => Ok(Vec::new()),
        Some(Value::Array(stops)) if stops.len() > STOP_SEQUENCES_MAX => Err(Fault::bad(format!(
            "* GenerateContentRequest.{at}: the number of stop sequences must not exceed 5.\n"
        ))),
        Some(Value::Array(stops)) => {
            let read = |stop: &Value| {
                stop.as_str().map(str::to_owned).ok_or_else(|| invalid_value(at, "TYPE_STRING", stop))
            };
            stops.iter().map(read).collect()
        }
        Some(other) => Err(invalid_value(at, "TYPE_STRING", other)),
    }
}

fn format(config: &Value) -> Checked<Format> {
    let mime = text(config, "responseMimeType");
    let (schema, json_schema) = (get(config, "responseSchema"), get(config, "responseJsonSchema"));
    if schema.is_some() && json_schema.is_some() {
        return Err(Fault::bad("Only one of response_schema and response_json_schema may be set."));
    }
    if let Some(schema) = schema {
        schema::check(schema, "generation_config.response_schema")?;
    }
    match (mime, schema.or(json_schema)) {
        (Some("application/json" | "text/x.enum"), Some(schema)) => Ok(Format::Schema(schema.clone())),
        (Some("application/json"), None) => Ok(Format::JsonObject),
        (None | Some("text/plain"), None) => Ok(Format::Text),
        (_, Some(_)) => Err(Fault::bad(
            "Function calling config or response schema requires response_mime_type: 'application/json'",
        )),
        (Some(other), None) => Err(Fault::bad(format!(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, \
             `application/json`, `application/xml`, `application/yaml` and `text/x.enum`, got `{other}`.\n"
        ))),
    }
}

fn thinking(config: &Value, request: &mut GenerateRequest) -> Checked<()> {
    let Some(thinking) = get(config, "thinkingConfig") else { return Ok(()) };
    let at = "generation_config.thinking_config";
    if let Some(name) = unknown(thinking, &["includeThoughts", "thinkingBudget", "thinkingLevel"]).first() {
        return Err(unknown_name(name, at));
    }
    let budget = get(thinking, "thinkingBudget");
    if budget.is_some() && get(thinking, "thinkingLevel").is_some() {
        let said = "You can only set only one of thinking budget and thinking level.";
        return Err(Fault::bad(said));
    }
    if let Some(level) = text(thinking, "thinkingLevel") {
        let levels = ["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"];
        if !levels.contains(&level.to_ascii_uppercase().as_str()) {
            return Err(invalid_value(
                &format!("{at}.thinking_level"),
                "type.googleapis.com/ThinkingLevel",
                &level.into(),
            ));
        }
    }
    let off = budget.and_then(Value::as_i64) == Some(0);
    request.thoughts = flag(thinking, "includeThoughts") && !off;
    request.conversation.reasoning = !off;
    Ok(())
}
