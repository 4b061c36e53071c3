//! The tools of a Messages request, and which of them must be called.

use std::collections::BTreeSet;

use serde_json::Value;

use super::request::field_required;
use crate::conversation::{Choice, Conversation, Tool};
use crate::fault::{Checked, Fault};
use crate::json::{flag, get, text};

/// Characters of a tool's name.
const NAME_CHARS_MAX: usize = 128;

/// Reads tools and the choice among them.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let tools = match get(body, "tools") {
        None => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => return Err(Fault::bad("tools: Input should be a valid array")),
    };
    let mut names = BTreeSet::new();
    for (index, tool) in tools.iter().enumerate() {
        let Some(tool) = read_tool(index, tool)? else { continue };
        if !names.insert(tool.name.clone()) {
            return Err(Fault::bad("tools: Tool names must be unique."));
        }
        conversation.tools.push(tool);
    }
    let Some(choice) = get(body, "tool_choice") else { return Ok(()) };
    conversation.parallel = !flag(choice, "disable_parallel_tool_use");
    conversation.choice = match text(choice, "type") {
        Some("auto") => Choice::Auto,
        Some("none") => Choice::None,
        Some("any") => Choice::Any,
        Some("tool") => {
            let name = text(choice, "name").ok_or_else(|| field_required("tool_choice.tool.name"))?;
            if !tools.iter().any(|tool| text(tool, "name") == Some(name)) {
                return Err(Fault::bad(format!("Tool '{name}' not found in provided tools")));
            }
            Choice::Named(name.to_owned())
        }
        Some(other) => {
            return Err(Fault::bad(format!(
                "tool_choice: Input tag '{other}' found using 'type' does not match any of the expected tags: \
                 'any', 'auto', 'none', 'tool'"
            )));
        }
        None => return Err(field_required("tool_choice.type")),
    };
    if tools.is_empty() && conversation.choice != Choice::None {
        return Err(Fault::bad("tool_choice may only be specified while providing tools."));
    }
    Ok(())
}

/// A tool of the client's own; the provider's tools are accepted and never used.
fn read_tool(index: usize, tool: &Value) -> Checked<Option<Tool>> {
    let at = format!("tools.{index}.custom");
    if text(tool, "type").is_some_and(|kind| kind != "custom") {
        return Ok(None);
    }
    let name = text(tool, "name").ok_or_else(|| field_required(&format!("{at}.name")))?;
    let right = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(right) {
        return Err(Fault::bad(format!("{at}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")));
    }
    let schema = get(tool, "input_schema").ok_or_else(|| field_required(&format!("{at}.input_schema")))?;
    if !schema.is_object() {
        let said = format!("{at}.input_schema: Input does not match the expected shape.");
        return Err(Fault::bad(said));
    }
    match text(schema, "type") {
        Some("object") => Ok(Some(Tool { name: name.to_owned(), schema: schema.clone() })),
        Some(_) => Err(Fault::bad(format!("{at}.input_schema.type: Input should be 'object'"))),
        None => Err(field_required(&format!("{at}.input_schema.type"))),
    }
}
