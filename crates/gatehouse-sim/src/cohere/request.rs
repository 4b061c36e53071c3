//! Reading and checking a conversation. <https://docs.cohere.com/reference/chat>

use serde_json::Value;

use crate::conversation::{Choice, Conversation, Format, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, list, text, unknown};

const KNOWN: [&str; 21] = [
    "model",
    "messages",
    "stream",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "priority",
];
/// Numbers that have a least and a most.
const RANGES: [(&str, f64, f64); 5] = [
    ("p", 0.01, 0.99),
    ("k", 0.0, 500.0),
    ("frequency_penalty", 0.0, 1.0),
    ("presence_penalty", 0.0, 1.0),
    ("temperature", 0.0, 2.0),
];
/// The most texts at which an answer ends.
const STOPS_MAX: usize = 5;

/// Checks a body and reads what decides the answer.
pub(super) fn read(body: &Value, model: &str) -> Checked<Conversation> {
    if let Some(name) = unknown(body, &KNOWN).first() {
        return Err(bad(&format!("unknown field: parameter '{name}' is not a valid field")));
    }
    for (name, least, most) in RANGES {
        let given = get(body, name).map(|number| number.as_f64().unwrap_or(f64::NAN));
        if given.is_some_and(|number| !(least..=most).contains(&number)) {
            return Err(bad(&format!("{name} must be between {least} and {most} inclusive")));
        }
    }
    let mut conversation = Conversation::new(model);
    tools(body, &mut conversation)?;
    messages(body, &mut conversation)?;
    for document in list(body, "documents") {
        conversation.files += 1;
        let words = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        conversation.hear(&words);
    }
    conversation.max_tokens = get(body, "max_tokens").and_then(Value::as_u64);
    conversation.stop =
        list(body, "stop_sequences").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if conversation.stop.len() > STOPS_MAX {
        return Err(bad(&format!("stop_sequences must have {STOPS_MAX} elements at most")));
    }
    let thinking = get(body, "thinking").unwrap_or(&Value::Null);
    conversation.reasoning = match text(thinking, "type") {
        Some("enabled") => true,
        Some("disabled") => false,
        Some(_) => return Err(bad("thinking.type must be one of 'enabled', 'disabled'")),
        None => false,
    };
    form(body, &mut conversation)?;
    Ok(conversation)
}

fn bad(why: &str) -> Fault {
    Fault::bad(format!("invalid request: {why}"))
}

fn form(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let Some(format) = get(body, "response_format") else { return Ok(()) };
    conversation.format = match (text(format, "type"), get(format, "json_schema")) {
        (Some("text"), None) => Format::Text,
        (Some("json_object"), None) => Format::JsonObject,
        (Some("json_object"), Some(schema)) if schema.is_object() => Format::Schema(schema.clone()),
        _ => return Err(bad("response_format must have a type, and a schema only with json_object")),
    };
    if !conversation.tools.is_empty() && text(format, "type") != Some("text") {
        return Err(bad("cannot specify both tools and response_format"));
    }
    Ok(())
}

fn tools(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    for tool in list(body, "tools") {
        let function = get(tool, "function").filter(|_| text(tool, "type") == Some("function"));
        let function = function.ok_or_else(|| bad("tools must be of type function"))?;
        let (Some(name), Some(schema)) = (text(function, "name"), get(function, "parameters")) else {
            return Err(bad("a function needs a name and parameters"));
        };
        let required =
            get(schema, "required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        if flag(body, "strict_tools") && !required {
            return Err(bad("strict_tools needs at least one required parameter in each tool"));
        }
        conversation.tools.push(Tool { name: name.to_owned(), schema: schema.clone() });
    }
    conversation.choice = match get(body, "tool_choice").map(Value::as_str) {
        None => Choice::Auto,
        Some(_) if conversation.tools.is_empty() => return Err(bad("tool_choice needs tools")),
        Some(Some("REQUIRED")) => Choice::Any,
        Some(Some("NONE")) => Choice::None,
        Some(_) => return Err(bad("tool_choice must be one of 'REQUIRED', 'NONE'")),
    };
    Ok(())
}

fn messages(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    if list(body, "messages").is_empty() {
        return Err(bad("messages must have at least one element"));
    }
    let mut open: Vec<&str> = Vec::new();
    for message in list(body, "messages") {
        conversation.message();
        match text(message, "role") {
            Some("system") => said(message, |text| conversation.hear(text))?,
            Some("user") => {
                // Behind results of tools it is the newer word.
                conversation.user_begins();
                user(message, conversation)?;
            }
            Some("assistant") => {
                open = list(message, "tool_calls").iter().filter_map(|call| text(call, "id")).collect();
                if open.is_empty() && get(message, "content").is_none() {
                    return Err(bad("an assistant message needs content or tool_calls"));
                }
                said(message, |text| conversation.hear(text))?;
            }
            Some("tool") => {
                let id = text(message, "tool_call_id").unwrap_or_default();
                if !open.contains(&id) {
                    return Err(bad(&format!("tool_call_id {id:?} answers no call of the message before")));
                }
                let mut all = Vec::new();
                said(message, |text| all.push(text.to_owned()))?;
                conversation.tool_says(&all.join(" "));
            }
            other => return Err(bad(&format!("role {} is not known", other.unwrap_or("null")))),
        }
    }
    Ok(())
}

/// The texts of a message: a string, or parts of these types.
fn said(message: &Value, mut hear: impl FnMut(&str)) -> Checked<()> {
    match get(message, "content") {
        None => {}
        Some(Value::String(text)) => hear(text),
        Some(content) => {
            for part in content.as_array().ok_or_else(|| bad("content must be a string or a list"))? {
                let kind = text(part, "type").unwrap_or_default();
                let known = matches!(kind, "text" | "thinking" | "document");
                let words = get(part, kind).filter(|_| known);
                match words.ok_or_else(|| bad(&format!("a part of type {kind:?} cannot stand here")))? {
                    Value::String(words) => hear(words),
                    other => hear(&other.to_string()),
                }
            }
        }
    }
    Ok(())
}

fn user(message: &Value, conversation: &mut Conversation) -> Checked<()> {
    let parts = match get(message, "content") {
        Some(Value::String(text)) => {
            conversation.user_says(text);
            return Ok(());
        }
        Some(Value::Array(parts)) if !parts.is_empty() => parts,
        _ => return Err(bad("a user message needs content")),
    };
    for part in parts {
        let url = part.pointer("/image_url/url").and_then(Value::as_str);
        match (text(part, "type"), text(part, "text"), url) {
            (Some("text"), Some(words), _) => conversation.user_says(words),
            (Some("image_url"), _, Some(_)) => conversation.images += 1,
            (kind, ..) => return Err(bad(&format!("a part of type {kind:?} cannot stand here"))),
        }
    }
    Ok(())
}
