//! A stream that came in another dialect, written. A content begins with its first words: an empty one is nothing.

use super::DIALECT;
use super::answer_out::{Said, finish_word, id, mark_of, write_call_members, write_seal};
use super::usage;
use crate::chat::{Block, ChatEvent, Finish, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::mid_stream;
use crate::json::{Out, Raw};
use crate::sse::on_one_line;
use gatehouse_core::usage::Usage;
use std::collections::BTreeMap;

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    context: ReplyContext,
    started: bool,
    ended: bool,
    /// The indices of the next content, of the next call and of the next citation.
    contents: u64,
    calls: u64,
    citations: u64,
    /// The blocks that are open, by their index in the canonical stream.
    open: BTreeMap<u32, Kind>,
    said: Said,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

/// What an open block is here.
#[derive(Debug)]
enum Kind {
    /// Words, and the index of their content once it has begun.
    Text(Option<u64>),
    /// A thought, likewise; its mark is what tells one that is all seal.
    Thought(Option<u64>, &'static str),
    /// A call, by its index.
    Call(u64),
    /// Nothing that is told in pieces.
    Silent,
}

// === impl StreamEncoder for Encoder ===

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            ChatEvent::Start { id, .. } => self.start(id, out),
            ChatEvent::Open { index, block } => {
                self.start("", out);
                self.begin(*index, block, out);
            }
            ChatEvent::Delta { index, text, .. } => self.tell(*index, text, out),
            ChatEvent::Seal { index, seal } => self.seal(*index, seal, out),
            ChatEvent::Close { index } => self.close(*index, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Finish { finish, .. } => {
                self.finish.get_or_insert(*finish);
            }
            ChatEvent::Tier(_)
            | ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. } => {}
            ChatEvent::Error(error) => {
                self.ended = true;
                out.extend_from_slice(&mid_stream(DIALECT, error, &self.context.id));
            }
            ChatEvent::End => self.end(out),
        }
    }
}

// === impl Encoder ===

impl Encoder {
    /// Nothing written yet.
    pub(super) fn new(context: ReplyContext) -> Self {
        Self { context, ..Self::default() }
    }

    fn start(&mut self, own: &str, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        frame(out, "message-start", |out| {
            out.field("id", id(&self.context, own)).object_field("delta", |out| {
                out.object_field("message", |out| {
                    out.field("role", "assistant").field("tool_plan", "");
                    for name in ["content", "tool_calls", "citations"] {
                        out.array_field(name, |_| {});
                    }
                });
            });
        });
    }

    fn begin(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        let kind = match block {
            Block::Text { .. } | Block::Refusal(_) => Kind::Text(None),
            Block::Thought(thought) => Kind::Thought(None, mark_of(thought)),
            Block::ToolCall(call) => Kind::Call(self.begin_call(call, out)),
            Block::Citations(_) | Block::Opaque(_) => Kind::Silent,
        };
        self.open.insert(index, kind);
        match block {
            Block::Text { text, seal, .. } | Block::Thought(Thought { text, seal, .. }) => {
                self.tell(index, text, out);
                seal.iter().for_each(|seal| self.seal(index, seal, out));
            }
            Block::Refusal(text) => self.tell(index, text, out),
            Block::ToolCall(call) => self.tell(index, &call.arguments, out),
            Block::Citations(cited) => {
                for raw in self.said.cite(cited) {
                    let at = self.citations;
                    self.citations += 1;
                    message(out, "citation-start", at, |out| {
                        out.field("citations", Raw(&raw));
                    });
                    bare(out, "citation-end", at);
                }
            }
            Block::Opaque(own) if own.origin == DIALECT => {
                let at = self.next_content();
                message(out, "content-start", at, |out| {
                    out.field("content", Raw(&own.value.0));
                });
                bare(out, "content-end", at);
            }
            Block::Opaque(_) => {}
        }
    }

    fn begin_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) -> u64 {
        let at = self.calls;
        self.calls += 1;
        message(out, "tool-call-start", at, |out| {
            out.object_field("tool_calls", |out| write_call_members(out, call, ""));
        });
        at
    }

    fn next_content(&mut self) -> u64 {
        let at = self.contents;
        self.contents += 1;
        at
    }

    /// The index of the content that a block of words is, which begins now at the latest.
    fn content(&mut self, index: u32, out: &mut Vec<u8>) -> Option<(u64, &'static str)> {
        let (begun, name) = match self.open.get(&index)? {
            Kind::Text(begun) => (*begun, "text"),
            Kind::Thought(begun, _) => (*begun, "thinking"),
            Kind::Call(_) | Kind::Silent => return None,
        };
        if let Some(at) = begun {
            return Some((at, name));
        }
        let at = self.next_content();
        if let Some(Kind::Text(begun) | Kind::Thought(begun, _)) = self.open.get_mut(&index) {
            *begun = Some(at);
        }
        message(out, "content-start", at, |out| {
            out.object_field("content", |out| {
                out.field("type", name).field(name, "");
            });
        });
        Some((at, name))
    }

    fn tell(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if let Some(Kind::Call(at)) = self.open.get(&index) {
            return message(out, "tool-call-delta", *at, |out| {
                out.object_field("tool_calls", |out| {
                    out.object_field("function", |out| {
                        out.field("arguments", text);
                    });
                });
            });
        }
        let Some((at, name)) = self.content(index, out) else { return };
        if name == "text" {
            self.said.begin(at);
            self.said.grow(text);
        }
        message(out, "content-delta", at, |out| {
            out.object_field("content", |out| {
                out.field(name, text);
            });
        });
    }

    fn seal(&mut self, index: u32, seal: &Seal, out: &mut Vec<u8>) {
        if let Some(Kind::Call(at)) = self.open.get(&index) {
            return message(out, "tool-call-delta", *at, |out| {
                out.object_field("tool_calls", |out| write_seal(out, Some(seal), ""));
            });
        }
        let mark = if let Some(Kind::Thought(_, mark)) = self.open.get(&index) { *mark } else { "" };
        let Some((at, _)) = self.content(index, out) else { return };
        message(out, "content-delta", at, |out| {
            out.object_field("content", |out| write_seal(out, Some(seal), mark));
        });
    }

    fn close(&mut self, index: u32, out: &mut Vec<u8>) {
        match self.open.remove(&index) {
            Some(Kind::Text(Some(at)) | Kind::Thought(Some(at), _)) => bare(out, "content-end", at),
            Some(Kind::Call(at)) => bare(out, "tool-call-end", at),
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start("", out);
        let left: Vec<u32> = self.open.keys().copied().collect();
        left.into_iter().for_each(|index| self.close(index, out));
        self.ended = true;
        let finish = self.finish.unwrap_or(if self.calls > 0 { Finish::ToolCalls } else { Finish::Stop });
        frame(out, "message-end", |out| {
            out.object_field("delta", |out| {
                out.field("finish_reason", finish_word(finish));
                if let Some(used) = &self.usage {
                    usage::write(out, used);
                }
            });
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// An event about a part of the message.
fn message(out: &mut Vec<u8>, kind: &str, index: u64, inside: impl FnOnce(&mut Out)) {
    frame(out, kind, |out| {
        out.field("index", index).object_field("delta", |out| {
            out.object_field("message", inside);
        });
    });
}

/// An event that says that a part is over.
fn bare(out: &mut Vec<u8>, kind: &str, index: u64) {
    frame(out, kind, |out| {
        out.field("index", index);
    });
}

fn frame(out: &mut Vec<u8>, kind: &str, inside: impl FnOnce(&mut Out)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let start = out.len();
    let mut json = Out::after(std::mem::take(out));
    json.object(|out| {
        out.field("type", kind);
        inside(out);
    });
    *out = json.into_bytes();
    on_one_line(out, start);
    out.extend_from_slice(b"\n\n");
}
