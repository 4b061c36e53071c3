//! Reading a stream: a state machine over items, each found by its place in the output.
//!
//! The dialect says everything three times: in deltas, in a `done` event for each text, and again in the
//! items and the response that end. Deltas are what counts; what a `done` says beyond them (servers that
//! stream in name only) is added, and what it repeats becomes [`ChatEvent::Repeat`], so that guardrails can
//! edit the copies too. Ids are not relied upon: some servers change them between events.

use super::answer::{
    arguments, blocks, failed_in_silence, finish, head, is_call, opening_call, seal, tier, usage,
};
use super::citations;
use super::growing::{Events, Growing, Item};
use super::input::{BETWEEN_THOUGHTS, thought_text};
use super::texts::of_output;
use crate::chat::{Block, ChatEvent, Thought};
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::free_form;
use crate::json::{Doc, Node, Strictness};
use crate::sse::Frame;
use gatehouse_core::content::{Family, Place};
use gatehouse_core::error::{Code, Error};
use std::collections::BTreeMap;

/// What the dialect's streams do not end with, but servers of the family may send.
const DONE_OF_CHAT: &[u8] = b"[DONE]";

/// Reads a stream of this dialect.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    ended: bool,
    /// The next block's index.
    next: u32,
    /// Whether a tool of the caller's was called.
    calls: bool,
    /// Items by their place in the output.
    items: BTreeMap<u64, Item>,
    /// What items and blocks keep, those that have ended too.
    kept: usize,
    /// How many events there were before the frame that is read now.
    before_frame: usize,
}

// === impl StreamDecoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Events) -> Result<(), Error> {
        let data = frame.data();
        self.before_frame = out.len();
        if self.ended || data.is_empty() || data.as_ref() == DONE_OF_CHAT {
            return Ok(());
        }
        let doc = Doc::parse(data, Strictness::Provider).map_err(|error| {
            Error::new(Code::UpstreamBadResponse, "the provider sent an event that cannot be read")
                .detail(error.message)
        })?;
        let root = doc.root();
        let named = root.opt("type").and_then(|kind| kind.str());
        match named.as_deref().unwrap_or(frame.name()) {
            // Servers of the family also send the bare error of chat.
            "error" | "response.failed" | "response.cancelled" | "" => {
                let error = from_stream(Family::OpenAi, &doc);
                if named.is_some() || error.is_some() {
                    out.push(ChatEvent::Error(error.unwrap_or_else(failed_in_silence)));
                    self.ended = true;
                }
            }
            name => self.event(name, root, out),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Events) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        self.close_all(out);
        self.ended = true;
        Err(Error::new(Code::UpstreamBadResponse, "the provider's stream ended before the answer did"))
    }

    fn kept(&self) -> usize {
        self.kept
    }
}

// === impl Decoder ===

impl Decoder {
    fn event(&mut self, name: &str, root: Node<'_>, out: &mut Events) {
        let at = root.opt("output_index").and_then(|index| index.u64());
        let at = at.or_else(|| self.items.keys().next_back().copied()).unwrap_or_default();
        match name {
            "response.created" | "response.queued" | "response.in_progress" => self.start(root, out),
            "response.output_item.added" => {
                if let Some(item) = root.opt("item") {
                    self.begin(at, item, out);
                    // Nothing was said yet, except by servers that say all at once.
                    self.repeat_all(item, out);
                }
            }
            "response.content_part.added" => self.repeat(root.path(&["part", "text"]), Place::Output, out),
            "response.output_text.delta" | "response.refusal.delta" => {
                self.said(name, at, root, root.opt("delta"), out);
            }
            "response.output_text.done" | "response.refusal.done" | "response.content_part.done" => {
                self.said_whole(name, at, root, out);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.thought(at, part_of_thought(root), root.opt("delta"), out);
            }
            "response.reasoning_summary_text.done"
            | "response.reasoning_summary_part.done"
            | "response.reasoning_text.done"
            | "response.reasoning_part.done" => {
                let text = root.opt("text").or_else(|| root.path(&["part", "text"]));
                self.thought_whole(at, part_of_thought(root), text, out);
            }
            "response.output_text.annotation.added" => {
                let part = index(root, "content_index");
                if let (Some(one), Some(growing)) = (root.opt("annotation"), self.growing(at, part)) {
                    let before = growing.annotations.bytes();
                    growing.annotations.push(one.raw().to_owned());
                    self.kept += growing.annotations.bytes() - before;
                }
            }
            "response.function_call_arguments.delta" => self.argued(at, root.opt("delta"), out),
            "response.function_call_arguments.done" => {
                if let Some(text) = root.opt("arguments") {
                    self.settle(at, 0, &text.str().unwrap_or_default(), Some(text), out);
                    self.repeat(Some(text), Place::ToolArguments, out);
                }
            }
            "response.custom_tool_call_input.delta" => self.free_form(at, root.opt("delta"), out),
            "response.custom_tool_call_input.done" => {
                self.repeat(root.opt("input"), Place::ToolArguments, out);
            }
            "response.output_item.done" => {
                if let Some(item) = root.opt("item") {
                    self.finish_item(at, item, out);
                }
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                self.end(root.opt("response").unwrap_or(root), out);
            }
            _ => self.hosted(root, out),
        }
    }

    fn start(&mut self, root: Node<'_>, out: &mut Events) {
        if !self.started {
            self.started = true;
            let (id, model, created) = root.opt("response").map(head).unwrap_or_default();
            out.push(ChatEvent::Start { id, model, created });
        }
    }

    /// An item begins. What it will say is known by its type; a message opens block by block.
    fn begin(&mut self, at: u64, item: Node<'_>, out: &mut Events) {
        if self.items.contains_key(&at) {
            return;
        }
        self.items.insert(at, Item::default());
        self.kept += size_of::<Item>();
        let kind = item.opt("type").and_then(|kind| kind.str()).unwrap_or_default();
        if is_call(&item) {
            self.calls = true;
            self.open(at, 0, Block::ToolCall(opening_call(item)), out);
        } else if kind == "reasoning" {
            let id = item.opt("id").and_then(|id| id.str()).map(std::borrow::Cow::into_owned);
            self.open(at, 0, Block::Thought(Thought { id, ..Thought::default() }), out);
        }
    }

    /// The block of a part, opened when it is new.
    fn open(&mut self, at: u64, part: u64, block: Block, out: &mut Events) -> Option<&mut Growing> {
        if !self.started {
            self.started = true;
            out.push(ChatEvent::Start { id: String::new(), model: String::new(), created: None });
        }
        let item = self.items.entry(at).or_default();
        let (next, kept) = (&mut self.next, &mut self.kept);
        let growing = item.blocks.entry(part).or_insert_with(|| {
            let index = *next;
            *next = next.saturating_add(1);
            let is_text = matches!(block, Block::Text { .. });
            out.push(ChatEvent::Open { index, block });
            *kept += size_of::<Growing>();
            Growing::new(index, is_text)
        });
        (!growing.closed).then_some(growing)
    }

    fn growing(&mut self, at: u64, part: u64) -> Option<&mut Growing> {
        self.items.get_mut(&at)?.blocks.get_mut(&part).filter(|growing| !growing.closed)
    }

    /// More words or more of a refusal.
    fn said(&mut self, name: &str, at: u64, root: Node<'_>, text: Option<Node<'_>>, out: &mut Events) {
        let Some(text) = text.filter(|text| text.is_str() && !text.is_empty()) else { return };
        let part = index(root, "content_index");
        if let Some(growing) = self.open(at, part, empty_part(name), out) {
            growing.push(text, out);
        }
    }

    /// The whole of a part of a message, or of a thought where servers treat its content like one.
    fn said_whole(&mut self, name: &str, at: u64, root: Node<'_>, out: &mut Events) {
        let part = root.opt("part");
        let kind = part.and_then(|part| part.opt("type")).and_then(|kind| kind.str()).unwrap_or_default();
        let body = part.unwrap_or(root);
        let text = body.opt("text").or_else(|| body.opt("refusal"));
        if kind == "reasoning_text" || kind == "summary_text" {
            return self.thought_whole(at, part_of_thought(root), text, out);
        }
        let Some(text) = text.filter(Node::is_str) else { return };
        let refuses = name == "response.refusal.done" || kind == "refusal";
        let part = index(root, "content_index");
        let opened = self.growing(at, part).is_some_and(|growing| growing.received > 0);
        if opened {
            self.settle(at, part, &text.str().unwrap_or_default(), Some(text), out);
            self.repeat(Some(text), Place::Output, out);
        } else {
            self.said(if refuses { "response.refusal.done" } else { name }, at, root, Some(text), out);
        }
        if name == "response.content_part.done"
            && let Some(growing) = self.growing(at, part)
        {
            growing.close(out);
        }
    }

    /// More of a thought. Between two parts of it stands a blank line.
    fn thought(&mut self, at: u64, part: (bool, u64), text: Option<Node<'_>>, out: &mut Events) {
        let Some(text) = text.filter(|text| text.is_str() && !text.is_empty()) else { return };
        let Some(growing) = self.open(at, 0, Block::Thought(Thought::default()), out) else { return };
        let is_new = growing.parts.last() != Some(&part);
        if is_new {
            growing.parts.push(part);
            if growing.received > 0 {
                growing.add(BETWEEN_THOUGHTS, None, out);
            }
        }
        growing.push(text, out);
        self.kept += usize::from(is_new) * size_of::<(bool, u64)>();
    }

    fn thought_whole(&mut self, at: u64, part: (bool, u64), text: Option<Node<'_>>, out: &mut Events) {
        let Some(text) = text.filter(Node::is_str) else { return };
        if self.growing(at, 0).is_some_and(|growing| growing.parts.contains(&part)) {
            self.repeat(Some(text), Place::Output, out);
        } else {
            self.thought(at, part, Some(text), out);
        }
    }

    /// More arguments of a call that was announced; without that there is nobody to give them to.
    fn argued(&mut self, at: u64, text: Option<Node<'_>>, out: &mut Events) {
        let Some(text) = text.filter(|text| text.is_str() && !text.is_empty()) else { return };
        if let Some(growing) = self.growing(at, 0) {
            growing.push(text, out);
        }
    }

    /// More input of a free-form tool: it stands inside the arguments as JSON text.
    fn free_form(&mut self, at: u64, text: Option<Node<'_>>, out: &mut Events) {
        let Some(text) = text.filter(|text| text.is_str() && !text.is_empty()) else { return };
        let Some(growing) = self.growing(at, 0) else { return };
        if growing.received == 0 {
            growing.add(free_form::FRAME.0, None, out);
        }
        // Inside the arguments it is another text than in the frame.
        growing.add(&free_form::escaped_text(&text.str().unwrap_or_default()), None, out);
    }

    /// Adds what `whole` has beyond what came.
    fn settle(&mut self, at: u64, part: u64, whole: &str, text: Option<Node<'_>>, out: &mut Events) {
        let Some(growing) = self.growing(at, part) else { return };
        let Some(rest) = whole.get(growing.received..).filter(|rest| !rest.is_empty()) else { return };
        let place = text.filter(|_| growing.received == 0).map(|text| text.inner_range());
        growing.add(rest, place, out);
    }

    fn finish_item(&mut self, at: u64, item: Node<'_>, out: &mut Events) {
        self.begin(at, item, out);
        if self.items.get(&at).is_some_and(|known| known.done) {
            return self.repeat_all(item, out);
        }
        let kind = item.opt("type").and_then(|kind| kind.str()).unwrap_or_default();
        match kind.as_ref() {
            "message" => self.finish_message(at, item, out),
            "reasoning" => {
                self.settle(at, 0, &thought_text(item), None, out);
                if let (Some(growing), Some(seal)) = (self.growing(at, 0), seal(item)) {
                    out.push(ChatEvent::Seal { index: growing.index, seal });
                }
            }
            _ if is_call(&item) => {
                // A call that was never announced is complete here.
                self.calls = true;
                self.open(at, 0, Block::ToolCall(opening_call(item)), out);
                self.settle(at, 0, &arguments(item), item.opt("arguments").filter(Node::is_str), out);
            }
            _ => blocks(item, &mut 0).into_iter().for_each(|block| {
                self.open(at, 0, block, out);
            }),
        }
        self.repeat_all(item, out);
        if let Some(known) = self.items.get_mut(&at) {
            known.done = true;
            known.blocks.values_mut().for_each(|growing| growing.close(out));
        }
        self.cite(at, out);
    }

    /// Tells the citations of a message that has ended.
    fn cite(&mut self, at: u64, out: &mut Events) {
        let Some(item) = self.items.get_mut(&at) else { return };
        let take = |growing: &mut Growing| (growing.index, std::mem::take(&mut growing.annotations));
        let cited: Vec<_> = item.blocks.values_mut().map(take).collect();
        for (text, annotations) in cited {
            self.kept = self.kept.saturating_sub(annotations.bytes());
            let before = self.chars_before(text);
            citations::block(annotations.all(), before).into_iter().for_each(|cited| self.whole(cited, out));
        }
    }

    /// How many characters the texts before a block have.
    fn chars_before(&self, index: u32) -> u64 {
        let all = self.items.values().flat_map(|item| item.blocks.values());
        all.filter(|own| own.index < index).filter_map(|own| own.chars).sum()
    }

    /// A block that comes in one piece.
    fn whole(&mut self, block: Block, out: &mut Events) {
        let index = self.next;
        self.next = index.saturating_add(1);
        out.push(ChatEvent::Open { index, block });
        out.push(ChatEvent::Close { index });
    }

    /// The parts of a message that ends, in order: some servers count them from elsewhere than zero.
    fn finish_message(&mut self, at: u64, item: Node<'_>, out: &mut Events) {
        let keys = |item: &Item| item.blocks.keys().copied().collect::<Vec<u64>>();
        let known = self.items.get(&at).map(keys).unwrap_or_default();
        let beyond = known.last().map_or(0, |last| last.saturating_add(1));
        let mut keys = known.into_iter().chain(beyond..);
        for part in item.opt("content").into_iter().flat_map(|content| content.items()) {
            let text = part.opt("text").or_else(|| part.opt("refusal")).filter(Node::is_str);
            let annotations = citations::of_part(part);
            let Some(text) = text.filter(|text| !text.is_empty()) else {
                let said = self.chars_before(self.next);
                citations::block(&annotations, said).into_iter().for_each(|cited| self.whole(cited, out));
                continue;
            };
            let Some(key) = keys.next() else { return };
            let name = if part.opt("refusal").is_some() { "response.refusal.done" } else { "" };
            self.open(at, key, empty_part(name), out);
            self.settle(at, key, &text.str().unwrap_or_default(), Some(text), out);
            // The whole list stands here again; some servers tell it here alone.
            let known = self.items.get_mut(&at).and_then(|item| item.blocks.get_mut(&key));
            if let Some(known) = known.filter(|known| known.annotations.all().len() < annotations.len()) {
                self.kept = self.kept.saturating_sub(known.annotations.bytes());
                known.annotations = annotations.into_iter().collect();
                self.kept += known.annotations.bytes();
            }
        }
    }

    fn end(&mut self, response: Node<'_>, out: &mut Events) {
        if !self.started {
            self.started = true;
            let (id, model, created) = head(response);
            out.push(ChatEvent::Start { id, model, created });
        }
        let output = response.opt("output").into_iter().flat_map(|output| output.items());
        if self.items.is_empty() {
            (0u64..).zip(output).for_each(|(at, item)| self.finish_item(at, item, out));
        } else {
            output.for_each(|item| self.repeat_all(item, out));
        }
        self.close_all(out);
        let places: Vec<u64> = self.items.keys().copied().collect();
        places.into_iter().for_each(|at| self.cite(at, out));
        out.extend(usage(response).map(ChatEvent::Usage));
        out.extend(tier(response).map(ChatEvent::Tier));
        // The last event is the end, whatever its status says.
        let (finish, native) = finish(response, self.calls).unwrap_or_default();
        out.push(ChatEvent::Finish { finish, native: Some(native), stop_sequence: None });
        out.push(ChatEvent::End);
        self.ended = true;
    }

    /// Names a text that repeats what came before; not one that is new, and stands in this frame's deltas.
    fn repeat(&self, text: Option<Node<'_>>, kind: Place, out: &mut Events) {
        let Some(text) = text.filter(|text| text.is_str() && !text.is_empty()) else { return };
        let place = text.inner_range();
        let mut fresh = out.iter().skip(self.before_frame);
        if !fresh.any(|event| matches!(event, ChatEvent::Delta { at: Some(at), .. } if *at == place)) {
            let text = text.str().unwrap_or_default().into_owned();
            out.push(ChatEvent::Repeat { place: kind, text, at: place });
        }
    }

    /// Every text of an item that has ended.
    fn repeat_all(&self, item: Node<'_>, out: &mut Events) {
        of_output(item, &mut |text, place| self.repeat(Some(text), place, out));
    }

    /// Events of hosted tools say nothing to other dialects; guardrails read what they hold in whole.
    fn hosted(&self, root: Node<'_>, out: &mut Events) {
        for name in ["code", "arguments", "command", "output"] {
            self.repeat(root.opt(name), Place::ToolArguments, out);
        }
    }

    fn close_all(&mut self, out: &mut Events) {
        let all = self.items.values_mut().flat_map(|item| item.blocks.values_mut());
        all.for_each(|growing| growing.close(out));
    }
}

/// A part of a message as it opens, by the event that opens it.
fn empty_part(event: &str) -> Block {
    if event.starts_with("response.refusal") { Block::Refusal(String::new()) } else { Block::text("") }
}

/// Which part of a thought an event is about: of its content or its summary, and the how-manieth.
fn part_of_thought(root: Node<'_>) -> (bool, u64) {
    match root.opt("summary_index") {
        Some(at) => (false, at.u64().unwrap_or_default()),
        None => (true, index(root, "content_index")),
    }
}

fn index(root: Node<'_>, name: &str) -> u64 {
    root.opt(name).and_then(|index| index.u64()).unwrap_or_default()
}
