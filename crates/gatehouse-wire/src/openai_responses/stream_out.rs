//! Writing an answer as a stream: every item begins, grows and ends by events of its own, numbered without
//! a gap, and the last event carries the whole response once more.

use super::answer_out::{Reply, State};
use super::citations;
use super::item_out::{Item, Progress};
use super::names::Names;
use super::seals::{item_id, of_thought};
use crate::chat::{Block, ChatEvent, Citations, Finish, Seal, ToolCall, chars};
use crate::codec::{ReplyContext, StreamEncoder};
use crate::error::render;
use crate::json::{Doc, Out, Raw, Strictness};
use crate::sse::on_one_line;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Family};
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use std::collections::BTreeMap;

/// Writes a stream of this dialect.
pub(super) struct Encoder {
    context: ReplyContext,
    created: u64,
    /// The number of the next event.
    sequence: u64,
    started: bool,
    ended: bool,
    /// Open blocks, by their canonical index.
    open: BTreeMap<u32, Growing>,
    /// A text that has ended: its citations come right behind it.
    ended_text: Option<Growing>,
    /// Characters of text so far.
    said: u64,
    /// The items that have begun: each as JSON once it is done, and empty until then.
    output: Vec<String>,
    usage: Option<Usage>,
    tier: Option<String>,
    finish: Option<(Finish, Option<String>)>,
}

/// A block on its way.
struct Growing {
    item: Item,
    /// Its place in the output, once it has begun: an empty text never does.
    at: Option<usize>,
    /// A call as it is in the canonical form, whose arguments a free-form tool does not show.
    call: Option<ToolCall>,
    seal: Option<Seal>,
    redacted: bool,
    /// Characters of the texts before it.
    before: u64,
}

// === impl StreamEncoder ===

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &ChatEvent, out: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        match event {
            ChatEvent::Start { created, .. } => {
                self.created = created.unwrap_or(self.created);
                self.start(out);
            }
            ChatEvent::Error(error) => self.fail(error, out),
            ChatEvent::Usage(usage) => self.usage = Some(*usage),
            ChatEvent::Tier(tier) => self.tier = Some(tier.clone()),
            ChatEvent::Finish { finish, native, .. } => {
                self.finish.get_or_insert_with(|| (*finish, native.clone()));
            }
            ChatEvent::Open { index, block } => {
                self.start(out);
                if !matches!(block, Block::Citations(_)) {
                    self.settle(out);
                }
                self.open(*index, block, out);
            }
            ChatEvent::Delta { index, text, .. } => self.delta(*index, text, out),
            ChatEvent::Seal { index, seal } => {
                if let Some(growing) = self.open.get_mut(index) {
                    growing.seal = Some(seal.clone());
                }
            }
            ChatEvent::Close { index } => {
                if let Some(growing) = self.open.remove(index) {
                    self.close(growing, out);
                }
            }
            ChatEvent::Repeat { .. }
            | ChatEvent::ForUsage { .. }
            | ChatEvent::Aside { .. }
            | ChatEvent::AsideEnd { .. }
            | ChatEvent::Spelled { .. } => {}
            ChatEvent::End => self.end(out),
        }
    }
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new(context: ReplyContext) -> Self {
        Self {
            created: context.created,
            context,
            sequence: 0,
            started: false,
            ended: false,
            open: BTreeMap::new(),
            ended_text: None,
            said: 0,
            output: Vec::new(),
            usage: None,
            tier: None,
            finish: None,
        }
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            self.emit_response("response.created", State::InProgress, out);
            self.emit_response("response.in_progress", State::InProgress, out);
        }
    }

    fn open(&mut self, index: u32, block: &Block, out: &mut Vec<u8>) {
        let item = match block {
            Block::Text { .. } => Item::text(""),
            Block::Refusal(_) => Item::Refusal(String::new()),
            Block::Thought(_) => Item::Reasoning { text: String::new(), encrypted: None },
            Block::ToolCall(call) => return self.open_call(index, call, out),
            Block::Opaque(own) if own.origin == Dialect::OpenAiResponses => {
                return self.whole(Item::Raw(own.value.0.clone()), out);
            }
            Block::Citations(cited) => return self.cite(cited, out),
            Block::Opaque(_) => return,
        };
        let mut growing =
            Growing { item, at: None, call: None, seal: None, redacted: false, before: self.said };
        if let Block::Thought(thought) = block {
            growing.seal.clone_from(&thought.seal);
            growing.redacted = thought.redacted;
        }
        self.open.insert(index, growing);
        // What a block holds already when it opens was said before any delta.
        if let Block::Text { text, .. } | Block::Refusal(text) = block {
            self.delta(index, text, out);
        } else if let Block::Thought(thought) = block {
            self.delta(index, &thought.text, out);
        }
    }

    fn open_call(&mut self, index: u32, call: &ToolCall, out: &mut Vec<u8>) {
        if let Some(seal) = &call.seal {
            self.whole(Item::seal_of_call(seal, &call.id), out);
        }
        let empty = ToolCall { arguments: String::new(), seal: None, ..call.clone() };
        let mut item = Item::of_call(&empty, &Names::of(self.context.request.as_deref()));
        item.text_mut().clear();
        let at = Some(self.begin(&item, out));
        let growing = Growing { item, at, call: Some(empty), seal: None, redacted: false, before: self.said };
        self.open.insert(index, growing);
        self.delta(index, &call.arguments, out);
    }

    fn delta(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        let Some(mut growing) = self.open.remove(&index) else { return };
        if !text.is_empty() {
            if let Some(call) = &mut growing.call {
                call.arguments.push_str(text);
            }
            // The input of a free-form tool stands inside the arguments and is known once these are whole.
            if !matches!(growing.item, Item::FreeForm { .. }) {
                self.grow(&mut growing, text, out);
            }
        }
        self.open.insert(index, growing);
    }

    fn grow(&mut self, growing: &mut Growing, text: &str, out: &mut Vec<u8>) {
        let at = match growing.at {
            Some(at) => at,
            None => self.begin(&growing.item, out),
        };
        if growing.at.is_none() || growing.item.text_mut().is_empty() {
            self.begin_part(&growing.item, at, out);
        }
        growing.at = Some(at);
        if matches!(growing.item, Item::Text { .. }) {
            self.said = self.said.saturating_add(chars(text));
        }
        growing.item.text_mut().push_str(text);
        let name = match &growing.item {
            Item::Text { .. } => "response.output_text.delta",
            Item::Refusal(_) => "response.refusal.delta",
            Item::Reasoning { .. } => "response.reasoning_summary_text.delta",
            Item::Call { .. } => "response.function_call_arguments.delta",
            Item::FreeForm { .. } => "response.custom_tool_call_input.delta",
            Item::Raw(_) => return,
        };
        let is_text = matches!(growing.item, Item::Text { .. });
        self.emit_in(name, &growing.item, at, out, |out| {
            out.field("delta", text);
            if is_text {
                out.array_field("logprobs", |_| {});
            }
        });
    }

    fn close(&mut self, mut growing: Growing, out: &mut Vec<u8>) {
        if let Some(call) = growing.call.take() {
            let whole = Item::of_call(&call, &Names::of(self.context.request.as_deref()));
            // No arguments at all are still an empty object, and free-form input comes in one piece.
            if growing.item.text_mut().is_empty() {
                let text = whole.clone().text_mut().clone();
                self.grow(&mut growing, &text, out);
            }
            growing.item = whole;
            self.finish_item(&mut growing, out);
            if let Some(seal) = &growing.seal {
                self.whole(Item::seal_of_call(seal, &call.id), out);
            }
            return;
        }
        if let Item::Reasoning { encrypted, .. } = &mut growing.item {
            *encrypted = growing.seal.take().map(|seal| of_thought(&seal, growing.redacted));
            if growing.at.is_none() && encrypted.is_some() {
                growing.at = Some(self.begin(&growing.item, out));
            }
        }
        if matches!(growing.item, Item::Text { .. }) {
            self.settle(out);
            self.ended_text = Some(growing);
        } else {
            self.finish_item(&mut growing, out);
        }
    }

    /// Writes the end of a text whose citations are all known.
    fn settle(&mut self, out: &mut Vec<u8>) {
        let Some(mut growing) = self.ended_text.take() else { return };
        self.finish_item(&mut growing, out);
        if let Some(seal) = &growing.seal {
            self.whole(Item::seal_of_text(seal, growing.at.is_none()), out);
        }
    }

    /// Citations belong to the text that has just ended; where something else came between, to one without
    /// words.
    fn cite(&mut self, cited: &Citations, out: &mut Vec<u8>) {
        if self.ended_text.as_ref().is_some_and(|growing| growing.at.is_none()) {
            self.settle(out);
        }
        let mut growing = match self.ended_text.take() {
            Some(growing) => growing,
            None => {
                let item = Item::text("");
                let at = self.begin(&item, out);
                self.begin_part(&item, at, out);
                Growing { item, at: Some(at), call: None, seal: None, redacted: false, before: 0 }
            }
        };
        let at = growing.at.unwrap_or_default();
        for one in citations::written(cited, growing.before) {
            let Item::Text { annotations, .. } = &mut growing.item else { return };
            let nth = annotations.len();
            annotations.push(one.clone());
            self.emit_in("response.output_text.annotation.added", &growing.item, at, out, |out| {
                out.field("annotation_index", wide(nth)).field("annotation", Raw(&one));
            });
        }
        self.ended_text = Some(growing);
    }

    /// An item that does not grow.
    fn whole(&mut self, item: Item, out: &mut Vec<u8>) {
        let at = Some(self.begin(&item, out));
        self.finish_item(
            &mut Growing { item, at, call: None, seal: None, redacted: false, before: self.said },
            out,
        );
    }

    /// The item begins: it gets its place in the output.
    fn begin(&mut self, item: &Item, out: &mut Vec<u8>) -> usize {
        let at = self.output.len();
        self.output.push(String::new());
        let id = self.id(item, at);
        self.emit("response.output_item.added", out, |out| {
            out.field("output_index", wide(at)).field("item", Raw(&item.json(&id, Progress::Begun)));
        });
        at
    }

    fn begin_part(&mut self, item: &Item, at: usize, out: &mut Vec<u8>) {
        let name = match item {
            Item::Text { .. } | Item::Refusal(_) => "response.content_part.added",
            Item::Reasoning { .. } => "response.reasoning_summary_part.added",
            Item::Call { .. } | Item::FreeForm { .. } | Item::Raw(_) => return,
        };
        self.emit_in(name, item, at, out, |out| {
            out.field("part", Raw(&item.part_json()));
        });
    }

    /// The events that say in whole what the item has become.
    fn finish_item(&mut self, growing: &mut Growing, out: &mut Vec<u8>) {
        let Some(at) = growing.at else { return };
        let text = growing.item.text_mut().clone();
        let item = &growing.item;
        let (done, member) = match item {
            Item::Text { .. } => ("response.output_text.done", "text"),
            Item::Refusal(_) => ("response.refusal.done", "refusal"),
            Item::Reasoning { .. } => ("response.reasoning_summary_text.done", "text"),
            Item::Call { .. } => ("response.function_call_arguments.done", "arguments"),
            Item::FreeForm { .. } => ("response.custom_tool_call_input.done", "input"),
            Item::Raw(_) => ("", ""),
        };
        let part_done = match item {
            Item::Text { .. } | Item::Refusal(_) => Some("response.content_part.done"),
            Item::Reasoning { .. } => Some("response.reasoning_summary_part.done"),
            Item::Call { .. } | Item::FreeForm { .. } | Item::Raw(_) => None,
        };
        // A text without words that carries citations has begun, so it ends, too.
        let cites = matches!(item, Item::Text { annotations, .. } if !annotations.is_empty());
        if (cites || !text.is_empty()) && !done.is_empty() {
            self.emit_in(done, item, at, out, |out| {
                if let Item::Call { named, .. } = item {
                    out.field("name", &named.name);
                }
                out.field(member, &text);
                if matches!(item, Item::Text { .. }) {
                    out.array_field("logprobs", |_| {});
                }
            });
            if let Some(name) = part_done {
                self.emit_in(name, item, at, out, |out| {
                    out.field("part", Raw(&item.part_json()));
                });
            }
        }
        let id = self.id(item, at);
        let json = item.json(&id, Progress::Done);
        self.emit("response.output_item.done", out, |out| {
            out.field("output_index", wide(at)).field("item", Raw(&json));
        });
        if let Some(place) = self.output.get_mut(at) {
            *place = json;
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.start(out);
        while let Some((_, growing)) = self.open.pop_first() {
            self.close(growing, out);
        }
        self.settle(out);
        let (finish, native) = self.finish.take().unwrap_or_default();
        let state = State::Finished(finish, native.as_deref());
        self.emit_response(&format!("response.{}", state.status()), state, out);
        self.ended = true;
    }

    /// Items that are not done yet stay out of the failed response.
    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        if self.started {
            self.settle(out);
            self.emit_response("response.failed", State::Broken(error), out);
        } else {
            // Flat as the API has it, and nested as its SDKs look for it.
            let nested = render(Family::OpenAi, error, "");
            let nested = Doc::parse(Bytes::from(nested), Strictness::Provider);
            let nested = nested.as_ref().ok().and_then(|doc| doc.root().opt("error"));
            self.emit("error", out, |out| {
                out.field("code", error.code.as_str()).field("message", &error.message);
                out.field("param", error.param.as_ref());
                out.field_opt("error", nested.map(|error| Raw(error.raw())));
            });
        }
        self.ended = true;
    }

    fn id(&self, item: &Item, at: usize) -> String {
        item_id(item.id_prefix(), &self.context.id, at)
    }

    /// An event about a whole response.
    fn emit_response(&mut self, name: &str, state: State<'_>, out: &mut Vec<u8>) {
        let (context, output) = (&self.context, self.output.as_slice());
        let (usage, service_tier) = (self.usage, self.tier.as_deref());
        let reply = Reply { context, created: self.created, state, output, usage, service_tier };
        let mut json = Out::new();
        json.object(|out| reply.write(out));
        self.emit(name, out, |out| {
            out.field("response", Raw(json.as_str()));
        });
    }

    /// An event about a text in an item.
    fn emit_in(
        &mut self,
        name: &str,
        item: &Item,
        at: usize,
        out: &mut Vec<u8>,
        inside: impl FnOnce(&mut Out),
    ) {
        let id = self.id(item, at);
        self.emit(name, out, |out| {
            out.field("item_id", id).field("output_index", wide(at));
            match item {
                Item::Text { .. } | Item::Refusal(_) => out.field("content_index", 0u64),
                Item::Reasoning { .. } => out.field("summary_index", 0u64),
                Item::Call { .. } | Item::FreeForm { .. } | Item::Raw(_) => out,
            };
            inside(out);
        });
    }

    fn emit(&mut self, name: &str, out: &mut Vec<u8>, inside: impl FnOnce(&mut Out)) {
        let mut bytes = std::mem::take(out);
        bytes.extend_from_slice(format!("event: {name}\ndata: ").as_bytes());
        let start = bytes.len();
        let mut json = Out::after(bytes);
        json.object(|out| {
            out.field("type", name).field("sequence_number", self.sequence);
            inside(out);
        });
        *out = json.into_bytes();
        on_one_line(out, start);
        out.extend_from_slice(b"\n\n");
        self.sequence += 1;
    }
}

fn wide(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}
