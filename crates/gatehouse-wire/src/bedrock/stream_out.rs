//! A stream that came in another dialect, written: Amazon's messages, one an event. Only calls say that they begin;
//! texts and thoughts are there with their first piece. What cites a text comes before its end.
//!
//! Clients gather one block at a time: one that opens while another is open waits until that one is closed.

use super::DIALECT;
use super::answer_out::{account, name_of, sources, stop_reason};
use super::seals;
use crate::chat::{Block, ChatEvent, Finish, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::mid_stream;
use crate::eventstream_out;
use crate::json::{Out, Raw};
use gatehouse_core::usage::Usage;

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    context: ReplyContext,
    started: bool,
    ended: bool,
    /// The index of the next block.
    next: u64,
    /// The block that is open, and its index in the canonical stream.
    open: Option<(u32, Open)>,
    /// Events of blocks that opened while another was open.
    queue: Vec<ChatEvent>,
    /// A text that is over but for its sources, which are told behind it.
    ending: Option<u64>,
    /// The seal of a text, as a signature, told only where something follows; or that of an open call.
    waiting: Option<String>,
    calls: bool,
    usage: Option<Usage>,
    tier: Option<String>,
    finish: Option<Finish>,
}

/// An open block.
#[derive(Debug)]
enum Open {
    /// Words, and their index once they have begun.
    Text(Option<u64>),
    /// A thought, likewise, and its id.
    Thought(Option<u64>, Option<String>),
    /// A call, and whether it has any arguments yet.
    Call(u64, String, bool),
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
            ChatEvent::Start { .. } => self.start(out),
            ChatEvent::Open { .. }
            | ChatEvent::Delta { .. }
            | ChatEvent::Seal { .. }
            | ChatEvent::Close { .. } => self.in_turn(event, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Tier(tier) => self.tier = Some(tier.clone()),
            ChatEvent::Finish { finish, .. } => {
                self.finish.get_or_insert(*finish);
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

// === impl Encoder ===

impl Encoder {
    /// Nothing written yet.
    pub(super) fn new(context: ReplyContext) -> Self {
        Self { context, ..Self::default() }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            event(out, "messageStart", |out| {
                out.field("role", "assistant");
            });
        }
    }

    /// An event of a block, and what has waited for it.
    fn in_turn(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        self.of_block(event, out);
        while self.open.is_none() && !self.queue.is_empty() {
            for event in std::mem::take(&mut self.queue) {
                self.of_block(&event, out);
            }
        }
    }

    fn of_block(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        let (ChatEvent::Open { index, .. }
        | ChatEvent::Delta { index, .. }
        | ChatEvent::Seal { index, .. }
        | ChatEvent::Close { index }) = event
        else {
            return;
        };
        let waits = match &self.open {
            Some((open, _)) => open != index,
            None => !self.queue.is_empty(),
        };
        match event {
            event if waits => self.queue.push(event.clone()),
            ChatEvent::Open { index, block } => self.begin(*index, block, out),
            ChatEvent::Delta { text, .. } => self.tell(text, out),
            ChatEvent::Seal { seal, .. } => self.seal(seal, out),
            _ => self.close(out),
        }
    }

    fn begin(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        self.start(out);
        if let Block::Citations(cited) = block {
            self.open = Some((index, Open::Silent));
            return self.cite(&sources(cited), out);
        }
        self.flush(out);
        let opened = match block {
            Block::Text { .. } | Block::Refusal(_) => Open::Text(None),
            Block::Thought(thought) => Open::Thought(None, thought.id.clone()),
            Block::ToolCall(call) => self.begin_call(call, out),
            Block::Citations(_) | Block::Opaque(_) => Open::Silent,
        };
        self.open = Some((index, opened));
        match block {
            Block::Thought(thought) if thought.redacted => {
                let at = self.words();
                let sealed = seals::of_thought(thought);
                at.into_iter().for_each(|at| reasoning(out, at, "redactedContent", &sealed));
            }
            Block::Text { text, seal, .. } | Block::Thought(Thought { text, seal, .. }) => {
                self.tell(text, out);
                seal.iter().for_each(|seal| self.seal(seal, out));
            }
            Block::Refusal(text) => self.tell(text, out),
            Block::ToolCall(call) => self.tell(&call.arguments, out),
            Block::Opaque(own) if own.origin == DIALECT => {
                let at = self.next_index();
                about(out, "contentBlockStart", at, |out| {
                    out.object_field("start", |out| {
                        out.field(name_of(&own.path), Raw(&own.value.0));
                    });
                });
                stop(out, at);
            }
            Block::Opaque(_) | Block::Citations(_) => {}
        }
    }

    fn begin_call(&mut self, call: &ToolCall, out: &mut Vec<u8>) -> Open {
        self.calls = true;
        call.seal.iter().for_each(|seal| self.carry(&seals::of_call(seal, call), out));
        let at = self.next_index();
        about(out, "contentBlockStart", at, |out| {
            out.object_field("start", |out| {
                out.object_field("toolUse", |out| {
                    out.field("toolUseId", &call.id).field("name", &call.name);
                });
            });
        });
        Open::Call(at, call.id.clone(), false)
    }

    /// Sources, of the text that has just ended where there is one.
    fn cite(&mut self, sources: &[String], out: &mut Vec<u8>) {
        if sources.is_empty() {
            return;
        }
        let at = match self.ending {
            Some(at) => at,
            None => self.next_index(),
        };
        self.ending = Some(at);
        for source in sources {
            delta(out, at, |out| {
                out.field("citation", Raw(source));
            });
        }
    }

    /// Ends what waits for the next block.
    fn flush(&mut self, out: &mut Vec<u8>) {
        self.ending.take().into_iter().for_each(|at| stop(out, at));
        if let Some(signature) = self.waiting.take() {
            self.carry(&signature, out);
        }
    }

    /// A thought without words that carries the seal of something else.
    fn carry(&mut self, signature: &str, out: &mut Vec<u8>) {
        let at = self.next_index();
        reasoning(out, at, "signature", signature);
        stop(out, at);
    }

    fn next_index(&mut self) -> u64 {
        let at = self.next;
        self.next += 1;
        at
    }

    /// The index of the block of words that is open, which begins now at the latest.
    fn words(&mut self) -> Option<u64> {
        let next = self.next;
        match &mut self.open.as_mut()?.1 {
            Open::Text(begun) | Open::Thought(begun, _) => {
                if begun.is_none() {
                    self.next += 1;
                }
                Some(*begun.get_or_insert(next))
            }
            Open::Call(..) | Open::Silent => None,
        }
    }

    fn tell(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        match self.open.as_mut().map(|(_, open)| open) {
            Some(Open::Call(at, _, any)) => {
                *any = true;
                arguments(out, *at, text);
            }
            Some(Open::Text(_)) => {
                let at = self.words();
                at.into_iter().for_each(|at| {
                    delta(out, at, |out| {
                        out.field("text", text);
                    });
                });
            }
            Some(Open::Thought(..)) => {
                let at = self.words();
                at.into_iter().for_each(|at| reasoning(out, at, "text", text));
            }
            Some(Open::Silent) | None => {}
        }
    }

    fn seal(&mut self, seal: &Seal, out: &mut Vec<u8>) {
        match self.open.as_ref().map(|(_, open)| open) {
            Some(Open::Text(begun)) => self.waiting = Some(seals::of_text(seal, begun.is_some())),
            Some(Open::Thought(_, id)) => {
                let sealed = seals::of_thought_with(seal, id.as_deref());
                let at = self.words();
                at.into_iter().for_each(|at| reasoning(out, at, "signature", &sealed));
            }
            Some(Open::Call(_, id, _)) => {
                // The call goes on: its seal comes behind it.
                let call = ToolCall { id: id.clone(), ..ToolCall::default() };
                self.waiting = Some(seals::of_call(seal, &call));
            }
            Some(Open::Silent) | None => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take().map(|(_, open)| open) {
            Some(Open::Text(Some(at))) => {
                self.ending.replace(at).into_iter().for_each(|before| stop(out, before));
            }
            Some(Open::Thought(Some(at), _)) => stop(out, at),
            Some(Open::Call(at, _, any)) => {
                if !any {
                    // Clients read what has come as JSON.
                    arguments(out, at, "{}");
                }
                stop(out, at);
                self.flush(out);
            }
            Some(Open::Text(None) | Open::Thought(None, _) | Open::Silent) | None => {}
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        while let Some((index, _)) = self.open {
            self.in_turn(&ChatEvent::Close { index }, out);
        }
        // Nothing follows a text that is the last.
        self.waiting = None;
        self.flush(out);
        self.ended = true;
        let finish = self.finish.unwrap_or(if self.calls { Finish::ToolCalls } else { Finish::Stop });
        event(out, "messageStop", |out| {
            out.field("stopReason", stop_reason(finish));
        });
        event(out, "metadata", |out| {
            account(out, &self.usage.unwrap_or_default(), self.tier.as_deref(), &self.context);
        });
    }
}

/// More of a call's arguments.
fn arguments(out: &mut Vec<u8>, at: u64, text: &str) {
    delta(out, at, |out| {
        out.object_field("toolUse", |out| {
            out.field("input", text);
        });
    });
}

/// More of a thought.
fn reasoning(out: &mut Vec<u8>, at: u64, member: &str, text: &str) {
    delta(out, at, |out| {
        out.object_field("reasoningContent", |out| {
            out.field(member, text);
        });
    });
}

fn delta(out: &mut Vec<u8>, at: u64, inside: impl FnOnce(&mut Out)) {
    about(out, "contentBlockDelta", at, |out| {
        out.object_field("delta", inside);
    });
}

fn stop(out: &mut Vec<u8>, at: u64) {
    about(out, "contentBlockStop", at, |_| {});
}

/// An event about a block.
fn about(out: &mut Vec<u8>, name: &str, at: u64, inside: impl FnOnce(&mut Out)) {
    event(out, name, |out| {
        out.field("contentBlockIndex", at);
        inside(out);
    });
}

fn event(out: &mut Vec<u8>, name: &str, inside: impl FnOnce(&mut Out)) {
    let mut payload = Out::new();
    payload.object(inside);
    out.extend_from_slice(&eventstream_out::event(name, &payload.into_bytes()));
}
