//! What holds for every answer, every cut and any bytes.

use super::{CODEC, context, data, encode, provider, read, stream};
use crate::chat::{
    Block, ChatEvent, ChatRequest, ChatResponse, Effort, Finish, Origin, Part, RawJson, Reasoning, Seal,
    Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, events, fold,
};
use crate::codec::{Codec, ProviderCodec as _};
use crate::json::{Doc, Strictness};
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::usage::Usage;
use proptest::prelude::*;

fn block() -> impl Strategy<Value = Block> {
    let seal = proptest::option::of("[a-zA-Z0-9+/=]{1,9}");
    let own = |value| Seal { origin: Origin::OpenAi, value };
    prop_oneof![
        ".{1,20}".prop_map(Block::text),
        ".{1,20}".prop_map(Block::Refusal),
        (".{1,20}", seal).prop_map(move |(text, seal)| Block::Thought(Thought {
            text,
            seal: seal.map(own),
            ..Thought::default()
        })),
        ("[a-z0-9_]{1,9}", "[a-z_]{1,9}", ".{1,20}").prop_map(|(id, name, arguments)| {
            Block::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
        }),
    ]
}

prop_compose! {
    fn answer()(
        blocks in proptest::collection::vec(block(), 0..6),
        ended in prop_oneof![Just(Finish::Stop), Just(Finish::Length), Just(Finish::ContentFilter)],
        counts in (0u64..100, 0u64..100),
        created in 1u64..2_000_000_000,
    ) -> ChatResponse {
        let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
        let finish = if calls && ended == Finish::Stop { Finish::ToolCalls } else { ended };
        let usage = Usage { input_tokens: counts.0, output_tokens: counts.1, ..Usage::default() };
        ChatResponse { blocks, finish, created: Some(created), usage: Some(usage), ..ChatResponse::default() }
    }
}

/// A block as a request may replay it: thoughts are kept by their maker's seal only.
fn replayed() -> impl Strategy<Value = Block> {
    block().prop_map(|block| match block {
        Block::Thought(thought) => {
            let seal = thought.seal.or(Some(Seal { origin: Origin::OpenAi, value: "gAAA".to_owned() }));
            Block::Thought(Thought { seal, ..thought })
        }
        other => other,
    })
}

fn round() -> impl Strategy<Value = Vec<Turn>> {
    let result = ("[a-z0-9_]{1,9}", ".{1,20}").prop_map(|(call_id, text)| ToolResult {
        call_id,
        name: None,
        is_error: false,
        parts: vec![Part::text(text)],
        cache: None,
    });
    let results = proptest::collection::vec(result, 1..3);
    (proptest::collection::vec(".{1,20}", 1..3), proptest::collection::vec(replayed(), 1..5), results)
        .prop_map(|(texts, blocks, results)| {
            let said = texts.into_iter().map(Part::text).collect();
            vec![Turn::User(said), Turn::Assistant(blocks), Turn::ToolResults(results)]
        })
}

prop_compose! {
    fn request()(
        system in proptest::option::of(".{1,20}"),
        rounds in proptest::collection::vec(round(), 1..3),
        tools in proptest::collection::btree_set("[a-z_]{1,9}", 0..3),
        forced in any::<bool>(),
        effort in proptest::option::of(Just(Effort::High)),
        sealed in any::<bool>(),
        user in proptest::option::of(".{1,9}"),
        most in proptest::option::of(1u64..9),
        stream in any::<bool>(),
    ) -> ChatRequest {
        let lead = system.map(|text| Turn::System(vec![Part::text(text)]));
        let choice = tools.first().filter(|_| forced).map(|name| ToolChoice::Named(name.clone()));
        let function = |name| Tool::Function {
            name,
            description: None,
            parameters: Some(RawJson(r#"{"type":"object","x":1.50}"#.to_owned())),
            strict: Some(forced),
            cache: None,
        };
        let reasoning = Reasoning { effort, sealed, ..Reasoning::default() };
        ChatRequest {
            model: "gpt-up".to_owned(),
            turns: lead.into_iter().chain(rounds.into_iter().flatten()).collect(),
            tools: tools.into_iter().map(function).collect(),
            tool_choice: choice,
            temperature: Some(RawJson("0.70".to_owned())),
            reasoning: Some(reasoning.clone()).filter(|_| reasoning != Reasoning::default()),
            max_output_tokens: most,
            include_usage: true,
            user,
            stream,
            ..ChatRequest::default()
        }
    }
}

/// Without what is the reply's own: its ids, its model, the dialect's words.
fn comparable(mut answer: ChatResponse) -> ChatResponse {
    for block in &mut answer.blocks {
        if let Block::Thought(thought) = block {
            thought.id = None;
        }
    }
    let (id, model) = (String::new(), String::new());
    ChatResponse { id, model, native_finish: None, service_tier: None, ..answer }
}

/// Events as a provider may send them, in an order that it may not.
fn any_event() -> impl Strategy<Value = serde_json::Value> {
    let kinds = proptest::sample::select(vec![
        "created",
        "in_progress",
        "output_item.added",
        "output_item.done",
        "content_part.added",
        "content_part.done",
        "output_text.delta",
        "output_text.done",
        "refusal.delta",
        "refusal.done",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_text.delta",
        "reasoning_part.done",
        "completed",
        "incomplete",
        "failed",
        "unheard_of",
    ]);
    let items = proptest::sample::select(vec![
        "message",
        "reasoning",
        "function_call",
        "custom_tool_call",
        "web_search_call",
        "unheard_of",
    ]);
    (kinds, items, 0u64..3, 0u64..3, "[a-zé\"]{0,3}").prop_map(|(kind, item, at, part, text)| {
        let content = serde_json::json!([{"type": "output_text", "text": text}]);
        let item = serde_json::json!({
            "type": item, "content": content, "arguments": text, "input": text, "call_id": "c", "name": "n",
            "encrypted_content": text
        });
        serde_json::json!({
            "type": format!("response.{kind}"), "output_index": at, "content_index": part, "delta": text,
            "text": text, "arguments": text, "input": text, "item": item, "part": {"text": text},
            "response": {"id": "r", "output": [item], "usage": {"input_tokens": "3"}}
        })
    })
}

proptest! {
    /// A request that is written for a provider of this dialect is read as it was, and is what callers may
    /// send too.
    #[test]
    fn requests_there_and_back(request in request()) {
        let encoded = encode(&request).unwrap();
        prop_assert_eq!(encoded.dropped, Vec::<String>::new());
        let doc = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
        prop_assert!(CODEC.view(&doc).is_ok());
        prop_assert_eq!(CODEC.decode_request(&doc).unwrap(), request);
    }

    /// An answer that is written in one piece is read as it was.
    #[test]
    fn answers_there_and_back(answer in answer()) {
        let written = CODEC.encode_answer(&answer, &context(None));
        let back = CODEC.decode_answer(&provider(&written)).unwrap();
        prop_assert_eq!(comparable(back), comparable(answer));
    }

    /// So is one that is streamed, wherever the network cuts, and its last event holds the answer that the
    /// same call has without streaming.
    #[test]
    fn streams_there_and_back(answer in answer(), cut in 1usize..99) {
        let written = stream(&events(&answer), None);
        let folded = fold(&read(&written, cut).unwrap()).unwrap();
        prop_assert_eq!(comparable(folded), comparable(answer.clone()));
        let last = data(&written).pop().unwrap();
        let whole: serde_json::Value = serde_json::from_slice(&CODEC.encode_answer(&answer, &context(None))).unwrap();
        prop_assert_eq!(&last["response"], &whole);
    }

    /// The texts of deltas and repetitions stand where they say.
    #[test]
    fn places_hold_their_texts(answer in answer()) {
        let written = stream(&events(&answer), None);
        let (mut frames, mut decoder) = (crate::sse::Frames::default(), CODEC.decoder());
        frames.push(&written).unwrap();
        while let Some(frame) = frames.next_frame() {
            let mut out = Vec::new();
            decoder.frame(&frame, &mut out).unwrap();
            for event in out {
                if let ChatEvent::Delta { text, at: Some(at), .. } | ChatEvent::Repeat { text, at, .. } = event {
                    let quoted = [b"\"".as_slice(), &frame.data()[at], b"\""].concat();
                    prop_assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text);
                }
            }
        }
    }

    /// Any order of events is read without a panic; blocks open once, close once, and nothing follows the
    /// end. What comes out can be written again.
    #[test]
    fn any_order_of_events(all in proptest::collection::vec(any_event(), 0..12)) {
        let mut decoder = CODEC.decoder();
        let mut out = Vec::new();
        for event in &all {
            let frame = Frame::of_data(Bytes::from(event.to_string()));
            decoder.frame(&frame, &mut out).unwrap();
        }
        let _ = decoder.finish(&mut out);
        let (mut opened, mut closed) = (0u32, 0);
        for event in &out {
            match event {
                ChatEvent::Open { index, .. } => {
                    prop_assert_eq!(*index, opened);
                    opened += 1;
                }
                ChatEvent::Close { .. } => closed += 1,
                ChatEvent::Delta { index, .. } => prop_assert!(*index < opened),
                _ => {}
            }
        }
        let failed = out.iter().any(|event| matches!(event, ChatEvent::Error(_)));
        prop_assert!(failed || opened == closed);
        let ends = out.iter().position(|event| matches!(event, ChatEvent::End | ChatEvent::Error(_)));
        prop_assert!(ends.is_none_or(|at| at + 1 == out.len()));
        data(&stream(&out, None));
    }

    /// No document makes anything panic, whoever sent it.
    #[test]
    fn any_document(
        text in r#"[\[\]{}",:0-9a-z\\ ]{0,60}"#,
        member in "(input|tools|output|text|reasoning|usage|item)",
    ) {
        let inside = format!(r#"{{"model":"m","type":"response.completed","{member}":{text}}}"#);
        for text in [text, inside] {
            let Ok(doc) = Doc::parse(Bytes::from(text.clone()), Strictness::Provider) else { continue };
            let _ = CODEC.view(&doc);
            let _ = CODEC.decode_request(&doc);
            let _ = CODEC.decode_answer(&doc);
            let _ = CODEC.answer_spans(&doc);
            let _ = CODEC.summary(&doc);
            let _ = CODEC.decoder().frame(&Frame::of_data(Bytes::from(text)), &mut Vec::new());
        }
    }
}
