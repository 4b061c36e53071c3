//! The tools of a chat request, and which of them must be called.

use serde_json::{Value, json};

use super::complaint::{boolean, invalid_type, invalid_value, missing_parameter};
use crate::conversation::{Choice, Conversation, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, list, text};
use crate::schema;

/// Characters of a function's name.
const NAME_CHARS_MAX: usize = 64;

/// Reads tools, the choice among them, and whether several may be called at once.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let tools = match get(body, "tools") {
        None => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(other) => return Err(invalid_type("tools", "an array of objects", other)),
    };
    for (index, tool) in tools.iter().enumerate() {
        conversation.tools.extend(read_tool(index, tool)?);
    }
    for param in ["tool_choice", "parallel_tool_calls"] {
        if tools.is_empty() && get(body, param).is_some_and(|choice| choice != "none") {
            let said =
                format!("Invalid value for '{param}': '{param}' is only allowed when 'tools' are specified.");
            return Err(Fault::bad(said).param(param));
        }
    }
    conversation.choice = choice(body, &conversation.tools)?;
    conversation.parallel =
        get(body, "parallel_tool_calls").is_none() || boolean(body, "parallel_tool_calls")?;
    Ok(())
}

fn read_tool(index: usize, tool: &Value) -> Checked<Option<Tool>> {
    let at = format!("tools[{index}]");
    match text(tool, "type") {
        Some("function") => {}
        Some("custom") => return Ok(None),
        Some(other) => return Err(invalid_value(&format!("{at}.type"), other, &["function", "custom"])),
        None => return Err(missing_parameter(&format!("{at}.type"))),
    }
    let Some(function) = get(tool, "function") else {
        return Err(missing_parameter(&format!("{at}.function")));
    };
    let Some(name) = text(function, "name") else {
        return Err(missing_parameter(&format!("{at}.function.name")));
    };
    check_function_name(name, &format!("{at}.function.name"))?;
    let schema = match get(function, "parameters") {
        None => json!({"type": "object", "properties": {}}),
        Some(schema) => schema.clone(),
    };
    let param = format!("{at}.function.parameters");
    check_parameters(name, &schema, &param)?;
    check_strict(function, &schema, &format!("function '{name}'"), &param)?;
    Ok(Some(Tool { name: name.to_owned(), schema }))
}

/// A function's name: letters, digits, `_`, `-`.
pub(crate) fn check_function_name(name: &str, param: &str) -> Checked<()> {
    let right = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.chars().count() > NAME_CHARS_MAX {
        let said = format!("Invalid '{param}': string too long. Expected a string with maximum length 64.");
        return Err(Fault::bad(said).param(param).code("string_above_max_length"));
    }
    if name.is_empty() || !name.chars().all(right) {
        let said = format!(
            "Invalid '{param}': string does not match pattern. Expected a string that matches the pattern \
             '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Fault::bad(said).param(param).code("invalid_value"));
    }
    Ok(())
}

/// A function's parameters are the schema of an object.
pub(super) fn check_parameters(name: &str, schema: &Value, param: &str) -> Checked<()> {
    if schema.get("type").and_then(Value::as_str) == Some("object") {
        return Ok(());
    }
    let got = text(schema, "type").unwrap_or("None");
    let said = format!(
        "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \
         \"{got}\"'."
    );
    Err(Fault::bad(said).param(param).code("invalid_function_parameters"))
}

/// Where `strict` is on, every object of the schema is closed.
pub(crate) fn check_strict(holder: &Value, schema: &Value, of: &str, param: &str) -> Checked<()> {
    match flag(holder, "strict").then(|| schema::strict_violation(schema)).flatten() {
        None => Ok(()),
        Some(why) => Err(Fault::bad(format!("Invalid schema for {of}: {why}"))
            .param(param)
            .code("invalid_json_schema")),
    }
}

fn choice(body: &Value, tools: &[Tool]) -> Checked<Choice> {
    let named = |name: &str| {
        if tools.iter().any(|tool| tool.name == name) {
            return Ok(Choice::Named(name.to_owned()));
        }
        let said = format!("Tool choice '{name}' not found in 'tools' parameter.");
        Err(Fault::bad(said).param("tool_choice"))
    };
    match get(body, "tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(word)) => match word.as_str() {
            "none" => Ok(Choice::None),
            "auto" => Ok(Choice::Auto),
            "required" => Ok(Choice::Any),
            other => Err(invalid_value("tool_choice", other, &["none", "auto", "required"])),
        },
        Some(object @ Value::Object(_)) => match text(object, "type") {
            Some("allowed_tools") => allowed(object),
            Some("function") => match object.pointer("/function/name").and_then(Value::as_str) {
                Some(name) => named(name),
                None => Err(missing_parameter("tool_choice.function")),
            },
            _ => Err(missing_parameter("tool_choice.type")),
        },
        Some(other) => Err(invalid_type("tool_choice", "a string or an object", other)),
    }
}

/// `allowed_tools` narrows the list; the simulator only heeds how urgent the choice is.
fn allowed(choice: &Value) -> Checked<Choice> {
    let Some(allowed) = get(choice, "allowed_tools") else {
        return Err(missing_parameter("tool_choice.allowed_tools"));
    };
    let names: Vec<&str> =
        list(allowed, "tools").iter().filter_map(|tool| tool.pointer("/function/name")?.as_str()).collect();
    match (text(allowed, "mode"), names.as_slice()) {
        (Some("required"), [one]) => Ok(Choice::Named((*one).to_owned())),
        (Some("required"), _) => Ok(Choice::Any),
        _ => Ok(Choice::Auto),
    }
}
