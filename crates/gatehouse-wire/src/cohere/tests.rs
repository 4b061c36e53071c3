//! Requests as they are written, answers and streams as they are read.

use super::CohereChat;
use crate::anthropic::Messages;
use crate::chat::{Block, ChatEvent, Finish, fold};
use crate::codec::{Codec as _, Encoded, ProviderCodec as _, Quirks, Target};
use crate::json::{Doc, Strictness};
use crate::openai_chat::OpenAiChat;
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use proptest::prelude::*;
use serde_json::{Value, json};

fn doc(value: &Value, strictness: Strictness) -> Doc {
    Doc::parse(Bytes::from(value.to_string()), strictness).unwrap()
}

fn target(reasoning: Option<bool>) -> Target<'static> {
    let capabilities = Capabilities { reasoning, ..Capabilities::default() };
    Target { model: "command-a", capabilities, quirks: &Quirks::NONE }
}

fn read(encoded: Encoded) -> (Value, Vec<String>) {
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

/// Writes a question with these members.
fn chat(more: &Value) -> Result<(Value, Vec<String>), Error> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let request = OpenAiChat.decode_request(&doc(&body, Strictness::Caller)).unwrap();
    CohereChat.encode_request(&request, &target(None)).map(read)
}

fn refused(more: &Value) -> (Code, String) {
    let error = chat(more).unwrap_err();
    (error.code, error.param.unwrap_or_default())
}

fn messages(body: &Value, reasoning: Option<bool>) -> (Value, Vec<String>) {
    let request = Messages.decode_request(&doc(body, Strictness::Caller)).unwrap();
    read(CohereChat.encode_request(&request, &target(reasoning)).unwrap())
}

fn tool(name: &str, strict: bool) -> Value {
    let schema = json!({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]});
    json!({"type": "function", "function": {"name": name, "strict": strict, "parameters": schema}})
}

#[test]
fn a_conversation_keeps_its_tools_and_its_settings() {
    let (body, dropped) = chat(&json!({"messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "a"},
            {"type": "image_url", "image_url": {"url": "https://i/x.png", "detail": "low"}}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c.1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}}]},
        {"role": "tool", "tool_call_id": "c.1", "content": ""},
        {"role": "user", "content": "go on"}],
        "tools": [tool("f", false)], "max_tokens": 9, "temperature": 0.50, "top_p": 1, "stop": ["z"],
        "top_k": 3, "seed": 1, "presence_penalty": 0.5, "frequency_penalty": -1, "user": "u", "stream": true}))
    .unwrap();
    let schema = json!({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]});
    assert_eq!(
        body,
        json!({
            "model": "command-a",
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
                {"role": "user", "content": [{"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "https://i/x.png", "detail": "low"}}]},
                {"role": "assistant", "tool_calls": [
                    {"id": "c.1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}}]},
                {"role": "tool", "tool_call_id": "c.1", "content": "(no output)"},
                {"role": "user", "content": [{"type": "text", "text": "go on"}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
            "max_tokens": 9, "temperature": 0.5, "p": 0.99, "k": 3, "presence_penalty": 0.5, "seed": 1,
            "stop_sequences": ["z"], "stream": true,
        })
    );
    assert_eq!(dropped, ["user", "frequency_penalty", "top_p"]);
}

#[test]
fn one_tool_is_forced_by_offering_no_other() {
    let of =
        |choice: Value| chat(&json!({"tools": [tool("f", true), tool("g", true)], "tool_choice": choice}));
    let names = |body: &Value| -> Vec<Value> {
        body["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].clone()).collect()
    };
    let (body, _) = of(json!("required")).unwrap();
    assert_eq!((names(&body), &body["tool_choice"]), (vec![json!("f"), json!("g")], &json!("REQUIRED")));
    assert_eq!(body["strict_tools"], true);
    let (body, _) = of(json!({"type": "function", "function": {"name": "g"}})).unwrap();
    assert_eq!((names(&body), &body["tool_choice"]), (vec![json!("g")], &json!("REQUIRED")));
    let (body, _) = of(json!("none")).unwrap();
    assert_eq!((names(&body).len(), &body["tool_choice"]), (2, &json!("NONE")));
    assert!(of(json!("auto")).unwrap().0.get("tool_choice").is_none());
    // Strict are all tools or none.
    let (body, dropped) = chat(&json!({"tools": [tool("f", true), tool("g", false)]})).unwrap();
    assert_eq!((body.get("strict_tools"), dropped), (None, vec!["strict".to_owned()]));
}

#[test]
fn json_is_asked_for_by_a_schema_and_not_beside_tools() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let (body, dropped) = chat(&json!({"response_format": format})).unwrap();
    assert_eq!(body["response_format"], json!({"type": "json_object", "json_schema": schema}));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (body, _) = chat(&json!({"response_format": {"type": "json_object"}})).unwrap();
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    let both = json!({"response_format": format, "tools": [tool("f", false)]});
    assert_eq!(refused(&both), (Code::UnsupportedParameter, "response_format".to_owned()));
    let mut none = both;
    none["tool_choice"] = "none".into();
    let (body, _) = chat(&none).unwrap();
    assert!(body.get("tools").is_none() && body["response_format"].is_object());
}

#[test]
fn what_cannot_be_said_is_refused_by_its_name() {
    let stops = json!({"stop": ["1", "2", "3", "4", "5", "6"]});
    let five = Messages.decode_request(&doc(
        &json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}],
            "stop_sequences": stops["stop"]}),
        Strictness::Caller,
    ));
    let error = CohereChat.encode_request(&five.unwrap(), &target(None)).unwrap_err();
    assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some("stop")));
    assert_eq!(refused(&json!({"n": 2})), (Code::UnsupportedParameter, "n".to_owned()));
    assert_eq!(refused(&json!({"logprobs": true})), (Code::UnsupportedParameter, "logprobs".to_owned()));
    let pdf = json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}}]);
    let asked = json!({"messages": [{"role": "user", "content": pdf}]});
    assert_eq!(refused(&asked), (Code::UnsupportedParameter, "messages".to_owned()));
}

#[test]
fn thoughts_are_plans_beside_calls_and_results_may_hold_images() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let body = json!({"model": "m", "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1500},
        "messages": [{"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "I will f.", "signature": ""},
                {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c", "is_error": true, "content": [image]},
                {"type": "document", "title": "notes", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]});
    let (written, dropped) = messages(&body, None);
    assert_eq!(written["thinking"], json!({"type": "enabled", "token_budget": 1500}));
    let said = &written["messages"];
    assert_eq!(said[1]["tool_plan"], "I will f.");
    assert_eq!(
        said[2],
        json!({"role": "tool", "tool_call_id": "c", "content": "Error: (the result follows)"})
    );
    assert_eq!(said[3]["content"][0]["text"], "Returned by the tool call c:");
    assert_eq!(said[3]["content"][1]["image_url"]["url"], "data:image/png;base64,AA==");
    assert_eq!(said[3]["content"][2]["text"], "notes:\n\nx");
    assert!(dropped.is_empty(), "{dropped:?}");
    let (written, _) = messages(&body, Some(true));
    assert_eq!(written["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "I will f."}));
    let (written, dropped) = messages(&body, Some(false));
    assert_eq!((written.get("thinking"), dropped), (None, vec!["reasoning".to_owned()]));
}

#[test]
fn an_answer_is_read_with_its_sources() {
    let answer = json!({"id": "i", "finish_reason": "COMPLETE", "message": {"role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "é is"}, {"type": "text", "text": " red"}],
        "tool_calls": [{"type": "function"}],
        "citations": [{"start": 1, "end": 4, "text": "red", "content_index": 2, "type": "TEXT_CONTENT",
            "sources": [{"type": "document", "id": "d", "document": {"url": "https://d", "title": "D", "text": "It is red."}}]},
            {"start": 0, "end": 1, "type": "PLAN", "sources": []}]},
        "usage": {"billed_units": {"input_tokens": 1, "output_tokens": 2}, "tokens": {"input_tokens": 9, "output_tokens": 3}}});
    let read = CohereChat.decode_answer(&doc(&answer, Strictness::Provider)).unwrap();
    assert_eq!((read.finish, read.blocks.len()), (Finish::Stop, 4));
    let Block::Citations(cited) = &read.blocks[3] else { panic!("{:?}", read.blocks) };
    assert_eq!(cited.all[0].span, Some(5..8));
    assert_eq!(cited.all[0].url.as_deref(), Some("https://d"));
    assert_eq!((cited.all[0].quote.as_deref(), cited.all[1].span.clone()), (Some("It is red."), None));
}

fn decode(frames: &[Value]) -> Result<Vec<ChatEvent>, Error> {
    let (mut decoder, mut out) = (CohereChat.decoder(), Vec::new());
    for data in frames {
        decoder.frame(&Frame::of_data(Bytes::from(data.to_string())), &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let delta = |kind: &str, index: u64, message: Value| json!({"type": kind, "index": index, "delta": {"message": message}});
    let call = |arguments: &str| json!({"tool_calls": {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}});
    let frames = [
        json!({"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant"}}}),
        delta("content-start", 0, json!({"content": {"type": "thinking", "thinking": "h"}})),
        delta("content-delta", 0, json!({"content": {"thinking": "m"}})),
        json!({"type": "content-end", "index": 0}),
        delta("content-start", 1, json!({"content": {"type": "text", "text": ""}})),
        delta("content-delta", 1, json!({"content": {"text": "yes"}})),
        delta(
            "citation-start",
            0,
            json!({"citations": {"start": 0, "end": 3, "sources": [{"type": "tool", "tool_output": {"content": "q"}}]}}),
        ),
        json!({"type": "content-end", "index": 1}),
        delta("tool-plan-delta", 0, json!({"tool_plan": "I"})),
        delta("tool-plan-delta", 0, json!({"tool_plan": " will"})),
        delta("tool-call-start", 0, call("")),
        delta("tool-call-delta", 0, json!({"tool_calls": {"function": {"arguments": "{}"}}})),
        json!({"type": "debug", "prompt": "p"}),
        json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 4, "output_tokens": 5}}}}),
    ];
    let read = fold(&decode(&frames).unwrap()).unwrap();
    let texts: Vec<String> = read
        .blocks
        .iter()
        .map(|block| match block {
            Block::Text { text, .. } => text.clone(),
            Block::Thought(thought) => thought.text.clone(),
            Block::ToolCall(call) => format!("{}{}", call.name, call.arguments),
            Block::Citations(cited) => format!("{:?}", cited.all[0].span),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["hm", "yes", "I will", "f{}", "Some(0..3)"]);
    assert_eq!(
        (read.id.as_str(), read.finish, read.usage.unwrap().total_tokens()),
        ("i", Finish::ToolCalls, 9)
    );
    let cut = decode(&frames[..5]).unwrap_err();
    assert_eq!(cut.code, Code::UpstreamBadResponse);
}

#[test]
fn failures_are_told_however_they_come() {
    let end = |delta: Value| vec![json!({"type": "message-end", "delta": delta})];
    for (frames, code, said) in [
        (end(json!({"finish_reason": "ERROR", "error": "it broke"})), Code::UpstreamError, "it broke"),
        (
            end(json!({"finish_reason": "TIMEOUT"})),
            Code::UpstreamTimeout,
            "the provider did not answer in time",
        ),
        (
            vec![json!({"message": "too many tokens: size limit exceeded by 9 tokens"})],
            Code::ContextLengthExceeded,
            "too many tokens: size limit exceeded by 9 tokens",
        ),
    ] {
        let error = fold(&decode(&frames).unwrap()).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (code, said));
    }
    for (answer, code) in [
        (json!({"message": {"content": []}, "finish_reason": "ERROR"}), Code::UpstreamError),
        (json!({"message": "it broke"}), Code::UpstreamError),
        (json!({}), Code::UpstreamBadResponse),
    ] {
        let doc = doc(&answer, Strictness::Provider);
        assert_eq!(CohereChat.decode_answer(&doc).unwrap_err().code, code, "{answer}");
        assert_eq!(CohereChat.summary(&doc).error.is_some(), code == Code::UpstreamError);
    }
}

/// Values in the places where Cohere has others.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-z\u{e9}\u{1F600}]{0,6}".prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "message",
        "content",
        "text",
        "thinking",
        "type",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "citations",
        "sources",
        "start",
        "end",
        "content_index",
        "document",
        "tool_plan",
        "delta",
        "index",
        "usage",
        "tokens",
        "billed_units",
        "input_tokens",
        "finish_reason",
    ]);
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    /// Whatever comes is read or refused, and what is read is a valid sequence of events.
    #[test]
    fn anything_is_read_or_refused(
        answer in anything(),
        frames in prop::collection::vec((prop::sample::select(vec![
            "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
            "tool-call-delta", "tool-call-end", "citation-start", "message-end", "other",
        ]), 0_u64..3, anything()), 0..12),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let whole = doc(&answer, Strictness::Provider);
        CohereChat.summary(&whole);
        drop(CohereChat.decode_answer(&whole));
        for span in CohereChat.answer_spans(&whole) {
            prop_assert!(span.range.end <= whole.bytes().len());
        }
        let (mut decoder, mut out) = (CohereChat.decoder(), Vec::new());
        drop(decoder.frame(&Frame::of_data(Bytes::from(bytes)), &mut out));
        for (kind, index, message) in frames {
            let data = json!({"type": kind, "index": index, "delta": {"message": message}});
            drop(decoder.frame(&Frame::of_data(Bytes::from(data.to_string())), &mut out));
        }
        drop(decoder.finish(&mut out));
        let mut open = std::collections::BTreeSet::new();
        let mut next = 0;
        for event in &out {
            match event {
                ChatEvent::Open { index, .. } => {
                    prop_assert_eq!(*index, next);
                    next += 1;
                    open.insert(*index);
                }
                ChatEvent::Delta { index, .. } => prop_assert!(open.contains(index)),
                ChatEvent::Close { index } => prop_assert!(open.remove(index)),
                ChatEvent::End => prop_assert!(open.is_empty()),
                _ => {}
            }
        }
    }
}
