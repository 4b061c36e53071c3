//! Requests as they are written, answers and streams as they are read.

use super::Converse;
use crate::anthropic::Messages;
use crate::chat::{Block, ChatEvent, Finish, Origin, Seal, Thought, ToolCall, Turn, fold};
use crate::codec::{Codec as _, Encoded, ProviderCodec as _, Quirks, Target};
use crate::json::{Doc, Strictness};
use crate::openai_chat::OpenAiChat;
use crate::sse::Frame;
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use serde_json::{Value, json};

const CLAUDE: &str = "us.anthropic.claude-haiku-4-5-20251001-v1:0";

fn doc(value: &Value, strictness: Strictness) -> Doc {
    Doc::parse(Bytes::from(value.to_string()), strictness).unwrap()
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

fn chat(model: &str, body: &Value) -> Result<(Value, Vec<String>), Error> {
    let request = OpenAiChat.decode_request(&doc(body, Strictness::Caller)).unwrap();
    Converse.encode_request(&request, &target(model)).map(read)
}

fn messages(model: &str, body: &Value) -> (Value, Vec<String>) {
    let request = Messages.decode_request(&doc(body, Strictness::Caller)).unwrap();
    read(Converse.encode_request(&request, &target(model)).unwrap())
}

fn read(encoded: Encoded) -> (Value, Vec<String>) {
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

#[test]
fn a_conversation_alternates_and_keeps_its_tools() {
    let (body, dropped) = chat(
        "amazon.nova-lite-v1:0",
        &json!({"model": "m", "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "a"}, {"role": "user", "content": "b"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c.1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.0}"}}]},
            {"role": "tool", "tool_call_id": "c.1", "content": ""},
            {"role": "user", "content": "go on"}],
            "tool_choice": "none", "tools": [{"type": "function", "function": {"name": "f"}}],
            "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["z"], "top_k": 3, "seed": 1}),
    )
    .unwrap();
    let id = body["messages"][1]["content"][0]["toolUse"]["toolUseId"].clone();
    assert_eq!(
        body,
        json!({
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]},
            "system": [{"text": "Be kind."}],
            "messages": [
                {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "f", "input": {"x": 1.0}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": id, "content": [{"text": "(no output)"}]}}, {"text": "go on"}]}],
            "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["z"]},
            "additionalModelRequestFields": {"inferenceConfig": {"topK": 3}},
        })
    );
    assert_eq!(dropped, ["seed", "tool_choice"]);
}

#[test]
fn tools_are_omitted_or_declared_as_the_history_demands() {
    let tools = json!([{"type": "function", "function": {"name": "f", "strict": true, "parameters": {"type": "object", "properties": {}}}}]);
    let ask = json!([{"role": "user", "content": "a"}]);
    let of = |choice: Value| {
        chat(CLAUDE, &json!({"model": "m", "messages": ask, "tools": tools, "tool_choice": choice})).unwrap()
    };
    let (body, dropped) = of(json!("none"));
    assert!(body.get("toolConfig").is_none() && dropped.is_empty());
    assert_eq!(of(json!("required")).0["toolConfig"]["toolChoice"], json!({"any": {}}));
    let named = of(json!({"type": "function", "function": {"name": "f"}})).0;
    assert_eq!(named["toolConfig"]["toolChoice"], json!({"tool": {"name": "f"}}));
    assert_eq!(named["toolConfig"]["tools"][0]["toolSpec"]["strict"], true);
    let history = json!([{"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": "r"}]);
    let (body, _) = chat(CLAUDE, &json!({"model": "m", "messages": history})).unwrap();
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "g");
    let asked = json!({"model": "m", "messages": ask, "tools": tools});
    let (body, dropped) = chat("amazon.nova-pro-v1:0", &asked).unwrap();
    assert!(body["toolConfig"]["tools"][0]["toolSpec"].get("strict").is_none());
    assert_eq!(dropped, ["strict"]);
    let long = json!([{"type": "function", "function": {"name": "f".repeat(65)}}]);
    let error = chat(CLAUDE, &json!({"model": "m", "messages": ask, "tools": long})).unwrap_err();
    assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some("tools[0].name")));
}

#[test]
fn media_are_bytes_and_documents_have_names_and_words_beside_them() {
    let of = |part: Value| {
        chat(CLAUDE, &json!({"model": "m", "messages": [{"role": "user", "content": [part]}]}))
            .map(|(body, _)| body["messages"][0]["content"].clone())
    };
    let image = of(json!({"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aGk="}})).unwrap();
    assert_eq!(image, json!([{"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}]));
    let file = json!({"type": "file", "file": {"filename": "a_b.pdf", "file_data": "data:application/pdf;base64,aGk="}});
    let expected = json!([
        {"document": {"format": "pdf", "name": "a b", "source": {"bytes": "aGk="}}}, {"text": "a_b.pdf"}]);
    assert_eq!(of(file).unwrap(), expected);
    let error =
        of(json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}})).unwrap_err();
    assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some("messages")));
    assert!(error.message.contains("URL"), "{}", error.message);
}

#[test]
fn claudes_own_members_and_cache_marks_are_said() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let ask = json!({"model": "m", "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024},
        "system": [{"type": "text", "text": "S", "cache_control": mark}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}]});
    let (body, dropped) = messages(CLAUDE, &ask);
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 1024}})
    );
    assert_eq!(body["system"], json!([{"text": "S"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]));
    assert_eq!(body["messages"][0]["content"][1], json!({"cachePoint": {"type": "default"}}));
    assert_eq!(body["toolConfig"]["tools"][1]["cachePoint"]["ttl"], "1h");
    assert!(dropped.is_empty(), "{dropped:?}");
    let (body, dropped) = messages("eu.amazon.nova-pro-v1:0", &ask);
    assert_eq!(body["system"][1], json!({"cachePoint": {"type": "default"}}));
    assert!(dropped.iter().any(|one| one == "cache_control.ttl"), "{dropped:?}");
    let (body, dropped) = messages("meta.llama3-70b-instruct-v1:0", &ask);
    assert!(!body.to_string().contains("cachePoint") && body.get("additionalModelRequestFields").is_none());
    assert_eq!(dropped, ["cache_control", "reasoning"]);
}

#[test]
fn schemas_tiers_and_efforts_are_said_in_bedrocks_words() {
    let ask = json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "reasoning_effort": "minimal",
        "service_tier": "flex", "response_format": {"type": "json_schema", "json_schema": {"name": "N",
        "schema": {"type": "object", "additionalProperties": false}}}});
    let (body, dropped) = chat("openai.gpt-oss-120b-1:0", &ask).unwrap();
    let format = json!({"schema": "{\"type\":\"object\",\"additionalProperties\":false}", "name": "N"});
    assert_eq!(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"], format);
    assert_eq!(body["serviceTier"], json!({"type": "flex"}));
    assert_eq!(body["additionalModelRequestFields"], json!({"reasoning_effort": "low"}));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (body, _) = chat("us.amazon.nova-2-lite-v1:0", &ask).unwrap();
    let reasoning = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}});
    assert_eq!(body["additionalModelRequestFields"], reasoning);
}

#[test]
fn thoughts_go_back_to_their_maker_alone() {
    let mut request = OpenAiChat
        .decode_request(&doc(
            &json!({"model": "m", "messages": [{"role": "user", "content": "a"}]}),
            Strictness::Caller,
        ))
        .unwrap();
    let thought = |origin, redacted| {
        let seal = Some(Seal { origin, value: "c2ln".to_owned() });
        Block::Thought(Thought { text: "hm".to_owned(), seal, redacted, id: None })
    };
    request.turns.push(Turn::Assistant(vec![
        thought(Origin::Bedrock, false),
        thought(Origin::Bedrock, true),
        thought(Origin::OpenAi, false),
        Block::text("b"),
    ]));
    let (body, dropped) = read(Converse.encode_request(&request, &target(CLAUDE)).unwrap());
    let expected = json!([
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2ln"}}, {"text": "b"}]);
    assert_eq!(body["messages"][1]["content"], expected);
    assert_eq!(dropped, ["thinking signature of openai"]);
}

#[test]
fn an_answer_is_read() {
    let body = json!({"output": {"message": {"role": "assistant", "content": [
        {"citationsContent": {"content": [{"text": "é is a letter."}], "citations": [
            {"title": "T", "sourceContent": [{"text": "q"}], "location": {"web": {"url": "https://a.example"}}}]}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"q": "x"}}},
        {"toolUse": {"toolUseId": "s", "name": "code", "input": {}, "type": "server_tool_use"}}]}},
        "stopReason": "end_turn", "serviceTier": {"type": "flex"}, "usage": {"inputTokens": 1, "outputTokens": 2}});
    let doc = doc(&body, Strictness::Provider);
    let answer = Converse.decode_answer(&doc).unwrap();
    assert_eq!((answer.finish, answer.service_tier.as_deref()), (Finish::ToolCalls, Some("flex")));
    let Block::Citations(cited) = &answer.blocks[1] else { panic!("{:?}", answer.blocks) };
    assert_eq!(
        (cited.all[0].url.as_deref(), cited.all[0].span.clone()),
        (Some("https://a.example"), Some(0..14))
    );
    assert_eq!(Converse.summary(&doc).finish, Some("tool_calls"));
    let words: Vec<_> =
        Converse.answer_spans(&doc).into_iter().map(|span| doc.slice(span.range).to_owned()).collect();
    assert!(words.contains(&"é is a letter.".to_owned()) && words.contains(&"x".to_owned()), "{words:?}");
    let mut spans = Converse.answer_spans(&doc);
    let _ = crate::watch::complete(doc.root(), &mut spans);
    let all: Vec<_> = spans.into_iter().map(|span| doc.slice(span.range).to_owned()).collect();
    assert!(!all.iter().any(|word| ["t", "s", "end_turn"].contains(&word.as_str())), "{all:?}");
    assert!(Converse.decode_answer(&self::doc(&json!({"message": "no"}), Strictness::Provider)).is_err());
}

fn stream(events: &[(&str, Value)]) -> (Vec<ChatEvent>, Result<(), Error>) {
    let (mut decoder, mut all) = (Converse.decoder(), Vec::new());
    for (name, data) in events {
        let raw = Bytes::from(format!("{name}{data}"));
        let frame = Frame { event: 0..name.len(), data: name.len()..raw.len(), raw };
        if let Err(error) = decoder.frame(&frame, &mut all) {
            return (all, Err(error));
        }
    }
    let end = decoder.finish(&mut all);
    (all, end)
}

fn delta(at: u64, delta: &Value) -> (&'static str, Value) {
    ("contentBlockDelta", json!({"contentBlockIndex": at, "delta": delta, "p": "abc"}))
}

#[test]
fn a_stream_is_read() {
    let (all, end) = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        delta(0, &json!({"reasoningContent": {"text": "hm"}})),
        delta(0, &json!({"reasoningContent": {"signature": "c2ln"}})),
        delta(1, &json!({"reasoningContent": {"redactedContent": "YQ=="}})),
        delta(1, &json!({"reasoningContent": {"redactedContent": "Yg=="}})),
        delta(2, &json!({"text": "hi"})),
        delta(2, &json!({"citation": {"title": "T"}})),
        ("contentBlockStop", json!({"contentBlockIndex": 2})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
        ),
        delta(3, &json!({"toolUse": {"input": "{\"a\":"}})),
        delta(3, &json!({"toolUse": {"input": "1}"}})),
        ("laterInvention", json!({})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 3, "outputTokens": 4}})),
    ]);
    end.unwrap();
    let answer = fold(&all).unwrap();
    let seal = |value: &str| Some(Seal { origin: Origin::Bedrock, value: value.to_owned() });
    let call =
        ToolCall { id: "t".into(), name: "f".into(), arguments: "{\"a\":1}".into(), ..ToolCall::default() };
    assert_eq!(
        answer.blocks[..3],
        [
            Block::Thought(Thought { text: "hm".to_owned(), seal: seal("c2ln"), ..Thought::default() }),
            // What nobody closed ends with the message.
            Block::text("hi"),
            answer.blocks[2].clone(),
        ]
    );
    assert!(matches!(&answer.blocks[2], Block::Citations(cited) if cited.all[0].span == Some(0..2)));
    assert_eq!(answer.blocks[3], Block::ToolCall(call));
    assert_eq!(
        answer.blocks[4],
        Block::Thought(Thought { seal: seal("YWI="), redacted: true, ..Thought::default() })
    );
    assert_eq!((answer.finish, answer.usage.unwrap().total_tokens()), (Finish::ToolCalls, 7));
    assert_eq!(all.last(), Some(&ChatEvent::End));
}

#[test]
fn a_stream_that_fails_or_breaks_says_so() {
    for (name, code) in [
        ("throttlingException", Code::UpstreamRateLimited),
        ("modelStreamErrorException", Code::UpstreamError),
        ("internalServerException", Code::UpstreamError),
        ("validationException", Code::UpstreamInvalidRequest),
        ("serviceUnavailableException", Code::UpstreamOverloaded),
        ("modelTimeoutException", Code::UpstreamTimeout),
    ] {
        let (all, end) = stream(&[
            delta(0, &json!({"text": "a"})),
            (name, json!({"message": "So it is."})),
            delta(0, &json!({"text": "b"})),
        ]);
        end.unwrap();
        let Some(ChatEvent::Error(error)) = all.last() else { panic!("{name}: {all:?}") };
        assert_eq!((error.code, error.message.as_str()), (code, "So it is."), "{name}");
    }
    let (_, end) = stream(&[delta(0, &json!({"text": "a"}))]);
    assert_eq!(end.unwrap_err().code, Code::UpstreamBadResponse);
    let (all, end) = stream(&[("messageStop", json!({"stopReason": "guardrail_intervened"}))]);
    end.unwrap();
    assert_eq!(fold(&all).unwrap().finish, Finish::ContentFilter);
}

#[test]
fn what_waits_is_counted() {
    let mut decoder = Converse.decoder();
    let raw = Bytes::from(
        delta(0, &json!({"reasoningContent": {"redactedContent": "x".repeat(5000)}})).1.to_string(),
    );
    let name = Bytes::from_static(b"contentBlockDelta");
    let whole = Bytes::from([name.as_ref(), raw.as_ref()].concat());
    let frame = Frame { event: 0..name.len(), data: name.len()..whole.len(), raw: whole };
    for times in 1..4 {
        decoder.frame(&frame, &mut Vec::new()).unwrap();
        assert!(decoder.kept() >= times * 5000);
    }
}
