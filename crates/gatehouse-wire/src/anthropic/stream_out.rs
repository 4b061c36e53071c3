//! A stream, written. Blocks of an Anthropic stream follow one another: one that opens while another is
//! open waits until that one is closed.

use super::answer::{self, Reason, seal_of_call, seal_of_text};
use super::content::rides_as;
use super::words::{stop_reason, tier_served};
use super::{DIALECT, citations, ids, usage};
use crate::chat::{Block, ChatEvent, Citations, Extension, Finish, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::mid_stream;
use crate::json::{Doc, Out, Raw, Strictness};
use crate::sse::on_one_line;
use bytes::Bytes;
use gatehouse_core::usage::Usage;

/// The state of a stream.
#[derive(Debug)]
pub(super) struct Encoder {
    context: ReplyContext,
    started: bool,
    ended: bool,
    /// The index of the next block on the wire.
    next: u32,
    open: Option<Open>,
    /// Events of blocks that opened while another was open.
    waiting: Vec<ChatEvent>,
    /// Seals of texts that are over, in their envelopes, until another block begins: there are clients who
    /// take the last block of a message for what it says. A model wants them back with what came behind, so
    /// nothing is lost with those that nothing follows.
    held: Vec<String>,
    calls: bool,
    refusal: String,
    finish: Option<(Finish, Option<String>, Option<String>)>,
    usage: Usage,
    tier: Option<String>,
}

/// The block that is being written.
#[derive(Debug)]
struct Open {
    /// Its index in the canonical stream.
    index: u32,
    kind: Kind,
    /// Whether its start is on the wire. Blocks of words start with their first word: an empty one would be
    /// nothing.
    begun: bool,
    /// Whether it is over; its stop waits for citations, which come right behind it.
    closed: bool,
}

#[derive(Debug)]
enum Kind {
    Text {
        seal: Option<Seal>,
    },
    Thought {
        id: Option<String>,
        redacted: bool,
    },
    Call {
        call: ToolCall,
        late_seal: Option<Seal>,
    },
    Refusal,
    /// Nothing that can be said here.
    Silent,
}

// === impl Encoder ===

impl Encoder {
    /// Nothing written yet.
    pub(super) fn new(context: ReplyContext) -> Self {
        Self {
            context,
            started: false,
            ended: false,
            next: 0,
            open: None,
            waiting: Vec::new(),
            held: Vec::new(),
            calls: false,
            refusal: String::new(),
            finish: None,
            usage: Usage::default(),
            tier: None,
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            ChatEvent::Start { id, model, .. } => self.start(id, model, out),
            ChatEvent::Open { .. }
            | ChatEvent::Delta { .. }
            | ChatEvent::Seal { .. }
            | ChatEvent::Close { .. } => {
                self.start("", "", out);
                self.block_event(event, out);
            }
            ChatEvent::Usage(usage) => self.usage = *usage,
            ChatEvent::Tier(tier) => self.tier = Some(tier.clone()),
            ChatEvent::Finish { finish, native, stop_sequence } => {
                self.finish.get_or_insert_with(|| (*finish, native.clone(), stop_sequence.clone()));
            }
            ChatEvent::Repeat { .. }
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

impl Encoder {
    fn start(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        frame(out, "message_start", |out| {
            out.object_field("message", |out| {
                answer::head(out, id, model, &self.context);
                out.array_field("content", |_| {});
                out.field("stop_reason", None::<&str>).field("stop_sequence", None::<&str>);
                // What is known by now; clients take the later count at the end.
                out.object_field("usage", |out| {
                    usage::write(out, &self.usage, self.tier.as_deref().map(tier_served));
                });
            });
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start("", "", out);
        loop {
            self.close(out);
            self.settle(out);
            if self.waiting.is_empty() {
                break;
            }
            self.resume(out);
        }
        self.ended = true;
        let (finish, native, stop_sequence) = self.finish.take().unwrap_or_default();
        frame(out, "message_delta", |out| {
            out.object_field("delta", |out| {
                let reason = Reason {
                    word: stop_reason(finish, native.as_deref(), self.calls),
                    stop_sequence: stop_sequence.as_deref(),
                    refusal: Some(self.refusal.as_str()).filter(|words| !words.is_empty()),
                };
                reason.write(out);
            });
            out.object_field("usage", |out| {
                usage::write(out, &self.usage, self.tier.as_deref().map(tier_served));
            });
        });
        frame(out, "message_stop", |_| {});
    }
}

// === impl Encoder: blocks ===

impl Encoder {
    fn block_event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        let busy = self.open.as_ref().filter(|open| !open.closed).map(|open| open.index);
        match (event, busy) {
            (ChatEvent::Open { .. }, Some(_)) => self.waiting.push(event.clone()),
            (ChatEvent::Open { index, block }, None) => self.open_block(*index, block, out),
            (ChatEvent::Delta { index, text, .. }, Some(open)) if *index == open => self.delta(text, out),
            (ChatEvent::Seal { index, seal }, Some(open)) if *index == open => self.seal(seal, out),
            (ChatEvent::Close { index }, Some(open)) if *index == open => {
                self.close(out);
                self.resume(out);
            }
            // Of a block that waits; without one, of a block that was never opened.
            (_, Some(_)) if !self.waiting.is_empty() => self.waiting.push(event.clone()),
            _ => {}
        }
    }

    /// Goes on with what waited: its first event opens a block, and what does not belong to that waits on.
    fn resume(&mut self, out: &mut Vec<u8>) {
        for event in std::mem::take(&mut self.waiting) {
            self.block_event(&event, out);
        }
    }

    fn open_block(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        if let Block::Citations(cited) = block {
            self.cite(cited, out);
            return;
        }
        self.settle(out);
        let kind = match block {
            Block::Text { .. } => Kind::Text { seal: None },
            Block::Thought(thought) => Kind::Thought { id: thought.id.clone(), redacted: thought.redacted },
            Block::ToolCall(call) => Kind::Call { call: call.clone(), late_seal: None },
            Block::Refusal(_) => Kind::Refusal,
            Block::Citations(_) | Block::Opaque(_) => Kind::Silent,
        };
        self.open = Some(Open { index, kind, begun: false, closed: false });
        match block {
            Block::Text { text, seal, .. } => {
                self.delta(text, out);
                seal.iter().for_each(|seal| self.seal(seal, out));
            }
            Block::Refusal(text) => self.delta(text, out),
            Block::Thought(thought) => self.open_thought(thought, out),
            Block::ToolCall(call) => self.open_call(call, out),
            Block::Opaque(extension) => self.write_opaque(extension, out),
            Block::Citations(_) => {}
        }
    }

    fn open_thought(&mut self, thought: &Thought, out: &mut Vec<u8>) {
        self.delta(&thought.text, out);
        thought.seal.iter().for_each(|seal| self.seal(seal, out));
    }

    fn open_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) {
        self.calls = true;
        if let Some(seal) = &call.seal {
            self.carry(&seal_of_call(seal, call), out);
        }
        self.begin(out, |out| {
            out.field("type", "tool_use").field("id", ids::clean(&call.id)).field("name", &call.name);
            out.object_field("input", |_| {});
        });
        self.delta(&call.arguments, out);
    }

    /// A block of ours stands whole in its start.
    fn write_opaque(&mut self, extension: &Extension, out: &mut Vec<u8>) {
        if extension.origin == DIALECT && rides_as(extension).is_none() {
            self.start_frame(out, Raw(&extension.value.0));
            self.set_begun();
        }
    }

    fn delta(&mut self, text: &str, out: &mut Vec<u8>) {
        let Some(open) = &self.open else { return };
        if text.is_empty() {
            return;
        }
        let begun = open.begun;
        match &open.kind {
            Kind::Text { .. } => {
                if !begun {
                    self.begin(out, |out| {
                        out.field("type", "text").field("text", "");
                    });
                }
                self.delta_frame(out, "text_delta", "text", text);
            }
            Kind::Thought { redacted: false, .. } => {
                self.begin_thinking(out);
                self.delta_frame(out, "thinking_delta", "thinking", text);
            }
            Kind::Call { .. } => self.delta_frame(out, "input_json_delta", "partial_json", text),
            Kind::Refusal => self.refusal.push_str(text),
            Kind::Thought { redacted: true, .. } | Kind::Silent => {}
        }
    }

    fn seal(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        match &mut open.kind {
            // These stand in a block of their own, which cannot begin inside this one.
            Kind::Text { seal: own } | Kind::Call { late_seal: own, .. } => *own = Some(seal.clone()),
            Kind::Thought { id, redacted } => {
                let signature = answer::signature(seal, id.as_deref());
                if *redacted && !open.begun {
                    self.begin(out, |out| {
                        out.field("type", "redacted_thinking").field("data", signature);
                    });
                } else if !*redacted {
                    self.begin_thinking(out);
                    self.delta_frame(out, "signature_delta", "signature", &signature);
                }
            }
            Kind::Refusal | Kind::Silent => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else { return };
        open.closed = true;
        // Only words can still be cited.
        if !matches!(open.kind, Kind::Text { .. }) {
            self.settle(out);
        }
    }

    /// Writes the stop of a block that is over, and the seal of a call that had to wait for it.
    fn settle(&mut self, out: &mut Vec<u8>) {
        let Some(open) = self.open.take_if(|open| open.closed) else { return };
        if open.begun {
            self.stop_frame(out);
        }
        match open.kind {
            Kind::Text { seal: Some(seal) } => self.held.push(seal_of_text(&seal, open.begun)),
            Kind::Call { call, late_seal: Some(seal) } => self.carry(&seal_of_call(&seal, &call), out),
            _ => {}
        }
    }

    /// A thinking block without words that carries the seal of another block.
    fn carry(&mut self, signature: &str, out: &mut Vec<u8>) {
        self.start_thinking_frame(out);
        self.delta_frame(out, "signature_delta", "signature", signature);
        self.stop_frame(out);
    }

    /// Citations belong to the text that has just ended; where something else came between, to one without
    /// words.
    fn cite(&mut self, cited: &Citations, out: &mut Vec<u8>) {
        if !self.open.as_ref().is_some_and(|open| open.begun && matches!(open.kind, Kind::Text { .. })) {
            self.settle(out);
            let mut alone = Out::new();
            citations::write_alone(&mut alone, cited);
            self.start_frame(out, Raw(alone.as_str()));
            self.stop_frame(out);
            return;
        }
        let bytes = Bytes::copy_from_slice(citations::member(cited).value.0.as_bytes());
        let Ok(doc) = Doc::parse(bytes, Strictness::Provider) else { return };
        for citation in doc.root().items() {
            frame(out, "content_block_delta", |out| {
                out.field("index", self.next).object_field("delta", |out| {
                    out.field("type", "citations_delta").field("citation", Raw(citation.raw()));
                });
            });
        }
    }
}

// === impl Encoder: frames ===

impl Encoder {
    fn begin(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut Out)) {
        let mut inner = Out::new();
        inner.object(block);
        self.start_frame(out, Raw(inner.as_str()));
        self.set_begun();
    }

    fn begin_thinking(&mut self, out: &mut Vec<u8>) {
        if self.open.as_ref().is_some_and(|open| !open.begun) {
            self.start_thinking_frame(out);
            self.set_begun();
        }
    }

    fn set_begun(&mut self) {
        if let Some(open) = &mut self.open {
            open.begun = true;
        }
    }

    fn start_thinking_frame(&mut self, out: &mut Vec<u8>) {
        self.start_frame(out, Raw(r#"{"type":"thinking","thinking":"","signature":""}"#));
    }

    fn start_frame(&mut self, out: &mut Vec<u8>, block: Raw<'_>) {
        for signature in std::mem::take(&mut self.held) {
            self.carry(&signature, out);
        }
        frame(out, "content_block_start", |out| {
            out.field("index", self.next).field("content_block", block);
        });
    }

    fn delta_frame(&self, out: &mut Vec<u8>, kind: &str, member: &str, text: &str) {
        frame(out, "content_block_delta", |out| {
            out.field("index", self.next).object_field("delta", |out| {
                out.field("type", kind).field(member, text);
            });
        });
    }

    fn stop_frame(&mut self, out: &mut Vec<u8>) {
        frame(out, "content_block_stop", |out| {
            out.field("index", self.next);
        });
        self.next = self.next.saturating_add(1);
    }
}

/// One event. Its type is told twice, as Anthropic does: SDKs read one or the other.
fn frame(out: &mut Vec<u8>, kind: &str, members: impl FnOnce(&mut Out)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let start = out.len();
    let mut json = Out::after(std::mem::take(out));
    json.object(|json| {
        json.field("type", kind);
        members(json);
    });
    *out = json.into_bytes();
    on_one_line(out, start);
    out.extend_from_slice(b"\n\n");
}
