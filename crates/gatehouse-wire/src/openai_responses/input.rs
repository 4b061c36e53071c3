//! Reading `input`: a flat list of items, grouped into the turns of a conversation.

use super::parts::{cache_mark, decode as decode_parts};
use super::seals::{Sealed, give_to_calls, open};
use super::texts::must_stay;
use super::tools::joined;
use super::{extension, item_type};
use crate::chat::{Block, Part, Seal, ToolCall, ToolResult, Turn, Weight};
use crate::free_form;
use crate::json::Node;
use gatehouse_core::error::Error;

/// Turns under construction.
#[derive(Debug, Default)]
pub(super) struct Turns {
    turns: Vec<Turn>,
    /// Seals of tool calls, by the id of the call: they come in items of their own.
    call_seals: Vec<(String, Seal)>,
}

// === impl Turns ===

impl Turns {
    /// Instructions that lead, from outside of `input`.
    pub(super) fn instruct(&mut self, text: &str) {
        if !text.is_empty() {
            self.turns.push(Turn::System(vec![Part::text(text)]));
        }
    }

    /// Reads `input`.
    pub(super) fn read(&mut self, input: Node<'_>) -> Result<(), Error> {
        if let Some(text) = input.str() {
            self.turns.push(Turn::User(vec![Part::text(text)]));
            return Ok(());
        }
        if !input.is_array() {
            return Err(input.wrong("must be a string or an array of items"));
        }
        input.items().try_for_each(|item| self.item(item))
    }

    /// The conversation.
    pub(super) fn finish(mut self) -> Vec<Turn> {
        for turn in &mut self.turns {
            if let Turn::Assistant(blocks) = turn {
                give_to_calls(&self.call_seals, blocks);
            }
        }
        self.turns
    }

    fn item(&mut self, item: Node<'_>) -> Result<(), Error> {
        let kind = item_type(item.want_object()?)?;
        match kind.as_ref() {
            "message" => self.message(item),
            "function_call" | "custom_tool_call" => {
                self.said(Block::ToolCall(call(item, kind == "custom_tool_call")?));
                Ok(())
            }
            "function_call_output" | "custom_tool_call_output" => {
                self.answered(result(item)?);
                Ok(())
            }
            "reasoning" => self.reasoning(item),
            "item_reference" => Err(Error::unsupported(
                item.name(),
                format!("{}: nothing is kept here that it could refer to; send the item itself", item.name()),
            )),
            other => {
                let weight = if must_stay(other) { Weight::Meaning } else { Weight::Hint };
                self.said(Block::Opaque(extension(item.name(), item, weight)));
                Ok(())
            }
        }
    }

    fn message(&mut self, item: Node<'_>) -> Result<(), Error> {
        let role = item.need("role")?;
        let content = item.need("content")?;
        match role.want_str()?.as_ref() {
            "user" => self.turns.push(Turn::User(decode_parts(content)?)),
            "system" | "developer" => self.turns.push(Turn::System(decode_parts(content)?)),
            "assistant" if content.is_str() => self.said(Block::text(content.want_str()?)),
            "assistant" => content.want_array()?.items().try_for_each(|part| {
                self.said(block(part)?);
                Ok(())
            })?,
            _ => return Err(role.wrong("must be \"user\", \"assistant\", \"system\" or \"developer\"")),
        }
        Ok(())
    }

    fn reasoning(&mut self, item: Node<'_>) -> Result<(), Error> {
        let encrypted = item.opt("encrypted_content").map(|text| text.want_str()).transpose()?;
        let id = item.opt("id").map(|id| id.want_str()).transpose()?.map(std::borrow::Cow::into_owned);
        match open(id, thought_text(item), encrypted.as_deref()) {
            Sealed::Thought(thought) => self.said(Block::Thought(thought)),
            Sealed::Call(id, seal) => self.call_seals.push((id, seal)),
            Sealed::Text(seal) => self.seal_text(seal),
            Sealed::EmptyText(seal) => {
                self.said(Block::Text { text: String::new(), seal: Some(seal), cache: None });
            }
        }
        Ok(())
    }

    /// Seals the last text that the model said.
    fn seal_text(&mut self, new: Seal) {
        let Some(Turn::Assistant(blocks)) = self.turns.last_mut() else { return };
        let last = blocks.iter_mut().rev().find_map(|block| match block {
            Block::Text { seal, .. } => Some(seal),
            _ => None,
        });
        if let Some(seal) = last {
            *seal = Some(new);
        }
    }

    /// Adds to the model's turn, or begins one.
    fn said(&mut self, block: Block) {
        match self.turns.last_mut() {
            Some(Turn::Assistant(blocks)) => blocks.push(block),
            _ => self.turns.push(Turn::Assistant(vec![block])),
        }
    }

    fn answered(&mut self, result: ToolResult) {
        match self.turns.last_mut() {
            Some(Turn::ToolResults(results)) => results.push(result),
            _ => self.turns.push(Turn::ToolResults(vec![result])),
        }
    }
}

/// A part of what the model said before.
fn block(part: Node<'_>) -> Result<Block, Error> {
    let kind = part.want_object()?.need("type")?.want_str()?;
    match kind.as_ref() {
        "output_text" | "input_text" | "text" => Ok(Block::Text {
            text: part.need("text")?.want_str()?.into_owned(),
            seal: None,
            cache: cache_mark(part),
        }),
        "refusal" => Ok(Block::Refusal(part.need("refusal")?.want_str()?.into_owned())),
        _ => Err(Error::unsupported(part.name(), format!("{}: cannot be said by a model", part.name()))),
    }
}

fn call(item: Node<'_>, free_form: bool) -> Result<ToolCall, Error> {
    let name = item.need("name")?.want_str()?;
    let namespace = item.opt("namespace").map(|node| node.want_str()).transpose()?;
    let arguments = if free_form {
        free_form::arguments(&item.need("input")?.want_str()?)
    } else {
        item.need("arguments")?.want_str()?.into_owned()
    };
    Ok(ToolCall {
        id: item.need("call_id")?.want_str()?.into_owned(),
        name: namespace.map_or_else(|| name.to_string(), |namespace| joined(&namespace, &name)),
        arguments,
        ..ToolCall::default()
    })
}

fn result(item: Node<'_>) -> Result<ToolResult, Error> {
    Ok(ToolResult {
        call_id: item.need("call_id")?.want_str()?.into_owned(),
        name: None,
        is_error: false,
        parts: decode_parts(item.need("output")?)?,
        cache: None,
    })
}

/// Between the parts of one thought.
pub(super) const BETWEEN_THOUGHTS: &str = "\n\n";

/// The readable part of a reasoning item: its summary and its content.
pub(super) fn thought_text(item: Node<'_>) -> String {
    let lists = ["summary", "content"].into_iter().filter_map(|name| item.opt(name));
    let parts = lists.flat_map(|list| list.items()).filter_map(|part| part.opt("text")?.str());
    parts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(BETWEEN_THOUGHTS)
}
