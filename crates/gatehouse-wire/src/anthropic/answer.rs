//! An answer in one piece, read and written.

use super::content::{Blocks, OF_NO_TEXT, OF_TEXT, OF_THOUGHT, rides_as, text_of};
use super::content_out as blocks;
use super::words::{finish_of, stop_reason, tier_in, tier_served};
use super::{DIALECT, citations, ids, usage};
use crate::chat::{Block, ChatResponse, Citations, Origin, Seal, Thought, ToolCall};
use crate::codec::{ReplyContext, Summary};
use crate::error::from_stream;
use crate::json::{Doc, Node, Out, Raw};
use crate::seal;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};

/// Reads a whole answer.
pub(super) fn read(doc: &Doc) -> Result<ChatResponse, Error> {
    let root = doc.root();
    if let Some(error) = from_stream(Family::Anthropic, doc) {
        return Err(error);
    }
    let Some(content) = root.opt("content").filter(|content| content.is_array() || content.is_str()) else {
        return Err(Error::new(Code::UpstreamBadResponse, "the provider's answer has no content"));
    };
    let native = root.opt("stop_reason").and_then(|word| word.str());
    let mut blocks = Blocks::read(content);
    blocks.extend(refusal(root).map(Block::Refusal));
    Ok(ChatResponse {
        id: text_of(root, "id"),
        model: text_of(root, "model"),
        created: None,
        blocks,
        finish: native.as_deref().map(finish_of).unwrap_or_default(),
        native_finish: native.map(std::borrow::Cow::into_owned),
        stop_sequence: Some(text_of(root, "stop_sequence")).filter(|text| !text.is_empty()),
        usage: root.opt("usage").map(usage::read),
        service_tier: root.opt("usage").and_then(tier),
    })
}

/// Reads what accounting needs.
pub(super) fn summary(doc: &Doc) -> Summary {
    let root = doc.root();
    let length = |block: Node<'_>, name| block.opt(name).map_or(0, |text| text.inner_range().len());
    let text_bytes = root.opt("content").map_or(0, |content| {
        let of = |block| ["text", "thinking", "input"].map(|name| length(block, name)).iter().sum::<usize>();
        content.items().map(of).sum()
    });
    Summary {
        usage: root.opt("usage").map(usage::read),
        service_tier: root.opt("usage").and_then(tier),
        finish: root.opt("stop_reason").and_then(|word| word.str()).map(|word| finish_of(&word).as_str()),
        text_bytes,
        error: from_stream(Family::Anthropic, doc),
    }
}

/// The tier that served, from a `usage`. Fast mode is told beside it.
pub(super) fn tier(usage: Node<'_>) -> Option<String> {
    let word = |name: &str| usage.opt(name).and_then(|word| word.str());
    let fast = word("speed").filter(|speed| speed == "fast").map(std::borrow::Cow::into_owned);
    fast.or_else(|| Some(tier_in(&word("service_tier")?)))
}

/// The words of a refusal, from an answer or from the `delta` that ends a stream.
pub(super) fn refusal(node: Node<'_>) -> Option<String> {
    let words = node.path(&["stop_details", "explanation"])?.str()?;
    (!words.is_empty()).then(|| words.into_owned())
}

// === Writing ===

/// Writes a whole answer.
pub(super) fn write(answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
    let refusal = refusal_of(answer);
    let calls = answer.blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
    let mut out = Out::new();
    out.object(|out| {
        head(out, &answer.id, &answer.model, context);
        out.array_field("content", |out| {
            for (at, block) in answer.blocks.iter().enumerate() {
                write_block(out, block, &answer.blocks, at);
            }
        });
        let reason = Reason {
            word: stop_reason(answer.finish, answer.native_finish.as_deref(), calls),
            stop_sequence: answer.stop_sequence.as_deref(),
            refusal: refusal.as_deref(),
        };
        reason.write(out);
        out.object_field("usage", |out| {
            let tier = answer.service_tier.as_deref().map(tier_served);
            usage::write(out, &answer.usage.unwrap_or_default(), tier);
        });
    });
    out.into_bytes()
}

/// The members that an answer begins with, in one piece and in a stream.
pub(super) fn head(out: &mut Out, id: &str, model: &str, context: &ReplyContext) {
    let own = id.starts_with("msg_") || context.id.is_empty();
    let id = if own { id.to_owned() } else { format!("msg_{}", context.id) };
    let model = if context.model.is_empty() { model } else { &context.model };
    out.field("id", id).field("type", "message").field("role", "assistant").field("model", model);
}

/// The members that say why an answer ended.
pub(super) struct Reason<'a> {
    /// `stop_reason`
    pub(super) word: &'a str,
    /// `stop_sequence`
    pub(super) stop_sequence: Option<&'a str>,
    /// Goes into `stop_details`.
    pub(super) refusal: Option<&'a str>,
}

// === impl Reason ===

impl Reason<'_> {
    /// Writes the members. Words of a refusal make it one, whatever the provider called it.
    pub(super) fn write(&self, out: &mut Out) {
        let word = if self.refusal.is_some() { "refusal" } else { self.word };
        out.field("stop_reason", word).field("stop_sequence", self.stop_sequence);
        if let Some(words) = self.refusal {
            out.object_field("stop_details", |out| {
                out.field("type", "refusal").field("category", None::<&str>).field("explanation", words);
            });
        }
    }
}

fn refusal_of(answer: &ChatResponse) -> Option<String> {
    let words: String = answer
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Refusal(words) => Some(words.as_str()),
            _ => None,
        })
        .collect();
    (!words.is_empty()).then_some(words)
}

fn write_block(out: &mut Out, block: &Block, all: &[Block], at: usize) {
    let riders = blocks::riders_of_block(all, at);
    match block {
        Block::Text { text, seal, .. } => {
            if !text.is_empty() {
                let cited = all.get(at + 1).and_then(foreign_citations).map(citations::member);
                let riders: Vec<_> = riders.into_iter().chain(cited.as_ref()).collect();
                blocks::text(out, text, None, &riders);
            }
            // There are clients who take the last block of a message for what it says.
            if let Some(seal) = seal
                && (at + 1..all.len()).any(|later| has_block(all, later))
            {
                blocks::thinking(out, "", &seal_of_text(seal, !text.is_empty()));
            }
        }
        Block::Thought(thought) => write_thought(out, thought),
        Block::ToolCall(call) => {
            if let Some(seal) = &call.seal {
                blocks::thinking(out, "", &seal_of_call(seal, call));
            }
            blocks::tool_use(out, call, None, &riders);
        }
        Block::Opaque(extension) if has_block(all, at) => {
            out.item(Raw(&extension.value.0));
        }
        Block::Citations(cited) if has_block(all, at) => citations::write_alone(out, cited),
        // Refusals are in `stop_details`, citations in the text before; what only another dialect knows cannot
        // be said.
        Block::Refusal(_) | Block::Citations(_) | Block::Opaque(_) => {}
    }
}

/// Whether the block at `at` is written as one, apart from the seal of a text.
fn has_block(all: &[Block], at: usize) -> bool {
    match all.get(at) {
        Some(Block::Text { text, .. }) => !text.is_empty(),
        Some(Block::Thought(thought)) => thought.seal.is_some() || !thought.text.is_empty(),
        Some(Block::ToolCall(_)) => true,
        Some(Block::Opaque(extension)) => extension.origin == DIALECT && rides_as(extension).is_none(),
        Some(Block::Citations(_)) => {
            let before = at.checked_sub(1).and_then(|at| all.get(at));
            !matches!(before, Some(Block::Text { text, .. }) if !text.is_empty())
        }
        Some(Block::Refusal(_)) | None => false,
    }
}

fn foreign_citations(block: &Block) -> Option<&Citations> {
    match block {
        Block::Citations(cited) if cited.own.origin != DIALECT => Some(cited),
        _ => None,
    }
}

fn write_thought(out: &mut Out, thought: &Thought) {
    match &thought.seal {
        Some(seal) if thought.redacted => blocks::redacted(out, &signature(seal, thought.id.as_deref())),
        Some(seal) => blocks::thinking(out, &thought.text, &signature(seal, thought.id.as_deref())),
        None if thought.text.is_empty() => {}
        None => blocks::thinking(out, &thought.text, ""),
    }
}

/// The signature of a thought: Anthropic's own bare, another maker's in an envelope with the thought's id.
pub(super) fn signature(seal: &Seal, id: Option<&str>) -> String {
    match id {
        Some(id) if seal.origin != Origin::Anthropic => seal::wrap(seal, &format!("{OF_THOUGHT}{id}")),
        _ => seal::write(seal, Origin::Anthropic),
    }
}

/// The envelope that carries the seal of a text, which stands before it unless it has no words.
pub(super) fn seal_of_text(seal: &Seal, has_words: bool) -> String {
    seal::wrap(seal, if has_words { OF_TEXT } else { OF_NO_TEXT })
}

/// The envelope that carries the seal of a call, by the id that the caller will send back.
pub(super) fn seal_of_call(seal: &Seal, call: &ToolCall) -> String {
    seal::wrap(seal, &ids::clean(&call.id))
}

#[cfg(test)]
mod tests {
    use super::super::Messages;
    use crate::chat::{Block, ChatResponse, Finish, Origin, Seal, Thought, ToolCall};
    use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
    use crate::json::{Doc, Strictness};
    use bytes::Bytes;
    use gatehouse_core::error::Code;
    use gatehouse_core::usage::Usage;

    fn doc(text: impl Into<Vec<u8>>) -> Doc {
        Doc::parse(Bytes::from(text.into()), Strictness::Provider).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_seals_of_others_included() {
        let seal = |origin, value: &str| Some(Seal { origin, value: value.to_owned() });
        let answer = ChatResponse {
            id: "msg_1".to_owned(),
            model: "m".to_owned(),
            blocks: vec![
                Block::Thought(Thought {
                    text: "a".to_owned(),
                    seal: seal(Origin::Anthropic, "s+/="),
                    ..Thought::default()
                }),
                Block::Thought(Thought {
                    seal: seal(Origin::Anthropic, "r"),
                    redacted: true,
                    ..Thought::default()
                }),
                Block::Thought(Thought {
                    text: "b".to_owned(),
                    id: Some("rs_1".to_owned()),
                    seal: seal(Origin::OpenAi, "enc"),
                    redacted: false,
                }),
                Block::Text { text: "hi".to_owned(), seal: seal(Origin::Gemini, "g0"), cache: None },
                Block::ToolCall(ToolCall {
                    id: "call_1".to_owned(),
                    name: "f".to_owned(),
                    arguments: r#"{"a": 1.0}"#.to_owned(),
                    seal: seal(Origin::Gemini, "g1"),
                    cache: None,
                }),
            ],
            finish: Finish::ToolCalls,
            native_finish: Some("tool_use".to_owned()),
            stop_sequence: None,
            usage: Some(Usage { input_tokens: 5, output_tokens: 2, ..Usage::default() }),
            created: None,
            service_tier: Some("default".to_owned()),
        };
        let written = Messages.encode_answer(&answer, &ReplyContext::default());
        assert_eq!(Messages.decode_answer(&doc(written)).unwrap(), answer);
    }

    #[test]
    fn names_are_the_callers_and_calls_end_a_turn() {
        let answer = ChatResponse {
            id: "chatcmpl-7".to_owned(),
            model: "gpt-5".to_owned(),
            blocks: vec![Block::ToolCall(ToolCall {
                id: "a.b".to_owned(),
                arguments: "{\"x".to_owned(),
                ..ToolCall::default()
            })],
            ..ChatResponse::default()
        };
        let context =
            ReplyContext { model: "smart".to_owned(), id: "0123".to_owned(), ..ReplyContext::default() };
        let written = Messages.encode_answer(&answer, &context);
        let value: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!((&value["id"], &value["model"]), (&"msg_0123".into(), &"smart".into()));
        assert_eq!(value["stop_reason"], "tool_use");
        assert_eq!(value["content"][0]["input"]["__raw"], "{\"x");
        assert!(value["stop_sequence"].is_null() && value.get("stop_sequence").is_some());
        assert_eq!(value["usage"]["input_tokens"], 0);
    }

    #[test]
    fn refusals_and_errors_are_told() {
        let refused = doc(
            r#"{"content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"No."}}"#,
        );
        let answer = Messages.decode_answer(&refused).unwrap();
        assert_eq!(answer.finish, Finish::ContentFilter);
        assert_eq!(answer.blocks, [Block::Refusal("No.".to_owned())]);
        let again = Messages.encode_answer(&answer, &ReplyContext::default());
        assert_eq!(Messages.decode_answer(&doc(again)).unwrap().blocks, answer.blocks);

        let error = doc(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
        assert_eq!(Messages.decode_answer(&error).unwrap_err().code, Code::UpstreamOverloaded);
        assert_eq!(Messages.summary(&error).error.unwrap().code, Code::UpstreamOverloaded);
        assert!(Messages.decode_answer(&doc("{}")).is_err());
    }
}
