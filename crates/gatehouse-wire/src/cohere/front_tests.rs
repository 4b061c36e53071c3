//! The dialect towards callers: requests as they are read, answers and streams as they are written.

use super::CohereChat;
use crate::chat::{Block, ChatEvent, ChatRequest, ChatResponse, Effort, Format, Origin, Part, Seal, Thought};
use crate::chat::{Tool, ToolCall, ToolChoice, Turn, Weight, events, fold};
use crate::codec::{Codec as _, ProviderCodec as _, Quirks, ReplyContext, Target};
use crate::json::{Doc, Strictness};
use crate::openai_chat::OpenAiChat;
use crate::sse::Frames;
use crate::watch::Watched;
use bytes::Bytes;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use serde_json::{Value, json};

const REQUEST: &str = include_str!("../../fixtures/seeds/cohere/request.json");
const STREAM: &str = include_str!("../../fixtures/seeds/cohere/stream.sse");

fn doc(text: impl Into<Bytes>) -> Doc {
    Doc::parse(text.into(), Strictness::Caller).unwrap()
}

fn read(body: &Value) -> Result<ChatRequest, Error> {
    let doc = doc(body.to_string());
    CohereChat.view(&doc)?;
    CohereChat.decode_request(&doc)
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

fn context() -> ReplyContext {
    ReplyContext { model: "m".to_owned(), id: "0".repeat(32), ..ReplyContext::default() }
}

#[test]
fn a_request_is_seen_with_every_text_in_its_place() {
    let doc = doc(REQUEST);
    let view = CohereChat.view(&doc).unwrap();
    assert!(view.stream && view.needs.tools && view.needs.images && view.needs.reasoning);
    assert_eq!((view.max_output_tokens, view.media), (Some(200), 1));
    let of = |place: Place| -> Vec<&str> {
        let here = view.spans.iter().filter(|span| span.place == place);
        here.map(|span| doc.slice(span.range.clone())).collect()
    };
    assert_eq!(of(Place::System), ["Be brief."]);
    let input = ["What is this, é😀?", "Which?", "Tabbies are striped.", "Manx", "No tail."];
    assert_eq!(of(Place::Input), input);
    assert_eq!(of(Place::Output), ["I will look.", "hm", "A cat."]);
    assert_eq!(of(Place::ToolArguments), [r#"{\"at\": 1.0}"#]);
    assert_eq!(of(Place::ToolResult), ["a cat", "Cats", "They purr.", "A cat", "a cat"]);
    assert_eq!(of(Place::ToolDefinition), ["look", "Looks."]);
}

#[test]
fn a_request_is_read_and_only_its_model_is_edited() {
    let doc = doc(REQUEST);
    let request = CohereChat.decode_request(&doc).unwrap();
    assert_eq!((request.top_k, request.temperature.unwrap().0.as_str()), (Some(40), "0.30"));
    assert_eq!((request.top_p.unwrap().0.as_str(), request.tool_choice), ("0.9", Some(ToolChoice::Required)));
    assert_eq!(request.reasoning.unwrap().budget_tokens, Some(100));
    assert!(matches!(&request.tools[0], Tool::Function { strict: Some(true), .. }));
    let left: Vec<_> = request.extensions.iter().map(|own| (own.path.as_str(), own.weight)).collect();
    let hints = ["citation_options", "safety_mode", "priority"].map(|name| (name, Weight::Hint));
    assert_eq!(left, hints);
    let Turn::ToolResults(results) = &request.turns[3] else { panic!("{:?}", request.turns) };
    assert_eq!(results[0].name.as_deref(), Some("look"));
    assert_eq!(results[0].parts[1], Part::text("title: Cats\ntext: They purr."));
    let Some(Turn::User(said)) = request.turns.last() else { panic!("{:?}", request.turns) };
    let Part::Media(manx) = &said[1] else { panic!("{said:?}") };
    assert_eq!((manx.name.as_deref(), said.len()), (Some("Manx"), 3));

    let view = CohereChat.view(&doc).unwrap();
    let rewrite = CohereChat.rewrite(&doc, &view, &target("x")).unwrap();
    let edited = splice(doc.bytes(), &rewrite.edits);
    assert_eq!(edited, Bytes::from(REQUEST.replace("\"command-a-03-2025\"", "\"x\"")));
    let encoded = OpenAiChat.encode_request(&CohereChat.decode_request(&doc).unwrap(), &target("o")).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(sent["tool_choice"], "required");
    assert_eq!(sent["messages"][2]["tool_calls"][0]["function"]["arguments"], r#"{"at": 1.0}"#);
    for name in ["citation_options", "safety_mode", "priority", "messages[4].citations"] {
        assert!(encoded.dropped.iter().any(|own| own == name), "{name}: {:?}", encoded.dropped);
    }
}

#[test]
fn forms_and_thoughts_are_read() {
    let ask = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&body).unwrap()
    };
    let schema = ask(json!({"response_format": {"type": "json_object", "json_schema": {"type": "object"}}}));
    assert!(matches!(schema.format, Some(Format::JsonSchema { .. })));
    assert_eq!(ask(json!({"response_format": {"type": "json_object"}})).format, Some(Format::JsonObject));
    let off = ask(json!({"thinking": {"type": "disabled"}})).reasoning.unwrap();
    assert_eq!((off.effort, off.visible), (Some(Effort::None), false));
    assert_eq!(ask(json!({"thinking": {"type": "enabled"}})).reasoning.unwrap().effort, Some(Effort::Medium));
    assert_eq!(ask(json!({"k": 0})).top_k, None);
    for (more, weight) in [
        (json!({"safety_mode": "STRICT"}), Weight::Meaning),
        (json!({"logprobs": true}), Weight::Meaning),
        (json!({"response_format": {"type": "xml"}}), Weight::Meaning),
        (json!({"new": 1}), Weight::Hint),
    ] {
        assert_eq!(ask(more.clone()).extensions[0].weight, weight, "{more}");
    }
}

#[test]
fn what_is_malformed_is_refused_by_name() {
    let said = |message: Value| json!({"model": "m", "messages": [message]});
    let user = |more: Value| {
        let mut body = said(json!({"role": "user", "content": "a"}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, param) in [
        (json!({"messages": [{"role": "user", "content": "a"}]}), "model"),
        (json!({"model": "m"}), "messages"),
        (json!({"model": "m", "messages": []}), "messages"),
        (said(json!({"role": "robot", "content": "a"})), "messages[0].role"),
        (said(json!({"role": "user"})), "messages[0].content"),
        (said(json!({"role": "user", "content": 1})), "messages[0].content"),
        (said(json!({"role": "user", "content": [{"type": "text"}]})), "messages[0].content[0].text"),
        (
            said(json!({"role": "user", "content": [{"type": "text", "Text": "a"}]})),
            "messages[0].content[0].Text",
        ),
        (said(json!({"role": "tool", "content": "a"})), "messages[0].tool_call_id"),
        (
            said(json!({"role": "assistant", "tool_calls": [{"id": "a"}]})),
            "messages[0].tool_calls[0].function",
        ),
        (user(json!({"tool_choice": "auto"})), "tool_choice"),
        (user(json!({"tools": [{"type": "function"}]})), "tools[0].function"),
        (user(json!({"documents": [1]})), "documents[0]"),
        (user(json!({"thinking": {"type": "maybe"}})), "thinking.type"),
        (user(json!({"stream": "yes"})), "stream"),
        (user(json!({"Stream": true})), "Stream"),
    ] {
        let error = read(&body).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::InvalidRequest, Some(param)), "{body}");
    }
}

fn answer() -> ChatResponse {
    let seal = |origin, value: &str| Some(Seal { origin, value: value.to_owned() });
    let thought =
        Thought { text: "hm".to_owned(), seal: seal(Origin::Anthropic, "s+/="), ..Thought::default() };
    let hidden = Thought { seal: seal(Origin::Anthropic, "r"), redacted: true, ..Thought::default() };
    let call = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{\"x\":1.0}".to_owned(),
        seal: seal(Origin::Gemini, "g"),
        cache: None,
    };
    ChatResponse {
        blocks: vec![
            Block::Thought(thought),
            Block::Thought(hidden),
            Block::text("yes"),
            Block::ToolCall(call),
        ],
        finish: crate::chat::Finish::ToolCalls,
        usage: Some(Usage {
            input_tokens: 9,
            unbilled_input_tokens: 4,
            output_tokens: 3,
            ..Usage::default()
        }),
        ..ChatResponse::default()
    }
}

/// What a caller sends back is what a model said, with the seals of its maker.
#[test]
fn seals_of_others_ride_along() {
    let answer = answer();
    let whole: Value = serde_json::from_slice(&CohereChat.encode_answer(&answer, &context())).unwrap();
    assert_eq!((&whole["finish_reason"], &whole["id"]), (&json!("TOOL_CALL"), &json!("0".repeat(32))));
    assert_eq!(whole["usage"]["billed_units"], json!({"input_tokens": 5, "output_tokens": 3}));
    assert_eq!(whole["usage"]["tokens"], json!({"input_tokens": 9, "output_tokens": 3}));
    let mut asked = json!({"model": "m", "messages": [{"role": "user", "content": "a"}, whole["message"],
        {"role": "tool", "tool_call_id": "c", "content": "ok"}]});
    let back = read(&asked).unwrap();
    assert_eq!(back.turns[1], Turn::Assistant(answer.blocks));

    // At Cohere itself nobody knows them.
    let seen = doc(asked.to_string());
    let view = CohereChat.view(&seen).unwrap();
    let rewrite = CohereChat.rewrite(&seen, &view, &target("m")).unwrap();
    assert_eq!(rewrite.dropped.len(), 3);
    let sent: Value = serde_json::from_slice(&splice(seen.bytes(), &rewrite.edits)).unwrap();
    for list in ["content", "tool_calls"] {
        for one in asked["messages"][1][list].as_array_mut().unwrap() {
            one.as_object_mut().unwrap().remove("signature");
        }
    }
    assert_eq!(sent, asked);
}

fn written(all: &[ChatEvent]) -> String {
    let (mut encoder, mut out) = (CohereChat.encoder(context()), Vec::new());
    all.iter().for_each(|event| encoder.event(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn decoded(stream: &str, watched: bool) -> Vec<ChatEvent> {
    let mut decoder = CohereChat.decoder();
    if watched {
        decoder = Box::new(Watched::new(decoder));
    }
    let (mut frames, mut all) = (Frames::default(), Vec::new());
    frames.push(stream.as_bytes()).unwrap();
    while let Some(frame) = frames.next_frame() {
        decoder.frame(&frame, &mut all).unwrap();
    }
    decoder.finish(&mut all).unwrap();
    all
}

#[test]
fn a_stream_is_written_in_the_order_of_coheres_own() {
    let stream = written(&events(&answer()));
    let names: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let content = ["content-start", "content-delta", "content-delta", "content-end"];
    let expected = [
        &["message-start"][..],
        &content,
        &["content-start", "content-delta", "content-end"],
        &["content-start", "content-delta", "content-end"],
        &["tool-call-start", "tool-call-delta", "tool-call-end", "message-end"],
    ];
    assert_eq!(names, expected.concat());
    assert!(stream.ends_with("\n\ndata: [DONE]\n\n"));
    let back = fold(&decoded(&stream, false)).unwrap();
    assert_eq!((back.finish, back.usage), (answer().finish, answer().usage));
    let same = fold(&decoded(&written(&decoded(STREAM, false)), false)).unwrap();
    assert_eq!(same.blocks, fold(&decoded(STREAM, false)).unwrap().blocks);
    let broken = written(&[ChatEvent::Error(Error::new(Code::UpstreamError, "it broke"))]);
    assert!(broken.starts_with("event: message-end\n") && !broken.contains("DONE"), "{broken}");
    assert!(broken.contains(r#""delta":{"error":"it broke","finish_reason":"ERROR"}"#), "{broken}");
}

#[test]
fn citations_of_others_are_coheres() {
    let sample = json!({"id": "1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "Zürich is big. It is old.", "annotations": [{"type": "url_citation",
        "url_citation": {"start_index": 15, "end_index": 25, "url": "https://a", "title": "Z"}}]}}]});
    let parsed = Doc::parse(Bytes::from(sample.to_string()), Strictness::Provider).unwrap();
    let answer = OpenAiChat.decode_answer(&parsed).unwrap();
    let whole: Value = serde_json::from_slice(&CohereChat.encode_answer(&answer, &context())).unwrap();
    let cited = &whole["message"]["citations"][0];
    assert_eq!(
        (&cited["text"], &cited["start"], &cited["end"]),
        (&json!("It is old."), &json!(15), &json!(25))
    );
    assert_eq!(cited["sources"][0]["document"], json!({"title": "Z", "url": "https://a"}));
    let folded = fold(&decoded(&written(&events(&answer)), false)).unwrap();
    let again = Doc::parse(Bytes::from(whole.to_string()), Strictness::Provider).unwrap();
    for back in [folded, CohereChat.decode_answer(&again).unwrap()] {
        let Some(Block::Citations(cited)) = back.blocks.last() else { panic!("{:?}", back.blocks) };
        assert_eq!(
            (cited.all[0].url.as_deref(), cited.all[0].span.clone()),
            (Some("https://a"), Some(15..25))
        );
    }
}

/// Guardrails see each text of a frame in its place, and the pieces of one text as one.
#[test]
fn frames_are_watched() {
    let told: Vec<String> = decoded(STREAM, true)
        .iter()
        .filter_map(|event| match event {
            ChatEvent::Aside { key, place, text, .. } => Some(format!("{} {key} {text}", place.as_str())),
            ChatEvent::Repeat { place, text, .. } => Some(format!("{} {text}", place.as_str())),
            _ => None,
        })
        .collect();
    let expected = [
        "output 0 I",
        "output 0  will",
        "output 1 hé",
        "output 2 It is",
        "output 2  red.",
        "output red",
        "output red",
        "tool_arguments 3 {\"at\":",
        "tool_arguments 3  1}",
    ];
    assert_eq!(told, expected);
}
