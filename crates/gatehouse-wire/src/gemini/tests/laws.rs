//! The laws: there and back, any cut, any bytes.

use super::{body, context, decode, encode, provider, read_stream, target, write_stream};
use crate::chat::{
    Block, ChatEvent, ChatRequest, ChatResponse, Finish, Origin, Part, RawJson, Seal, Thought, ToolCall,
    ToolResult, Turn, events, fold,
};
use crate::codec::{Codec, ProviderCodec as _, View};
use crate::gemini::Gemini;
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::usage::Usage;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn any_seal() -> BoxedStrategy<Seal> {
    let origin = prop_oneof![Just(Origin::Gemini), Just(Origin::Anthropic), Just(Origin::OpenAi)];
    (origin, "[A-Za-z0-9+/]{1,12}").prop_map(|(origin, value)| Seal { origin, value }).boxed()
}

fn own_seal() -> BoxedStrategy<Seal> {
    "[A-Za-z0-9+/]{1,12}".prop_map(|value| Seal { origin: Origin::Gemini, value }).boxed()
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,8}", any::<String>().prop_filter("not empty", |text| !text.is_empty())]
}

fn blocks(seal: BoxedStrategy<Seal>) -> impl Strategy<Value = Vec<Block>> {
    let text =
        (words(), option::of(seal.clone())).prop_map(|(text, seal)| Block::Text { text, seal, cache: None });
    let sealed =
        seal.clone().prop_map(|seal| Block::Text { text: String::new(), seal: Some(seal), cache: None });
    let thought = (words(), option::of(seal.clone()))
        .prop_map(|(text, seal)| Block::Thought(Thought { text, seal, ..Thought::default() }));
    let call = (
        "[a-z]{1,4}",
        prop_oneof![Just("{}"), Just(r#"{"a": 1.50}"#), Just("[1"), Just(r#"{"__raw":""}"#)],
        option::of(seal),
    )
        .prop_map(|(name, arguments, seal)| {
            let arguments = arguments.to_owned();
            Block::ToolCall(ToolCall { name, arguments, seal, ..ToolCall::default() })
        });
    vec(prop_oneof![3 => text, 1 => sealed, 2 => thought, 3 => call], 1..6).prop_map(separate)
}

/// Texts that follow an unsigned text of their kind would be one with it; calls need ids.
fn separate(blocks: Vec<Block>) -> Vec<Block> {
    let mut kept: Vec<Block> = Vec::new();
    for (at, mut block) in blocks.into_iter().enumerate() {
        if let Block::ToolCall(call) = &mut block {
            call.id = format!("call-{at}");
        }
        let joins = matches!(
            (kept.last(), &block),
            (Some(Block::Text { seal: None, .. }), Block::Text { .. })
                | (Some(Block::Thought(Thought { seal: None, .. })), Block::Thought(_))
        );
        if !joins {
            kept.push(block);
        }
    }
    kept
}

fn answer() -> impl Strategy<Value = ChatResponse> {
    let finish = prop_oneof![Just("STOP"), Just("MAX_TOKENS"), Just("SAFETY"), Just("RECITATION")];
    (blocks(any_seal()), finish, option::of((0u64..9, 0u64..9, 0u64..9))).prop_map(
        |(blocks, reason, usage)| {
            let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
            ChatResponse {
                id: "r".to_owned(),
                model: "m".to_owned(),
                created: Some(1_700_000_000),
                finish: crate::gemini::finish::read(reason, calls),
                native_finish: Some(reason.to_owned()),
                usage: usage.map(|(input, output, reasoning)| Usage {
                    input_tokens: input,
                    output_tokens: output + reasoning,
                    reasoning_tokens: reasoning,
                    ..Usage::default()
                }),
                blocks,
                ..ChatResponse::default()
            }
        },
    )
}

fn results(blocks: &[Block]) -> Vec<ToolResult> {
    let answer = |(at, block): (usize, &Block)| match block {
        Block::ToolCall(call) => Some(ToolResult {
            call_id: call.id.clone(),
            name: Some(call.name.clone()),
            is_error: at.is_multiple_of(3),
            parts: (0..at.min(3)).map(|part| Part::text(format!("said {part}"))).collect(),
            cache: None,
        }),
        _ => None,
    };
    blocks.iter().enumerate().filter_map(answer).collect()
}

fn request() -> impl Strategy<Value = ChatRequest> {
    let turns = (option::of(words()), words(), vec((blocks(own_seal()), words()), 0..3));
    (turns, option::of(1u64..999), option::of("0\\.[0-9]{2}")).prop_map(
        |((system, first, rest), limit, heat)| {
            let mut turns: Vec<Turn> =
                system.map(|text| Turn::System(vec![Part::text(text)])).into_iter().collect();
            turns.push(Turn::User(vec![Part::text(first)]));
            for (blocks, next) in rest {
                let results = results(&blocks);
                turns.push(Turn::Assistant(blocks));
                if !results.is_empty() {
                    turns.push(Turn::ToolResults(results));
                }
                turns.push(Turn::User(vec![Part::text(next)]));
            }
            ChatRequest {
                turns,
                max_output_tokens: limit,
                temperature: heat.map(RawJson),
                include_usage: true,
                ..ChatRequest::default()
            }
        },
    )
}

proptest! {
    #[test]
    fn requests_come_back(request in request()) {
        for model in ["gemini-3-pro", "gemini-2.5-flash"] {
            let encoded = encode(&request, model).unwrap();
            prop_assert_eq!(encoded.dropped.len(), 0);
            prop_assert_eq!(decode(body(&encoded)).unwrap(), request.clone());
        }
    }

    #[test]
    fn answers_come_back(answer in answer()) {
        let written = Gemini.encode_answer(&answer, &context());
        prop_assert_eq!(Gemini.decode_answer(&provider(&written)).unwrap(), answer);
    }

    #[test]
    fn streams_come_back_at_any_cut(answer in answer(), cut in 1usize..200) {
        let written = write_stream(&events(&answer), context());
        let read = read_stream(&written, cut).unwrap();
        prop_assert_eq!(fold(&read).unwrap(), answer);
        // What was read is a valid sequence, and writes the same again.
        prop_assert!(matches!(read.last(), Some(ChatEvent::End)));
        prop_assert_eq!(read.iter().filter(|event| matches!(event, ChatEvent::Open { .. })).count(),
            read.iter().filter(|event| matches!(event, ChatEvent::Close { .. })).count());
    }

    /// Overlapping, unopened, unclosed: whatever the events, the chunks are JSON and the array closes.
    #[test]
    fn any_events_are_written_as_json(order in vec((0u32..4, 0u8..9), 0..30)) {
        let all: Vec<_> = order.iter().map(|(index, kind)| {
            let index = *index;
            match kind {
                0 => ChatEvent::Open { index, block: Block::text("") },
                1 => ChatEvent::Open { index, block: Block::ToolCall(ToolCall::default()) },
                2 => ChatEvent::Open { index, block: Block::Thought(Thought::default()) },
                3 => ChatEvent::Delta { index, text: "\"}".to_owned(), at: None },
                4 => ChatEvent::Seal { index, seal: Seal { origin: Origin::OpenAi, value: "s".to_owned() } },
                5 => ChatEvent::Close { index },
                6 => ChatEvent::Finish { finish: Finish::Length, native: None, stop_sequence: None },
                7 => ChatEvent::Usage(Usage::default()),
                _ => ChatEvent::Open { index, block: Block::Refusal(String::new()) },
            }
        }).chain([ChatEvent::End]).collect();
        let array = write_stream(&all, crate::codec::ReplyContext { json_array: true, ..context() });
        prop_assert!(serde_json::from_slice::<Vec<serde_json::Value>>(&array).is_ok());
        prop_assert!(read_stream(&write_stream(&all, context()), 7).is_ok());
    }

    /// No bytes make anything panic, and edits stay in order.
    #[test]
    fn any_body_is_survived(
        pieces in vec(prop_oneof![
            Just(r#"{"contents":"#), Just("["), Just("]"), Just("{"), Just("}"), Just(","), Just("null"), Just("1"),
            Just(r#""parts":"#), Just(r#""text":"#), Just(r#""x""#), Just(r#""functionCall":"#), Just(r#""name":"#),
            Just(r#""candidates":"#), Just(r#""content":"#), Just(r#""thoughtSignature":"Z2F0ZWhvdXNl""#),
            Just(r#""functionResponse":"#), Just(r#""usageMetadata":"#), Just(r#""tools":"#), Just(r#""role":"model""#),
            Just(r#""generationConfig":"#), Just(r#""partialArgs":"#), Just(r#""functionDeclarations":"#),
        ], 0..24),
        close: bool,
    ) {
        let mut text = pieces.concat();
        if close {
            // Half of the cases are made into JSON.
            let mut open = Vec::new();
            for letter in text.clone().chars() {
                match letter {
                    '{' => open.push('}'),
                    '[' => open.push(']'),
                    '}' | ']' => { open.pop(); }
                    _ => {}
                }
            }
            text.extend(open.into_iter().rev());
        }
        for strictness in [Strictness::Caller, Strictness::Provider] {
            let Ok(doc) = Doc::parse(Bytes::copy_from_slice(text.as_bytes()), strictness) else { continue };
            let _ = (Gemini.view(&doc), Gemini.decode_request(&doc), Gemini.decode_answer(&doc));
            let _ = (Gemini.summary(&doc), Gemini.answer_spans(&doc), crate::gemini::count::decode(&doc));
            if let Ok(rewrite) = Gemini.rewrite(&doc, &View::default(), &target("gemini-3")) {
                let _ = splice(doc.bytes(), &rewrite.edits);
            }
        }
        let _ = read_stream(format!("data: {text}\n\n").as_bytes(), 5);
    }
}
