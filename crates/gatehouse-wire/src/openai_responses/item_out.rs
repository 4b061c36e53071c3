//! The items of an answer, as this dialect writes them: whole, or as they are so far in a stream.

use super::citations;
use super::names::{Named, Names};
use super::seals::{of_call, of_text, of_thought};
use crate::chat::{Block, Seal, ToolCall, chars};
use crate::free_form;
use crate::json::{Out, Raw};
use gatehouse_core::content::Dialect;

/// What an item says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A message with one part.
    Text {
        /// What it says.
        text: String,
        /// `annotations`, each an object.
        annotations: Vec<String>,
    },
    /// A message that refuses.
    Refusal(String),
    /// Reasoning, or a seal that has no other place.
    Reasoning {
        /// The readable part.
        text: String,
        /// `encrypted_content`.
        encrypted: Option<String>,
    },
    /// A call of a function.
    Call {
        /// What joins it with its result.
        call_id: String,
        /// The function.
        named: Named,
        /// JSON.
        arguments: String,
    },
    /// A call of a free-form tool.
    FreeForm {
        /// What joins it with its result.
        call_id: String,
        /// The tool.
        named: Named,
        /// Any text.
        input: String,
    },
    /// An item of this dialect, as it came.
    Raw(String),
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has begun.
    Begun,
    /// It is done.
    Done,
}

// === impl Item ===

impl Item {
    /// The items that say what a block says: none for a block that is empty or foreign.
    pub(super) fn of(block: &Block, names: &Names<'_>) -> Vec<Self> {
        let carrier = |encrypted| Self::Reasoning { text: String::new(), encrypted: Some(encrypted) };
        match block {
            Block::Text { text, seal, .. } => {
                let item = (!text.is_empty()).then(|| Self::text(text.clone()));
                let seal = seal.as_ref().map(|seal| carrier(of_text(seal, text.is_empty())));
                item.into_iter().chain(seal).collect()
            }
            Block::Refusal(text) if text.is_empty() => Vec::new(),
            Block::Refusal(text) => vec![Self::Refusal(text.clone())],
            Block::Thought(thought) => {
                let encrypted = thought.seal.as_ref().map(|seal| of_thought(seal, thought.redacted));
                let says = encrypted.is_some() || !thought.text.is_empty();
                let item = says.then(|| Self::Reasoning { text: thought.text.clone(), encrypted });
                item.into_iter().collect()
            }
            Block::ToolCall(call) => {
                let seal = call.seal.as_ref().map(|seal| Self::seal_of_call(seal, &call.id));
                seal.into_iter().chain([Self::of_call(call, names)]).collect()
            }
            Block::Opaque(own) if own.origin == Dialect::OpenAiResponses => {
                vec![Self::Raw(own.value.0.clone())]
            }
            // Citations are members of the text before them.
            Block::Citations(_) | Block::Opaque(_) => Vec::new(),
        }
    }

    /// The items of a whole answer.
    pub(super) fn all_of(blocks: &[Block], names: &Names<'_>) -> Vec<Self> {
        let mut items = Vec::new();
        // The characters before the last text, and with it.
        let (mut before, mut said) = (0, 0);
        for block in blocks {
            if let Block::Text { text, .. } = block
                && !text.is_empty()
            {
                (before, said) = (said, said + chars(text));
            }
            if let Block::Citations(cited) = block {
                let last = items.iter_mut().rev().find_map(|item| match item {
                    Self::Text { annotations, .. } => Some(annotations),
                    _ => None,
                });
                match last {
                    Some(annotations) => annotations.extend(citations::written(cited, before)),
                    None => items
                        .push(Self::Text { text: String::new(), annotations: citations::written(cited, 0) }),
                }
            }
            items.extend(Self::of(block, names));
        }
        items
    }

    /// A text without annotations so far.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), annotations: Vec::new() }
    }

    /// The item that carries the seal of a call.
    pub(super) fn seal_of_call(seal: &Seal, call_id: &str) -> Self {
        Self::Reasoning { text: String::new(), encrypted: Some(of_call(seal, call_id)) }
    }

    /// The item that carries the seal of a text.
    pub(super) fn seal_of_text(seal: &Seal, is_empty: bool) -> Self {
        Self::Reasoning { text: String::new(), encrypted: Some(of_text(seal, is_empty)) }
    }

    /// A call, whole.
    pub(super) fn of_call(call: &ToolCall, names: &Names<'_>) -> Self {
        let (call_id, named) = (call.id.clone(), names.of_function(&call.name));
        if named.free_form {
            // A model that did not keep to the form has written its input some other way.
            let input = free_form::input(&call.arguments).unwrap_or_else(|| call.arguments.clone());
            return Self::FreeForm { call_id, named, input };
        }
        let arguments = if call.arguments.is_empty() { "{}".to_owned() } else { call.arguments.clone() };
        Self::Call { call_id, named, arguments }
    }

    /// What ids of such items begin with.
    pub(super) fn id_prefix(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::Refusal(_) => "msg",
            Self::Reasoning { .. } => "rs",
            Self::Call { .. } => "fc",
            Self::FreeForm { .. } => "ctc",
            Self::Raw(_) => "item",
        }
    }

    /// The item as an object. What is empty has not been said yet.
    pub(super) fn json(&self, id: &str, progress: Progress) -> String {
        let mut out = Out::new();
        self.write(&mut out, id, progress);
        out.as_str().to_owned()
    }

    /// The one part of a message or of a summary, as an object.
    pub(super) fn part_json(&self) -> String {
        let mut out = Out::new();
        self.write_part(&mut out);
        out.as_str().to_owned()
    }

    fn write(&self, out: &mut Out, id: &str, progress: Progress) {
        let status = if progress == Progress::Done { "completed" } else { "in_progress" };
        if let Self::Raw(raw) = self {
            out.item(Raw(raw));
            return;
        }
        out.object(|out| match self {
            Self::Text { .. } | Self::Refusal(_) => {
                out.field("type", "message").field("id", id).field("status", status);
                out.field("role", "assistant");
                out.array_field("content", |out| {
                    if progress == Progress::Done {
                        self.write_part(out);
                    }
                });
            }
            Self::Reasoning { text, encrypted } => {
                out.field("type", "reasoning").field("id", id);
                out.array_field("summary", |out| {
                    if !text.is_empty() {
                        self.write_part(out);
                    }
                });
                out.field_opt("encrypted_content", encrypted.as_ref()).field("status", status);
            }
            Self::Call { call_id, named, arguments } => {
                out.field("type", "function_call").field("id", id).field("call_id", call_id);
                named.write(out);
                out.field("arguments", arguments).field("status", status);
            }
            Self::FreeForm { call_id, named, input } => {
                out.field("type", "custom_tool_call").field("id", id).field("call_id", call_id);
                named.write(out);
                out.field("input", input).field("status", status);
            }
            Self::Raw(_) => {}
        });
    }

    fn write_part(&self, out: &mut Out) {
        match self {
            Self::Text { text, annotations } => {
                out.object(|out| {
                    out.field("type", "output_text").field("text", text);
                    out.array_field("annotations", |out| {
                        annotations.iter().for_each(|one| {
                            out.item(Raw(one));
                        });
                    });
                    out.array_field("logprobs", |_| {});
                });
            }
            Self::Refusal(text) => {
                out.object(|out| {
                    out.field("type", "refusal").field("refusal", text);
                });
            }
            Self::Reasoning { text, .. } => {
                out.object(|out| {
                    out.field("type", "summary_text").field("text", text);
                });
            }
            Self::Call { .. } | Self::FreeForm { .. } | Self::Raw(_) => {}
        }
    }

    /// The text that grows while the item is streamed.
    pub(super) fn text_mut(&mut self) -> &mut String {
        match self {
            Self::Refusal(text) | Self::Raw(text) => text,
            Self::Text { text, .. } | Self::Reasoning { text, .. } => text,
            Self::Call { arguments: text, .. } | Self::FreeForm { input: text, .. } => text,
        }
    }
}

// === impl Named ===

impl Named {
    fn write(&self, out: &mut Out) {
        out.field("name", &self.name).field_opt("namespace", self.namespace.as_ref());
    }
}
