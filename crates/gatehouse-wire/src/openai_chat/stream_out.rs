//! A stream that came in another dialect, written.

use super::answer_out::{finish_word, head, is_custom, is_legacy, write_custom};
use super::finish::lost_word;
use super::reasoning::{self, in_blocks, in_details, write_signature};
use super::{citations, details, usage};
use crate::chat::{Block, ChatEvent, Finish, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::mid_stream;
use crate::json::{Out, Raw};
use crate::sse::on_one_line;
use gatehouse_core::content::Dialect;
use gatehouse_core::usage::Usage;

/// Writes a stream.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    id: String,
    model: String,
    created: Option<u64>,
    is_legacy: bool,
    /// The blocks that are open.
    open: Vec<(u32, Kind)>,
    /// How many calls began.
    calls: u32,
    /// How many thoughts began, and how many are in `thinking_blocks`.
    thoughts: u32,
    listed: u32,
    /// Whether a seal of text was told: once only, as clients put repeated texts together.
    is_signed: bool,
    usage: Option<Usage>,
    tier: Option<String>,
    is_finished: bool,
    is_over: bool,
}

#[derive(Debug)]
enum Kind {
    /// Text and its seal.
    Text(Option<Seal>),
    Refusal,
    /// A thought with what it has said, as a sealed one is repeated whole, and its place among thoughts.
    Thought(Thought, u32),
    /// A call and its place among the calls.
    Call(u32),
    /// A call of a free-form tool, whose input is known once its arguments are whole.
    Custom(ToolCall, u32),
    /// Nothing that is told in pieces.
    Other,
}

// === impl StreamEncoder for Encoder ===

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.is_over {
            return;
        }
        match event {
            ChatEvent::Start { id, model, created } => {
                (self.id, self.model, self.created) = (id.clone(), model.clone(), *created);
                self.delta(out, |out| {
                    out.field("role", "assistant").field("content", "").field("refusal", None::<&str>);
                });
            }
            ChatEvent::Open { index, block } => self.begin(*index, block, out),
            ChatEvent::Delta { index, text, .. } => self.tell(*index, text, out),
            ChatEvent::Seal { index, seal } => self.seal(*index, seal, out),
            ChatEvent::Close { index } => self.close(*index, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Tier(tier) => self.tier = Some(tier.clone()),
            ChatEvent::Finish { finish, native, .. } => self.finish(*finish, native.as_deref(), out),
            ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. } => {}
            ChatEvent::Error(error) => {
                self.is_over = true;
                out.extend_from_slice(&mid_stream(Dialect::OpenAiChat, error, &self.context.id));
            }
            ChatEvent::End => self.end(out),
        }
    }
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new(context: ReplyContext) -> Self {
        Self {
            is_legacy: is_legacy(&context),
            context,
            id: String::new(),
            model: String::new(),
            created: None,
            open: Vec::new(),
            calls: 0,
            thoughts: 0,
            listed: 0,
            is_signed: false,
            usage: None,
            tier: None,
            is_finished: false,
            is_over: false,
        }
    }

    fn begin(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        let kind = match block {
            Block::Text { seal, .. } => Kind::Text(seal.clone()),
            Block::Refusal(_) => Kind::Refusal,
            Block::Thought(thought) => {
                let nth = self.thoughts;
                self.thoughts += 1;
                Kind::Thought(Thought { text: String::new(), ..thought.clone() }, nth)
            }
            Block::ToolCall(call) => {
                let nth = self.calls;
                self.calls += 1;
                if is_custom(&self.context, call) {
                    Kind::Custom(call.clone(), nth)
                } else {
                    self.begin_call(nth, call, out);
                    Kind::Call(nth)
                }
            }
            Block::Citations(cited) => {
                self.delta(out, |out| {
                    out.array_field(citations::MEMBER, |out| citations::write(out, cited));
                });
                Kind::Other
            }
            Block::Opaque(own) => {
                if own.origin == Dialect::OpenAiChat {
                    self.delta(out, |out| {
                        out.field(&own.path, Raw(&own.value.0));
                    });
                }
                Kind::Other
            }
        };
        self.open.push((index, kind));
        // A block may open with its text, though ours do not.
        match block {
            Block::Text { text, .. } | Block::Refusal(text) => self.tell(index, text, out),
            Block::Thought(thought) => self.tell(index, &thought.text, out),
            Block::ToolCall(_) | Block::Citations(_) | Block::Opaque(_) => {}
        }
    }

    fn begin_call(&mut self, nth: u32, call: &ToolCall, out: &mut Vec<u8>) {
        if self.is_legacy {
            return self.delta(out, |out| {
                out.object_field("function_call", |out| {
                    out.field("name", &call.name).field("arguments", &call.arguments);
                });
            });
        }
        self.call_delta(nth, out, |out| {
            out.field("id", &call.id).field("type", "function");
            out.object_field("function", |out| {
                out.field("name", &call.name).field("arguments", &call.arguments);
            });
            if let Some(seal) = &call.seal {
                write_signature(out, seal);
            }
        });
    }

    fn tell(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let is_legacy = self.is_legacy;
        let name = match self.kind(index) {
            Some(Kind::Text(_)) => "content",
            Some(Kind::Refusal) => "refusal",
            Some(Kind::Thought(thought, _)) => {
                thought.text.push_str(text);
                "reasoning_content"
            }
            Some(Kind::Call(_)) if is_legacy => {
                return self.delta(out, |out| {
                    out.object_field("function_call", |out| {
                        out.field("arguments", text);
                    });
                });
            }
            Some(Kind::Call(nth)) => {
                let nth = *nth;
                return self.call_delta(nth, out, |out| {
                    out.object_field("function", |out| {
                        out.field("arguments", text);
                    });
                });
            }
            Some(Kind::Custom(call, _)) => return call.arguments.push_str(text),
            Some(Kind::Other) | None => return,
        };
        self.delta(out, |out| {
            out.field(name, text);
        });
    }

    fn seal(&mut self, index: u32, seal: &Seal, out: &mut Vec<u8>) {
        match self.kind(index) {
            Some(Kind::Text(own)) => *own = Some(seal.clone()),
            Some(Kind::Thought(thought, _)) => thought.seal = Some(seal.clone()),
            Some(Kind::Call(nth)) => {
                let nth = *nth;
                self.call_delta(nth, out, |out| write_signature(out, seal));
            }
            Some(Kind::Custom(call, _)) => call.seal = Some(seal.clone()),
            Some(Kind::Refusal | Kind::Other) | None => {}
        }
    }

    /// Seals are told at the end of what they seal: of text alone, of a thought with all of it.
    fn close(&mut self, index: u32, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().rposition(|(own, _)| *own == index) else { return };
        let (thought, nth) = match self.open.swap_remove(at) {
            (_, Kind::Thought(thought, nth)) => (thought, nth),
            (_, Kind::Custom(call, nth)) => {
                return self.call_delta(nth, out, |out| write_custom(out, &call));
            }
            (_, Kind::Text(Some(seal))) if !self.is_signed => {
                self.is_signed = true;
                return self.delta(out, |out| write_signature(out, &seal));
            }
            _ => return,
        };
        if in_blocks(&thought) {
            let listed = self.listed;
            self.listed += 1;
            let at = usize::try_from(index).ok().filter(|_| index != nth);
            self.delta(out, |out| {
                out.array_field("thinking_blocks", |out| {
                    reasoning::write_block(out, &thought, at, Some(listed));
                });
            });
        } else if in_details(&thought) {
            self.delta(out, |out| {
                out.array_field("reasoning_details", |out| details::write(out, &thought));
            });
        }
    }

    fn finish(&mut self, finish: Finish, native: Option<&str>, out: &mut Vec<u8>) {
        if self.is_finished {
            return;
        }
        self.is_finished = true;
        let word = finish_word(finish, self.is_legacy);
        self.chunk(out, |out| {
            out.array_field("choices", |out| {
                out.object(|out| {
                    out.field("index", 0u64).object_field("delta", |_| {});
                    out.field("logprobs", None::<&str>)
                        .field("finish_reason", word)
                        .field_opt("native_finish_reason", lost_word(finish, native));
                });
            });
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let finish = if self.calls > 0 { Finish::ToolCalls } else { Finish::Stop };
        self.finish(finish, None, out);
        self.is_over = true;
        if let Some(used) = self.usage.filter(|_| self.context.include_usage) {
            write_event(out, |out| {
                self.head(out);
                out.array_field("choices", |_| {});
                usage::write(out, &used);
            });
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn kind(&mut self, index: u32) -> Option<&mut Kind> {
        self.open.iter_mut().rev().find(|(own, _)| *own == index).map(|(_, kind)| kind)
    }

    fn call_delta(&self, nth: u32, out: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
        self.delta(out, |out| {
            out.array_field("tool_calls", |out| {
                out.object(|out| {
                    out.field("index", nth);
                    inside(out);
                });
            });
        });
    }

    fn delta(&self, out: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
        self.chunk(out, |out| {
            out.array_field("choices", |out| {
                out.object(|out| {
                    out.field("index", 0u64).object_field("delta", inside);
                    out.field("logprobs", None::<&str>).field("finish_reason", None::<&str>);
                });
            });
        });
    }

    /// A chunk; where usage was asked for, all but the last say that they have none.
    fn chunk(&self, out: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
        write_event(out, |out| {
            self.head(out);
            inside(out);
            if self.context.include_usage {
                out.field("usage", None::<&str>);
            }
        });
    }

    fn head(&self, out: &mut Out) {
        head(out, &self.context, "chat.completion.chunk", &self.id, &self.model, self.created);
        out.field_opt("service_tier", self.tier.as_deref());
    }
}

fn write_event(out: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
    out.extend_from_slice(b"data: ");
    let start = out.len();
    let mut json = Out::after(std::mem::take(out));
    json.object(inside);
    *out = json.into_bytes();
    on_one_line(out, start);
    out.extend_from_slice(b"\n\n");
}
