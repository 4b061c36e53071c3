//! Streams, written: server-sent events, or one JSON array.
//!
//! Every chunk has the form of a whole answer. Google has no deltas of arguments, so a call goes out when
//! it is whole; why the model stopped and what it used go out with the last chunk.

use super::answer::{candidate, note, trailer};
use super::{finish, grounding, part_out, seals, usage};
use crate::chat::{Block, ChatEvent, Citations, Origin, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::render;
use crate::json::{Out, Raw};
use crate::sse::on_one_line;
use gatehouse_core::content::{Dialect, Family};
use gatehouse_core::usage::Usage;
use std::collections::BTreeMap;

/// Writes events in order.
pub(super) struct Encoder {
    context: ReplyContext,
    id: String,
    created: Option<u64>,
    open: BTreeMap<u32, Open>,
    usage: Option<Usage>,
    tier: Option<String>,
    /// All text so far, and its citations, which go out with the last chunk.
    said: String,
    cited: Vec<Citations>,
    reason: Option<&'static str>,
    /// Chunks that went out.
    chunks: u64,
    done: bool,
}

/// A block that is being written.
enum Open {
    /// Words go out as they come. Those of a refusal are no text that could be cited.
    Words { thought: Option<Thought>, refusal: bool },
    /// Words that were signed from the start go out with their signature.
    Signed { text: String, thought: bool, signature: String },
    /// Arguments are collected.
    Call(ToolCall),
}

// === impl Encoder ===

impl Encoder {
    /// Writes for a caller.
    pub(super) fn new(context: ReplyContext) -> Self {
        let id = context.id.clone();
        Self {
            context,
            id,
            created: None,
            open: BTreeMap::new(),
            usage: None,
            tier: None,
            said: String::new(),
            cited: Vec::new(),
            reason: None,
            chunks: 0,
            done: false,
        }
    }

    fn open(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        let state = match block {
            Block::Text { seal: Some(seal), text, .. } => Open::Signed {
                text: text.clone(),
                thought: false,
                signature: seals::write(seal, &seals::Note::default()),
            },
            Block::Thought(thought @ Thought { seal: Some(seal), .. }) => Open::Signed {
                text: thought.text.clone(),
                thought: true,
                signature: seals::write(seal, &note(thought)),
            },
            Block::Thought(thought) => Open::Words { thought: Some(thought.clone()), refusal: false },
            Block::Text { .. } => Open::Words { thought: None, refusal: false },
            Block::Refusal(_) => Open::Words { thought: None, refusal: true },
            Block::ToolCall(call) => Open::Call(call.clone()),
            Block::Citations(cited) => return self.cited.push(cited.clone()),
            Block::Opaque(own) => {
                if own.origin == Dialect::GeminiGenerate {
                    let part = own.value.0.clone();
                    self.part(out, |out| {
                        out.item(Raw(&part));
                    });
                }
                return;
            }
        };
        self.open.insert(index, state);
    }

    fn delta(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        match self.open.get_mut(&index) {
            Some(Open::Words { thought, refusal }) => {
                let (thought, refusal) = (thought.is_some(), *refusal);
                if !text.is_empty() {
                    if !thought && !refusal {
                        self.said.push_str(text);
                    }
                    self.part(out, |out| part_out::words(out, text, thought, None));
                }
            }
            Some(Open::Signed { text: own, thought, .. }) => {
                own.push_str(text);
                if !*thought {
                    self.said.push_str(text);
                }
            }
            Some(Open::Call(call)) => call.arguments.push_str(text),
            None => {}
        }
    }

    /// A seal that came after its words went out: an empty part closes them.
    fn seal(&mut self, index: u32, seal: &Seal, out: &mut Vec<u8>) {
        match self.open.get_mut(&index) {
            Some(Open::Words { thought, .. }) => {
                let mut said = thought.as_ref().map(note).unwrap_or_default();
                said.closes = true;
                let (thought, signature) = (thought.is_some(), seals::write(seal, &said));
                self.open.remove(&index);
                self.part(out, |out| part_out::words(out, "", thought, Some(&signature)));
            }
            Some(Open::Call(call)) => call.seal = Some(seal.clone()),
            Some(Open::Signed { .. }) | None => {}
        }
    }

    fn close(&mut self, index: u32, out: &mut Vec<u8>) {
        match self.open.remove(&index) {
            Some(Open::Signed { text, thought, signature }) => {
                self.part(out, |out| part_out::words(out, &text, thought, Some(&signature)));
            }
            Some(Open::Call(call)) => {
                let signature = call.seal.as_ref().map(|seal| crate::seal::write(seal, Origin::Gemini));
                self.part(out, |out| part_out::call(out, &call, signature.as_deref()));
            }
            Some(Open::Words { .. }) | None => {}
        }
    }

    fn part(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Out)) {
        let mut part = Out::new();
        write(&mut part);
        let mut chunk = Out::new();
        chunk.object(|chunk| {
            candidate(chunk, part.as_str(), None, |_| {});
            trailer(chunk, &self.context.model, &self.id, self.created);
        });
        self.chunk(chunk.as_str().as_bytes(), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let still_open: Vec<u32> = self.open.keys().copied().collect();
        still_open.into_iter().for_each(|index| self.close(index, out));
        let mut empty = Out::new();
        part_out::words(&mut empty, "", false, None);
        let mut chunk = Out::new();
        chunk.object(|chunk| {
            let reason = Some(self.reason.unwrap_or("STOP"));
            candidate(chunk, empty.as_str(), reason, |out| grounding::write(out, &self.cited, &self.said));
            if let Some(used) = &self.usage {
                usage::write(chunk, used, self.tier.as_deref());
            }
            trailer(chunk, &self.context.model, &self.id, self.created);
        });
        self.chunk(chunk.as_str().as_bytes(), out);
        self.finish(out);
    }

    fn chunk(&mut self, json: &[u8], out: &mut Vec<u8>) {
        let (before, after): (&[u8], &[u8]) = match (self.context.json_array, self.chunks) {
            (false, _) => (b"data: ", b"\n\n"),
            (true, 0) => (b"[", b""),
            (true, _) => (b",\n", b""),
        };
        self.chunks += 1;
        out.extend_from_slice(before);
        let start = out.len();
        out.extend_from_slice(json);
        on_one_line(out, start);
        out.extend_from_slice(after);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.done = true;
        if self.context.json_array {
            out.extend_from_slice(b"]");
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        match event {
            ChatEvent::Start { id, created, .. } => {
                if !id.is_empty() {
                    self.id.clone_from(id);
                }
                self.created = *created;
            }
            ChatEvent::Open { index, block } => self.open(*index, block, out),
            ChatEvent::Delta { index, text, .. } => self.delta(*index, text, out),
            ChatEvent::Seal { index, seal } => self.seal(*index, seal, out),
            ChatEvent::Close { index } => self.close(*index, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Tier(tier) => self.tier = Some(tier.clone()),
            ChatEvent::Finish { finish, native, .. } => {
                self.reason.get_or_insert_with(|| finish::write(*finish, native.as_deref()));
            }
            ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. } => {}
            ChatEvent::Error(error) => {
                self.chunk(&render(Family::Gemini, error, ""), out);
                self.finish(out);
            }
            ChatEvent::End => self.end(out),
        }
    }
}
