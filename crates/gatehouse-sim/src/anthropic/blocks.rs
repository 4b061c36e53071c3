//! One content block of a message.

use serde_json::Value;

use super::request::field_required;
use crate::fault::{Checked, Fault};
use crate::json::{get, is_base64, list, text};
use crate::sign::{self, Kind};

/// What a block is to the conversation.
pub(super) enum Block<'a> {
    Text(&'a str),
    Image,
    File,
    ToolUse(&'a str),
    ToolResult {
        id: &'a str,
        text: String,
        images: u32,
        files: u32,
    },
    /// Checked, but nothing to listen to.
    Silent,
}

/// Checks a block of a message of this role.
pub(super) fn read_block<'a>(block: &'a Value, role: &str, at: &str) -> Checked<Block<'a>> {
    let kind = text(block, "type").ok_or_else(|| field_required(&format!("{at}.type")))?;
    let member = |name: &str| text(block, name).ok_or_else(|| field_required(&format!("{at}.{kind}.{name}")));
    match (kind, role) {
        ("text", _) => member("text").map(Block::Text),
        ("image", "user") => {
            source(block, &["image/jpeg", "image/png", "image/gif", "image/webp"], at).map(|()| Block::Image)
        }
        ("document", "user") => source(block, &["application/pdf"], at).map(|()| Block::File),
        ("tool_use", "assistant") => {
            let id = member("id")?;
            let right = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
            if id.is_empty() || !id.chars().all(right) {
                let said = format!("{at}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
                return Err(Fault::bad(said));
            }
            member("name")?;
            match get(block, "input") {
                Some(Value::Object(_)) => Ok(Block::ToolUse(id)),
                Some(_) => {
                    Err(Fault::bad(format!("{at}.tool_use.input: Input should be a valid dictionary")))
                }
                None => Err(field_required(&format!("{at}.tool_use.input"))),
            }
        }
        ("tool_result", "user") => tool_result(block, member("tool_use_id")?, at),
        ("thinking", "assistant") => {
            let said = member("thinking")?;
            if sign::verify(Kind::Thinking, said, member("signature")?) {
                return Ok(Block::Silent);
            }
            Err(Fault::bad(format!("{at}: Invalid `signature` in `thinking` block")))
        }
        ("redacted_thinking", "assistant") => {
            if sign::is_sealed(member("data")?) {
                return Ok(Block::Silent);
            }
            Err(Fault::bad(format!("{at}: Invalid `data` in `redacted_thinking` block")))
        }
        ("tool_use" | "thinking" | "redacted_thinking", _) => {
            Err(Fault::bad(format!("{at}: `{kind}` blocks can only be in `assistant` messages")))
        }
        ("image" | "document" | "tool_result", _) => {
            Err(Fault::bad(format!("{at}: `{kind}` blocks can only be in `user` messages")))
        }
        // Blocks of the provider's own tools.
        ("search_result" | "container_upload" | "compaction" | "fallback", _) => Ok(Block::Silent),
        (other, _)
            if other.starts_with("server_tool_use")
                || other.ends_with("_tool_result")
                || other.starts_with("mcp_") =>
        {
            Ok(Block::Silent)
        }
        (other, _) => Err(Fault::bad(format!(
            "{at}: Input tag '{other}' found using 'type' does not match any of the expected tags: 'document', \
             'image', 'redacted_thinking', 'text', 'thinking', 'tool_result', 'tool_use'"
        ))),
    }
}

/// Where the bytes of an image or a document come from.
fn source(block: &Value, media_types: &[&str], at: &str) -> Checked<()> {
    let kind = text(block, "type").unwrap_or_default();
    let at = format!("{at}.{kind}.source");
    let source = get(block, "source").ok_or_else(|| field_required(&at))?;
    let member = |name: &str| text(source, name).ok_or_else(|| field_required(&format!("{at}.{name}")));
    match (member("type")?, kind) {
        ("base64", _) => {
            let media_type = member("media_type")?;
            if !media_types.contains(&media_type) {
                let list: Vec<String> = media_types.iter().map(|one| format!("'{one}'")).collect();
                return Err(Fault::bad(format!(
                    "{at}.base64.media_type: Input should be {}",
                    list.join(" or ")
                )));
            }
            if !is_base64(member("data")?) {
                return Err(Fault::bad(format!("{at}.base64.data: Invalid base64 data")));
            }
            Ok(())
        }
        ("url", _) if member("url")?.starts_with("http") => Ok(()),
        ("url", _) => Err(Fault::bad(format!("{at}.url.url: Only HTTP and HTTPS URLs are supported."))),
        ("file", _) => member("file_id").map(drop),
        ("text", "document") => member("data").map(drop),
        ("content", "document") => Ok(()),
        (other, _) => {
            Err(Fault::bad(format!("{at}: Input tag '{other}' does not match any of the expected tags")))
        }
    }
}

fn tool_result<'a>(block: &Value, id: &'a str, at: &str) -> Checked<Block<'a>> {
    let (mut texts, mut images, mut files) = (Vec::new(), 0, 0);
    match get(block, "content") {
        None => {}
        Some(Value::String(text)) => texts.push(text.as_str()),
        Some(Value::Array(_)) => {
            for (index, part) in list(block, "content").iter().enumerate() {
                match read_block(part, "user", &format!("{at}.tool_result.content.{index}"))? {
                    Block::Text(text) => texts.push(text),
                    Block::Image => images += 1,
                    Block::File => files += 1,
                    Block::ToolUse(_) | Block::ToolResult { .. } | Block::Silent => {}
                }
            }
        }
        Some(_) => {
            return Err(Fault::bad(format!(
                "{at}.tool_result.content: Input should be a valid string or list"
            )));
        }
    }
    Ok(Block::ToolResult { id, text: texts.join(" "), images, files })
}
