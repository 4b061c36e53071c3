//! The dialect towards callers: requests as they are read, answers and streams as they are written.

use super::Converse;
use crate::chat::{
    Block, CacheMark, ChatEvent, ChatRequest, ChatResponse, Effort, Finish, Format, Media, Origin, Part,
    Seal, Source, Thought, Tool, ToolCall, ToolChoice, Turn, Weight, events, fold,
};
use crate::codec::{Codec as _, ProviderCodec as _, Quirks, ReplyContext, Target};
use crate::eventstream::Messages;
use crate::json::{Doc, Strictness};
use crate::openai_chat::OpenAiChat;
use bytes::Bytes;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use serde_json::{Value, json};

const REQUEST: &str = include_str!("../../fixtures/seeds/bedrock/request.json");

fn doc(text: impl Into<Bytes>) -> Doc {
    Doc::parse(text.into(), Strictness::Caller).unwrap()
}

fn read(body: &Value) -> Result<ChatRequest, Error> {
    Converse.decode_request(&doc(body.to_string()))
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

fn context() -> ReplyContext {
    ReplyContext { model: "m".to_owned(), id: "0".repeat(32), ..ReplyContext::default() }
}

fn ask(more: &Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn what_is_said_in_fields_of_a_model_is_seen() {
    let fields = json!({"tools": [{"description": "a bird"}], "thinking": {"type": "enabled"}});
    let doc = doc(ask(&json!({"additionalModelRequestFields": fields})).to_string());
    let view = Converse.view(&doc).unwrap();
    let texts: Vec<_> = view.spans.iter().map(|span| doc.slice(span.range.clone())).collect();
    assert!(texts.contains(&"a bird") && !texts.contains(&"enabled"), "{texts:?}");
}

#[test]
fn a_request_is_seen_with_every_text_in_its_place() {
    let doc = doc(REQUEST);
    let view = Converse.view(&doc).unwrap();
    assert!(view.needs.tools && view.needs.images && view.needs.documents && view.needs.reasoning);
    assert!(view.needs.structured && view.model.is_none() && !view.stream);
    assert_eq!((view.max_output_tokens, view.media), (Some(200), 2));
    assert_eq!(view.metadata, [("team".to_owned(), "red".to_owned())]);
    assert_eq!(view.service_tier.as_deref(), Some("flex"));
    let of = |place: Place| -> Vec<&str> {
        let here = view.spans.iter().filter(|span| span.place == place);
        here.map(|span| doc.slice(span.range.clone())).collect()
    };
    assert_eq!(of(Place::System), ["Be brief."]);
    assert_eq!(of(Place::Input), ["What is this, é😀?", "Notes", "of mine", "Which?", "Sure?"]);
    assert_eq!(of(Place::Output), ["hm", "I will look.", "A cat.", "Cats"]);
    assert_eq!(of(Place::ToolArguments), ["cat"]);
    assert_eq!(of(Place::ToolResult), ["a cat", "four"]);
    assert_eq!(of(Place::ToolDefinition), ["look", "Looks."]);
}

#[test]
fn a_request_is_read() {
    let request = Converse.decode_request(&doc(REQUEST)).unwrap();
    assert_eq!((request.top_k, request.temperature.as_ref().unwrap().0.as_str()), (Some(40), "0.30"));
    assert_eq!(
        (request.stop.as_slice(), &request.tool_choice),
        (&["END".to_owned()][..], &Some(ToolChoice::Required))
    );
    assert_eq!(request.reasoning.as_ref().unwrap().budget_tokens, Some(1024));
    assert!(
        matches!(&request.format, Some(Format::JsonSchema { schema, .. }) if schema.0 == r#"{"type":"object"}"#)
    );
    let short = Some(CacheMark::Short);
    assert!(matches!(&request.tools[0], Tool::Function { strict: Some(true), cache, .. } if *cache == short));
    let [system, asked, called, results, which, cited, sure] = request.turns.as_slice() else {
        panic!("{:?}", request.turns)
    };
    assert_eq!(*system, Turn::System(vec![Part::Text { text: "Be brief.".to_owned(), cache: short }]));
    let Turn::User(asked) = asked else { panic!("{asked:?}") };
    assert!(matches!(&asked[0], Part::Text { cache: Some(CacheMark::Long), .. }));
    assert!(
        matches!(&asked[1], Part::Media(Media { source: Source::Base64 { mime, .. }, .. }) if mime == "image/png")
    );
    let Part::Media(notes) = &asked[2] else { panic!("{asked:?}") };
    assert_eq!((&notes.source, notes.name.as_deref()), (&Source::Text("some".to_owned()), Some("Notes")));
    let own = |value: &str| Some(Seal { origin: Origin::Bedrock, value: value.to_owned() });
    let call = ToolCall {
        id: "t1".to_owned(),
        name: "look".to_owned(),
        arguments: r#"{"at": 1.0, "q": "cat"}"#.to_owned(),
        ..ToolCall::default()
    };
    let expected = vec![
        Block::Thought(Thought { text: "hm".to_owned(), seal: own("c2ln"), ..Thought::default() }),
        Block::Thought(Thought { seal: own("YQ=="), redacted: true, ..Thought::default() }),
        Block::text("I will look."),
        Block::ToolCall(call),
    ];
    assert_eq!(*called, Turn::Assistant(expected));
    let Turn::ToolResults(results) = results else { panic!("{results:?}") };
    assert_eq!(
        (results[0].name.as_deref(), results[0].is_error, results[0].cache),
        (Some("look"), true, short)
    );
    assert_eq!(results[0].parts, [Part::text("a cat"), Part::text(r#"{"legs": "four"}"#)]);
    assert_eq!(
        (which, sure),
        (&Turn::User(vec![Part::text("Which?")]), &Turn::User(vec![Part::text("Sure?")]))
    );
    assert!(matches!(cited, Turn::Assistant(said) if said[0] == Block::text("A cat.")));

    let encoded = OpenAiChat.encode_request(&request, &target("o")).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&sent["tool_choice"], &sent["max_completion_tokens"]), (&json!("required"), &json!(200)));
    for name in ["performanceConfig", "additionalModelRequestFields.own"] {
        assert!(encoded.dropped.iter().any(|own| own == name), "{name}: {:?}", encoded.dropped);
    }
}

#[test]
fn a_request_for_bedrock_passes_as_it_is() {
    let doc = doc(REQUEST);
    let view = Converse.view(&doc).unwrap();
    let rewrite = Converse.rewrite(&doc, &view, &target("us.amazon.nova-2-lite-v1:0")).unwrap();
    assert!(rewrite.edits.is_empty() && rewrite.dropped.is_empty());
}

#[test]
fn what_others_cannot_honour_is_refused_by_its_path() {
    for (body, param) in [
        (
            ask(&json!({"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}})),
            "guardrailConfig",
        ),
        (ask(&json!({"promptVariables": {"a": {"text": "b"}}})), "promptVariables"),
        (
            json!({"messages": [{"role": "user", "content": [{"newBlock": {"text": "a"}}]}]}),
            "messages[0].content[0]",
        ),
        (
            ask(&json!({"toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}})),
            "toolConfig.tools[0]",
        ),
    ] {
        let error = OpenAiChat.encode_request(&read(&body).unwrap(), &target("o")).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some(param)), "{body}");
    }
    let bucket = json!({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://a/b"}}}});
    let body = json!({"messages": [{"role": "user", "content": [bucket]}]});
    assert!(OpenAiChat.encode_request(&read(&body).unwrap(), &target("o")).is_err());
}

#[test]
fn ways_to_think_are_read() {
    for (fields, effort, budget) in [
        (json!({"thinking": {"type": "disabled"}}), Some(Effort::None), None),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), None, Some(2000)),
        (
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
            Some(Effort::High),
            None,
        ),
        (json!({"reasoning_effort": "low"}), Some(Effort::Low), None),
        (
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
            Some(Effort::High),
            None,
        ),
        (json!({"reasoningConfig": {"type": "disabled"}}), Some(Effort::None), None),
    ] {
        let body = ask(&json!({"additionalModelRequestFields": fields}));
        let asked = read(&body).unwrap().reasoning.unwrap();
        assert_eq!((asked.effort, asked.budget_tokens), (effort, budget), "{body}");
        let needs = Converse.view(&doc(body.to_string())).unwrap().needs.reasoning;
        assert_eq!(needs, effort != Some(Effort::None), "{body}");
    }
    let nova = ask(&json!({"additionalModelRequestFields": {"inferenceConfig": {"topK": 3}}}));
    assert_eq!(read(&nova).unwrap().top_k, Some(3));
    let own = ask(&json!({"additionalModelRequestFields": {"inferenceConfig": {"topK": 3, "other": 1}}}));
    assert_eq!(read(&own).unwrap().extensions[0].weight, Weight::Hint);
    assert_eq!(
        read(&ask(&json!({"outputConfig": {"effort": "low"}}))).unwrap().reasoning.unwrap().effort,
        Some(Effort::Low)
    );
}

#[test]
fn what_is_malformed_is_refused_by_name() {
    let said = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    for (body, param) in [
        (json!({}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "robot", "content": []}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user", "content": "a"}]}), "messages[0].content"),
        (said(json!({})), "messages[0].content[0]"),
        (said(json!({"text": "a", "image": {}})), "messages[0].content[0]"),
        (said(json!({"text": 1})), "messages[0].content[0].text"),
        (said(json!({"Text": "a"})), "messages[0].content[0].Text"),
        (said(json!({"image": {"source": {}}})), "messages[0].content[0].image.format"),
        (said(json!({"toolUse": {"toolUseId": "a", "name": "b"}})), "messages[0].content[0].toolUse.input"),
        (said(json!({"toolResult": {"content": []}})), "messages[0].content[0].toolResult.toolUseId"),
        (ask(&json!({"system": "a"})), "system"),
        (ask(&json!({"inferenceConfig": {"maxTokens": "many"}})), "inferenceConfig.maxTokens"),
        (ask(&json!({"inferenceConfig": {"max_tokens": 5, "MaxTokens": 5}})), "inferenceConfig.MaxTokens"),
        (ask(&json!({"toolConfig": {"tools": [{}]}})), "toolConfig.tools[0]"),
        (ask(&json!({"toolConfig": {"tools": [], "toolChoice": {"none": {}}}})), "toolConfig.toolChoice"),
        (
            ask(&json!({"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}})),
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ] {
        let error = Converse.view(&doc(body.to_string())).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{body}");
    }
}

fn answer() -> ChatResponse {
    let seal = |origin, value: &str| Some(Seal { origin, value: value.to_owned() });
    let thought = Thought {
        text: "hm".to_owned(),
        seal: seal(Origin::Anthropic, "s+/="),
        id: Some("rs_1".to_owned()),
        redacted: false,
    };
    let hidden = Thought { seal: seal(Origin::Anthropic, "r"), redacted: true, ..Thought::default() };
    let call = ToolCall {
        id: "c:1".to_owned(),
        name: "f".to_owned(),
        arguments: r#"{"x":1.0}"#.to_owned(),
        seal: seal(Origin::Gemini, "g"),
        cache: None,
    };
    let usage = Usage {
        input_tokens: 100,
        cached_read_tokens: 30,
        cache_write_tokens: 20,
        cache_write_long_tokens: 10,
        output_tokens: 3,
        ..Usage::default()
    };
    ChatResponse {
        blocks: vec![
            Block::Thought(thought),
            Block::Thought(hidden),
            Block::Text { text: "yes".to_owned(), seal: seal(Origin::Gemini, "t"), cache: None },
            Block::ToolCall(call),
        ],
        finish: Finish::ToolCalls,
        usage: Some(usage),
        service_tier: Some("flex".to_owned()),
        ..ChatResponse::default()
    }
}

/// What a caller sends back is what a model said, with the seals of its maker.
#[test]
fn seals_of_others_ride_along() {
    let whole: Value = serde_json::from_slice(&Converse.encode_answer(&answer(), &context())).unwrap();
    assert_eq!(whole["stopReason"], "tool_use");
    let counted = json!({"inputTokens": 40, "outputTokens": 3, "totalTokens": 103, "cacheReadInputTokens": 30,
        "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 10}, {"ttl": "5m", "inputTokens": 20}]});
    assert_eq!(whole["usage"], counted);
    assert_eq!(
        (&whole["metrics"], &whole["serviceTier"]),
        (&json!({"latencyMs": 0}), &json!({"type": "flex"}))
    );
    let asked = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}, whole["output"]["message"],
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c:1", "content": [{"text": "ok"}]}}]}]});
    assert_eq!(read(&asked).unwrap().turns[1], Turn::Assistant(answer().blocks));

    // At Bedrock itself nobody knows them.
    let seen = doc(asked.to_string());
    let view = Converse.view(&seen).unwrap();
    let rewrite = Converse.rewrite(&seen, &view, &target("m")).unwrap();
    assert_eq!(rewrite.dropped, ["thinking signature of anthropic", "thinking signature of gemini"]);
    let sent: Value = serde_json::from_slice(&splice(seen.bytes(), &rewrite.edits)).unwrap();
    let call = json!({"toolUse": {"toolUseId": "c:1", "name": "f", "input": {"x": 1.0}}});
    assert_eq!(sent["messages"][1]["content"], json!([{"text": "yes"}, call]));
    assert_eq!(sent["messages"][2], asked["messages"][2]);
}

fn written(all: &[ChatEvent]) -> Vec<(String, Value)> {
    let (mut encoder, mut out) = (Converse.encoder(context()), Vec::new());
    all.iter().for_each(|event| encoder.event(event, &mut out));
    let mut messages = Messages::default();
    messages.push(&out).unwrap();
    let mut read = Vec::new();
    while let Some(frame) = messages.next_message().unwrap() {
        read.push((frame.name().to_owned(), serde_json::from_slice(&frame.data()).unwrap()));
    }
    messages.rest().unwrap();
    read
}

#[test]
fn a_stream_is_written_in_the_order_of_bedrocks_own() {
    let stream = written(&events(&answer()));
    let names: Vec<&str> = stream.iter().map(|(name, _)| name.as_str()).collect();
    let (start, delta, stop) = ("contentBlockStart", "contentBlockDelta", "contentBlockStop");
    let expected = [
        vec!["messageStart"],
        vec![delta, delta, stop],
        vec![delta, stop],
        // The text, the seals of it and of the call, and the call.
        vec![delta, stop, delta, stop, delta, stop],
        vec![start, delta, stop, "messageStop", "metadata"],
    ];
    assert_eq!(names, expected.concat());
    let indices: Vec<u64> = stream.iter().filter_map(|(_, one)| one["contentBlockIndex"].as_u64()).collect();
    assert_eq!(indices, [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]);
    // What clients gather from it is what they get in one piece.
    let (mut decoder, mut all) = (Converse.decoder(), Vec::new());
    let (mut encoder, mut out) = (Converse.encoder(context()), Vec::new());
    events(&answer()).iter().for_each(|event| encoder.event(event, &mut out));
    let mut messages = Messages::default();
    messages.push(&out).unwrap();
    while let Some(frame) = messages.next_message().unwrap() {
        decoder.frame(&frame, &mut all).unwrap();
    }
    decoder.finish(&mut all).unwrap();
    let whole =
        Doc::parse(Converse.encode_answer(&answer(), &context()).into(), Strictness::Provider).unwrap();
    let whole = Converse.decode_answer(&whole).unwrap();
    assert_eq!(fold(&all).unwrap(), whole);
    assert_eq!((whole.finish, whole.usage), (Finish::ToolCalls, answer().usage));
}

/// Clients gather one block at a time.
#[test]
fn blocks_that_overlap_are_told_one_after_the_other() {
    let open = |index, name: &str| {
        let call = ToolCall { id: name.to_owned(), name: name.to_owned(), ..ToolCall::default() };
        ChatEvent::Open { index, block: Block::ToolCall(call) }
    };
    let delta = |index, text: &str| ChatEvent::Delta { index, text: text.to_owned(), at: None };
    let close = |index| ChatEvent::Close { index };
    let mixed = [
        open(0, "a"),
        open(1, "b"),
        delta(0, "{"),
        delta(1, "["),
        open(2, "c"),
        delta(2, "\"c"),
        delta(0, "}"),
        close(1),
        delta(2, "\""),
        close(0),
        close(2),
        ChatEvent::End,
    ];
    let mut said = Vec::new();
    for (name, payload) in written(&mixed) {
        match name.as_str() {
            "contentBlockStart" => {
                said.push(payload["start"]["toolUse"]["name"].as_str().unwrap().to_owned());
            }
            "contentBlockDelta" => {
                assert_eq!(payload["contentBlockIndex"], said.len() - 1);
                let piece = payload["delta"]["toolUse"]["input"].as_str().unwrap();
                said.last_mut().unwrap().push_str(piece);
            }
            _ => {}
        }
    }
    assert_eq!(said, ["a{}", "b[", "c\"c\""]);
}

#[test]
fn calls_without_arguments_are_json_and_errors_are_exceptions() {
    let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), ..ToolCall::default() };
    let answer = ChatResponse { blocks: vec![Block::ToolCall(call)], ..ChatResponse::default() };
    let stream = written(&events(&answer));
    assert_eq!(stream[2].1["delta"]["toolUse"]["input"], "{}");
    for (code, name) in [
        (Code::UpstreamError, "internalServerException"),
        (Code::GuardBlocked, "validationException"),
        (Code::UpstreamTimeout, "modelStreamErrorException"),
        (Code::UpstreamRateLimited, "throttlingException"),
    ] {
        let stream = written(&[ChatEvent::Error(Error::new(code, "it broke")), ChatEvent::End]);
        let [(kind, body)] = stream.as_slice() else { panic!("{stream:?}") };
        assert_eq!((kind.as_str(), &body["message"]), (name, &json!("it broke")));
        assert_eq!(body["code"], code.as_str());
    }
}
