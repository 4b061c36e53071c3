//! Content blocks, read. Nothing here fails: what a caller sends was checked by [`super::view`], and what a
//! provider sends is read as far as it can be.
//!
//! **Riders.** Members of a known block that have no place in the canonical form (a document's `citations`,
//! a `caller`) become an extension right behind the block, with a path that ends in the member's name; written in this
//! dialect again they become members of that block. Seals of other makers ride too: in a `thinking` block
//! whose signature is an envelope (see [`crate::seal`]) that says what the seal belongs to.

use super::words::cache_mark;
use super::{DIALECT, citations};
use crate::chat::{
    Block, Extension, Media, MediaKind, Origin, Part, RawJson, Seal, Source, Thought, ToolCall, Weight, chars,
};
use crate::json::Node;
use crate::seal;

/// In an envelope: the seal of the text before. No id of a tool call can look like this.
pub(super) const OF_TEXT: &str = ":text";
/// In an envelope: the seal of a text without words, which has no block of its own.
pub(super) const OF_NO_TEXT: &str = ":no-text";
/// In an envelope, before an id: the id of the thought itself.
pub(super) const OF_THOUGHT: char = '#';
/// Holds, as the only member of a call's `input`, arguments that were not a JSON object.
pub(super) const RAW_ARGUMENTS: &str = "__raw";

const CITED: &[&str] = &["citations", "context"];
const TOLD: &[&str] = &["context"];
const CALLED: &[&str] = &["caller"];

/// Collects what a model said.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    seals_of_calls: Vec<(String, Seal)>,
    /// Characters of text so far.
    chars: u64,
}

/// A string member; empty when there is none.
pub(super) fn text_of(node: Node<'_>, name: &str) -> String {
    node.opt(name).and_then(|text| text.str()).map(std::borrow::Cow::into_owned).unwrap_or_default()
}

// === impl Blocks ===

impl Blocks {
    /// Reads the content of an assistant's message or of an answer.
    pub(super) fn read(content: Node<'_>) -> Vec<Block> {
        if let Some(text) = content.str() {
            return if text.is_empty() { Vec::new() } else { vec![Block::text(text)] };
        }
        let mut all = Self::default();
        content.items().for_each(|block| all.add(block));
        for (id, seal) in all.seals_of_calls {
            let call = all.blocks.iter_mut().find_map(|block| match block {
                Block::ToolCall(call) if call.id == id => Some(call),
                _ => None,
            });
            if let Some(call) = call {
                call.seal = Some(seal);
            }
        }
        all.blocks
    }

    fn add(&mut self, block: Node<'_>) {
        let cache = cache_mark(block);
        match text_of(block, "type").as_str() {
            "text" => {
                let (text, before) = (text_of(block, "text"), self.chars);
                self.chars = before.saturating_add(chars(&text));
                self.blocks.push(Block::Text { text, seal: None, cache });
                let cited = block.opt("citations").filter(|cited| !cited.is_empty());
                let path = block.name();
                self.blocks
                    .extend(cited.map(|cited| citations::block(&path, cited.raw(), before..self.chars)));
                self.ride(block, TOLD);
            }
            "thinking" => self.thought(text_of(block, "thinking"), &text_of(block, "signature"), false),
            "redacted_thinking" => self.thought(String::new(), &text_of(block, "data"), true),
            "tool_use" => {
                self.blocks.push(Block::ToolCall(ToolCall {
                    id: text_of(block, "id"),
                    name: text_of(block, "name"),
                    arguments: block.opt("input").map(arguments).unwrap_or_default(),
                    seal: None,
                    cache,
                }));
                self.ride(block, CALLED);
            }
            _ => self.blocks.push(Block::Opaque(opaque(block, block.name()))),
        }
    }

    fn ride(&mut self, block: Node<'_>, names: &[&str]) {
        self.blocks.extend(riders(block, names).map(Block::Opaque));
    }

    fn thought(&mut self, text: String, sealed: &str, redacted: bool) {
        match read_seal(sealed) {
            Sealed::Text(seal) => {
                let last = self.blocks.iter_mut().rev().find_map(|block| match block {
                    Block::Text { seal, .. } => Some(seal),
                    _ => None,
                });
                match last {
                    Some(own) => *own = Some(seal),
                    None => self.blocks.push(wordless(seal)),
                }
            }
            Sealed::NoText(seal) => self.blocks.push(wordless(seal)),
            Sealed::Call(id, seal) => {
                self.seals_of_calls.push((id, seal));
                if !text.is_empty() {
                    self.blocks.push(Block::Thought(Thought { text, ..Thought::default() }));
                }
            }
            Sealed::Thought(id, seal) => {
                self.blocks.push(Block::Thought(Thought { text, id, seal, redacted }));
            }
        }
    }
}

fn wordless(seal: Seal) -> Block {
    Block::Text { text: String::new(), seal: Some(seal), cache: None }
}

/// What a signature belongs to.
pub(super) enum Sealed {
    Text(Seal),
    NoText(Seal),
    Call(String, Seal),
    Thought(Option<String>, Option<Seal>),
}

/// Reads a signature: Anthropic's own, or an envelope that we handed out.
pub(super) fn read_seal(signature: &str) -> Sealed {
    if signature.is_empty() {
        return Sealed::Thought(None, None);
    }
    let seal::Unwrapped { seal, belongs_to } = seal::unwrap(signature, Origin::Anthropic);
    match belongs_to {
        None => Sealed::Thought(None, Some(seal)),
        Some(whose) if whose == OF_TEXT => Sealed::Text(seal),
        Some(whose) if whose == OF_NO_TEXT => Sealed::NoText(seal),
        Some(whose) => match whose.strip_prefix(OF_THOUGHT) {
            Some(id) => Sealed::Thought(Some(id.to_owned()), Some(seal)),
            None => Sealed::Call(whose, seal),
        },
    }
}

/// The arguments of a call as JSON text: what came, or the text that [`RAW_ARGUMENTS`] carries.
pub(super) fn arguments(input: Node<'_>) -> String {
    let mut members = input.members();
    if let (Some((name, value)), None) = (members.next(), members.next())
        && name == RAW_ARGUMENTS
        && let Some(text) = value.str()
    {
        return text.into_owned();
    }
    input.raw().to_owned()
}

/// Parts of what somebody other than the model said: a string or blocks, results of tools left out.
pub(super) fn parts(content: Node<'_>) -> Vec<Part> {
    if let Some(text) = content.str() {
        return if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
    }
    let mut all = Vec::new();
    for block in content.items() {
        let kind = text_of(block, "type");
        let part = match kind.as_str() {
            "tool_result" => continue,
            "text" => Some(Part::Text { text: text_of(block, "text"), cache: cache_mark(block) }),
            "image" => media(block, MediaKind::Image).map(Part::Media),
            "document" => media(block, MediaKind::Document).map(Part::Media),
            _ => None,
        };
        match part {
            Some(part) => {
                all.push(part);
                all.extend(riders(block, CITED).map(Part::Opaque));
            }
            None => all.push(Part::Opaque(opaque(block, block.name()))),
        }
    }
    all
}

/// An image or a document; `None` when its source is of a kind that only Anthropic knows.
fn media(block: Node<'_>, kind: MediaKind) -> Option<Media> {
    let node = block.opt("source")?;
    let source = match text_of(node, "type").as_str() {
        "base64" => Source::Base64 { mime: text_of(node, "media_type"), data: text_of(node, "data") },
        "text" => Source::Text(text_of(node, "data")),
        "url" => Source::Url { url: text_of(node, "url"), mime: None },
        "file" => Source::File { id: text_of(node, "file_id"), origin: Origin::Anthropic },
        _ => return None,
    };
    let name = node_text(block, "title");
    Some(Media { kind, source, name, detail: None, cache: cache_mark(block) })
}

fn node_text(node: Node<'_>, name: &str) -> Option<String> {
    node.opt(name).and_then(|text| text.str()).map(std::borrow::Cow::into_owned)
}

/// A block that only Anthropic understands, whole.
pub(super) fn opaque(block: Node<'_>, path: String) -> Extension {
    let weight = weight_of(&text_of(block, "type"));
    Extension { path, value: RawJson(block.raw().to_owned()), origin: DIALECT, weight }
}

/// What leaving out a block of this kind would do. Work that a server tool did before is a loss, but the
/// model's own words about it stay; anything else is content.
pub(super) fn weight_of(kind: &str) -> Weight {
    let past_work = kind.ends_with("tool_use") || kind.ends_with("_tool_result");
    if past_work || matches!(kind, "tool_reference" | "fallback") { Weight::Hint } else { Weight::Meaning }
}

/// The members of a block that ride behind it.
fn riders<'a>(block: Node<'a>, names: &'a [&'a str]) -> impl Iterator<Item = Extension> + 'a {
    names.iter().filter_map(move |name| {
        let value = block.opt(name).filter(|value| says_something(*value))?;
        Some(rider(&block.name(), name, value.raw()))
    })
}

/// One member that rides behind its block.
pub(super) fn rider(path: &str, name: &str, raw: &str) -> Extension {
    Extension {
        path: format!("{path}.{name}"),
        value: RawJson(raw.to_owned()),
        origin: DIALECT,
        weight: Weight::Hint,
    }
}

/// No citations, and a call by the model itself (`direct`), are the usual case and say nothing.
fn says_something(value: Node<'_>) -> bool {
    let direct = value.opt("type").and_then(|kind| kind.str()).is_some_and(|kind| kind == "direct");
    !value.is_empty() && !direct
}

/// The name of the member that an extension is, when it is a rider.
pub(super) fn rides_as(extension: &Extension) -> Option<&str> {
    let (_, name) = extension.path.rsplit_once('.')?;
    (extension.origin == DIALECT && !name.contains(']')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{Blocks, parts};
    use crate::chat::{Block, Origin, Part, Seal, Thought};
    use crate::json::{Doc, Strictness};
    use crate::seal::wrap;
    use bytes::Bytes;

    fn doc(text: &str) -> Doc {
        Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
    }

    #[test]
    fn seals_find_what_they_belong_to() {
        let seal = |origin, value: &str| Seal { origin, value: value.to_owned() };
        let gemini = seal(Origin::Gemini, "g");
        let doc = doc(&format!(
            r#"[{{"type":"thinking","thinking":"","signature":"{}"}},
                {{"type":"tool_use","id":"t1","name":"n","input":{{"__raw":"[broken"}},"caller":{{"type":"direct"}}}},
                {{"type":"text","text":"x","citations":null}},
                {{"type":"thinking","thinking":"","signature":"{}"}},
                {{"type":"thinking","thinking":"sum","signature":"{}"}},
                {{"type":"redacted_thinking","data":"own"}}]"#,
            wrap(&gemini, "t1"),
            wrap(&gemini, ":text"),
            wrap(&seal(Origin::OpenAi, "enc"), "#rs_1"),
        ));
        let blocks = Blocks::read(doc.root());
        assert_eq!(blocks.len(), 4);
        let Block::ToolCall(call) = &blocks[0] else { panic!() };
        assert_eq!((call.seal.as_ref(), call.arguments.as_str()), (Some(&gemini), "[broken"));
        assert_eq!(blocks[1], Block::Text { text: "x".to_owned(), seal: Some(gemini), cache: None });
        let openai = Thought {
            text: "sum".to_owned(),
            id: Some("rs_1".to_owned()),
            seal: Some(seal(Origin::OpenAi, "enc")),
            redacted: false,
        };
        assert_eq!(blocks[2], Block::Thought(openai));
        let own =
            Thought { seal: Some(seal(Origin::Anthropic, "own")), redacted: true, ..Thought::default() };
        assert_eq!(blocks[3], Block::Thought(own));
    }

    #[test]
    fn what_has_no_place_rides_or_stays_whole() {
        let doc = doc(
            r#"[{"type":"document","title":"T","citations":{"enabled":true},"source":{"type":"text","data":"d"}},
                {"type":"container_upload","file_id":"f"},{"type":"tool_result","tool_use_id":"x"}]"#,
        );
        let parts = parts(doc.root());
        assert_eq!(parts.len(), 3);
        let Part::Opaque(rider) = &parts[1] else { panic!() };
        assert_eq!((rider.path.as_str(), rider.value.0.as_str()), ("[0].citations", r#"{"enabled":true}"#));
        let Part::Opaque(whole) = &parts[2] else { panic!() };
        assert_eq!(super::rides_as(whole), None);
    }
}
