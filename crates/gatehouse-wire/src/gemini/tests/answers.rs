//! Answers and streams.

use super::{context, provider, read_stream, seal, write_stream};
use crate::chat::{Block, ChatEvent, ChatResponse, Finish, Origin, Thought, ToolCall, events, fold};
use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
use crate::gemini::Gemini;
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Place;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

const ANSWER: &[u8] = br#"{"candidates":[{"content":{"role":"model","parts":[
 {"text":"let me see","thought":true},
 {"text":"It is "},{"text":"so."},
 {"functionCall":{"name":"f","args":{"a":1.50}},"thoughtSignature":"c2ln"},
 {"functionCall":{"name":"f","args":{"a":1.50}}},
 {"text":"","thoughtSignature":"ZW5k"}]},"finishReason":"STOP","index":0,
 "groundingMetadata":{"webSearchQueries":["a","b"],"groundingSupports":[{"segment":{"text":"so"}}]}}],
 "usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":5,"totalTokenCount":12},
 "modelVersion":"gemini-3-flash","responseId":"r/1","createTime":"1970-01-01T00:01:00.5Z"}"#;

#[test]
fn a_whole_answer_is_read() {
    let doc = provider(ANSWER);
    let answer = Gemini.decode_answer(&doc).unwrap();
    let call = |id: &str, signature: Option<&str>| {
        Block::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: r#"{"a":1.50}"#.to_owned(),
            seal: signature.map(|value| seal(Origin::Gemini, value)),
            cache: None,
        })
    };
    let expected = ChatResponse {
        id: "r/1".to_owned(),
        model: "gemini-3-flash".to_owned(),
        created: Some(60),
        blocks: vec![
            Block::Thought(Thought { text: "let me see".to_owned(), ..Thought::default() }),
            Block::text("It is so."),
            call("call_r_1_0", Some("c2ln")),
            call("call_r_1_1", None),
            Block::Text { text: String::new(), seal: Some(seal(Origin::Gemini, "ZW5k")), cache: None },
        ],
        finish: Finish::ToolCalls,
        native_finish: Some("STOP".to_owned()),
        usage: Some(Usage {
            input_tokens: 3,
            output_tokens: 9,
            reasoning_tokens: 5,
            searches: 2,
            ..Usage::default()
        }),
        ..ChatResponse::default()
    };
    assert_eq!(answer, expected);
    let summary = Gemini.summary(&doc);
    assert_eq!((summary.usage, summary.finish), (expected.usage, Some("tool_calls")));
    let spans: Vec<_> = Gemini
        .answer_spans(&doc)
        .into_iter()
        .map(|span| (span.place, doc.slice(span.range).to_owned()))
        .collect();
    let output = |text: &str| (Place::Output, text.to_owned());
    assert_eq!(spans, ["let me see", "It is ", "so.", "so"].map(output));
}

#[test]
fn refused_prompts_and_errors_and_nothing() {
    let decode = |text: &[u8]| Gemini.decode_answer(&provider(text));
    let blocked =
        decode(br#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":2}}"#);
    let blocked = blocked.unwrap();
    assert_eq!((blocked.finish, blocked.native_finish.as_deref()), (Finish::ContentFilter, Some("SAFETY")));
    assert!(blocked.blocks.is_empty());
    let error = decode(br#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#).unwrap_err();
    assert_eq!(error.code, Code::UpstreamOverloaded);
    assert_eq!(decode(b"{}").unwrap_err().code, Code::UpstreamBadResponse);
}

#[test]
fn a_stream_without_a_reason_was_cut_off() {
    let whole = b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\r\n\r\n";
    assert_eq!(read_stream(whole, 9).unwrap_err().code, Code::UpstreamBadResponse);
    assert_eq!(read_stream(b"", 1).unwrap_err().code, Code::UpstreamBadResponse);
    let unread = read_stream(b"data: {\"candidates\":\n\n", 9).unwrap_err();
    assert_eq!(unread.code, Code::UpstreamBadResponse);
    let failed = [&whole[..], b"data: {\"error\":{\"code\":500,\"message\":\"m\"}}\n\n"].concat();
    let events = read_stream(&failed, 9).unwrap();
    assert!(matches!(events.last(), Some(ChatEvent::Error(error)) if error.code == Code::UpstreamError));
}

#[test]
fn the_last_chunk_says_why_and_how_much() {
    let answer = ChatResponse {
        id: "id".to_owned(),
        blocks: vec![Block::text("hi")],
        finish: Finish::Length,
        usage: Some(Usage { input_tokens: 1, output_tokens: 2, ..Usage::default() }),
        ..ChatResponse::default()
    };
    let tail = r#"],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3},"modelVersion":"m","responseId":"id"}"#;
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"hi"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"id"}"#;
    let last = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":""}}{tail}"#);
    let sse = String::from_utf8(write_stream(&events(&answer), context())).unwrap();
    assert_eq!(sse, format!("data: {first}\n\ndata: {last}\n\n"));
    let array = ReplyContext { json_array: true, ..context() };
    let array = String::from_utf8(write_stream(&events(&answer), array)).unwrap();
    assert_eq!(array, format!("[{first},\n{last}]"));
    let whole = String::from_utf8(Gemini.encode_answer(&answer, &context())).unwrap();
    assert_eq!(whole, format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"hi"}}{tail}"#));
}

#[test]
fn arguments_laid_out_in_lines_stay_in_one_frame() {
    let arguments = "{\r\n  \"a\": \"x\\ny\"\n}".to_owned();
    let call = ToolCall { id: "c".to_owned(), arguments, ..ToolCall::default() };
    let answer = ChatResponse { blocks: vec![Block::ToolCall(call)], ..ChatResponse::default() };
    let events = read_stream(&write_stream(&events(&answer), context()), 3).unwrap();
    let back = fold(&events).unwrap();
    let Block::ToolCall(call) = &back.blocks[0] else { panic!() };
    assert_eq!(call.arguments, "{    \"a\": \"x\\ny\" }");
}

#[test]
fn an_error_ends_a_stream_in_both_framings() {
    for json_array in [false, true] {
        let mut encoder = Gemini.encoder(ReplyContext { json_array, ..context() });
        let mut out = Vec::new();
        for event in [ChatEvent::Error(Error::new(Code::GuardBlocked, "no")), ChatEvent::End] {
            encoder.event(&event, &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        let json = if json_array { text } else { text.strip_prefix("data: ").unwrap().trim().to_owned() };
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let error = if json_array { &value[0]["error"] } else { &value["error"] };
        assert_eq!(error["code"], 400);
        assert_eq!(error["details"][0]["reason"], "guard_blocked");
    }
}

#[test]
fn an_element_of_an_array_is_a_frame_too() {
    let frame = crate::sse::Frame::of_data(Bytes::from_static(ANSWER));
    let (mut decoder, mut out) = (Gemini.decoder(), Vec::new());
    decoder.frame(&frame, &mut out).unwrap();
    decoder.finish(&mut out).unwrap();
    let doc = Doc::parse(Bytes::from_static(ANSWER), Strictness::Provider).unwrap();
    assert_eq!(fold(&out), Gemini.decode_answer(&doc));
}

#[test]
fn gemini_signatures_stay_bare_and_foreign_ones_are_wrapped() {
    let answer = Gemini.decode_answer(&provider(ANSWER)).unwrap();
    let written = Gemini.encode_answer(&answer, &context());
    let value: serde_json::Value = serde_json::from_slice(&written).unwrap();
    let parts = &value["candidates"][0]["content"]["parts"];
    assert_eq!(
        (&parts[2]["thoughtSignature"], &parts[4]["thoughtSignature"]),
        (&"c2ln".into(), &"ZW5k".into())
    );
    assert_eq!(parts[2]["functionCall"]["id"], "call_r_1_0");
    let thought = Thought { seal: Some(seal(Origin::Anthropic, "s")), redacted: true, ..Thought::default() };
    let answer = ChatResponse { blocks: vec![Block::Thought(thought)], ..ChatResponse::default() };
    let written = String::from_utf8(Gemini.encode_answer(&answer, &context())).unwrap();
    assert!(written.contains(r#"{"text":"","thought":true,"thoughtSignature":"Z2F0ZWhvdXNl"#));
}
