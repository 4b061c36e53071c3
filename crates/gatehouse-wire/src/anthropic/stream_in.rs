//! A stream, read: a state machine over Anthropic's events that takes any order of them.
//!
//! `message_start` → blocks (`content_block_start`, `…_delta`, `…_stop`, by index) → `message_delta` with
//! the reason and the usage → `message_stop`. Pings may stand anywhere; a `message_start` may come twice.

use super::answer;
use super::content::text_of;
use super::stream_blocks::OpenBlocks;
use super::usage::Counters;
use super::words::finish_of;
use crate::chat::ChatEvent;
use crate::codec::StreamDecoder;
use crate::error::from_stream;
use crate::json::{Doc, Node, Strictness};
use crate::sse::Frame;
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    started: bool,
    /// Whether a reason to stop was given: without one, a stream that ends was cut.
    finished: bool,
    ended: bool,
    blocks: OpenBlocks,
    usage: Counters,
    tier: Option<String>,
}

// === impl StreamDecoder ===

impl StreamDecoder for Decoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), Error> {
        let data = frame.data();
        // `[DONE]` is OpenAI's, but some servers of this dialect send it.
        if self.ended || data.is_empty() || data.as_ref() == b"[DONE]" {
            return Ok(());
        }
        let doc = Doc::parse(data, Strictness::Provider)
            .map_err(|error| bad("an event of the provider's stream is not JSON").detail(error.message))?;
        let root = doc.root();
        let at = root.opt("index").and_then(|index| index.u64());
        match text_of(root, "type").as_str() {
            "message_start" => self.start(root, out),
            "content_block_start" => {
                if let (Some(at), Some(block)) = (at, root.opt("content_block")) {
                    self.ensure_started(out);
                    self.blocks.open(at, block, out);
                }
            }
            "content_block_delta" => {
                if let (Some(at), Some(delta)) = (at, root.opt("delta")) {
                    self.blocks.delta(at, delta, out);
                }
            }
            "content_block_stop" => {
                if let Some(at) = at {
                    self.blocks.close(at, out);
                }
            }
            "message_delta" => self.message_delta(root, out),
            "message_stop" => self.end(out),
            // Pings, and what future versions add, mean nothing to anybody.
            _ => {
                if let Some(error) = from_stream(Family::Anthropic, &doc) {
                    self.ended = true;
                    out.push(ChatEvent::Error(error));
                }
            }
        }
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
        self.blocks.bytes()
    }
}

fn bad(message: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, message)
}

// === impl Decoder: the message ===

impl Decoder {
    fn start(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        let Some(message) = root.opt("message") else { return };
        if std::mem::replace(&mut self.started, true) {
            self.count(message, out);
            return;
        }
        let (id, model) = (text_of(message, "id"), text_of(message, "model"));
        out.push(ChatEvent::Start { id, model, created: None });
        self.count(message, out);
        // Some answers come whole in their start.
        if let Some(content) = message.opt("content") {
            for (at, block) in (0u64..).zip(content.items()) {
                self.blocks.open(at, block, out);
                self.blocks.close(at, out);
            }
        }
        self.reason(message, out);
    }

    fn ensure_started(&mut self, out: &mut Vec<ChatEvent>) {
        if !self.started {
            self.started = true;
            out.push(ChatEvent::Start { id: String::new(), model: String::new(), created: None });
        }
    }

    fn message_delta(&mut self, root: Node<'_>, out: &mut Vec<ChatEvent>) {
        self.ensure_started(out);
        self.count(root, out);
        if let Some(delta) = root.opt("delta") {
            self.reason(delta, out);
        }
    }

    fn count(&mut self, holder: Node<'_>, out: &mut Vec<ChatEvent>) {
        if let Some(usage) = holder.opt("usage") {
            self.usage.update(usage);
            out.push(ChatEvent::Usage(self.usage.usage()));
            if let Some(tier) = answer::tier(usage).filter(|tier| self.tier.as_ref() != Some(tier)) {
                self.tier = Some(tier.clone());
                out.push(ChatEvent::Tier(tier));
            }
        }
    }

    /// The reason to stop, once. The words of a refusal become a block, as they are in one piece.
    fn reason(&mut self, node: Node<'_>, out: &mut Vec<ChatEvent>) {
        let Some(native) = node.opt("stop_reason").and_then(|word| word.str()) else { return };
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.blocks.close_all(out);
        if let Some(words) = answer::refusal(node) {
            self.blocks.refuse(words, out);
        }
        let stop_sequence = Some(text_of(node, "stop_sequence")).filter(|text| !text.is_empty());
        out.push(ChatEvent::Finish {
            finish: finish_of(&native),
            native: Some(native.into_owned()),
            stop_sequence,
        });
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) {
        self.ensure_started(out);
        self.blocks.close_all(out);
        self.ended = true;
        out.push(ChatEvent::End);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{decode, frames};
    use crate::chat::{Block, ChatEvent, Finish, fold};
    use crate::codec::StreamDecoder;
    use crate::json::unescape;
    use gatehouse_core::error::Code;
    use proptest::prelude::*;

    const STREAM: &str = include_str!("../../fixtures/anthropic/stream.sse");

    #[test]
    fn a_stream_folds_into_its_answer() {
        let events = decode(STREAM.as_bytes(), STREAM.len()).unwrap();
        let answer = fold(&events).unwrap();
        assert_eq!((answer.id.as_str(), answer.finish), ("msg_1", Finish::ToolCalls));
        let kinds = answer.blocks.iter().map(|block| match block {
            Block::Thought(thought) => format!("thought {} {}", thought.text, thought.redacted),
            Block::Text { text, .. } => format!("text {text}"),
            Block::ToolCall(call) => format!("call {} {}", call.id, call.arguments),
            Block::Citations(cited) => format!("cited {:?} {}", cited.all, cited.own.value.0),
            Block::Opaque(one) => format!("opaque {} {}", one.path, one.value.0),
            Block::Refusal(words) => words.clone(),
        });
        let kinds: Vec<String> = kinds.collect();
        assert_eq!(
            kinds,
            [
                "thought Hmm, so. false",
                "thought  true",
                "text Caf\u{e9} \u{1F600}.",
                "cited [Citation { url: None, title: None, quote: Some(\"c\"), span: Some(0..7) }] \
                    [{\"type\":\"char_location\",\"cited_text\":\"c\"}]",
                r#"opaque content[3] {"type":"server_tool_use","id":"srv_1","name":"web_search","input":{"query": "x"}}"#,
                r#"call toolu_1 {"a":1, "b":2}"#,
                "call toolu_2 {}",
                r#"call toolu_3 {"whole":true}"#,
            ]
        );
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.cached_read_tokens, usage.output_tokens), (130, 100, 44));
        assert_eq!((usage.cache_write_tokens, usage.cache_write_long_tokens, usage.searches), (5, 5, 1));
    }

    #[test]
    fn texts_are_found_in_their_frames() {
        let mut decoder = super::Decoder::default();
        let mut found = 0;
        for frame in frames(STREAM.as_bytes(), 7) {
            let mut events = Vec::new();
            decoder.frame(&frame, &mut events).unwrap();
            for event in events {
                if let ChatEvent::Delta { text, at: Some(at), .. } = event {
                    let data = frame.data();
                    assert_eq!(unescape(std::str::from_utf8(&data[at]).unwrap()), text);
                    found += 1;
                }
            }
        }
        assert_eq!(found, 6);
    }

    #[test]
    fn a_cut_stream_is_an_error_and_a_reported_one_too() {
        let cut = STREAM.find("event: message_delta").unwrap();
        assert_eq!(decode(&STREAM.as_bytes()[..cut], 64).unwrap_err().code, Code::UpstreamBadResponse);
        let no_stop = STREAM.find("event: message_stop").unwrap();
        let events = decode(&STREAM.as_bytes()[..no_stop], 64).unwrap();
        assert_eq!(events.last(), Some(&ChatEvent::End));
        let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"O\"}}\n\n";
        let events = decode(error.as_bytes(), 9).unwrap();
        assert!(matches!(&events[..], [ChatEvent::Error(error)] if error.code == Code::UpstreamOverloaded));
        assert!(decode(b"data: {nonsense\n\n", 99).is_err());
    }

    #[test]
    fn an_answer_may_come_whole_in_its_start() {
        let body = concat!(
            r#"data: {"type":"message_start","message":{"id":"a","model":"m","content":[{"type":"tool_use","id":"t","name":"f","input":{"p":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}}"#,
            "\n\ndata: {\"type\":\"message_stop\"}\n\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"b\"}}\n\n"
        );
        let answer = fold(&decode(body.as_bytes(), 5).unwrap()).unwrap();
        assert_eq!((answer.id.as_str(), answer.finish, answer.blocks.len()), ("a", Finish::ToolCalls, 1));
    }

    proptest! {
        /// Wherever the network cuts, the events are the same.
        #[test]
        fn cuts_do_not_matter(cut in 1usize..200) {
            prop_assert_eq!(decode(STREAM.as_bytes(), cut), decode(STREAM.as_bytes(), STREAM.len()));
        }

        /// Any order, any repetition, any loss of events: never a panic, and blocks stay well formed.
        #[test]
        fn any_order_of_events(order in proptest::collection::vec(0usize..60, 0..40)) {
            let all = frames(STREAM.as_bytes(), STREAM.len());
            let shuffled: Vec<u8> =
                order.iter().filter_map(|at| all.get(*at)).flat_map(|frame| frame.raw.to_vec()).collect();
            if let Ok(events) = decode(&shuffled, 33) {
                let (mut opened, mut open) = (0, std::collections::BTreeSet::new());
                for event in &events {
                    match event {
                        ChatEvent::Open { index, .. } => {
                            prop_assert_eq!(*index, opened);
                            opened += 1;
                            open.insert(*index);
                        }
                        ChatEvent::Delta { index, .. } | ChatEvent::Seal { index, .. } => prop_assert!(open.contains(index)),
                        ChatEvent::Close { index } => prop_assert!(open.remove(index)),
                        _ => {}
                    }
                }
                prop_assert!(open.is_empty());
            }
        }
    }
}
