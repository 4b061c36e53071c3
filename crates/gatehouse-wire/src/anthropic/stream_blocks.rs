//! The blocks of a stream, read: each of Anthropic's open blocks by its index, and what it becomes.

use super::citations;
use super::content::{Sealed, arguments, opaque, read_seal, rider, text_of};
use crate::chat::{Block, ChatEvent, Extension, RawJson, Thought, ToolCall, chars};
use crate::json::{Doc, Node, Out, Raw, Strictness, escaped};
use crate::kept::Texts;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The blocks that are open.
#[derive(Debug, Default)]
pub(super) struct OpenBlocks {
    /// The index of the next block that we open; Anthropic's own may have gaps.
    next: u32,
    open: BTreeMap<u64, Open>,
    /// Characters of text so far.
    chars: u64,
    /// What the open blocks keep.
    bytes: usize,
}

/// An open block, by Anthropic's index.
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
    /// `whole`: the arguments that came with the start, used when no piece follows.
    Call {
        index: u32,
        whole: String,
        pieces: bool,
        caller: Option<Extension>,
    },
    /// A block that only Anthropic knows: kept until it is whole.
    Opaque {
        start: RawJson,
        path: String,
        member: &'static str,
        pieces: String,
    },
}

// === impl OpenBlocks ===

impl OpenBlocks {
    /// The words of a refusal, as the block that they are in one piece.
    pub(super) fn refuse(&mut self, words: String, out: &mut Vec<ChatEvent>) {
        let index = self.announce(Block::Refusal(String::new()), out);
        out.push(ChatEvent::Delta { index, text: words, at: None });
        out.push(ChatEvent::Close { index });
    }

    /// All blocks end.
    pub(super) fn close_all(&mut self, out: &mut Vec<ChatEvent>) {
        while let Some(at) = self.open.keys().next().copied() {
            self.close(at, out);
        }
    }

    /// How many bytes they keep, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A block begins. One that was open under the same index ends.
    pub(super) fn open(&mut self, at: u64, block: Node<'_>, out: &mut Vec<ChatEvent>) {
        self.close(at, out);
        let path = format!("content[{at}]");
        let opened = match text_of(block, "type").as_str() {
            "text" => {
                let index = self.announce(Block::text(String::new()), out);
                let from = self.chars;
                self.chars = from.saturating_add(push_text(index, block.opt("text"), out));
                let cited =
                    block.opt("citations").map(|all| all.items().map(|one| one.raw().to_owned()).collect());
                Open::Text { index, citations: cited.unwrap_or_default(), from }
            }
            "thinking" => {
                let index = self.announce(Block::Thought(Thought::default()), out);
                push_text(index, block.opt("thinking"), out);
                push_seal(index, &text_of(block, "signature"), out);
                Open::Thought { index }
            }
            "redacted_thinking" => {
                let thought = match read_seal(&text_of(block, "data")) {
                    Sealed::Thought(id, seal) => Thought { id, seal, redacted: true, ..Thought::default() },
                    _ => Thought { redacted: true, ..Thought::default() },
                };
                Open::Thought { index: self.announce(Block::Thought(thought), out) }
            }
            "tool_use" => {
                let (id, name) = (text_of(block, "id"), text_of(block, "name"));
                let call = ToolCall { id, name, ..ToolCall::default() };
                let index = self.announce(Block::ToolCall(call), out);
                let whole = block.opt("input").map(arguments).unwrap_or_default();
                let direct = |caller: &Node<'_>| text_of(*caller, "type") == "direct";
                let caller = block.opt("caller").filter(|caller| !direct(caller) && !caller.is_empty());
                let caller = caller.map(|caller| rider(&path, "caller", caller.raw()));
                Open::Call { index, whole, pieces: false, caller }
            }
            kind => {
                let member = if kind == "compaction" { "content" } else { "input" };
                let start = RawJson(block.raw().to_owned());
                Open::Opaque { start, path, member, pieces: String::new() }
            }
        };
        self.bytes += opened.bytes();
        self.open.insert(at, opened);
    }

    fn announce(&mut self, block: Block, out: &mut Vec<ChatEvent>) -> u32 {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        out.push(ChatEvent::Open { index, block });
        index
    }

    /// More of an open block.
    pub(super) fn delta(&mut self, at: u64, delta: Node<'_>, out: &mut Vec<ChatEvent>) {
        let Some(open) = self.open.get_mut(&at) else { return };
        let before = open.bytes();
        match (text_of(delta, "type").as_str(), &mut *open) {
            ("text_delta", Open::Text { index, .. }) => {
                self.chars = self.chars.saturating_add(push_text(*index, delta.opt("text"), out));
            }
            ("citations_delta", Open::Text { citations, .. }) => {
                citations.extend(delta.opt("citation").map(|one| one.raw().to_owned()));
            }
            ("thinking_delta", Open::Thought { index }) => {
                push_text(*index, delta.opt("thinking"), out);
            }
            ("signature_delta", Open::Thought { index }) => {
                push_seal(*index, &text_of(delta, "signature"), out);
            }
            ("input_json_delta", Open::Call { index, pieces, .. }) => {
                let piece = delta.opt("partial_json").filter(|piece| !piece.is_empty());
                *pieces |= piece.is_some();
                push_text(*index, piece, out);
            }
            ("input_json_delta", Open::Opaque { pieces, .. }) => {
                pieces.push_str(&text_of(delta, "partial_json"));
            }
            ("compaction_delta", Open::Opaque { pieces, .. }) => pieces.push_str(&text_of(delta, "content")),
            _ => {}
        }
        self.bytes = (self.bytes + open.bytes()).saturating_sub(before);
    }

    /// A block ends.
    pub(super) fn close(&mut self, at: u64, out: &mut Vec<ChatEvent>) {
        let Some(open) = self.open.remove(&at) else { return };
        self.bytes = self.bytes.saturating_sub(open.bytes());
        match open {
            Open::Thought { index } => out.push(ChatEvent::Close { index }),
            Open::Text { index, citations, from } => {
                out.push(ChatEvent::Close { index });
                if !citations.all().is_empty() {
                    let all = format!("[{}]", citations.all().join(","));
                    self.whole(citations::block(&format!("content[{at}]"), &all, from..self.chars), out);
                }
            }
            Open::Call { index, whole, pieces, caller } => {
                if !pieces && !whole.is_empty() {
                    out.push(ChatEvent::Delta { index, text: whole, at: None });
                }
                out.push(ChatEvent::Close { index });
                if let Some(caller) = caller {
                    self.whole(Block::Opaque(caller), out);
                }
            }
            Open::Opaque { start, path, member, pieces } => {
                self.whole(Block::Opaque(assemble(&start, path, member, &pieces)), out);
            }
        }
    }

    fn whole(&mut self, block: Block, out: &mut Vec<ChatEvent>) {
        let index = self.announce(block, out);
        out.push(ChatEvent::Close { index });
    }
}

// === impl Open ===

impl Open {
    /// How many bytes it keeps, about.
    fn bytes(&self) -> usize {
        let texts = match self {
            Self::Text { citations, .. } => citations.bytes(),
            Self::Thought { .. } => 0,
            Self::Call { whole, caller, .. } => {
                whole.len() + caller.as_ref().map_or(0, |caller| caller.value.0.len())
            }
            Self::Opaque { start, pieces, .. } => start.0.len() + pieces.len(),
        };
        size_of::<Self>() + texts
    }
}

/// More text, and how many characters it has.
fn push_text(index: u32, text: Option<Node<'_>>, out: &mut Vec<ChatEvent>) -> u64 {
    if let Some(node) = text
        && let Some(text) = node.str()
        && !text.is_empty()
    {
        let told = chars(&text);
        out.push(ChatEvent::Delta { index, text: text.into_owned(), at: Some(node.inner_range()) });
        return told;
    }
    0
}

fn push_seal(index: u32, signature: &str, out: &mut Vec<ChatEvent>) {
    // An envelope of ours is for requests; from a provider only its own signature can come.
    if let Sealed::Thought(_, Some(seal)) = read_seal(signature) {
        out.push(ChatEvent::Seal { index, seal });
    }
}

/// A block as it would be in one piece: its start, with what came in pieces put into its member.
fn assemble(start: &RawJson, path: String, member: &str, pieces: &str) -> Extension {
    let bytes = Bytes::copy_from_slice(start.0.as_bytes());
    let Ok(doc) = Doc::parse(bytes, Strictness::Provider) else {
        return Extension { value: start.clone(), ..rider(&path, member, "null") };
    };
    let whole = opaque(doc.root(), path);
    if pieces.is_empty() {
        return whole;
    }
    let text = format!("\"{}\"", String::from_utf8_lossy(&escaped(pieces)));
    // Pieces of `input` are JSON; a text, or JSON that was cut, can only be kept as a string.
    let is_json = member == "input"
        && Doc::parse(Bytes::copy_from_slice(pieces.as_bytes()), Strictness::Provider).is_ok();
    let value = if is_json { pieces } else { &text };
    let mut out = Out::new();
    out.object(|out| {
        for (name, old) in doc.root().members() {
            out.field(&name, Raw(if name == member { value } else { old.raw() }));
        }
        if doc.root().get(member).is_none() {
            out.field(member, Raw(value));
        }
    });
    Extension { value: RawJson(out.as_str().to_owned()), ..whole }
}
