//! The system prompt and the messages: who may speak when, and that every `tool_use` is answered in
//! the very next message, before anything else is said there.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blocks::{Block, read_block};
use super::request::{Thinking, field_required};
use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text};

/// Reads the system prompt and all messages.
pub(super) fn read(body: &Value, thinking: Thinking, conversation: &mut Conversation) -> Checked<()> {
    system(body, conversation)?;
    let messages = match get(body, "messages") {
        None => return Err(field_required("messages")),
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(Fault::bad("messages: Input should be a valid array")),
    };
    if messages.is_empty() {
        return Err(Fault::bad("messages: at least one message is required"));
    }
    let mut turns = Turns { conversation, open: BTreeSet::new() };
    for (index, message) in messages.iter().enumerate() {
        turns.message(index, message, messages.len())?;
    }
    if let Some(index) = messages.len().checked_sub(1) {
        turns.all_answered(index)?;
    }
    match thinking {
        Thinking::Enabled => thinking_came_back(messages),
        Thinking::Off | Thinking::Adaptive => Ok(()),
    }
}

fn system(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    match get(body, "system") {
        None => return Ok(()),
        Some(Value::String(text)) => conversation.hear(text),
        Some(Value::Array(blocks)) => {
            for (index, block) in blocks.iter().enumerate() {
                let at = format!("system.{index}");
                match (text(block, "type"), text(block, "text")) {
                    (Some("text"), Some("")) => {
                        return Err(Fault::bad("system: text content blocks must be non-empty"));
                    }
                    (Some("text"), Some(said)) => conversation.hear(said),
                    (Some("text"), None) => return Err(field_required(&format!("{at}.text"))),
                    _ => return Err(Fault::bad(format!("{at}.type: Input should be 'text'"))),
                }
            }
        }
        Some(_) => return Err(Fault::bad("system: Input should be a valid string or a list of text blocks")),
    }
    conversation.message();
    Ok(())
}

struct Turns<'a> {
    conversation: &'a mut Conversation,
    /// Calls of the last message that were not answered yet.
    open: BTreeSet<String>,
}

// === impl Turns ===

impl Turns<'_> {
    fn message(&mut self, index: usize, message: &Value, of: usize) -> Checked<()> {
        let at = format!("messages.{index}");
        let role = match get(message, "role") {
            None => return Err(field_required(&format!("{at}.role"))),
            Some(role) => role.as_str().unwrap_or_default(),
        };
        match role {
            "user" if answers_tools(message) => {}
            "user" => self.conversation.user_begins(),
            "assistant" if index == 0 => {
                return Err(Fault::bad("messages: first message must use the \"user\" role"));
            }
            // A system message in the middle of a conversation: newer models know it.
            "assistant" | "system" if index > 0 => self.all_answered(index - 1)?,
            _ => return Err(Fault::bad(format!("{at}.role: Input should be 'user' or 'assistant'"))),
        }
        self.conversation.message();
        let last = index + 1 == of;
        match get(message, "content") {
            None => return Err(field_required(&format!("{at}.content"))),
            Some(Value::String(said)) if said.is_empty() && !(role == "assistant" && last) => {
                return Err(all_content(&at));
            }
            Some(Value::String(said)) => self.text(said, role, &at, last)?,
            Some(Value::Array(blocks)) if blocks.is_empty() && !(role == "assistant" && last) => {
                return Err(all_content(&at));
            }
            Some(Value::Array(blocks)) => self.blocks(blocks, role, &at, last)?,
            Some(_) => {
                return Err(Fault::bad(format!("{at}.content: Input should be a valid string or list")));
            }
        }
        if role == "user" { self.all_answered(index.saturating_sub(1)) } else { Ok(()) }
    }

    fn blocks(&mut self, blocks: &[Value], role: &str, at: &str, last: bool) -> Checked<()> {
        let calls = std::mem::take(&mut self.open);
        let mut answered = BTreeSet::new();
        let mut said_something = false;
        for (index, block) in blocks.iter().enumerate() {
            let block_at = format!("{at}.content.{index}");
            match read_block(block, role, &block_at)? {
                Block::Text(said) => {
                    said_something = true;
                    self.text(said, role, &block_at, last && index + 1 == blocks.len())?;
                }
                Block::Image => self.conversation.images += 1,
                Block::File => self.conversation.files += 1,
                Block::ToolUse(id) => drop(self.open.insert(id.to_owned())),
                Block::ToolResult { id, text, images, files } => {
                    if !calls.contains(id) {
                        return Err(Fault::bad(format!(
                            "{block_at}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                             `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        )));
                    }
                    if said_something {
                        return Err(unanswered(at, &calls));
                    }
                    answered.insert(id.to_owned());
                    self.conversation.images += images;
                    self.conversation.files += files;
                    self.conversation.tool_says(&text);
                }
                Block::Silent => {}
            }
        }
        if role == "user" {
            self.open.extend(calls.into_iter().filter(|id| !answered.contains(id)));
        }
        Ok(())
    }

    fn text(&mut self, said: &str, role: &str, at: &str, last: bool) -> Checked<()> {
        if role == "assistant" && last && said.ends_with(char::is_whitespace) {
            let why = "messages: final assistant content cannot end with trailing whitespace";
            return Err(Fault::bad(why));
        }
        if said.trim().is_empty() && at.contains(".content.") {
            return Err(Fault::bad("messages: text content blocks must contain non-whitespace text"));
        }
        if role == "user" {
            self.conversation.user_says(said);
        } else {
            self.conversation.hear(said);
        }
        Ok(())
    }

    /// Every call of the message at `index` has been answered by now.
    fn all_answered(&self, index: usize) -> Checked<()> {
        if self.open.is_empty() { Ok(()) } else { Err(unanswered(&format!("messages.{index}"), &self.open)) }
    }
}

/// Whether a message brings what tools gave: then it is not a new word of the user.
fn answers_tools(message: &Value) -> bool {
    list(message, "content").iter().any(|block| text(block, "type") == Some("tool_result"))
}

fn all_content(at: &str) -> Fault {
    Fault::bad(format!(
        "{at}: all messages must have non-empty content except for the optional final assistant message"
    ))
}

fn unanswered(at: &str, ids: &BTreeSet<String>) -> Fault {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    Fault::bad(format!(
        "{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block \
         must have a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    ))
}

/// With thinking on a budget, a turn that called tools must come back with its thinking before it.
fn thinking_came_back(messages: &[Value]) -> Checked<()> {
    let type_of = |message: &Value, index: usize| {
        list(message, "content").get(index).and_then(|block| text(block, "type").map(str::to_owned))
    };
    let answers_tools =
        messages.last().is_some_and(|message| type_of(message, 0).as_deref() == Some("tool_result"));
    let last =
        messages.iter().enumerate().rev().find(|(_, message)| text(message, "role") == Some("assistant"));
    let (true, Some((index, message))) = (answers_tools, last) else { return Ok(()) };
    match type_of(message, 0) {
        Some(kind) if kind != "thinking" && kind != "redacted_thinking" => Err(Fault::bad(format!(
            "messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{kind}`. When \
             `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the \
             lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`."
        ))),
        _ => Ok(()),
    }
}
