//! A stream, read: `messageStart`, blocks by their index, `messageStop` with the reason and, behind it,
//! `metadata` with the usage. Only calls of tools say that they begin; texts and thoughts are there with
//! their first piece. A failure is a message of its own, named after its exception.

use super::answer::{finish_of, tier};
use super::blocks::{self, text_of};
use super::usage;
use crate::chat::{Block, ChatEvent, Citation, Thought, ToolCall, chars};
use crate::codec::StreamDecoder;
use crate::error::from_exception;
use crate::json::{Doc, Node, Strictness};
use crate::kept::Texts;
use crate::sse::Frame;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use std::collections::BTreeMap;

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    /// Whether a reason to stop was given: without one, a stream that ends was cut.
    finished: bool,
    ended: bool,
    /// Whether a tool of the caller's was called.
    calls: bool,
    /// The index of the next block that we open.
    next: u32,
    open: BTreeMap<u64, Open>,
    /// Characters of text so far.
    chars: u64,
    /// What the open blocks keep.
    bytes: usize,
}

/// An open block, by Converse's index.
#[derive(Debug)]
enum Open {
    Text {
        index: u32,
        citations: Texts,
        /// Where it begins in all text.
        from: u64,
    },
    Thought {
        index: u32,
    },
    Call {
        index: u32,
    },
    /// A thought that is all cipher: kept until it is whole, as it is one value.
    Redacted {
        pieces: Texts,
    },
    /// A block that only Converse knows, by its beginning.
    Opaque {
        name: String,
        start: String,
    },
}

/// What a delta is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
    Redacted,
}

// === impl StreamDecoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        let name = frame.name();
        let read = match name {
            "messageStart" | "messageStop" | "metadata" => Self::message,
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" => Self::block,
            _ if is_failure(name) => {
                self.ended = true;
                out.push(ChatEvent::Error(from_exception(Family::Bedrock, name, &frame.data())));
                return Ok(());
            }
            // What future versions add means nothing to anybody.
            _ => return Ok(()),
        };
        let doc = Doc::parse(frame.data(), Strictness::Provider)
            .map_err(|error| bad("an event of the provider's stream is not JSON").detail(error.message))?;
        self.ensure_started(out);
        read(self, name, doc.root(), out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        if !self.finished {
            return Err(bad("the provider's stream ended in the middle of the answer"));
        }
        self.end(out);
        Ok(())
    }

    fn kept(&self) -> usize {
        self.bytes
    }
}

/// Whether a message is named after a failure: an exception of the service's, or a bare code.
fn is_failure(name: &str) -> bool {
    ["exception", "error", "failure"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

fn bad(message: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, message)
}

// === impl Decoder: the message ===

impl Decoder {
    fn ensure_started(&mut self, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(ChatEvent::Start { id: String::new(), model: String::new(), created: None });
        }
    }

    fn message(&mut self, name: &str, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        match name {
            "messageStop" if !std::mem::replace(&mut self.finished, true) => {
                self.close_all(out);
                let native = text_of(root, "stopReason");
                let finish = finish_of(&native, self.calls);
                out.push(ChatEvent::Finish { finish, native: Some(native), stop_sequence: None });
            }
            "metadata" => {
                out.extend(root.opt("usage").map(|usage| ChatEvent::Usage(usage::read(usage))));
                out.extend(tier(root).map(ChatEvent::Tier));
                if self.finished {
                    self.end(out);
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        self.close_all(out);
        self.ended = true;
        out.push(ChatEvent::End);
    }
}

// === impl Decoder: the blocks ===

impl Decoder {
    fn block(&mut self, name: &str, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        // Behind the end of the message there is nothing more to say.
        if self.finished {
            return;
        }
        let at = root.opt("contentBlockIndex").and_then(|index| index.u64()).unwrap_or_default();
        match name {
            "contentBlockStart" => {
                if let Some(start) = root.opt("start") {
                    self.start(at, start, out);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = root.opt("delta") {
                    self.delta(at, delta, out);
                }
            }
            _ => self.close(at, out),
        }
    }

    fn start(&mut self, at: u64, start: Node<'_>, out: &mut Vec<ChatEvent>) {
        self.close(at, out);
        // A union: its one member says what begins.
        let Some((name, value)) = start.members().next() else { return };
        let opened = if name == "toolUse" && !blocks::is_servers(value) {
            self.calls = true;
            let call = ToolCall { arguments: String::new(), ..blocks::call(value) };
            Open::Call { index: self.announce(Block::ToolCall(call), out) }
        } else {
            Open::Opaque { name: name.into_owned(), start: value.raw().to_owned() }
        };
        self.keep(at, opened);
    }

    fn delta(&mut self, at: u64, delta: Node<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(text) = delta.opt("text") {
            self.ensure(at, Kind::Text, out);
            if let Some(Open::Text { index, .. }) = self.open.get(&at) {
                self.chars = self.chars.saturating_add(push_text(*index, text, out));
            }
        }
        if let Some(citation) = delta.opt("citation") {
            self.ensure(at, Kind::Text, out);
            if let Some(Open::Text { citations, .. }) = self.open.get_mut(&at) {
                let before = citations.bytes();
                citations.push(citation.raw().to_owned());
                self.bytes += citations.bytes() - before;
            }
        }
        if let Some(input) = delta.path(&["toolUse", "input"])
            && let Some(Open::Call { index }) = self.open.get(&at)
        {
            push_text(*index, input, out);
        }
        if let Some(reasoning) = delta.opt("reasoningContent") {
            self.reasoning(at, reasoning, out);
        }
    }

    fn reasoning(&mut self, at: u64, reasoning: Node<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(piece) = reasoning.opt("redactedContent").and_then(|piece| piece.str()) {
            self.ensure(at, Kind::Redacted, out);
            if let Some(Open::Redacted { pieces }) = self.open.get_mut(&at) {
                let before = pieces.bytes();
                pieces.push(piece.into_owned());
                self.bytes += pieces.bytes() - before;
            }
            return;
        }
        self.ensure(at, Kind::Thought, out);
        let Some(Open::Thought { index }) = self.open.get(&at) else { return };
        if let Some(text) = reasoning.opt("text") {
            push_text(*index, text, out);
        }
        if let Some(seal) = blocks::seal(&text_of(reasoning, "signature")) {
            out.push(ChatEvent::Seal { index: *index, seal });
        }
    }

    /// Opens a block with its first piece; one of another kind under the same index ends.
    fn ensure(&mut self, at: u64, kind: Kind, out: &mut Vec<ChatEvent>) {
        if self.open.get(&at).is_some_and(|open| open.kind() == Some(kind)) {
            return;
        }
        self.close(at, out);
        let opened = match kind {
            Kind::Text => {
                let index = self.announce(Block::text(String::new()), out);
                Open::Text { index, citations: Texts::default(), from: self.chars }
            }
            Kind::Thought => Open::Thought { index: self.announce(Block::Thought(Thought::default()), out) },
            Kind::Redacted => Open::Redacted { pieces: Texts::default() },
        };
        self.keep(at, opened);
    }

    fn keep(&mut self, at: u64, opened: Open) {
        self.bytes += opened.bytes();
        self.open.insert(at, opened);
    }

    fn announce(&mut self, block: Block, out: &mut Vec<ChatEvent>) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        out.push(ChatEvent::Open { index, block });
        index
    }

    fn whole(&mut self, block: Block, out: &mut Vec<ChatEvent>) {
        let index = self.announce(block, out);
        out.push(ChatEvent::Close { index });
    }

    fn close(&mut self, at: u64, out: &mut Vec<ChatEvent>) {
        let Some(open) = self.open.remove(&at) else { return };
        self.bytes = self.bytes.saturating_sub(open.bytes());
        let path = |name: &str| format!("output.message.content[{at}].{name}");
        match open {
            Open::Thought { index } | Open::Call { index } => out.push(ChatEvent::Close { index }),
            Open::Text { index, citations, from } => {
                out.push(ChatEvent::Close { index });
                if !citations.all().is_empty() {
                    let span = from..self.chars;
                    let raw = format!("[{}]", citations.all().join(","));
                    self.whole(blocks::citations(path("citationsContent"), cited(&raw, &span), &raw), out);
                }
            }
            Open::Redacted { pieces } => {
                let seal = blocks::seal(&joined(pieces.all()));
                self.whole(Block::Thought(Thought { seal, redacted: true, ..Thought::default() }), out);
            }
            Open::Opaque { name, start } => self.whole(blocks::opaque(path(&name), &start), out),
        }
    }

    fn close_all(&mut self, out: &mut Vec<ChatEvent>) {
        while let Some(at) = self.open.keys().next().copied() {
            self.close(at, out);
        }
    }
}

// === impl Open ===

impl Open {
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Text { .. } => Some(Kind::Text),
            Self::Thought { .. } => Some(Kind::Thought),
            Self::Redacted { .. } => Some(Kind::Redacted),
            Self::Call { .. } | Self::Opaque { .. } => None,
        }
    }

    /// How many bytes it keeps, about.
    fn bytes(&self) -> usize {
        let texts = match self {
            Self::Text { citations: texts, .. } | Self::Redacted { pieces: texts } => texts.bytes(),
            Self::Thought { .. } | Self::Call { .. } => 0,
            Self::Opaque { name, start } => name.len() + start.len(),
        };
        size_of::<Self>() + texts
    }
}

/// More text, and how many characters it has.
fn push_text(index: u32, node: Node<'_>, out: &mut Vec<ChatEvent>) -> u64 {
    let text = node.str().unwrap_or_default();
    if text.is_empty() {
        return 0;
    }
    let told = chars(&text);
    out.push(ChatEvent::Delta { index, text: text.into_owned(), at: Some(node.inner_range()) });
    told
}

fn cited(list: &str, span: &std::ops::Range<u64>) -> Vec<Citation> {
    let doc = Doc::parse(Bytes::copy_from_slice(list.as_bytes()), Strictness::Provider);
    let read = |doc: Doc| doc.root().items().map(|one| blocks::citation(one, span.clone())).collect();
    doc.map(read).unwrap_or_default()
}

/// Pieces of bytes, each in base64 of its own, as one.
fn joined(pieces: &[String]) -> String {
    if let [one] = pieces {
        return one.clone();
    }
    let bytes: Vec<u8> = pieces.iter().filter_map(|piece| STANDARD.decode(piece).ok()).flatten().collect();
    STANDARD.encode(bytes)
}
