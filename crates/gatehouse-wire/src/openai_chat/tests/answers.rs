//! Answers and streams: there and back, at every cut, and never a panic.

use super::super::OpenAiChat;
use super::{read_answer, read_stream, shapes, write_stream};
use crate::chat::{
    Block, ChatEvent, ChatRequest, ChatResponse, Extension, Finish, RawJson, ToolCall, Weight, events, fold,
};
use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
use crate::json::{Doc, Strictness};
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

/// Answers say why they stopped in the dialect's word.
fn normal(mut answer: ChatResponse) -> ChatResponse {
    answer.native_finish = None;
    answer
}

fn chunks(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

proptest! {
    #[test]
    fn whole_answers_go_there_and_back(answer in shapes::answer()) {
        let bytes = OpenAiChat.encode_answer(&answer, &ReplyContext::default());
        let doc = Doc::parse(Bytes::copy_from_slice(&bytes), Strictness::Caller).unwrap();
        let summary = OpenAiChat.summary(&doc);
        prop_assert_eq!(summary.usage, answer.usage);
        prop_assert_eq!(summary.finish, Some(answer.finish.as_str()));
        prop_assert_eq!(normal(read_answer(bytes)), answer);
    }

    /// A stream means the same as the answer in one piece, wherever the network cuts.
    #[test]
    fn streams_go_there_and_back_at_every_cut(answer in shapes::answer(), cut in 1usize..99) {
        let context = ReplyContext { include_usage: true, ..ReplyContext::default() };
        let stream = write_stream(&events(&answer), context);
        let read = read_stream(&stream, cut).unwrap();
        prop_assert_eq!(normal(fold(&read).unwrap()), answer);
        prop_assert_eq!(read.last(), Some(&ChatEvent::End));
    }

    /// Cut off before its end, a stream is an error or was whole already; in any order, no panic.
    #[test]
    fn broken_streams_never_panic(
        answer in shapes::answer(),
        at in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let stream = write_stream(&events(&answer), ReplyContext::default());
        let whole = read_stream(&stream, 64).unwrap();
        let end = at.index(stream.len());
        if let Ok(read) = read_stream(&stream[..end], 64) {
            prop_assert_eq!(fold(&read).unwrap().finish, fold(&whole).unwrap().finish);
        }
        let mut pieces: Vec<&[u8]> = stream.split_inclusive(|byte| *byte == b'\n').collect();
        let mix = |hash: u64, byte: &u8| hash.rotate_left(5) ^ u64::from(*byte);
        pieces.sort_by_key(|piece| piece.iter().fold(seed, mix));
        let _ = read_stream(&pieces.concat(), 64);
    }

    /// Nor does any JSON make the decoder panic.
    #[test]
    fn any_frame_is_survived(data in "\\{\"(choices|usage|error|id)\":[\\[\\]{}\",:0-9a-z_]{0,60}\\}?") {
        let mut decoder = OpenAiChat.decoder();
        let mut out = Vec::new();
        let _ = decoder.frame(&Frame::of_data(Bytes::from(data.clone())), &mut out);
        let _ = decoder.finish(&mut out);
        if let Ok(doc) = Doc::parse(Bytes::from(data), Strictness::Provider) {
            let _ = (OpenAiChat.decode_answer(&doc), OpenAiChat.summary(&doc), OpenAiChat.answer_spans(&doc));
        }
    }
}

#[test]
fn usage_is_told_only_where_it_was_asked_for() {
    let answer = ChatResponse {
        blocks: vec![Block::text("hi")],
        usage: Some(Default::default()),
        ..ChatResponse::default()
    };
    let silent = write_stream(&events(&answer), ReplyContext::default());
    assert!(
        chunks(&silent)
            .iter()
            .all(|chunk| chunk["choices"].as_array().unwrap().len() == 1 && chunk.get("usage").is_none())
    );
    let telling =
        write_stream(&events(&answer), ReplyContext { include_usage: true, ..ReplyContext::default() });
    let all = chunks(&telling);
    let (last, others) = all.split_last().unwrap();
    assert!(last["choices"].as_array().unwrap().is_empty() && last["usage"].is_object());
    assert!(others.iter().all(|chunk| chunk["usage"] == Value::Null && chunk.get("usage").is_some()));
    assert!(telling.ends_with(b"data: [DONE]\n\n"));
}

#[test]
fn an_error_in_the_middle_ends_the_stream_without_done() {
    let error = Error::new(Code::UpstreamOverloaded, "overloaded");
    let told = [
        ChatEvent::Start { id: String::new(), model: String::new(), created: None },
        ChatEvent::Error(error),
        ChatEvent::End,
    ];
    let stream = write_stream(&told, ReplyContext::default());
    assert!(chunks(&stream).last().unwrap()["error"]["message"].is_string());
    assert!(!stream.ends_with(b"[DONE]\n\n"));
    assert!(fold(&read_stream(&stream, 64).unwrap()).is_err());
}

#[test]
fn callers_of_legacy_functions_get_a_function_call() {
    let call = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        ..ToolCall::default()
    };
    let answer = ChatResponse {
        blocks: vec![Block::ToolCall(call)],
        finish: Finish::ToolCalls,
        ..ChatResponse::default()
    };
    let mark = Extension {
        path: "functions".to_owned(),
        value: RawJson("true".to_owned()),
        origin: Dialect::OpenAiChat,
        weight: Weight::Hint,
    };
    let request = ChatRequest { extensions: vec![mark], ..ChatRequest::default() };
    let context = ReplyContext { request: Some(Arc::new(request)), ..ReplyContext::default() };
    let whole: Value = serde_json::from_slice(&OpenAiChat.encode_answer(&answer, &context)).unwrap();
    let choice = &whole["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call");
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    let stream = write_stream(&events(&answer), context);
    let read = read_stream(&stream, 64).unwrap();
    let Ok(ChatResponse { blocks, finish: Finish::ToolCalls, .. }) = fold(&read) else { panic!("{read:?}") };
    assert!(matches!(&blocks[..], [Block::ToolCall(call)] if call.name == "f" && call.arguments == "{}"));
}
