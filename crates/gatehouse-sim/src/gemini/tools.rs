//! The function declarations, and which of them must be called.

use serde_json::{Value, json};

use super::request::{invalid_value, unknown_name};
use super::schema;
use crate::conversation::{Choice, Conversation, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text, unknown};

/// Characters of a function's name.
const NAME_CHARS_MAX: usize = 64;

const KNOWN: [&str; 7] = [
    "behavior",
    "description",
    "name",
    "parameters",
    "parametersJsonSchema",
    "response",
    "responseJsonSchema",
];

/// Reads declarations and the calling mode.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    if let Some(other) = get(body, "tools").filter(|tools| !tools.is_array()) {
        return Err(invalid_value("tools", "type.googleapis.com/Tool", other));
    }
    for (index, tool) in list(body, "tools").iter().enumerate() {
        for (number, function) in list(tool, "functionDeclarations").iter().enumerate() {
            let at = format!("tools[{index}].function_declarations[{number}]");
            conversation.tools.push(declaration(function, &at)?);
        }
    }
    let Some(config) = get(body, "toolConfig").and_then(|config| get(config, "functionCallingConfig")) else {
        return Ok(());
    };
    let allowed: Vec<&str> = list(config, "allowedFunctionNames").iter().filter_map(Value::as_str).collect();
    let mode = text(config, "mode").unwrap_or("AUTO").to_ascii_uppercase();
    if !allowed.is_empty() {
        if mode != "ANY" && mode != "VALIDATED" {
            let said = "allowed_function_names can only be set when function_calling_config.mode is ANY or VALIDATED.";
            return Err(Fault::bad(said));
        }
        if let Some(name) =
            allowed.iter().find(|name| !conversation.tools.iter().any(|tool| tool.name == **name))
        {
            let said = format!("allowed_function_names: '{name}' is not a declared function.");
            return Err(Fault::bad(said));
        }
        conversation.tools.retain(|tool| allowed.contains(&tool.name.as_str()));
    }
    conversation.choice = match mode.as_str() {
        "MODE_UNSPECIFIED" | "AUTO" | "VALIDATED" => Choice::Auto,
        "NONE" => Choice::None,
        "ANY" => match allowed.as_slice() {
            [one] => Choice::Named((*one).to_owned()),
            _ => Choice::Any,
        },
        _ => {
            let at = "tool_config.function_calling_config.mode";
            return Err(invalid_value(at, "type.googleapis.com/Mode", &json!(mode)));
        }
    };
    Ok(())
}

fn declaration(function: &Value, at: &str) -> Checked<Tool> {
    if let Some(name) = unknown(function, &KNOWN).first() {
        return Err(unknown_name(name, at));
    }
    let name = text(function, "name").unwrap_or_default();
    let letter = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | '.' | ':' | '-');
    let first = name.chars().next().is_some_and(|one| one.is_ascii_alphabetic() || one == '_');
    if !first || name.len() > NAME_CHARS_MAX || !name.chars().all(letter) {
        return Err(Fault::bad(format!(
            "* GenerateContentRequest.{at}.name: Invalid function name. Must start with a letter or an underscore. \
             Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a \
             maximum length of 64.\n"
        )));
    }
    let (plain, json_schema) = (get(function, "parameters"), get(function, "parametersJsonSchema"));
    if plain.is_some() && json_schema.is_some() {
        let said = format!("{at}: only one of parameters and parameters_json_schema may be set.");
        return Err(Fault::bad(said));
    }
    if let Some(plain) = plain {
        schema::check(plain, &format!("{at}.parameters"))?;
    }
    let schema = plain.or(json_schema).cloned().unwrap_or(json!({"type": "object", "properties": {}}));
    Ok(Tool { name: name.to_owned(), schema })
}
