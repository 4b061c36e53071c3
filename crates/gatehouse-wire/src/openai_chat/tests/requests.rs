//! Requests: there and back, the view of them, and what other servers of the family get.

use super::super::OpenAiChat;
use super::{doc, shapes, target};
use crate::chat::{
    Block, ChatRequest, Effort, Extension, Media, MediaKind, Origin, Part, RawJson, Reasoning, Seal, Source,
    Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::codec::{Codec, ProviderCodec as _, Quirks, ReasoningAs, Target};
use crate::json::{Doc, Strictness};
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Place};
use gatehouse_core::deployment::Capabilities;
use proptest::prelude::*;
use serde_json::{Value, json};

fn sent(request: &ChatRequest, quirks: &Quirks) -> (Value, Vec<String>) {
    let encoded = OpenAiChat.encode_request(request, &target(quirks)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn with_turns(turns: Vec<Turn>) -> ChatRequest {
    ChatRequest { turns, ..ChatRequest::default() }
}

proptest! {
    /// What is written for OpenAI is what was meant, nothing is dropped, and the view finds it sound.
    #[test]
    fn there_and_back(request in shapes::request()) {
        let capabilities = Capabilities { reasoning: Some(true), ..Capabilities::default() };
        let target = Target { capabilities, ..target(&Quirks::NONE) };
        let encoded = OpenAiChat.encode_request(&request, &target).unwrap();
        prop_assert_eq!(&encoded.dropped, &Vec::<String>::new());
        let doc = Doc::parse(Bytes::from(encoded.body), Strictness::Caller).unwrap();
        let view = OpenAiChat.view(&doc).unwrap();
        prop_assert_eq!(view.stream, request.stream);
        prop_assert_eq!(view.needs.tools, !request.tools.is_empty());
        let back = OpenAiChat.decode_request(&doc).unwrap();
        // A result learns its tool's name from the call before it.
        prop_assert_eq!(nameless(back), nameless(request));
    }

    /// Every server of the family gets JSON without what it does not know, whatever was asked.
    #[test]
    fn every_server_gets_what_it_can_read(request in shapes::request()) {
        let quirks = Quirks { json_schema: false, drop: &["user", "stop"], ..Quirks::COMPATIBLE };
        match OpenAiChat.encode_request(&request, &target(&quirks)) {
            Ok(encoded) => {
                let body: Value = serde_json::from_slice(&encoded.body).unwrap();
                for gone in ["user", "stop", "max_completion_tokens"] {
                    prop_assert_eq!(body.get(gone), None);
                }
                prop_assert_eq!(encoded.dropped.contains(&"user".to_owned()), request.user.is_some());
            }
            Err(error) => prop_assert_eq!(error.param.as_deref(), Some("response_format")),
        }
    }

    /// Malformed requests are refused, never a panic; what is accepted can be rewritten.
    #[test]
    fn mutilated_requests_never_panic(
        request in shapes::request(),
        at in any::<prop::sample::Index>(),
        with in "(null|7|\\[\\]|\\{\\}|\"x\"|true)",
    ) {
        let encoded = OpenAiChat.encode_request(&request, &target(&Quirks::NONE)).unwrap();
        let mut value: Value = serde_json::from_slice(&encoded.body).unwrap();
        let mut pointers = Vec::new();
        collect(&value, String::new(), &mut pointers);
        let victim = value.pointer_mut(&pointers[at.index(pointers.len())]).unwrap();
        *victim = serde_json::from_str(&with).unwrap();
        let doc = doc(&value.to_string());
        let decoded = OpenAiChat.decode_request(&doc);
        if let Ok(view) = OpenAiChat.view(&doc) {
            let rewrite = OpenAiChat.rewrite(&doc, &view, &target(&Quirks::COMPATIBLE)).unwrap();
            let sent = gatehouse_core::content::splice(doc.bytes(), &rewrite.edits);
            serde_json::from_slice::<Value>(&sent).unwrap();
        } else {
            prop_assert!(OpenAiChat.view(&doc).is_err_and(|error| error.param.is_some()));
        }
        if let Ok(request) = decoded {
            let _ = OpenAiChat.encode_request(&request, &target(&Quirks::NONE));
        }
    }
}

fn collect(value: &Value, pointer: String, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| collect(value, format!("{pointer}/{name}"), all));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect(value, format!("{pointer}/{at}"), all));
        }
        _ => {}
    }
    all.push(pointer);
}

fn nameless(mut request: ChatRequest) -> ChatRequest {
    for turn in &mut request.turns {
        if let Turn::ToolResults(results) = turn {
            results.iter_mut().for_each(|result| result.name = None);
        }
    }
    request
}

#[test]
fn the_view_finds_every_text_and_what_is_needed() {
    let doc = doc(r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"max_tokens":9,
        "safety_identifier":"u","metadata":{"team":"a"},"service_tier":"flex","reasoning_effort":"low",
        "tools":[{"type":"function",
          "function":{"name":"t1","description":"t2","parameters":{"description":"no"}}}],
        "prediction":{"type":"content","content":"i1"},"messages":[
        {"role":"system","content":"s1"},
        {"role":"user","content":[{"type":"text","text":"i2"},{"type":"image_url","image_url":{"url":"no"}},
          {"type":"file","file":{"filename":"i3","file_data":"no"}},{"type":"unheard_of","words":["i4"]}]},
        {"role":"assistant","content":[{"type":"refusal","refusal":"o1"}],"reasoning_content":"o2",
          "thinking_blocks":[{"type":"thinking","thinking":"o3","signature":"no"}],
          "tool_calls":[{"id":"no","type":"function","function":{"name":"no","arguments":"a1"}}]},
        {"role":"tool","tool_call_id":"no","content":[{"type":"text","text":"r1"}]}]}"#);
    let view = OpenAiChat.view(&doc).unwrap();
    let mut found: Vec<_> =
        view.spans.iter().map(|span| (span.place, doc.slice(span.range.clone()))).collect();
    found.sort_unstable();
    let expected = [
        (Place::System, "s1"),
        (Place::Input, "i1"),
        (Place::Input, "i2"),
        (Place::Input, "i3"),
        (Place::Input, "i4"),
        (Place::Output, "o1"),
        (Place::Output, "o2"),
        (Place::Output, "o3"),
        (Place::ToolArguments, "a1"),
        (Place::ToolResult, "r1"),
        (Place::ToolDefinition, "t1"),
        (Place::ToolDefinition, "t2"),
    ];
    assert_eq!(found, expected);
    let needs = view.needs;
    assert!(
        needs.tools
            && needs.images
            && needs.documents
            && needs.reasoning
            && !needs.audio
            && !needs.structured
    );
    assert_eq!((view.media, view.max_output_tokens, view.wants_usage), (2, Some(9), true));
    assert_eq!((view.user.as_deref(), view.service_tier.as_deref()), (Some("u"), Some("flex")));
    assert_eq!(view.metadata, [("team".to_owned(), "a".to_owned())]);
}

#[test]
fn malformed_requests_are_refused_by_name() {
    let message = r#"{"role":"user","content":"x"}"#;
    for (body, param) in [
        (r#"[]"#.to_owned(), ""),
        (r#"{"messages":[]}"#.to_owned(), "model"),
        (r#"{"model":"m"}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[]}"#.to_owned(), "messages"),
        (r#"{"model":"m","messages":[null]}"#.to_owned(), "messages[0]"),
        (r#"{"model":"m","messages":[{"role":"king","content":"x"}]}"#.to_owned(), "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":null}]}"#.to_owned(), "messages[0].content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[null]}]}"#.to_owned(),
            "messages[0].content[0]",
        ),
        (r#"{"model":"m","messages":[{"role":"user","Content":"x"}]}"#.to_owned(), "messages[0].Content"),
        (
            r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#.to_owned(),
            "messages[0].tool_call_id",
        ),
        (format!(r#"{{"model":7,"messages":[{message}]}}"#), "model"),
        (format!(r#"{{"model":"","messages":[{message}]}}"#), "model"),
        (format!(r#"{{"model":"m","messages":[{message}],"stream":"yes"}}"#), "stream"),
        (format!(r#"{{"model":"m","messages":[{message}],"Stream":true}}"#), "Stream"),
        (format!(r#"{{"model":"m","messages":[{message}],"max_tokens":-1}}"#), "max_tokens"),
        (format!(r#"{{"model":"m","messages":[{message}],"temperature":"hot"}}"#), "temperature"),
        (
            format!(r#"{{"model":"m","messages":[{message}],"tools":[{{"type":"function"}}]}}"#),
            "tools[0].function",
        ),
        (format!(r#"{{"model":"m","messages":[{message}],"metadata":{{"a":1}}}}"#), "metadata.a"),
        (format!(r#"{{"model":"m","messages":[{message}],"stop":[1]}}"#), "stop[0]"),
    ] {
        let error = OpenAiChat.view(&doc(&body)).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn results_are_texts_and_their_media_follow() {
    let image = Part::Media(Media {
        kind: MediaKind::Image,
        source: Source::Base64 { mime: "image/png".to_owned(), data: "AA==".to_owned() },
        name: None,
        detail: None,
        cache: None,
    });
    let result = |id: &str, is_error, parts| ToolResult {
        call_id: id.to_owned(),
        name: None,
        is_error,
        parts,
        cache: None,
    };
    let (body, dropped) = sent(
        &with_turns(vec![
            Turn::ToolResults(vec![
                result("1", false, vec![image]),
                result("2", true, vec![Part::text("no such file")]),
                result("3", false, Vec::new()),
            ]),
            Turn::User(vec![Part::text("and?")]),
        ]),
        &Quirks::NONE,
    );
    let messages = body["messages"].as_array().unwrap();
    let contents: Vec<_> =
        messages.iter().take(3).map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["The result is attached to the next message.", "Error: no such file", ""]);
    assert_eq!(messages[3]["role"], "user");
    let kinds: Vec<_> = messages[3]["content"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
    assert_eq!(kinds, ["text", "image_url", "text"]);
    assert!(dropped.is_empty());
}

#[test]
fn foreign_seals_and_hints_are_named_and_meaning_is_refused() {
    let seal = |origin| Some(Seal { origin, value: "s".to_owned() });
    let thought = Thought { text: "hm".to_owned(), seal: seal(Origin::Anthropic), ..Thought::default() };
    let call = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        seal: seal(Origin::Gemini),
        ..ToolCall::default()
    };
    let hint = |weight| Extension {
        path: "top_k_p".to_owned(),
        value: RawJson("1".to_owned()),
        origin: Dialect::AnthropicMessages,
        weight,
    };
    let mut request = with_turns(vec![Turn::Assistant(vec![Block::Thought(thought), Block::ToolCall(call)])]);
    request.extensions = vec![hint(Weight::Hint)];
    request.reasoning = Some(Reasoning { budget_tokens: Some(8000), sealed: true, ..Reasoning::default() });
    let (body, dropped) = sent(&request, &Quirks::NONE);
    assert_eq!(
        dropped,
        [
            "thinking signature of gemini",
            "thinking signature of anthropic",
            "reasoning of earlier answers",
            "encrypted reasoning",
            "top_k_p"
        ]
    );
    assert_eq!(body["reasoning_effort"], "high");
    assert_eq!(body["messages"][0]["tool_calls"][0]["function"]["arguments"], "{}");
    let deepseek = Quirks { reasoning_back: true, reasoning_as: ReasoningAs::Thinking, ..Quirks::COMPATIBLE };
    let (body, _) = sent(&request, &deepseek);
    assert_eq!(body["messages"][0]["reasoning_content"], "hm");
    assert_eq!(body["thinking"], json!({"type": "enabled"}));
    request.extensions = vec![hint(Weight::Meaning)];
    let refused = OpenAiChat.encode_request(&request, &target(&Quirks::NONE)).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("top_k_p"));
}

#[test]
fn what_a_model_cannot_do_is_refused_or_named() {
    let tool = |name: &str| Tool::Function {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
    };
    let allowed = ToolChoice::Allowed { names: vec!["b".to_owned()], required: true };
    let mut request = ChatRequest {
        turns: vec![Turn::User(vec![Part::text("x")])],
        tools: vec![tool("a"), tool("b")],
        tool_choice: Some(allowed),
        temperature: Some(RawJson("0.5".to_owned())),
        top_k: Some(3),
        metadata: vec![("a".to_owned(), "b".to_owned())],
        service_tier: Some("standard_only".to_owned()),
        ..ChatRequest::default()
    };
    let (body, dropped) = sent(&request, &Quirks { forced_tool: "any", ..Quirks::COMPATIBLE });
    assert_eq!((&body["tool_choice"], body["tools"].as_array().map(Vec::len)), (&json!("any"), Some(1)));
    assert_eq!(body["top_k"], 3);
    assert_eq!(dropped, ["metadata", "service_tier"]);
    let mut reasoner = target(&Quirks::NONE);
    reasoner.capabilities = Capabilities { sampling: Some(false), ..Capabilities::default() };
    let dropped = OpenAiChat.encode_request(&request, &reasoner).unwrap().dropped;
    assert_eq!(dropped, ["temperature", "top_k", "metadata", "service_tier"]);
    request.max_output_tokens = Some(9999);
    request.reasoning = Some(Reasoning { effort: Some(Effort::None), ..Reasoning::default() });
    reasoner.capabilities = Capabilities { output_tokens: Some(100), ..Capabilities::default() };
    let encoded = OpenAiChat.encode_request(&request, &reasoner).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&body["max_completion_tokens"], body.get("reasoning_effort")), (&json!(100), None));
    assert!(encoded.dropped.contains(&"reasoning_effort".to_owned()));
    reasoner.capabilities.tools = Some(false);
    assert_eq!(OpenAiChat.encode_request(&request, &reasoner).unwrap_err().param.as_deref(), Some("tools"));
    request.candidates = Some(2);
    let refused = OpenAiChat.encode_request(&request, &target(&Quirks::NONE)).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("n"));
}
