//! The input of a Responses request: a text, or items in an order that has to hold together.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::json::{get, is_base64, text};
use crate::openai_chat::{check_image_url, invalid_type, invalid_value, missing_parameter};
use crate::sign;

const ROLES: [&str; 4] = ["assistant", "system", "developer", "user"];

/// Reads the whole input.
pub(super) fn read(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    match get(body, "input") {
        None => Err(missing_parameter("input")),
        Some(Value::String(said)) => {
            conversation.message();
            conversation.user_begins();
            conversation.user_says(said);
            Ok(())
        }
        Some(Value::Array(items)) => Items::default().read(items, conversation),
        Some(other) => Err(invalid_type("input", "one of a string or an array of input items", other)),
    }
}

/// What has to hold between the items.
#[derive(Default)]
struct Items<'a> {
    called: BTreeSet<&'a str>,
    answered: BTreeSet<&'a str>,
    /// A reasoning item that waits for the item it led to.
    reasoning: Option<&'a str>,
}

// === impl Items ===

impl<'a> Items<'a> {
    fn read(mut self, items: &'a [Value], conversation: &mut Conversation) -> Checked<()> {
        for (index, item) in items.iter().enumerate() {
            self.item(item, &format!("input[{index}]"), conversation)?;
        }
        self.reasoning_led_somewhere()?;
        if let Some(id) = self.called.difference(&self.answered).next() {
            let said = format!("No tool output found for function call {id}.");
            return Err(Fault::bad(said).param("input"));
        }
        Ok(())
    }

    fn item(&mut self, item: &'a Value, at: &str, conversation: &mut Conversation) -> Checked<()> {
        let required =
            |name: &str| text(item, name).ok_or_else(|| missing_parameter(&format!("{at}.{name}")));
        if !item.is_object() {
            return Err(invalid_type(at, "an object", item));
        }
        match text(item, "type").unwrap_or("message") {
            "message" => {
                let role = required("role")?;
                if role == "assistant" {
                    self.reasoning = None;
                } else {
                    self.reasoning_led_somewhere()?;
                }
                message(item, role, at, conversation)
            }
            "function_call" => {
                self.reasoning = None;
                self.called.insert(required("call_id")?);
                required("name")?;
                required("arguments")?;
                Ok(())
            }
            "function_call_output" => {
                let id = required("call_id")?;
                if !self.called.contains(id) {
                    let said = format!("No tool call found for function call output with call_id {id}.");
                    return Err(Fault::bad(said).param("input"));
                }
                self.answered.insert(id);
                conversation.message();
                output(item, at, conversation)
            }
            "reasoning" => self.reason(item, at),
            "item_reference" => {
                let said = format!("Item with id '{}' not found.", required("id")?);
                Err(Fault::new(404, said).param("input"))
            }
            // Items of hosted tools: accepted, not heeded.
            _ => {
                self.reasoning = None;
                Ok(())
            }
        }
    }

    fn reason(&mut self, item: &'a Value, at: &str) -> Checked<()> {
        self.reasoning_led_somewhere()?;
        let id = text(item, "id").ok_or_else(|| missing_parameter(&format!("{at}.id")))?;
        match text(item, "encrypted_content") {
            // Nothing is stored here, so a reasoning item without its content cannot be found.
            None => {
                let said = format!(
                    "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again \
                     with `store` set to true, or remove this item from your input."
                );
                return Err(Fault::new(404, said).param("input"));
            }
            Some(sealed) if !sign::is_sealed(sealed) => {
                let said = format!("The encrypted content for item {id} could not be verified.");
                return Err(Fault::bad(said).code("invalid_encrypted_content"));
            }
            Some(_) => {}
        }
        self.reasoning = Some(id);
        Ok(())
    }

    fn reasoning_led_somewhere(&self) -> Checked<()> {
        let Some(id) = self.reasoning else { return Ok(()) };
        let said =
            format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
        Err(Fault::bad(said).param("input"))
    }
}

fn message(item: &Value, role: &str, at: &str, conversation: &mut Conversation) -> Checked<()> {
    if !ROLES.contains(&role) {
        return Err(invalid_value(&format!("{at}.role"), role, &ROLES));
    }
    conversation.message();
    let user = role == "user";
    if user {
        conversation.user_begins();
    }
    let says = |conversation: &mut Conversation, said: &str| {
        if user { conversation.user_says(said) } else { conversation.hear(said) }
    };
    let at = format!("{at}.content");
    match get(item, "content") {
        Some(Value::String(said)) => says(conversation, said),
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                match read_part(part, role, &format!("{at}[{index}]"))? {
                    Part::Text(said) => says(conversation, said),
                    Part::Image => conversation.images += 1,
                    Part::File => conversation.files += 1,
                }
            }
        }
        None => return Err(missing_parameter(&at)),
        Some(other) => return Err(invalid_type(&at, "one of a string or an array", other)),
    }
    Ok(())
}

/// What a function gave: a text, or parts.
fn output(item: &Value, at: &str, conversation: &mut Conversation) -> Checked<()> {
    let at = format!("{at}.output");
    match get(item, "output") {
        Some(Value::String(said)) => conversation.tool_says(said),
        Some(Value::Array(parts)) => {
            let mut said = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                match read_part(part, "user", &format!("{at}[{index}]"))? {
                    Part::Text(text) => said.push(text),
                    Part::Image => conversation.images += 1,
                    Part::File => conversation.files += 1,
                }
            }
            conversation.tool_says(&said.join(" "));
        }
        None => return Err(missing_parameter(&at)),
        Some(other) => return Err(invalid_type(&at, "a string or an array", other)),
    }
    Ok(())
}

enum Part<'a> {
    Text(&'a str),
    Image,
    File,
}

fn read_part<'a>(part: &'a Value, role: &str, at: &str) -> Checked<Part<'a>> {
    let member = |name: &str| text(part, name).ok_or_else(|| missing_parameter(&format!("{at}.{name}")));
    let own: &[&str] = if role == "assistant" {
        &["output_text", "refusal"]
    } else {
        &["input_text", "input_image", "input_file"]
    };
    let kind = member("type")?;
    if !own.contains(&kind) {
        return Err(invalid_value(&format!("{at}.type"), kind, own));
    }
    match kind {
        "input_image" => {
            if let Some(url) = text(part, "image_url") {
                check_image_url(url, &format!("{at}.image_url"))?;
            } else {
                member("file_id")?;
            }
            Ok(Part::Image)
        }
        "input_file" => {
            if let Some(url) = text(part, "file_data") {
                let data = url.split_once(";base64,").map_or(url, |(_, data)| data);
                if !is_base64(data) {
                    let param = format!("{at}.file_data");
                    let said = format!(
                        "Invalid file data: '{param}'. Expected a base64-encoded data URL with a valid file MIME type."
                    );
                    return Err(Fault::bad(said).param(param).code("invalid_value"));
                }
            } else if text(part, "file_url").is_none() {
                member("file_id")?;
            }
            Ok(Part::File)
        }
        "refusal" => member("refusal").map(Part::Text),
        _ => member("text").map(Part::Text),
    }
}
