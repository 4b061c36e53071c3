//! Answers in one piece, read from providers and written for callers.

use super::{CODEC, REPLY_ID, call, decode, next_turn, provider, reply};
use crate::chat::{Block, ChatResponse, Finish, Origin, Seal, Thought, ToolCall, Turn};
use crate::codec::ProviderCodec as _;
use gatehouse_core::content::Place;
use gatehouse_core::error::Code;
use gatehouse_core::usage::Usage;
use serde_json::{Value, json};

fn answer(blocks: Vec<Block>) -> ChatResponse {
    ChatResponse { blocks, ..ChatResponse::default() }
}

fn read(body: &Value) -> ChatResponse {
    CODEC.decode_answer(&provider(&serde_json::to_vec(body).unwrap())).unwrap()
}

#[test]
fn an_answer_is_read() {
    let body = json!({
        "id": "resp_1", "model": "gpt-x", "created_at": 17.0, "status": "completed", "service_tier": "flex",
        "output": [
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA",
             "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
            {"type": "web_search_call", "id": "ws", "action": {"type": "search", "query": "q"}},
            {"type": "message", "content": [
                {"type": "output_text", "text": "hi", "annotations": []}, {"type": "refusal", "refusal": "no"}
            ]},
            {"type": "function_call", "call_id": "c", "name": "get", "namespace": "crm", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "x\n"}
        ],
        "usage": {
            "input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
            "output_tokens_details": {"reasoning_tokens": 2},
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3,
                "cache_write_tokens_details": {"ttl_30m": 1, "ttl_12h": 2}}
        },
        "tool_usage": {"web_search": {"num_requests": 1}}
    });
    let found = read(&body);
    assert_eq!((found.id.as_str(), found.created, found.finish), ("resp_1", Some(17), Finish::ToolCalls));
    let [Block::Thought(thought), Block::Opaque(_), Block::Text { text, .. }, Block::Refusal(no), get, patch] =
        found.blocks.as_slice()
    else {
        panic!("{:?}", found.blocks)
    };
    assert_eq!((thought.text.as_str(), text.as_str(), no.as_str()), ("a\n\nb", "hi", "no"));
    assert_eq!(thought.seal, Some(Seal { origin: Origin::OpenAi, value: "gAAA".to_owned() }));
    assert_eq!((get, patch), (&call("c", "crm__get", "{}"), &call("d", "patch", r#"{"input":"x\n"}"#)));
    let usage = Usage {
        input_tokens: 10,
        cached_read_tokens: 4,
        cache_write_tokens: 1,
        cache_write_long_tokens: 2,
        output_tokens: 5,
        reasoning_tokens: 2,
        searches: 1,
        ..Usage::default()
    };
    assert_eq!(found.usage, Some(usage));
    let doc = provider(&serde_json::to_vec(&body).unwrap());
    let summary = CODEC.summary(&doc);
    assert_eq!((summary.usage, summary.finish, summary.error), (Some(usage), Some("tool_calls"), None));
    let spans = CODEC.answer_spans(&doc);
    let spans: Vec<_> = spans.iter().map(|span| (doc.slice(span.range.clone()), span.place)).collect();
    for expected in [
        ("hi", Place::Output),
        ("no", Place::Output),
        ("b", Place::Output),
        ("x\\n", Place::ToolArguments),
        ("q", Place::ToolArguments),
    ] {
        assert!(spans.contains(&expected), "{expected:?}");
    }
}

#[test]
fn ends_are_told_apart() {
    for (status, reason, finish) in [
        ("incomplete", "max_output_tokens", Finish::Length),
        ("incomplete", "content_filter", Finish::ContentFilter),
        ("completed", "", Finish::Stop),
    ] {
        let body = json!({"status": status, "incomplete_details": {"reason": reason}, "output": []});
        assert_eq!(read(&body).finish, finish);
    }
    for (body, code) in [
        (
            json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}, "output": []}),
            Code::UpstreamRateLimited,
        ),
        (
            json!({"status": "failed", "error": {"code": "server_error", "message": "oh"}}),
            Code::UpstreamError,
        ),
        (json!({"status": "failed"}), Code::UpstreamError),
        (json!({"status": "queued", "output": []}), Code::UpstreamBadResponse),
        (json!({"status": "completed"}), Code::UpstreamBadResponse),
        (json!([]), Code::UpstreamBadResponse),
    ] {
        let doc = provider(&serde_json::to_vec(&body).unwrap());
        assert_eq!(CODEC.decode_answer(&doc).unwrap_err().code, code, "{body}");
        assert_eq!(CODEC.summary(&doc).error.is_some(), body["status"] == "failed", "{body}");
    }
}

#[test]
fn an_answer_has_every_member_that_the_sdks_need() {
    let request = decode(&json!({
        "model": "m", "input": "x", "instructions": "be kind", "temperature": 0.25, "metadata": {"a": "b"},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
        "tool_choice": {"type": "function", "name": "f"}, "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"}, "max_tool_calls": 2, "truncation": "auto"
    }))
    .unwrap();
    let usage = Usage {
        input_tokens: 3,
        cached_read_tokens: 1,
        cache_write_tokens: 1,
        output_tokens: 4,
        ..Usage::default()
    };
    let found = reply(&ChatResponse { usage: Some(usage), ..answer(vec![Block::text("hi")]) }, Some(request));
    let expected = json!({
        "id": format!("resp_{REPLY_ID}"), "object": "response", "created_at": 1_790_000_000, "status": "completed",
        "background": false, "error": null, "incomplete_details": null, "model": "alias",
        "output": [{
            "type": "message", "id": format!("msg_{REPLY_ID}_0"), "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]
        }],
        "usage": {
            "input_tokens": 3, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
            "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7
        },
        "instructions": "be kind", "max_output_tokens": null, "max_tool_calls": 2, "parallel_tool_calls": true,
        "previous_response_id": null, "prompt_cache_key": null, "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": null, "store": false, "temperature": 0.25,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}],
        "top_logprobs": 0, "top_p": 1.0, "truncation": "auto", "user": null, "metadata": {"a": "b"}
    });
    assert_eq!(found, expected);
    let bare = reply(&answer(vec![]), None);
    assert_eq!(
        (&bare["tools"], &bare["tool_choice"], &bare["output"]),
        (&json!([]), &json!("auto"), &json!([]))
    );
}

#[test]
fn ends_are_written() {
    for (finish, status, reason) in [
        (Finish::Length, "incomplete", Some("max_output_tokens")),
        (Finish::ContentFilter, "incomplete", Some("content_filter")),
        (Finish::Pause, "completed", None),
        (Finish::Failed, "failed", None),
    ] {
        let found =
            reply(&ChatResponse { finish, native_finish: Some("WHY".to_owned()), ..answer(vec![]) }, None);
        assert_eq!(
            (found["status"].as_str(), found["incomplete_details"]["reason"].as_str()),
            (Some(status), reason)
        );
        assert_eq!(found["error"].is_null(), finish != Finish::Failed);
    }
}

#[test]
fn functions_get_their_own_names_back() {
    let long = "t".repeat(80);
    let request = decode(&json!({"model": "m", "input": "x", "tools": [
        {"type": "namespace", "name": "crm", "description": "d", "tools": [
            {"type": "function", "name": "get"}, {"type": "custom", "name": "note"}, {"type": "function", "name": long}
        ]},
        {"type": "custom", "name": "patch"},
        {"type": "function", "name": "other__tool"}
    ]}))
    .unwrap();
    let crate::chat::Tool::Function { name: cut, .. } = &request.tools[2] else { panic!() };
    let blocks = vec![
        call("1", "crm__get", "{}"),
        call("2", "crm__note", r#"{"input":"n"}"#),
        call("3", cut, ""),
        call("4", "patch", r#"{"input":"a\nb"}"#),
        call("5", "patch", "not the form"),
        call("6", "other__tool", "{}"),
    ];
    let found = reply(&answer(blocks.clone()), Some(request));
    let names: Vec<_> = found["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
            (text("type"), text("namespace"), text("name"), text("arguments") + &text("input"))
        })
        .collect();
    let expected = [
        ("function_call", "crm", "get", "{}"),
        ("custom_tool_call", "crm", "note", "n"),
        ("function_call", "crm", &long, "{}"),
        ("custom_tool_call", "", "patch", "a\nb"),
        ("custom_tool_call", "", "patch", "not the form"),
        ("function_call", "", "other__tool", "{}"),
    ]
    .map(|(kind, space, name, text)| (kind.to_owned(), space.to_owned(), name.to_owned(), text.to_owned()));
    assert_eq!(names, expected);
    let back = said(&found["output"]);
    assert_eq!(back[..2], blocks[..2]);
    assert_eq!(back[5], blocks[5]);
}

#[test]
fn seals_of_others_survive_the_next_turn() {
    let seal = |origin, value: &str| Some(Seal { origin, value: value.to_owned() });
    let thought = |text: &str, seal, redacted| {
        Block::Thought(Thought { text: text.to_owned(), id: None, seal, redacted })
    };
    let blocks = vec![
        thought(" exactly\n this", seal(Origin::Anthropic, "sig+/="), false),
        thought("", seal(Origin::Anthropic, "hidden"), true),
        thought("", seal(Origin::Anthropic, "omitted"), false),
        thought("open", None, false),
        Block::Text { text: "so".to_owned(), seal: seal(Origin::Gemini, "t"), cache: None },
        Block::Text { text: String::new(), seal: seal(Origin::Gemini, "e"), cache: None },
        Block::ToolCall(ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            seal: seal(Origin::Gemini, "g"),
            cache: None,
        }),
    ];
    let found = reply(&answer(blocks.clone()), None);
    let back = said(&found["output"]);
    assert_eq!(back, blocks);
    let events = crate::chat::events(&answer(blocks.clone()));
    let last = super::data(&super::stream(&events, None)).pop().unwrap();
    let back = said(&last["response"]["output"]);
    assert_eq!(back, blocks);
}

/// What the model said, as the next turn's request has it.
fn said(output: &Value) -> Vec<Block> {
    match next_turn(output).as_slice() {
        [Turn::Assistant(blocks)] => blocks.clone(),
        other => panic!("{other:?}"),
    }
}
