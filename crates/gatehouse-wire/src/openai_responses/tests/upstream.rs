//! Requests of other dialects, written for a provider that speaks this one.

use super::{CODEC, encode, sent, target};
use crate::chat::{
    Block, CacheMark, ChatRequest, Effort, Extension, Format, Media, MediaKind, Origin, Part, RawJson,
    Reasoning, Seal, Source, Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::codec::{ProviderCodec as _, Quirks};
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Code;
use serde_json::json;

fn user(text: &str) -> ChatRequest {
    ChatRequest { turns: vec![Turn::User(vec![Part::text(text)])], ..ChatRequest::default() }
}

fn media(kind: MediaKind, source: Source) -> Part {
    Part::Media(Media { kind, source, name: None, detail: None, cache: None })
}

/// A conversation with everything that other dialects have.
fn conversation() -> ChatRequest {
    let seal = |origin| Some(Seal { origin, value: "s".to_owned() });
    let thought = |seal| Block::Thought(Thought { text: "hm".to_owned(), seal, ..Thought::default() });
    ChatRequest {
        turns: vec![
            Turn::System(vec![Part::text("be kind")]),
            Turn::User(vec![
                Part::Text { text: "look".to_owned(), cache: Some(CacheMark::Short) },
                media(
                    MediaKind::Image,
                    Source::Base64 { mime: "image/png".to_owned(), data: "AA".to_owned() },
                ),
                media(MediaKind::Document, Source::Text("notes".to_owned())),
                media(
                    MediaKind::Audio,
                    Source::Base64 { mime: "audio/mpeg".to_owned(), data: "BB".to_owned() },
                ),
            ]),
            Turn::Assistant(vec![
                thought(seal(Origin::Anthropic)),
                thought(None),
                thought(seal(Origin::OpenAi)),
                Block::text("so"),
                Block::ToolCall(ToolCall {
                    id: "c".to_owned(),
                    name: "f".to_owned(),
                    seal: seal(Origin::Gemini),
                    ..ToolCall::default()
                }),
                Block::Refusal("no".to_owned()),
            ]),
            Turn::ToolResults(vec![ToolResult {
                call_id: "c".to_owned(),
                name: None,
                is_error: true,
                parts: vec![Part::text("broke")],
                cache: None,
            }]),
        ],
        tools: vec![Tool::Function {
            name: "f".to_owned(),
            description: None,
            parameters: Some(RawJson(r#"{"type":"object"}"#.to_owned())),
            strict: None,
            cache: None,
        }],
        tool_choice: Some(ToolChoice::Named("f".to_owned())),
        top_k: Some(4),
        temperature: Some(RawJson("0.50".to_owned())),
        reasoning: Some(Reasoning { budget_tokens: Some(2000), ..Reasoning::default() }),
        format: Some(Format::JsonSchema {
            name: None,
            description: None,
            schema: RawJson("{}".to_owned()),
            strict: None,
        }),
        service_tier: Some("standard_only".to_owned()),
        ..ChatRequest::default()
    }
}

#[test]
fn a_conversation_of_another_dialect_is_written() {
    let (body, mut dropped) = sent(&conversation());
    assert_eq!(
        body,
        json!({
            "model": "gpt-up", "instructions": "be kind",
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                    {"type": "input_image", "image_url": "data:image/png;base64,AA"},
                    {"type": "input_file", "file_data": "data:text/plain;base64,bm90ZXM=", "filename": "document"},
                    {"type": "input_audio", "input_audio": {"data": "BB", "format": "mp3"}}
                ]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "s"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
                {"type": "function_call_output", "call_id": "c", "output": "Error: broke"}
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
            "tool_choice": {"type": "function", "name": "f"}, "temperature": 0.5,
            "text": {"format": {"type": "json_schema", "name": "response", "schema": {}}},
            "reasoning": {"effort": "medium"}, "store": false
        })
    );
    dropped.sort_unstable();
    assert_eq!(
        dropped,
        [
            "reasoning",
            "service_tier",
            "thinking signature of anthropic",
            "thinking signature of gemini",
            "top_k"
        ]
    );
}

#[test]
fn what_would_change_the_meaning_is_refused() {
    let extension = |weight, path: &str, origin| Extension {
        path: path.to_owned(),
        value: RawJson("1".to_owned()),
        origin,
        weight,
    };
    let hosted = |weight| Tool::Hosted {
        name: "web_search_20250305".to_owned(),
        definition: extension(weight, "tools[0]", Dialect::AnthropicMessages),
    };
    let file = Source::File { id: "f".to_owned(), origin: Origin::Anthropic };
    let video = Source::Url { url: "https://x/y.mp4".to_owned(), mime: None };
    let with = |part| ChatRequest { turns: vec![Turn::User(vec![part])], ..ChatRequest::default() };
    let logprobs = extension(Weight::Meaning, "logprobs", Dialect::OpenAiChat);
    for (request, param) in [
        (ChatRequest { candidates: Some(2), ..user("x") }, "n"),
        (ChatRequest { stop: vec!["END".to_owned()], ..user("x") }, "stop"),
        (ChatRequest { extensions: vec![logprobs], ..user("x") }, "logprobs"),
        (ChatRequest { tools: vec![hosted(Weight::Meaning)], ..user("x") }, "tools[0]"),
        (with(media(MediaKind::Document, file)), "document"),
        (with(media(MediaKind::Video, video)), "video"),
    ] {
        let error = encode(&request).unwrap_err();
        assert_eq!((error.code, error.param.as_deref()), (Code::UnsupportedParameter, Some(param)));
    }
    let hint = extension(Weight::Hint, "context_management", Dialect::AnthropicMessages);
    let hints = ChatRequest { extensions: vec![hint], tools: vec![hosted(Weight::Hint)], ..user("x") };
    assert_eq!(sent(&hints).1, ["context_management", "tools[0]"]);
}

#[test]
fn targets_decide_what_they_take() {
    let cannot = Capabilities {
        sampling: Some(false),
        images: Some(false),
        reasoning: Some(false),
        tools: Some(false),
        structured: Some(false),
        ..Capabilities::default()
    };
    let request = ChatRequest {
        temperature: Some(RawJson("1".to_owned())),
        reasoning: Some(Reasoning { effort: Some(Effort::Low), ..Reasoning::default() }),
        user: Some("u".to_owned()),
        metadata: vec![("a".to_owned(), "b".to_owned())],
        ..user("x")
    };
    let quirks = Quirks { drop: &["metadata", "store"], refuse: &["parallel_tool_calls"], ..Quirks::NONE };
    let encoded = CODEC.encode_request(&request, &target(cannot, &quirks)).unwrap();
    assert_eq!(encoded.dropped, ["temperature", "reasoning", "store", "metadata"]);
    let refused = |request: &ChatRequest| {
        CODEC.encode_request(request, &target(cannot, &quirks)).unwrap_err().param.unwrap()
    };
    let image = media(MediaKind::Image, Source::Url { url: "https://x".to_owned(), mime: None });
    let with_image = ChatRequest { turns: vec![Turn::User(vec![image])], ..ChatRequest::default() };
    assert_eq!(refused(&with_image), "image");
    assert_eq!(refused(&ChatRequest { parallel_tool_calls: Some(true), ..user("x") }), "parallel_tool_calls");
}

#[test]
fn shared_members_of_chat_keep_their_meaning() {
    let shared = |path: &str, value: &str| Extension {
        path: path.to_owned(),
        value: RawJson(value.to_owned()),
        origin: Dialect::OpenAiChat,
        weight: Weight::Hint,
    };
    let extensions =
        vec![shared("verbosity", "\"low\""), shared("prompt_cache_key", "\"k\""), shared("store", "true")];
    let (body, dropped) = sent(&ChatRequest { extensions, ..user("x") });
    assert_eq!((&body["text"]["verbosity"], &body["prompt_cache_key"]), (&json!("low"), &json!("k")));
    assert_eq!((dropped, &body["store"]), (vec!["store".to_owned()], &json!(false)));
}

#[test]
fn servers_of_the_family_are_told_in_their_own_way() {
    let function = |name: &str| Tool::Function {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
    };
    let marked = Part::Text { text: "x".to_owned(), cache: Some(CacheMark::Short) };
    let request = ChatRequest {
        turns: vec![Turn::User(vec![marked])],
        tools: vec![function("f"), function("g")],
        tool_choice: Some(ToolChoice::Allowed { names: vec!["g".to_owned()], required: true }),
        ..ChatRequest::default()
    };
    let encoded =
        CODEC.encode_request(&request, &target(Capabilities::default(), &Quirks::COMPATIBLE)).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!((&body["tool_choice"], body["tools"].as_array().unwrap().len()), (&json!("required"), 1));
    assert_eq!(body["tools"][0]["name"], "g");
    assert_eq!(encoded.dropped, ["prompt_cache_breakpoint"]);
    let (body, dropped) = sent(&request);
    assert_eq!((&body["tool_choice"]["type"], dropped.len()), (&json!("allowed_tools"), 0));
}
