//! Streams, read from providers and written for callers.

use super::{call, data, decode, frames_of, read, reply, stream};
use crate::chat::{Block, ChatEvent, ChatResponse, Finish, Thought, events, fold};
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use serde_json::{Value, json};

fn types(stream: &[u8]) -> Vec<String> {
    let name = |event: Value| event["type"].as_str().unwrap().trim_start_matches("response.").to_owned();
    data(stream).into_iter().map(name).collect()
}

fn answer() -> ChatResponse {
    ChatResponse {
        blocks: vec![
            Block::Thought(Thought { text: "hm".to_owned(), ..Thought::default() }),
            Block::text("hello"),
            call("c", "f", r#"{"a":1}"#),
            call("d", "g", ""),
            Block::text(""),
        ],
        finish: Finish::ToolCalls,
        usage: Some(Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() }),
        ..ChatResponse::default()
    }
}

#[test]
fn every_item_begins_grows_and_ends() {
    let written = stream(&events(&answer()), None);
    assert_eq!(
        types(&written),
        [
            "created",
            "in_progress",
            "output_item.added",
            "reasoning_summary_part.added",
            "reasoning_summary_text.delta",
            "reasoning_summary_text.done",
            "reasoning_summary_part.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let all = data(&written);
    assert_eq!(all.last().unwrap()["response"], reply(&answer(), None));
    let added: Vec<_> = all.iter().filter(|event| event["type"] == "response.output_item.added").collect();
    let indices: Vec<_> = added.iter().map(|event| event["output_index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
    assert_eq!(added[1]["item"]["content"], json!([]));
    let done = all.iter().find(|event| event["type"] == "response.content_part.done").unwrap();
    assert_eq!((&done["part"]["text"], &done["item_id"]), (&json!("hello"), &added[1]["item"]["id"]));
}

#[test]
fn overlapping_blocks_stay_apart() {
    let open = |index, block| ChatEvent::Open { index, block };
    let delta = |index, text: &str| ChatEvent::Delta { index, text: text.to_owned(), at: None };
    let events = [
        ChatEvent::Start { id: String::new(), model: String::new(), created: None },
        open(0, call("c", "f", "")),
        open(1, call("d", "g", "")),
        delta(1, "[1"),
        delta(0, "{}"),
        delta(1, "]"),
        ChatEvent::Close { index: 1 },
        ChatEvent::Finish { finish: Finish::ToolCalls, native: None, stop_sequence: None },
        ChatEvent::End,
    ];
    let last = data(&stream(&events, None)).pop().unwrap();
    let arguments: Vec<_> = last["response"]["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(arguments, ["{}", "[1]"]);
}

#[test]
fn free_form_input_comes_out_of_the_arguments() {
    let request =
        decode(&json!({"model": "m", "input": "x", "tools": [{"type": "custom", "name": "patch"}]})).unwrap();
    let mut events =
        events(&ChatResponse { blocks: vec![call("c", "patch", "")], ..ChatResponse::default() });
    let at = events.iter().position(|event| matches!(event, ChatEvent::Close { .. })).unwrap();
    for text in [r#"" b\n"}"#, r#"{"input":"a\"#] {
        events.insert(at, ChatEvent::Delta { index: 0, text: text.to_owned(), at: None });
    }
    let all = data(&stream(&events, Some(request)));
    let delta = all.iter().find(|event| event["type"] == "response.custom_tool_call_input.delta").unwrap();
    assert_eq!(delta["delta"], "a\" b\n");
    let done = all.iter().find(|event| event["type"] == "response.output_item.done").unwrap();
    assert_eq!(
        (&done["item"]["type"], &done["item"]["input"]),
        (&json!("custom_tool_call"), &json!("a\" b\n"))
    );
}

#[test]
fn failures_end_the_stream_once() {
    let error = Error::new(Code::UpstreamOverloaded, "busy");
    let early = data(&stream(&[ChatEvent::Error(error.clone()), ChatEvent::End], None));
    assert_eq!(
        early,
        [
            json!({"type": "error", "sequence_number": 0, "code": "upstream_overloaded", "message": "busy", "param": null,
            "error": {"message": "busy", "type": "server_error", "param": null, "code": "upstream_overloaded"}})
        ]
    );
    let mut events = events(&answer());
    events.truncate(6);
    events.extend([ChatEvent::Error(error), ChatEvent::End]);
    let all = data(&stream(&events, None));
    let last = all.last().unwrap();
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(last["response"]["error"], json!({"code": "upstream_overloaded", "message": "busy"}));
    assert_eq!(last["response"]["output"].as_array().unwrap().len(), 1);
    assert_eq!(all.iter().filter(|event| event["type"] == "response.failed").count(), 1);
}

#[test]
fn repeated_texts_are_named_with_their_place() {
    let written = stream(&events(&answer()), None);
    let all = read(&written, written.len()).unwrap();
    let repeats = |wanted: &str| {
        all.iter().filter(|event| matches!(event, ChatEvent::Repeat { text, .. } if text == wanted)).count()
    };
    // output_text.done, content_part.done, output_item.done, completed.
    assert_eq!((repeats("hello"), repeats("hm")), (4, 4));
    // function_call_arguments.done, output_item.done, completed.
    assert_eq!(repeats(r#"{"a":1}"#), 3);
}

#[test]
fn servers_that_stream_in_name_only_are_read() {
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "hi"}]});
    let tool = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let done = |at: u64, item: &Value| json!({"type": "response.output_item.done", "output_index": at, "item": item});
    let whole = json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [message, tool]}});
    let text_done =
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hi"});
    for frames in [
        vec![whole.clone()],
        vec![done(0, &message), done(1, &tool), whole.clone()],
        vec![text_done, done(0, &message), done(1, &tool), done(1, &tool), whole],
    ] {
        let all = read(&frames_of(&frames), 7).unwrap();
        let folded = fold(&all).unwrap();
        assert_eq!(
            (folded.blocks, folded.finish),
            (vec![Block::text("hi"), call("c", "f", "{}")], Finish::ToolCalls)
        );
        let opened = all.iter().filter(|event| matches!(event, ChatEvent::Open { .. })).count();
        let closed = all.iter().filter(|event| matches!(event, ChatEvent::Close { .. })).count();
        assert_eq!((opened, closed), (2, 2));
    }
}

#[test]
fn free_form_calls_are_read() {
    let item =
        |input: &str| json!({"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": input});
    let event = |kind: &str, member: &str, value: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "output_index": 0});
        event[member] = value;
        event
    };
    let frames = frames_of(&[
        event("output_item.added", "item", item("")),
        event("custom_tool_call_input.delta", "delta", json!("a ")),
        event("custom_tool_call_input.delta", "delta", json!("\"b\"")),
        event("custom_tool_call_input.done", "input", json!("a \"b\"")),
        event("output_item.done", "item", item("a \"b\"")),
        event("completed", "response", json!({"status": "completed", "output": []})),
    ]);
    let folded = fold(&read(&frames, frames.len()).unwrap()).unwrap();
    assert_eq!(folded.blocks, [call("c", "patch", r#"{"input":"a \"b\""}"#)]);
}

#[test]
fn bad_ends_are_errors() {
    let created = json!({"type": "response.created", "response": {"id": "r"}});
    assert_eq!(
        read(&frames_of(std::slice::from_ref(&created)), 9).unwrap_err().code,
        Code::UpstreamBadResponse
    );
    assert_eq!(read(b"data: {\n\n", 9).unwrap_err().code, Code::UpstreamBadResponse);
    for (event, code) in [
        (json!({"type": "error", "code": "rate_limit_exceeded", "message": "m"}), Code::UpstreamRateLimited),
        (json!({"error": {"type": "server_error", "message": "m"}}), Code::UpstreamError),
        (
            json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "server_error", "message": "m"}}}),
            Code::UpstreamError,
        ),
        (json!({"type": "response.failed", "response": {"status": "failed"}}), Code::UpstreamError),
    ] {
        let all = read(&frames_of(&[created.clone(), event.clone()]), 9).unwrap();
        assert_eq!(fold(&all).unwrap_err().code, code, "{event}");
        assert!(matches!(all.last(), Some(ChatEvent::Error(_))));
    }
    let incomplete = json!({"type": "response.incomplete", "response": {
        "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}});
    assert_eq!(fold(&read(&frames_of(&[incomplete]), 9).unwrap()).unwrap().finish, Finish::Length);
}
