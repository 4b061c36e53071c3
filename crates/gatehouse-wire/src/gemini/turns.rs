//! `contents` to turns, with every tool's answer tied to its call.
//!
//! Gemini lets callers leave out the ids of calls; then the answers are told apart by name and order.

use super::assembler::Assembler;
use super::member::{each, get, text};
use super::{media, response};
use crate::chat::{Block, ChatEvent, Part, ToolResult, Turn, Weight};
use crate::json::Node;
use gatehouse_core::error::Error;

/// Reads contents one after the other.
#[derive(Default)]
struct Reader {
    turns: Vec<Turn>,
    /// The model's turn that is being read: SDKs replay a stream as one content for each chunk.
    model: Option<(Assembler, Vec<ChatEvent>)>,
    /// Calls of the model's last turn.
    calls: Vec<Call>,
}

struct Call {
    id: String,
    name: String,
    answered: bool,
}

/// Reads all contents.
pub(super) fn read(contents: Node<'_>) -> Result<Vec<Turn>, Error> {
    let mut reader = Reader::default();
    for content in each(Some(contents)) {
        let parts = each(get(content, "parts"));
        if text(content, "role").as_deref() == Some("model") {
            parts.for_each(|part| reader.model_part(part));
        } else {
            reader.model_is_done();
            parts.into_iter().try_for_each(|part| reader.user_part(part))?;
        }
    }
    reader.model_is_done();
    Ok(reader.turns)
}

/// A part of somebody other than the model.
pub(super) fn part(part: Node<'_>) -> Option<Part> {
    if let Some(words) = text(part, "text") {
        return (!words.is_empty()).then(|| Part::text(words));
    }
    media::read(part).or_else(|| {
        let empty = part.members().all(|(_, value)| value.is_null());
        (!empty).then(|| Part::Opaque(media::opaque(part, Weight::Meaning)))
    })
}

// === impl Reader ===

impl Reader {
    fn model_part(&mut self, part: Node<'_>) {
        let seed = self.turns.len().to_string();
        let (assembler, events) = self.model.get_or_insert_with(|| (Assembler::new(&seed), Vec::new()));
        assembler.part(part, events);
    }

    fn model_is_done(&mut self) {
        let Some((assembler, events)) = self.model.take() else { return };
        let blocks = assembler.blocks(events);
        self.calls = blocks
            .iter()
            .filter_map(|block| match block {
                Block::ToolCall(call) => {
                    Some(Call { id: call.id.clone(), name: call.name.clone(), answered: false })
                }
                _ => None,
            })
            .collect();
        if !blocks.is_empty() {
            self.turns.push(Turn::Assistant(blocks));
        }
    }

    fn user_part(&mut self, node: Node<'_>) -> Result<(), Error> {
        if let Some(answer) = get(node, "functionResponse") {
            let result = self.result(answer)?;
            if let Some(Turn::ToolResults(results)) = self.turns.last_mut() {
                results.push(result);
            } else {
                self.turns.push(Turn::ToolResults(vec![result]));
            }
            return Ok(());
        }
        let Some(part) = part(node) else { return Ok(()) };
        if let Some(Turn::User(parts)) = self.turns.last_mut() {
            parts.push(part);
        } else {
            self.turns.push(Turn::User(vec![part]));
        }
        Ok(())
    }

    fn result(&mut self, answer: Node<'_>) -> Result<ToolResult, Error> {
        let (id, name) = (text(answer, "id"), text(answer, "name"));
        let mut open = self.calls.iter_mut().filter(|call| !call.answered);
        let by_id = id.as_deref().and_then(|id| open.find(|call| call.id == id));
        let found = match by_id {
            Some(call) => Some(call),
            None => self.calls.iter_mut().find(|call| !call.answered && Some(&call.name) == name.as_ref()),
        };
        let Some(call) = found else {
            return Err(answer.wrong("answers no function call of the turn before"));
        };
        call.answered = true;
        let (is_error, mut parts) = response::read(get(answer, "response"));
        parts.extend(each(get(answer, "parts")).filter_map(part));
        Ok(ToolResult {
            call_id: call.id.clone(),
            name: Some(call.name.clone()),
            is_error,
            parts,
            cache: None,
        })
    }
}
