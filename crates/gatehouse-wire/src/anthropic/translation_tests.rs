//! Requests that were read in other dialects, written for Anthropic.

use super::Messages;
use crate::chat::{
    Block, CacheMark, ChatRequest, Effort, Extension, Format, Media, MediaKind, Origin, Part, RawJson,
    Reasoning, Seal, Source, Thought, Tool, ToolCall, ToolChoice, ToolResult, Turn, Weight,
};
use crate::codec::{ProviderCodec as _, Quirks, Target};
use gatehouse_core::content::Dialect;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::{Code, Error};
use serde_json::{Value, json};

fn ask(text: &str) -> Turn {
    Turn::User(vec![Part::text(text)])
}

fn request() -> ChatRequest {
    ChatRequest { model: "smart".to_owned(), turns: vec![ask("hi")], ..ChatRequest::default() }
}

fn function(name: &str) -> Tool {
    Tool::Function { name: name.to_owned(), description: None, parameters: None, strict: None, cache: None }
}

fn encode(request: &ChatRequest, capabilities: Capabilities) -> Result<(Value, Vec<String>), Error> {
    let target = Target { model: "claude", capabilities, quirks: &Quirks::NONE };
    let encoded = Messages.encode_request(request, &target)?;
    Ok((serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped))
}

fn written(request: &ChatRequest) -> (Value, Vec<String>) {
    encode(request, Capabilities::default()).unwrap()
}

fn refused(request: &ChatRequest) -> String {
    let error = encode(request, Capabilities::default()).unwrap_err();
    assert_eq!(error.code, Code::UnsupportedParameter, "{}", error.message);
    error.param.unwrap()
}

fn effort(effort: Effort) -> Option<Reasoning> {
    Some(Reasoning { effort: Some(effort), visible: true, ..Reasoning::default() })
}

fn foreign(path: &str, weight: Weight) -> Extension {
    let value = RawJson("1".to_owned());
    Extension { path: path.to_owned(), value, origin: Dialect::OpenAiChat, weight }
}

#[test]
fn a_plain_question() {
    let (body, dropped) = written(&request());
    assert_eq!(
        body,
        json!({"model": "claude", "max_tokens": 4096,
               "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})
    );
    assert!(dropped.is_empty());
    let known = Capabilities { output_tokens: Some(64_000), ..Capabilities::default() };
    assert_eq!(encode(&request(), known).unwrap().0["max_tokens"], 64_000);
    let much = ChatRequest { max_output_tokens: Some(100_000), ..request() };
    assert_eq!(encode(&much, known).unwrap().0["max_tokens"], 64_000);
}

#[test]
fn what_changes_the_meaning_is_refused_and_hints_are_named() {
    let audio = Part::Media(Media {
        kind: MediaKind::Audio,
        source: Source::Base64 { mime: "audio/wav".to_owned(), data: "AAAA".to_owned() },
        name: None,
        detail: None,
        cache: None,
    });
    let file = Part::Media(Media {
        kind: MediaKind::Document,
        source: Source::File { id: "file-1".to_owned(), origin: Origin::OpenAi },
        name: None,
        detail: None,
        cache: None,
    });
    for (request, param) in [
        (ChatRequest { candidates: Some(2), ..request() }, "n"),
        (ChatRequest { extensions: vec![foreign("logprobs", Weight::Meaning)], ..request() }, "logprobs"),
        (ChatRequest { turns: vec![Turn::User(vec![audio])], ..request() }, "messages"),
        (ChatRequest { turns: vec![Turn::User(vec![file])], ..request() }, "messages"),
        (ChatRequest { tools: vec![function("a.b")], ..request() }, "tools[0].name"),
    ] {
        assert_eq!(refused(&request), param);
    }
    let (_, dropped) = written(&ChatRequest {
        seed: Some(RawJson("7".to_owned())),
        presence_penalty: Some(RawJson("1".to_owned())),
        temperature: Some(RawJson("1.5".to_owned())),
        user: Some("ann@example.com".to_owned()),
        service_tier: Some("flex".to_owned()),
        stop: vec!["\n".to_owned()],
        extensions: vec![foreign("logit_bias", Weight::Hint)],
        ..request()
    });
    let expected = ["logit_bias", "presence_penalty", "seed", "temperature", "stop", "user", "service_tier"];
    assert_eq!(dropped, expected);
    let empty = ChatRequest { turns: vec![ask(" ")], ..request() };
    assert_eq!(encode(&empty, Capabilities::default()).unwrap_err().code, Code::InvalidRequest);
}

#[test]
fn models_without_sampling_are_not_told_of_it() {
    let request = ChatRequest { temperature: Some(RawJson("1".to_owned())), top_k: Some(4), ..request() };
    let none = Capabilities { sampling: Some(false), ..Capabilities::default() };
    let (body, dropped) = encode(&request, none).unwrap();
    assert!(body.get("temperature").is_none() && body.get("top_k").is_none());
    assert_eq!(dropped, ["temperature", "top_k"]);
}

#[test]
fn effort_becomes_a_budget_or_stays_one() {
    let high = ChatRequest { reasoning: effort(Effort::High), ..request() };
    let (body, _) = written(&high);
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 4096}));
    assert!(body["max_tokens"].as_u64() > Some(4096));
    let adaptive = Capabilities { adaptive_thinking: Some(true), ..Capabilities::default() };
    let (body, _) = encode(&high, adaptive).unwrap();
    assert_eq!(body["thinking"], json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(body["output_config"], json!({"effort": "high"}));
    let (body, _) = encode(&ChatRequest { reasoning: effort(Effort::None), ..request() }, adaptive).unwrap();
    assert_eq!(body["thinking"], json!({"type": "disabled"}));

    let tight = ChatRequest { max_output_tokens: Some(2000), ..high.clone() };
    assert_eq!(written(&tight).0["thinking"]["budget_tokens"], 1999);
    let tighter = ChatRequest { max_output_tokens: Some(500), ..high.clone() };
    let (body, dropped) = written(&tighter);
    assert!(body.get("thinking").is_none());
    assert_eq!(dropped, ["reasoning"]);
    let never = Capabilities { reasoning: Some(false), ..Capabilities::default() };
    assert_eq!(encode(&high, never).unwrap().1, ["reasoning"]);
}

#[test]
fn thinking_gives_way_to_forced_calls_and_takes_the_place_of_sampling() {
    let high = ChatRequest {
        reasoning: effort(Effort::High),
        tools: vec![function("f")],
        temperature: Some(RawJson("0.2".to_owned())),
        top_p: Some(RawJson("0.99".to_owned())),
        ..request()
    };
    let (body, dropped) = written(&high);
    assert_eq!((&body["top_p"], dropped), (&json!(0.99), vec!["temperature".to_owned()]));
    let forced = ChatRequest { tool_choice: Some(ToolChoice::Required), ..high };
    let (body, dropped) = written(&forced);
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!((&body["temperature"], body.get("thinking")), (&json!(0.2), None));
    assert_eq!(dropped, ["reasoning", "top_p"]);
}

#[test]
fn tools_in_anthropics_way() {
    let request = ChatRequest {
        tools: vec![function("a"), function("b")],
        tool_choice: Some(ToolChoice::Allowed { names: vec!["b".to_owned()], required: false }),
        parallel_tool_calls: Some(false),
        format: Some(Format::JsonObject),
        ..request()
    };
    let (body, dropped) = written(&request);
    assert_eq!(body["tools"], json!([{"name": "b", "input_schema": {"type": "object", "properties": {}}}]));
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(body["system"][0]["text"], "Answer with one JSON object and nothing else.");
    assert_eq!(dropped, ["response_format"]);
}

#[test]
fn a_history_of_another_provider() {
    let seal = |origin| Some(Seal { origin, value: "v".to_owned() });
    let call = |id: &str, arguments: &str| {
        Block::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
            seal: seal(Origin::Gemini),
            cache: None,
        })
    };
    let result = |id: &str, text: &str| ToolResult {
        call_id: id.to_owned(),
        name: Some("f".to_owned()),
        is_error: text.is_empty(),
        parts: vec![Part::text(text)],
        cache: None,
    };
    let thought = Thought { text: "hm".to_owned(), seal: seal(Origin::OpenAi), ..Thought::default() };
    let request = ChatRequest {
        turns: vec![
            Turn::System(vec![Part::text("Be brief.")]),
            ask("hi"),
            Turn::Assistant(vec![Block::Thought(thought), call("x:1", ""), call("y", "[1]")]),
            Turn::ToolResults(vec![result("x:1", "one")]),
            Turn::ToolResults(vec![result("y", "")]),
            Turn::System(vec![Part::text("In French.")]),
            ask("go on"),
            Turn::Assistant(vec![Block::text("Well \n")]),
        ],
        reasoning: effort(Effort::Low),
        ..request()
    };
    let (body, dropped) = written(&request);
    assert_eq!(body["system"], json!([{"type": "text", "text": "Be brief."}]));
    let messages = &body["messages"];
    let id = messages[1]["content"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("x_1_"));
    assert_eq!(
        messages[1]["content"],
        json!([{"type": "tool_use", "id": id, "name": "f", "input": {}},
               {"type": "tool_use", "id": "y", "name": "f", "input": {"__raw": "[1]"}}])
    );
    assert_eq!(
        messages[2]["content"],
        json!([{"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": "one"}]},
               {"type": "tool_result", "tool_use_id": "y", "is_error": true},
               {"type": "text", "text": "<system>\nIn French.\n</system>"},
               {"type": "text", "text": "go on"}])
    );
    assert_eq!(messages[3]["content"][0]["text"], "Well");
    assert_eq!(dropped, ["thinking signature of openai", "thinking signature of gemini", "messages[].role"]);
}

#[test]
fn a_tool_loop_thinks_on_only_if_its_thought_is_there() {
    let turns = |seal: Option<Seal>| {
        let call = ToolCall { id: "c".to_owned(), name: "f".to_owned(), ..ToolCall::default() };
        let thought = Thought { seal, ..Thought::default() };
        let parts = Vec::new();
        let result = ToolResult { call_id: "c".to_owned(), name: None, is_error: false, parts, cache: None };
        vec![
            ask("hi"),
            Turn::Assistant(vec![Block::Thought(thought), Block::ToolCall(call)]),
            Turn::ToolResults(vec![result]),
        ]
    };
    let own = Seal { origin: Origin::Anthropic, value: "s".to_owned() };
    let with = ChatRequest { turns: turns(Some(own)), reasoning: effort(Effort::Low), ..request() };
    let (body, dropped) = written(&with);
    assert_eq!((body["thinking"]["budget_tokens"].as_u64(), dropped.len()), (Some(1024), 0));
    assert_eq!(body["messages"][1]["content"][0]["signature"], "s");
    let without = ChatRequest { turns: turns(None), ..with };
    let (body, dropped) = written(&without);
    assert!(body.get("thinking").is_none());
    assert_eq!(dropped, ["reasoning without a signature", "reasoning"]);
}

#[test]
fn four_cache_marks_and_the_last_ones() {
    let part = |text: &str| Part::Text { text: text.to_owned(), cache: Some(CacheMark::Long) };
    let request = ChatRequest {
        turns: vec![Turn::System(vec![part("s")]), Turn::User(["a", "b", "c", "d"].map(part).into())],
        ..request()
    };
    let (body, dropped) = written(&request);
    assert!(body["system"][0].get("cache_control").is_none());
    assert_eq!(body["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(dropped, ["cache_control"]);
}
