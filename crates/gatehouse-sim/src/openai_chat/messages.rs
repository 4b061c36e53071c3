//! The messages of a chat request: their parts, and that every call is answered and every answer was
//! called for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::complaint::{invalid_type, invalid_value, missing_parameter};
use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::json::{get, is_base64, list, text};

const ROLES: [&str; 6] = ["system", "assistant", "user", "function", "tool", "developer"];

/// Reads all messages in their order.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let messages = match get(body, "messages") {
        None => return Err(missing_parameter("messages")),
        Some(Value::Array(messages)) => messages,
        Some(other) => return Err(invalid_type("messages", "an array of objects", other)),
    };
    if messages.is_empty() {
        let said = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty \
            array instead.";
        return Err(Fault::bad(said).param("messages").code("empty_array"));
    }
    let mut open = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        let role = role(message, &at)?;
        if role != "tool" {
            all_answered(&open, &at)?;
        }
        conversation.message();
        match role {
            "user" => {
                conversation.user_begins();
                content(message, &at, |part| user_part(part, conversation))?;
            }
            "assistant" => open = assistant(message, &at, conversation)?,
            "tool" => tool(message, &at, index, &mut open, conversation)?,
            _ => content(message, &at, |part| hear(part, conversation))?,
        }
    }
    all_answered(&open, "messages")
}

/// `json_object` wants the word said somewhere.
pub(super) fn require_the_word_json(body: &Value) -> Checked<()> {
    let said = list(body, "messages").iter().any(|message| {
        get(message, "content").is_some_and(|content| content.to_string().to_lowercase().contains("json"))
    });
    if said {
        return Ok(());
    }
    let why = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.";
    Err(Fault::bad(why).param("messages"))
}

fn role<'a>(message: &'a Value, at: &str) -> Checked<&'a str> {
    if !message.is_object() {
        return Err(invalid_type(at, "an object", message));
    }
    match get(message, "role") {
        None => Err(missing_parameter(&format!("{at}.role"))),
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => Ok(role),
        Some(Value::String(role)) => Err(invalid_value(&format!("{at}.role"), role, &ROLES)),
        Some(other) => Err(invalid_type(&format!("{at}.role"), "a string", other)),
    }
}

/// One part of a message's content.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str),
    Image,
    File,
}

fn content(message: &Value, at: &str, mut take: impl FnMut(Part<'_>)) -> Checked<()> {
    let at = format!("{at}.content");
    match get(message, "content") {
        Some(Value::String(text)) => take(Part::Text(text)),
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                take(read_part(part, &format!("{at}[{index}]"))?);
            }
        }
        None => {
            let said = "Invalid value for 'content': expected a string, got null.";
            return Err(Fault::bad(said).param(at));
        }
        Some(other) => {
            return Err(invalid_type(&at, "one of a string or array of objects", other));
        }
    }
    Ok(())
}

fn read_part<'a>(part: &'a Value, at: &str) -> Checked<Part<'a>> {
    const TYPES: [&str; 5] = ["text", "image_url", "input_audio", "refusal", "file"];
    let member = |name: &str| get(part, name).ok_or_else(|| missing_parameter(&format!("{at}.{name}")));
    match text(part, "type") {
        Some(kind @ ("text" | "refusal")) => {
            let value = member(kind)?;
            let wrong = || invalid_type(&format!("{at}.{kind}"), "a string", value);
            value.as_str().map(Part::Text).ok_or_else(wrong)
        }
        Some("image_url") => {
            let param = format!("{at}.image_url.url");
            let url = text(member("image_url")?, "url").ok_or_else(|| missing_parameter(&param))?;
            check_image_url(url, &param)?;
            Ok(Part::Image)
        }
        Some("input_audio") => {
            let data = text(member("input_audio")?, "data").unwrap_or_default();
            base64(data, &format!("{at}.input_audio.data"))
        }
        Some("file") => match text(member("file")?, "file_data") {
            Some(url) => {
                let data = url.split_once(";base64,").map_or(url, |(_, data)| data);
                base64(data, &format!("{at}.file.file_data"))
            }
            None if get(part, "file").is_some_and(|file| get(file, "file_id").is_some()) => Ok(Part::File),
            None => Err(missing_parameter(&format!("{at}.file.file_id"))),
        },
        Some(other) => Err(invalid_value(&format!("{at}.type"), other, &TYPES)),
        None => Err(missing_parameter(&format!("{at}.type"))),
    }
}

fn base64<'a>(data: &str, param: &str) -> Checked<Part<'a>> {
    if is_base64(data) {
        return Ok(Part::File);
    }
    let said = format!("Invalid '{param}'. Expected base64-encoded data, but got an invalid base64 string.");
    Err(Fault::bad(said).param(param).code("invalid_base64"))
}

/// An image is a web address or a `data:` URL with real base64 in it.
pub(crate) fn check_image_url(url: &str, param: &str) -> Checked<()> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(());
    }
    let Some((kind, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) else {
        let said =
            format!("Invalid '{param}'. Expected a valid URL, but got a value with an invalid format.");
        return Err(Fault::bad(said).param(param).code("invalid_value"));
    };
    if !["image/png", "image/jpeg", "image/gif", "image/webp"].contains(&kind) {
        let said = "You uploaded an unsupported image. Please make sure your image has of one the following \
            formats: ['png', 'jpeg', 'gif', 'webp'].";
        return Err(Fault::bad(said).code("invalid_image_format"));
    }
    if !is_base64(data) {
        let said = "Invalid base64 image_url. Expected a base64-encoded data URL.";
        return Err(Fault::bad(said).param(param).code("invalid_base64_image_url"));
    }
    Ok(())
}

fn hear(part: Part<'_>, conversation: &mut Conversation) {
    if let Part::Text(text) = part {
        conversation.hear(text);
    }
}

fn user_part(part: Part<'_>, conversation: &mut Conversation) {
    match part {
        Part::Text(text) => conversation.user_says(text),
        Part::Image => conversation.images += 1,
        Part::File => conversation.files += 1,
    }
}

/// An assistant's message; gives the calls that have to be answered next.
fn assistant(message: &Value, at: &str, conversation: &mut Conversation) -> Checked<BTreeSet<String>> {
    let calls = match get(message, "tool_calls") {
        None => &[],
        Some(Value::Array(calls)) => calls.as_slice(),
        Some(other) => return Err(invalid_type(&format!("{at}.tool_calls"), "an array of objects", other)),
    };
    if get(message, "tool_calls").is_some() && calls.is_empty() {
        let said = format!(
            "Invalid '{at}.tool_calls': empty array. Expected an array with minimum length 1, but got an empty \
             array instead."
        );
        return Err(Fault::bad(said).param(format!("{at}.tool_calls")).code("empty_array"));
    }
    let may_be_silent = !calls.is_empty()
        || ["refusal", "audio", "function_call"].iter().any(|name| get(message, name).is_some());
    if get(message, "content").is_some() || !may_be_silent {
        content(message, at, |part| hear(part, conversation))?;
    }
    let mut open = BTreeSet::new();
    for (index, call) in calls.iter().enumerate() {
        let at = format!("{at}.tool_calls[{index}]");
        let id = text(call, "id").ok_or_else(|| missing_parameter(&format!("{at}.id")))?;
        if text(call, "type").is_none() {
            return Err(missing_parameter(&format!("{at}.type")));
        }
        if text(call, "type") == Some("function") {
            for name in ["name", "arguments"] {
                let param = format!("{at}.function.{name}");
                let value =
                    call.pointer(&format!("/function/{name}")).ok_or_else(|| missing_parameter(&param))?;
                value.as_str().ok_or_else(|| invalid_type(&param, "a string", value))?;
            }
        }
        open.insert(id.to_owned());
    }
    Ok(open)
}

fn tool(
    message: &Value,
    at: &str,
    index: usize,
    open: &mut BTreeSet<String>,
    conversation: &mut Conversation,
) -> Checked<()> {
    let param = format!("{at}.tool_call_id");
    let id = text(message, "tool_call_id").ok_or_else(|| missing_parameter(&param))?;
    if !open.remove(id) {
        let said = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with \
            'tool_calls'.";
        return Err(Fault::bad(said).param(format!("messages.[{index}].role")));
    }
    let mut said = Vec::new();
    content(message, at, |part| {
        if let Part::Text(text) = part {
            said.push(text.to_owned());
        }
    })?;
    conversation.tool_says(&said.join(" "));
    Ok(())
}

fn all_answered(open: &BTreeSet<String>, at: &str) -> Checked<()> {
    if open.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = open.iter().map(String::as_str).collect();
    let said = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each \
         'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        ids.join(", ")
    );
    Err(Fault::bad(said).param(at))
}
