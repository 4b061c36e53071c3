//! The part of the view that walks over messages and their blocks.

use super::spans;
use super::view::Walk;
use crate::json::{Kind, Node};
use gatehouse_core::content::Place;
use gatehouse_core::error::Error;

const MESSAGE: &[&str] = &["role", "content"];
const BLOCK: &[&str] = &[
    "type",
    "text",
    "source",
    "title",
    "context",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "tool_use_id",
    "content",
    "is_error",
    "cache_control",
];
const SOURCE: &[&str] = &["type", "media_type", "data", "url", "file_id", "content"];
/// Whose content a block is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    System,
    User,
    Assistant,
    Tool,
}

// === impl Walk: the conversation ===

impl Walk {
    /// All messages.
    pub(super) fn messages(&mut self, value: Node<'_>) -> Result<(), Error> {
        if value.want_array()?.is_empty() {
            return Err(value.wrong("must hold at least one message"));
        }
        for message in value.items() {
            message.want_object()?.refuse_case_variants(MESSAGE)?;
            let role = message.need("role")?;
            let speaker = match role.want_str()?.as_ref() {
                "user" => Speaker::User,
                "assistant" => Speaker::Assistant,
                "system" => Speaker::System,
                _ => return Err(role.wrong("must be \"user\", \"assistant\" or \"system\"")),
            };
            self.content(message.need("content")?, speaker)?;
        }
        Ok(())
    }

    /// A string, or an array of blocks.
    pub(super) fn content(&mut self, content: Node<'_>, speaker: Speaker) -> Result<(), Error> {
        match content.kind() {
            Kind::String | Kind::Escaped => {
                spans::add(content, speaker.place(), &mut self.view.spans);
                Ok(())
            }
            Kind::Array => content.items().try_for_each(|block| self.block(block, speaker)),
            _ => Err(content.wrong("must be a string or an array of content blocks")),
        }
    }

    fn block(&mut self, block: Node<'_>, speaker: Speaker) -> Result<(), Error> {
        block.want_object()?.refuse_case_variants(BLOCK)?;
        let kind = block.need("type")?.want_str()?;
        match (kind.as_ref(), speaker) {
            ("text", _) => {
                let text = block.need("text")?;
                text.want_str()?;
                spans::add(text, speaker.place(), &mut self.view.spans);
            }
            ("image", _) => {
                self.view.needs.images = true;
                self.source(block.need("source")?, speaker, "image")?;
            }
            ("document", _) => self.document(block, speaker)?,
            ("tool_use", Speaker::Assistant) => {
                block.need("id")?.want_str()?;
                block.need("name")?.want_str()?;
                let input = block.need("input")?.want_object()?;
                spans::add_all(input, Place::ToolArguments, &mut self.view.spans);
            }
            ("thinking", Speaker::Assistant) => {
                block.need("thinking")?.want_str()?;
                if let Some(signature) = block.opt("signature") {
                    signature.want_str()?;
                }
                spans::add_block(block, &mut self.view.spans);
            }
            ("redacted_thinking", Speaker::Assistant) => {
                block.need("data")?.want_str()?;
            }
            ("tool_result", Speaker::User) => self.tool_result(block)?,
            ("tool_use" | "thinking" | "redacted_thinking", _) => {
                return Err(block.wrong("only a message of the assistant can hold this block"));
            }
            ("tool_result", _) => {
                return Err(block.wrong("only a message of the user can hold a tool_result"));
            }
            (_, Speaker::Assistant) => spans::add_block(block, &mut self.view.spans),
            _ => spans::add_words(block, speaker.place(), &mut self.view.spans),
        }
        Ok(())
    }

    fn tool_result(&mut self, block: Node<'_>) -> Result<(), Error> {
        block.need("tool_use_id")?.want_str()?;
        if let Some(flag) = block.opt("is_error") {
            flag.want_bool()?;
        }
        block.opt("content").map_or(Ok(()), |content| self.content(content, Speaker::Tool))
    }

    fn document(&mut self, block: Node<'_>, speaker: Speaker) -> Result<(), Error> {
        for name in ["title", "context"] {
            if let Some(text) = block.opt(name) {
                text.want_str()?;
                spans::add(text, speaker.place(), &mut self.view.spans);
            }
        }
        self.source(block.need("source")?, speaker, "document")
    }

    fn source(&mut self, source: Node<'_>, speaker: Speaker, of: &str) -> Result<(), Error> {
        source.want_object()?.refuse_case_variants(SOURCE)?;
        let kind = source.need("type")?.want_str()?;
        match kind.as_ref() {
            "text" => {
                let data = source.need("data")?;
                data.want_str()?;
                spans::add(data, speaker.place(), &mut self.view.spans);
                return Ok(());
            }
            "content" => return self.content(source.need("content")?, speaker),
            "base64" => {
                source.need("media_type")?.want_str()?;
                source.need("data")?.want_str()?;
            }
            "url" => {
                source.need("url")?.want_str()?;
            }
            "file" => {
                source.need("file_id")?.want_str()?;
            }
            _ => {}
        }
        self.view.media += 1;
        self.view.needs.documents |= of == "document";
        Ok(())
    }
}

// === impl Speaker ===

impl Speaker {
    fn place(self) -> Place {
        match self {
            Self::System => Place::System,
            Self::User => Place::Input,
            Self::Assistant => Place::Output,
            Self::Tool => Place::ToolResult,
        }
    }
}
