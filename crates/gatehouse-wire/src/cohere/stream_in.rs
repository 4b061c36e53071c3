//! A stream, read: `message-start`, contents and calls by their index between their `…-start` and `…-end`, and
//! `message-end` with the reason and the usage. A plan has pieces alone, and its end is what follows. Sources come
//! among the pieces of the text that they back, and are told when all of it was said.

use super::answer::{failure, finish_of};
use super::blocks::{self, Places, calls, text_of};
use super::usage;
use crate::chat::{Block, ChatEvent, Thought, ToolCall, chars};
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::json::{Doc, Node, Strictness};
use crate::kept::Texts;
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use std::collections::BTreeMap;

/// What follows the last event.
const DONE: &[u8] = b"[DONE]";

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    /// Whether the last event came.
    ended: bool,
    /// Whether nothing more may be told.
    over: bool,
    /// Whether a tool of the caller's was called.
    calls: bool,
    /// The index of the next block that we open.
    next: u32,
    open: BTreeMap<Key, Open>,
    places: Places,
    citations: Texts,
}

/// What a block is called in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Plan,
    Content(u64),
    Call(u64),
}

/// An open block.
#[derive(Clone, Copy, Debug)]
struct Open {
    index: u32,
    kind: Kind,
}

/// What an open block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Call,
}

// === impl StreamDecoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let data = frame.data();
        if data.trim_ascii() == DONE && self.ended {
            self.close_answer(out);
        }
        if self.ended || data.is_empty() || data.trim_ascii() == DONE {
            return Ok(());
        }
        let doc = Doc::parse(data, Strictness::Provider)
            .map_err(|error| bad("an event of the provider's stream is not JSON").detail(error.message))?;
        let root = doc.root();
        let named = text_of(root, "type");
        let kind = if named.is_empty() { frame.name() } else { &named };
        let known =
            ["message-", "content-", "tool-", "citation-"].iter().any(|known| kind.starts_with(known));
        if !known {
            if let Some(error) = from_stream(Family::Cohere, &doc) {
                self.fail(error, out);
            }
            // What future versions add means nothing to anybody.
            return Ok(());
        }
        self.start(root, out);
        self.event(kind, root, out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if !self.ended {
            return Err(bad("the provider's stream ended in the middle of the answer"));
        }
        self.close_answer(out);
        Ok(())
    }

    fn kept(&self) -> usize {
        self.open.len() * size_of::<(Key, Open)>() + self.places.bytes() + self.citations.bytes()
    }
}

fn bad(message: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, message)
}

// === impl Decoder: the message ===

impl Decoder {
    fn start(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(ChatEvent::Start { id: text_of(root, "id"), model: String::new(), created: None });
        }
    }

    fn event(&mut self, kind: &str, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        let at = root.opt("index").and_then(|index| index.u64()).unwrap_or_default();
        let message = root.path(&["delta", "message"]);
        match kind {
            "content-start" | "content-delta" => {
                if let Some(content) = message.and_then(|message| message.opt("content")) {
                    self.content(at, content, kind == "content-start", out);
                }
            }
            "content-end" => self.close(Key::Content(at), out),
            "tool-plan-delta" => {
                if let Some(plan) = message.and_then(|message| message.opt("tool_plan")) {
                    let open = self.ensure(Key::Plan, Kind::Thought, out);
                    push_text(open, plan, out);
                }
            }
            "tool-call-start" => {
                if let Some(call) = message.and_then(|message| calls(message).next()) {
                    self.call(at, call, out);
                }
            }
            "tool-call-delta" => {
                let arguments =
                    message.and_then(|message| message.path(&["tool_calls", "function", "arguments"]));
                if let (Some(open), Some(arguments)) = (self.open.get(&Key::Call(at)), arguments) {
                    push_text(*open, arguments, out);
                }
            }
            "tool-call-end" => self.close(Key::Call(at), out),
            "citation-start" => {
                if let Some(cited) = message.and_then(|message| message.opt("citations")) {
                    self.cite(cited);
                }
            }
            "message-end" => self.end(root, out),
            _ => {}
        }
    }

    fn end(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        self.close_all(out);
        self.tell_citations(out);
        let delta = root.opt("delta");
        out.extend(
            delta.and_then(|delta| delta.opt("usage")).map(|usage| ChatEvent::Usage(usage::read(usage))),
        );
        let said = |name: &str| delta.map(|delta| text_of(delta, name)).unwrap_or_default();
        let native = said("finish_reason");
        if let Some(error) = failure(&native, &said("error")) {
            return self.fail(error, out);
        }
        let finish = finish_of(&native, self.calls);
        out.push(ChatEvent::Finish { finish, native: Some(native), stop_sequence: None });
        self.ended = true;
    }

    /// The end is what follows the last event, which callers of the same dialect get, too.
    fn close_answer(&mut self, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.over, true) {
            out.push(ChatEvent::End);
        }
    }

    fn fail(&mut self, error: Error, out: &mut Vec<ChatEvent>) {
        (self.ended, self.over) = (true, true);
        out.push(ChatEvent::Error(error));
    }
}

// === impl Decoder: the blocks ===

impl Decoder {
    /// A content's beginning, which may hold text, or a piece of it.
    fn content(&mut self, at: u64, content: Node<'_>, begins: bool, out: &mut Vec<ChatEvent>) {
        let thinks = text_of(content, "type") == "thinking" || content.opt("thinking").is_some();
        let (kind, name) = if thinks { (Kind::Thought, "thinking") } else { (Kind::Text, "text") };
        let piece = content.opt(name);
        if !begins && piece.is_none() {
            return;
        }
        let open = self.ensure(Key::Content(at), kind, out);
        let told = piece.map_or(0, |piece| push_text(open, piece, out));
        if kind == Kind::Text {
            self.places.begin(at);
            self.places.grow(told);
        }
    }

    fn call(&mut self, at: u64, call: Node<'_>, out: &mut Vec<ChatEvent>) {
        self.close(Key::Call(at), out);
        self.calls = true;
        let block = ToolCall { arguments: String::new(), ..blocks::call(call) };
        let open = self.open(Key::Call(at), Kind::Call, Block::ToolCall(block), out);
        if let Some(arguments) = call.path(&["function", "arguments"]) {
            push_text(open, arguments, out);
        }
    }

    /// The block of this name; one of another kind under the same name ends.
    fn ensure(&mut self, key: Key, kind: Kind, out: &mut Vec<ChatEvent>) -> Open {
        match self.open.get(&key) {
            Some(open) if open.kind == kind => *open,
            _ => {
                self.close(key, out);
                let thought = || Block::Thought(Thought::default());
                let block = if kind == Kind::Thought { thought() } else { Block::text(String::new()) };
                self.open(key, kind, block, out)
            }
        }
    }

    /// Opens a block. Whatever begins, a plan is over.
    fn open(&mut self, key: Key, kind: Kind, block: Block, out: &mut Vec<ChatEvent>) -> Open {
        self.close(Key::Plan, out);
        let open = Open { index: self.next, kind };
        self.next = self.next.saturating_add(1);
        out.push(ChatEvent::Open { index: open.index, block });
        self.open.insert(key, open);
        open
    }

    fn close(&mut self, key: Key, out: &mut Vec<ChatEvent>) {
        if let Some(open) = self.open.remove(&key) {
            out.push(ChatEvent::Close { index: open.index });
        }
    }

    fn close_all(&mut self, out: &mut Vec<ChatEvent>) {
        let mut left: Vec<u32> =
            std::mem::take(&mut self.open).into_values().map(|open| open.index).collect();
        left.sort_unstable();
        out.extend(left.into_iter().map(|index| ChatEvent::Close { index }));
    }
}

// === impl Decoder: the sources ===

impl Decoder {
    fn cite(&mut self, cited: Node<'_>) {
        if cited.is_object() {
            self.citations.push(cited.raw().to_owned());
        }
        cited.items().for_each(|one| self.citations.push(one.raw().to_owned()));
    }

    fn tell_citations(&mut self, out: &mut Vec<ChatEvent>) {
        let raw = format!("[{}]", std::mem::take(&mut self.citations).all().join(","));
        let doc = Doc::parse(Bytes::from(raw), Strictness::Provider).ok();
        let block = doc.and_then(|doc| blocks::citations(doc.root(), &self.places));
        if let Some(block) = block {
            let index = self.next;
            self.next = self.next.saturating_add(1);
            out.push(ChatEvent::Open { index, block });
            out.push(ChatEvent::Close { index });
        }
    }
}

/// More text, and how many characters it has.
fn push_text(open: Open, node: Node<'_>, out: &mut Vec<ChatEvent>) -> u64 {
    let text = node.str().unwrap_or_default();
    if text.is_empty() {
        return 0;
    }
    let told = chars(&text);
    out.push(ChatEvent::Delta { index: open.index, text: text.into_owned(), at: Some(node.inner_range()) });
    told
}
