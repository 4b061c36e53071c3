//! The system instruction and the contents: roles alternate, and a turn of function calls is followed
//! by as many responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::request::{invalid_value, unknown_name};
use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, is_base64, list, text, unknown};
use crate::sign::{self, Kind};

const KNOWN_PART: [&str; 15] = [
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "mediaResolution",
    "partMetadata",
    "text",
    "thought",
    "thoughtSignature",
    "toolCall",
    "toolResponse",
    "videoMetadata",
    "audioTranscription",
];

/// The value that stands in for a signature which never was.
const BYPASS: [&str; 2] = ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// Reads the system instruction and all contents.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    if let Some(system) = get(body, "systemInstruction") {
        conversation.message();
        match system {
            Value::String(said) => conversation.hear(said),
            _ => list(system, "parts")
                .iter()
                .filter_map(|part| text(part, "text"))
                .for_each(|said| conversation.hear(said)),
        }
    }
    let contents = match get(body, "contents") {
        None => return Err(Fault::bad("* GenerateContentRequest.contents: contents is not specified\n")),
        Some(Value::Array(contents)) => contents.as_slice(),
        Some(Value::String(_)) => {
            return Err(invalid_value("contents", "type.googleapis.com/Content", &body["contents"]));
        }
        // A message where a list is expected counts as a list of one.
        Some(one) => std::slice::from_ref(one),
    };
    if contents.is_empty() {
        return Err(Fault::bad("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    let mut turns = Turns {
        strict_signatures: conversation.model.contains("gemini-3"),
        conversation,
        calls: 0,
        last: None,
    };
    contents.iter().enumerate().try_for_each(|(index, content)| turns.content(index, content))?;
    turns.end()?;
    if turns.strict_signatures { signatures_came_back(contents) } else { Ok(()) }
}

struct Turns<'a> {
    conversation: &'a mut Conversation,
    /// Function calls that have to be answered next.
    calls: usize,
    last: Option<&'static str>,
    /// Whether calls of the current turn need their signature, as newer models want it.
    strict_signatures: bool,
}

// === impl Turns ===

impl Turns<'_> {
    fn content(&mut self, index: usize, content: &Value) -> Checked<()> {
        let at = format!("contents[{index}]");
        if !content.is_object() {
            return Err(invalid_value(&at, "type.googleapis.com/Content", content));
        }
        if let Some(name) = unknown(content, &["role", "parts"]).first() {
            return Err(unknown_name(name, &at));
        }
        let role = match text(content, "role").unwrap_or("user") {
            "user" | "function" => "user",
            "model" => "model",
            _ => return Err(Fault::bad("Please use a valid role: user, model.")),
        };
        match (self.last, role) {
            (None, "model") => {
                return Err(Fault::bad("Please ensure that multiturn requests start with a user turn."));
            }
            // Several of the user in a row are taken, as Google takes them: Gemini CLI sends its context so.
            (Some("model"), "model") => {
                return Err(Fault::bad(
                    "Please ensure that multiturn requests alternate between user and model.",
                ));
            }
            _ => {}
        }
        self.last = Some(role);
        let parts = list(content, "parts");
        if parts.is_empty() {
            let said = format!("* GenerateContentRequest.{at}.parts: contents.parts must not be empty.\n");
            return Err(Fault::bad(said));
        }
        self.conversation.message();
        self.responses_match_calls(role, parts)?;
        if role == "user" && !parts.iter().any(|part| get(part, "functionResponse").is_some()) {
            self.conversation.user_begins();
        }
        parts.iter().enumerate().try_for_each(|(number, part)| {
            part_of(part, role, &format!("{at}.parts[{number}]"), self.conversation)
        })?;
        if role == "model" {
            self.calls = parts.iter().filter(|part| get(part, "functionCall").is_some()).count();
        }
        Ok(())
    }

    fn responses_match_calls(&mut self, role: &str, parts: &[Value]) -> Checked<()> {
        let responses = parts.iter().filter(|part| get(part, "functionResponse").is_some()).count();
        let calls = std::mem::take(&mut self.calls);
        if role == "user" && responses != calls {
            return Err(if calls == 0 {
                Fault::bad(
                    "Please ensure that function response turn comes immediately after a function call turn.",
                )
            } else {
                unequal()
            });
        }
        Ok(())
    }

    fn end(&self) -> Checked<()> {
        if self.calls == 0 { Ok(()) } else { Err(unequal()) }
    }
}

fn unequal() -> Fault {
    Fault::bad(
        "Please ensure that the number of function response parts is equal to the number of function call parts of \
         the function call turn.",
    )
}

fn part_of(part: &Value, role: &str, at: &str, conversation: &mut Conversation) -> Checked<()> {
    if let Some(name) = unknown(part, &KNOWN_PART).first() {
        return Err(unknown_name(name, at));
    }
    signature(part, at)?;
    if let Some(said) = get(part, "text") {
        let said = said.as_str().ok_or_else(|| invalid_value(&format!("{at}.text"), "TYPE_STRING", said))?;
        if flag(part, "thought") {
            return Ok(());
        }
        if role == "user" {
            conversation.user_says(said);
        } else {
            conversation.hear(said);
        }
    } else if let Some(blob) = get(part, "inlineData") {
        let data = text(blob, "data").unwrap_or_default();
        if !is_base64(&standard(data)) {
            let said = format!(
                "Invalid value at '{at}.inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"{data}\""
            );
            return Err(Fault::bad(said));
        }
        see(blob, at, conversation)?;
    } else if let Some(file) = get(part, "fileData") {
        if text(file, "fileUri").is_none() {
            return Err(Fault::bad(format!(
                "* GenerateContentRequest.{at}.file_data.file_uri: must not be empty.\n"
            )));
        }
        see(file, at, conversation)?;
    } else if let Some(call) = get(part, "functionCall") {
        named(call, &format!("{at}.function_call"), "args")?;
    } else if let Some(response) = get(part, "functionResponse") {
        named(response, &format!("{at}.function_response"), "response")?;
        conversation.tool_says(&said_by(response));
    } else if part.as_object().is_none_or(serde_json::Map::is_empty) {
        let said = format!(
            "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one initialized field\n"
        );
        return Err(Fault::bad(said));
    }
    Ok(())
}

fn see(blob: &Value, at: &str, conversation: &mut Conversation) -> Checked<()> {
    match text(blob, "mimeType") {
        Some(kind) if kind.starts_with("image/") => conversation.images += 1,
        Some(_) => conversation.files += 1,
        // A file's type may be left to the provider; bytes need theirs.
        None if get(blob, "fileUri").is_some() => conversation.files += 1,
        None => return Err(Fault::bad(format!("Unable to process input: {at} has no mime_type."))),
    }
    Ok(())
}

/// A call or a response has a name, and its arguments or its result are an object.
fn named(value: &Value, at: &str, object: &str) -> Checked<()> {
    if text(value, "name").is_none_or(str::is_empty) {
        return Err(Fault::bad(format!("* GenerateContentRequest.{at}.name: Name cannot be empty.\n")));
    }
    match get(value, object) {
        Some(Value::Object(_)) => Ok(()),
        Some(other) => {
            Err(invalid_value(&format!("{at}.{object}"), "type.googleapis.com/google.protobuf.Struct", other))
        }
        None if object == "args" => Ok(()),
        None => Err(Fault::bad(format!("* GenerateContentRequest.{at}.response: must not be empty.\n"))),
    }
}

/// What a function gave, as text: its only text where it has one, else its JSON.
fn said_by(response: &Value) -> String {
    let Some(result) = get(response, "response") else { return String::new() };
    let only = ["result", "output", "error"].iter().find_map(|name| text(result, name));
    only.map_or_else(|| result.to_string(), str::to_owned)
}

/// The same bytes in the standard alphabet with padding. The JSON of protocol buffers takes the alphabet
/// for web addresses too, and Google's Python SDK sends signatures back in it.
fn standard(base64: &str) -> String {
    let mut written = base64.replace('-', "+").replace('_', "/");
    while !written.len().is_multiple_of(4) {
        written.push('=');
    }
    written
}

/// A signature that comes back is the one that was given, in either alphabet of base64, or the bypass.
fn signature(part: &Value, at: &str) -> Checked<()> {
    let Some(given) = get(part, "thoughtSignature") else { return Ok(()) };
    let given = given.as_str().unwrap_or_default();
    let written = standard(given);
    let bypass = BYPASS.iter().any(|plain| given == *plain || given == STANDARD.encode(plain));
    let right = match get(part, "functionCall").and_then(|call| text(call, "name")) {
        Some(name) => sign::verify(Kind::Call, name, &written),
        None => sign::verify(Kind::Text, "", &written),
    };
    if bypass || right {
        return Ok(());
    }
    if !is_base64(&written) {
        let said = format!(
            "Invalid value at '{at}.thought_signature' (TYPE_BYTES), Base64 decoding failed for \"{given}\""
        );
        return Err(Fault::bad(said));
    }
    Err(Fault::bad("Corrupted thought signature."))
}

/// In the current turn, the first call of every step carries its signature.
fn signatures_came_back(contents: &[Value]) -> Checked<()> {
    let said = |content: &Value| list(content, "parts").iter().any(|part| get(part, "text").is_some());
    let is_user = |content: &Value| text(content, "role").unwrap_or("user") == "user";
    let turn = contents.iter().rposition(|content| is_user(content) && said(content)).unwrap_or(0);
    for (index, content) in contents.iter().enumerate().skip(turn) {
        let calls =
            list(content, "parts").iter().enumerate().find(|(_, part)| get(part, "functionCall").is_some());
        if let Some((number, part)) = calls.filter(|(_, part)| get(part, "thoughtSignature").is_none()) {
            let name = part.pointer("/functionCall/name").and_then(Value::as_str).unwrap_or_default();
            return Err(Fault::bad(format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to \
                 work correctly, and missing thought_signature may lead to degraded model performance. Additional \
                 data, function call `default_api:{name}` , position {index}.{number}."
            )));
        }
    }
    Ok(())
}
