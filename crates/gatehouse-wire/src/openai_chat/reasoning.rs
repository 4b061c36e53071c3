//! Thoughts and seals in a dialect that has no place of its own for them.
//!
//! What the family agreed on, and what we write:
//!
//! * `reasoning_content` (also read: `reasoning`): the thoughts in plain text.
//! * `thinking_blocks`: thoughts that are sealed, each whole: `{type: thinking, thinking, signature}` or
//!   `{type: redacted_thinking, data}`, with Anthropic's seals bare and those of others wrapped. `id` is
//!   the provider's id of the thought; `position` says where among the blocks it stood, when not first.
//! * `reasoning_details`: OpenRouter's list, whose entries are seals of OpenRouter, text apart.
//! * `extra_content.google.thought_signature` of a call or of a message: Google's own way, Gemini's seals
//!   bare and those of others wrapped.
//!
//! A caller that sends these back with its history gives every maker its seals unchanged.

use super::details::{self, Detail};
use crate::chat::{Block, Origin, Seal, Thought};
use crate::json::{Node, Out};
use crate::seal;

/// A thought and where among the blocks it stood, when not at their head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) thought: Thought,
    pub(super) position: Option<usize>,
}

// === reading ===

/// The thoughts of a message, of the history or of an answer.
pub(super) fn read(message: Node<'_>) -> Vec<Placed> {
    let mut thoughts: Vec<Placed> = Vec::new();
    for entry in message.opt("thinking_blocks").iter().flat_map(Node::items) {
        thoughts.extend(read_block(entry));
    }
    for entry in message.opt("reasoning_details").iter().flat_map(Node::items) {
        let thought = Detail::of(entry).thought();
        thoughts.extend(thought.map(|thought| Placed { thought, position: None }));
    }
    if thoughts.is_empty() {
        let text = plain_text(message).filter(|node| !node.is_empty()).and_then(|node| node.str());
        thoughts.extend(text.map(|text| Placed {
            thought: Thought { text: text.into_owned(), ..Thought::default() },
            position: None,
        }));
    }
    thoughts
}

/// The plain text of reasoning in a message or delta, by either name.
pub(super) fn plain_text(message: Node<'_>) -> Option<Node<'_>> {
    ["reasoning_content", "reasoning"].iter().find_map(|name| message.opt(name).filter(Node::is_str))
}

/// One of `thinking_blocks`.
pub(super) fn read_block(entry: Node<'_>) -> Option<Placed> {
    let text = |name: &str| entry.opt(name).and_then(|node| node.str()).map(|text| text.into_owned());
    let redacted = text("type").is_some_and(|kind| kind == "redacted_thinking");
    let sealed = text(if redacted { "data" } else { "signature" }).filter(|value| !value.is_empty());
    let thought = Thought {
        text: text("thinking").unwrap_or_default(),
        id: text("id"),
        seal: sealed.map(|value| seal::unwrap(&value, Origin::Anthropic).seal),
        redacted,
    };
    let position = entry.opt("position").and_then(|node| node.u64()).and_then(|at| usize::try_from(at).ok());
    (!thought.text.is_empty() || thought.seal.is_some()).then_some(Placed { thought, position })
}

/// Puts thoughts among the other blocks, which are there already.
pub(super) fn place(blocks: &mut Vec<Block>, thoughts: Vec<Placed>) {
    let (leading, placed): (Vec<_>, Vec<_>) =
        thoughts.into_iter().partition(|thought| thought.position.is_none());
    blocks.splice(0..0, leading.into_iter().map(|placed| Block::Thought(placed.thought)));
    for Placed { thought, position } in placed {
        let at = position.unwrap_or_default().min(blocks.len());
        blocks.insert(at, Block::Thought(thought));
    }
}

/// The seal of a call or of a message's text.
pub(super) fn read_signature(node: Node<'_>) -> Option<Seal> {
    let value = node.path(&["extra_content", "google", "thought_signature"])?.str()?;
    (!value.is_empty()).then(|| seal::unwrap(&value, Origin::Gemini).seal)
}

// === writing ===

/// Writes the thoughts of an answer as members of its message. Each comes with its place among the blocks.
pub(super) fn write(out: &mut Out, thoughts: &[(usize, &Thought)]) {
    let text: String = thoughts.iter().map(|(_, thought)| thought.text.as_str()).collect();
    if !text.is_empty() {
        out.field("reasoning_content", text);
    }
    if thoughts.iter().any(|(_, thought)| in_blocks(thought)) {
        out.array_field("thinking_blocks", |out| {
            let numbered = (0usize..).zip(thoughts);
            for (nth, (at, thought)) in numbered.filter(|(_, (_, thought))| in_blocks(thought)) {
                write_block(out, thought, Some(*at).filter(|at| *at != nth), None);
            }
        });
    }
    if thoughts.iter().any(|(_, thought)| in_details(thought)) {
        out.array_field("reasoning_details", |out| {
            for (_, thought) in thoughts {
                details::write(out, thought);
            }
        });
    }
}

/// Whether a thought goes into `thinking_blocks`.
pub(super) fn in_blocks(thought: &Thought) -> bool {
    thought.seal.as_ref().is_some_and(|seal| seal.origin != Origin::OpenRouter)
}

/// Whether a thought goes into `reasoning_details`.
pub(super) fn in_details(thought: &Thought) -> bool {
    thought.seal.as_ref().is_some_and(|seal| seal.origin == Origin::OpenRouter)
}

/// Writes one of `thinking_blocks`. In streams it has an `index`, its place in that list: SDKs that put
/// deltas together need one.
pub(super) fn write_block(out: &mut Out, thought: &Thought, position: Option<usize>, index: Option<u32>) {
    let Some(seal) = &thought.seal else { return };
    let value = seal::write(seal, Origin::Anthropic);
    out.object(|out| {
        out.field_opt("index", index);
        if thought.redacted {
            out.field("type", "redacted_thinking").field("data", value);
        } else {
            out.field("type", "thinking").field("thinking", &thought.text).field("signature", value);
        }
        out.field_opt("id", thought.id.as_deref());
        out.field_opt("position", position.and_then(|at| u64::try_from(at).ok()));
    });
}

/// Writes the seal of a call or of a message's text as a member.
pub(super) fn write_signature(out: &mut Out, seal: &Seal) {
    out.object_field("extra_content", |out| {
        out.object_field("google", |out| {
            out.field("thought_signature", seal::write(seal, Origin::Gemini));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::{place, read, write};
    use crate::chat::{Block, Origin, Seal, Thought};
    use crate::json::{Doc, Out, Strictness};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn there_and_back(blocks: &[Block]) -> Vec<Block> {
        let thoughts: Vec<_> = blocks
            .iter()
            .enumerate()
            .filter_map(
                |(at, block)| if let Block::Thought(thought) = block { Some((at, thought)) } else { None },
            )
            .collect();
        let mut out = Out::new();
        out.object(|out| write(out, &thoughts));
        let doc = Doc::parse(Bytes::from(out.into_bytes()), Strictness::Caller).unwrap();
        let mut back: Vec<Block> =
            blocks.iter().filter(|block| !matches!(block, Block::Thought(_))).cloned().collect();
        place(&mut back, read(doc.root()));
        back
    }

    proptest! {
        /// Sealed thoughts come back byte for byte, from whatever maker, in their places.
        #[test]
        fn sealed_thoughts_keep_seal_and_place(
            kinds in proptest::collection::vec((0u8..4, "[a-z ]{0,9}", "[A-Za-z0-9+/=\u{e9}]{1,30}"), 0..8),
        ) {
            let blocks: Vec<Block> = kinds
                .into_iter()
                .map(|(kind, text, value)| {
                    let seal = |origin| Some(Seal { origin, value: value.clone() });
                    Block::Thought(match kind {
                        0 => return Block::text(text),
                        1 => Thought { text, seal: seal(Origin::Anthropic), ..Thought::default() },
                        2 => Thought { seal: seal(Origin::Gemini), redacted: true, ..Thought::default() },
                        _ => Thought { text, seal: seal(Origin::OpenAi), id: Some(value), redacted: false },
                    })
                })
                .collect();
            prop_assert_eq!(there_and_back(&blocks), blocks);
        }
    }

    #[test]
    fn plain_reasoning_is_one_thought_and_openrouters_list_is_kept_in_order() {
        let plain = Thought { text: "hm".to_owned(), ..Thought::default() };
        assert_eq!(there_and_back(&[Block::Thought(plain.clone())]), [Block::Thought(plain)]);
        let raw = r#"{"reasoning":"ab","reasoning_details":[
            {"type":"reasoning.summary","summary":"ab","format":"openai-responses-v1","index":0},
            {"data":"s","type":"reasoning.encrypted","id":"r","format":"openai-responses-v1","index":0}]}"#;
        let doc = Doc::parse(Bytes::from_static(raw.as_bytes()), Strictness::Provider).unwrap();
        let blocks: Vec<Block> =
            read(doc.root()).into_iter().map(|placed| Block::Thought(placed.thought)).collect();
        assert_eq!(blocks.len(), 2);
        assert_eq!(there_and_back(&blocks), blocks);
    }
}
