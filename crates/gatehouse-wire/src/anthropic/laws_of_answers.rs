//! Laws of this dialect, for any answer: what is written is read back, in one piece and in a stream.

use super::Messages;
use super::testing::{decode, doc, encode};
use crate::chat::{
    Block, ChatEvent, ChatResponse, Extension, Finish, Origin, RawJson, Seal, Thought, ToolCall, Weight,
    events, fold,
};
use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
use gatehouse_core::content::Dialect;
use gatehouse_core::usage::Usage;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

// === Any answer ===

/// Text with letters, signs and escapes, never blank.
pub(super) fn words() -> impl Strategy<Value = String> {
    "[a-zé\u{1F600}\"\\\\\n]{0,12}x"
}

fn seal() -> impl Strategy<Value = Seal> {
    let maker = prop_oneof![Just(Origin::OpenAi), Just(Origin::Anthropic), Just(Origin::Gemini)];
    (maker, "[A-Za-z0-9+/]{1,20}").prop_map(|(origin, value)| Seal { origin, value })
}

fn foreign() -> impl Strategy<Value = Seal> {
    seal().prop_map(|seal| Seal { origin: Origin::Gemini, ..seal })
}

/// Arguments of a call.
pub(super) fn arguments() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{}".to_owned()),
        words().prop_map(|text| json!({"a": text, "n": 1.5}).to_string()),
        Just(r#"{"big":12345678901234567890, "f": 1.0}"#.to_owned()),
    ]
}

fn thought() -> impl Strategy<Value = Block> {
    prop_oneof![
        (words(), of("rs_[0-9]"), seal()).prop_map(|(text, id, seal)| {
            let id = id.filter(|_| seal.origin != Origin::Anthropic);
            Block::Thought(Thought { text, id, seal: Some(seal), redacted: false })
        }),
        words().prop_map(|text| Block::Thought(Thought { text, ..Thought::default() })),
        seal().prop_map(|seal| Block::Thought(Thought {
            seal: Some(seal),
            redacted: true,
            ..Thought::default()
        })),
    ]
}

fn opaque() -> impl Strategy<Value = Block> {
    words().prop_map(|text| {
        let value = json!({"type": "server_tool_use", "id": "s", "name": "n", "input": {"q": text}});
        own(value.to_string())
    })
}

fn own(value: String) -> Block {
    let path = String::new();
    Block::Opaque(Extension {
        path,
        value: RawJson(value),
        origin: Dialect::AnthropicMessages,
        weight: Weight::Hint,
    })
}

/// A block; `sealed` adds seals of other makers to words and calls.
fn block(sealed: bool) -> impl Strategy<Value = Block> {
    let kept = move |seal: Option<Seal>| seal.filter(|_| sealed);
    prop_oneof![
        thought(),
        opaque(),
        (words(), of(foreign())).prop_map(move |(text, seal)| Block::Text {
            text,
            seal: kept(seal),
            cache: None
        }),
        ("[a-z]{3}[0-9]{9}", arguments(), of(foreign())).prop_map(move |(id, arguments, seal)| {
            Block::ToolCall(ToolCall { id, name: "f".to_owned(), arguments, seal: kept(seal), cache: None })
        }),
    ]
}

fn answer(sealed: bool) -> impl Strategy<Value = ChatResponse> {
    let end = prop_oneof![
        Just((Finish::Stop, "end_turn")),
        Just((Finish::Length, "model_context_window_exceeded")),
        Just((Finish::ToolCalls, "tool_use")),
        Just((Finish::StopSequence, "stop_sequence")),
        Just((Finish::Pause, "pause_turn")),
    ];
    let usage = (0u64..9999, 0u64..99, 0u64..99, 0u64..99, 0u64..9999);
    (vec(block(sealed), 0..6), end, of(words()), of(words()), usage).prop_map(
        |(mut blocks, (finish, native), stop, refusal, (fresh, read, short, long, output))| {
            let calls = blocks.iter().any(|block| matches!(block, Block::ToolCall(_)));
            let (finish, native) = match refusal {
                Some(words) => {
                    blocks.push(Block::Refusal(words));
                    (Finish::ContentFilter, "refusal")
                }
                None if calls && finish == Finish::Stop => (Finish::ToolCalls, "tool_use"),
                None => (finish, native),
            };
            ChatResponse {
                id: "msg_1".to_owned(),
                model: "m".to_owned(),
                blocks,
                finish,
                native_finish: Some(native.to_owned()),
                stop_sequence: stop,
                usage: Some(Usage {
                    input_tokens: fresh + read + short + long,
                    cached_read_tokens: read,
                    cache_write_tokens: short,
                    cache_write_long_tokens: long,
                    output_tokens: output,
                    ..Usage::default()
                }),
                ..ChatResponse::default()
            }
        },
    )
}

/// The id of a thought comes with its start, an envelope that could carry it at the end of the stream.
fn without_ids_of_thoughts(mut answer: ChatResponse) -> ChatResponse {
    for block in &mut answer.blocks {
        if let Block::Thought(thought) = block {
            thought.id = None;
        }
    }
    answer
}

/// The seal of a text goes out with the block behind it, and there is none behind the last.
fn without_last_seal(mut answer: ChatResponse) -> ChatResponse {
    let said = |block: &&mut Block| !matches!(block, Block::Refusal(_));
    if let Some(Block::Text { seal, .. }) = answer.blocks.iter_mut().rev().find(said) {
        *seal = None;
    }
    answer
}

/// Paths are where a block stood, which translation may move.
fn without_paths(mut answer: ChatResponse) -> ChatResponse {
    for block in &mut answer.blocks {
        if let Block::Opaque(extension) = block {
            extension.path.clear();
        }
    }
    answer
}

// === What an SDK makes of a stream ===

/// Puts a stream together as Anthropic's SDKs do, knowing nothing of our code.
fn accumulate(stream: &[u8]) -> Value {
    let mut message = Value::Null;
    let mut json = String::new();
    for event in std::str::from_utf8(stream).unwrap().split("\n\n").filter(|event| !event.is_empty()) {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        let at = data["index"].as_u64().map(|at| usize::try_from(at).unwrap());
        match data["type"].as_str().unwrap() {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                assert_eq!(at, message["content"].as_array().map(Vec::len), "blocks come one by one");
                message["content"].as_array_mut().unwrap().push(data["content_block"].clone());
                json.clear();
            }
            "content_block_delta" => {
                let block = &mut message["content"][at.unwrap()];
                let delta = &data["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => add(&mut block["text"], &delta["text"]),
                    "thinking_delta" => add(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => json.push_str(delta["partial_json"].as_str().unwrap()),
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" if !json.is_empty() => {
                message["content"][at.unwrap()]["input"] = serde_json::from_str(&json).unwrap_or(Value::Null);
                json.clear();
            }
            "message_delta" => {
                for (name, value) in data["delta"].as_object().unwrap() {
                    message[name] = value.clone();
                }
                message["usage"] = data["usage"].clone();
            }
            _ => {}
        }
    }
    message
}

fn add(text: &mut Value, more: &Value) {
    *text = format!("{}{}", text.as_str().unwrap(), more.as_str().unwrap()).into();
}

/// The same events with all blocks open at once and their pieces mixed.
fn overlapped(events: &[ChatEvent]) -> Vec<ChatEvent> {
    let rank = |event: &ChatEvent| match event {
        ChatEvent::Start { .. } => 0,
        ChatEvent::Open { .. } => 1,
        ChatEvent::Delta { .. } => 2,
        ChatEvent::Seal { .. } => 3,
        ChatEvent::Close { .. } => 4,
        _ => 5,
    };
    let mut mixed = events.to_vec();
    mixed.sort_by_key(rank);
    mixed
}

proptest! {
    /// What an SDK makes of the stream is the answer in one piece, also when blocks overlap.
    #[test]
    fn stream_and_piece_are_one(answer in answer(true)) {
        let piece: Value =
            serde_json::from_slice(&Messages.encode_answer(&answer, &ReplyContext::default())).unwrap();
        let all = events(&answer);
        prop_assert_eq!(&accumulate(&encode(&all, ReplyContext::default())), &piece);
        prop_assert_eq!(&accumulate(&encode(&overlapped(&all), ReplyContext::default())), &piece);
    }

    /// The last block is never one that only carries the seal of another.
    #[test]
    fn words_end_with_words(answer in answer(true)) {
        let written: Value =
            serde_json::from_slice(&Messages.encode_answer(&answer, &ReplyContext::default())).unwrap();
        let said = answer.blocks.iter().rfind(|block| !matches!(block, Block::Refusal(_)));
        let last = written["content"].as_array().unwrap().last();
        if let Some(Block::Text { text, .. }) = said {
            prop_assert_eq!(&last.unwrap()["text"], text);
        }
    }

    /// A written answer is read back.
    #[test]
    fn answers_there_and_back(answer in answer(true)) {
        let written = Messages.encode_answer(&answer, &ReplyContext::default());
        let read = Messages.decode_answer(&doc(written)).unwrap();
        prop_assert_eq!(without_paths(read), without_paths(without_last_seal(answer)));
    }

    /// A written stream is read back, wherever the network cuts it.
    #[test]
    fn streams_there_and_back(answer in answer(false), cut in 1usize..300) {
        let answer = without_ids_of_thoughts(answer);
        let stream = encode(&events(&answer), ReplyContext::default());
        let read = fold(&decode(&stream, cut).unwrap()).unwrap();
        prop_assert_eq!(without_paths(read), without_paths(answer));
    }

    /// Never a panic, whatever the order of events.
    #[test]
    fn the_encoder_takes_any_order(answer in answer(true), order in vec(any::<u16>(), 0..40)) {
        let all = events(&answer);
        let mixed: Vec<ChatEvent> = order.iter().map(|at| all[usize::from(*at) % all.len()].clone()).collect();
        let stream = encode(&mixed, ReplyContext::default());
        if !stream.is_empty() {
            accumulate(&stream);
        }
    }

    /// Never a panic, whatever a provider or a caller sends.
    #[test]
    fn any_json(text in r#"\{("(type|text|content|messages|model|role|index|delta|error|tools)":("text"|1|null|\[\{\}\]|\{"type":"tool_use"\}|"user"),?){0,6}\}"#) {
        if let Ok(doc) = crate::json::Doc::parse(text.into_bytes().into(), crate::json::Strictness::Provider) {
            let _ = Messages.view(&doc);
            let _ = Messages.decode_request(&doc);
            let _ = Messages.decode_answer(&doc);
            Messages.answer_spans(&doc);
            Messages.summary(&doc);
        }
    }
}
