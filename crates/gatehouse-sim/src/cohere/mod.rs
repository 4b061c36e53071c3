//! Cohere's second version: `POST /v2/chat`, whole and streamed, and `POST /v2/embed`. Rankings are elsewhere, beside
//! those of others.

mod embed;
mod request;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::json::flag;
use crate::sse;
use crate::think::{Finish, Reply};
use crate::words;

pub(crate) use embed::embed;

/// Bytes of the pieces in which arguments come.
const ARGUMENT_PIECE_BYTES: usize = 12;
/// Tokens of the words that are put around a conversation: counted, and not billed.
const UNBILLED: (u64, u64) = (70, 2);

/// Answers a conversation.
pub(crate) fn chat(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object("invalid request: the body is no JSON object")?;
    let conversation = request::read(&body, ask.model)?;
    check_model(ask)?;
    let reply = ask.think(&conversation);
    let id = ask.ids.next("chat-");
    let message = message(ask, &reply);
    if !flag(&body, "stream") {
        return Ok(Answer::ok(&json!({"id": id, "message": message, "finish_reason": finish_reason(&reply),
            "usage": usage(&reply)})));
    }
    let broken = |fault: &Fault| {
        let delta = json!({"error": fault.message, "finish_reason": "ERROR"});
        sse::event("message-end", &json!({"type": "message-end", "delta": delta}))
    };
    Ok(ask.stream(events(&id, &message, &reply), broken))
}

/// A model has a name, and is there.
fn check_model(ask: &Ask<'_>) -> Checked<()> {
    if ask.model.is_empty() {
        return Err(Fault::bad("invalid request: model is required"));
    }
    if ask.directives.missing {
        return Err(Fault::new(
            404,
            format!(
                "model '{}' not found, make sure the correct model ID was used and that you have access to the model.",
                ask.model
            ),
        ));
    }
    Ok(())
}

/// The message of an answer. Calls come with a plan, unless the model has thought.
fn message(ask: &Ask<'_>, reply: &Reply) -> Value {
    let mut content = Vec::new();
    if let Some(said) = &reply.reasoning {
        content.push(json!({"type": "thinking", "thinking": said}));
    }
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    let mut message = json!({"role": "assistant"});
    if !content.is_empty() {
        crate::json::set(&mut message, "content", Value::Array(content));
    }
    if !reply.calls.is_empty() {
        if reply.reasoning.is_none() {
            let names: Vec<&str> = reply.calls.iter().map(|call| call.name.as_str()).collect();
            let plan = format!("I will call {}.", names.join(" and "));
            crate::json::set(&mut message, "tool_plan", plan.into());
        }
        let calls = reply.calls.iter().map(|call| {
            json!({"id": ask.ids.next(&format!("{}_", call.name)), "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.to_string()}})
        });
        let calls = calls.collect();
        crate::json::set(&mut message, "tool_calls", Value::Array(calls));
    }
    message
}

fn finish_reason(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop => "COMPLETE",
        Finish::Sequence(_) => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::Calls => "TOOL_CALL",
        Finish::Filtered => "ERROR_TOXIC",
    }
}

fn usage(reply: &Reply) -> Value {
    let (input, output) = (reply.usage.input, reply.usage.output + reply.usage.reasoning);
    json!({"billed_units": {"input_tokens": input, "output_tokens": output},
        "tokens": {"input_tokens": input + UNBILLED.0, "output_tokens": output + UNBILLED.1}})
}

/// The events of a stream: the plan, the content, the calls.
fn events(id: &str, message: &Value, reply: &Reply) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut push = |kind: &str, index: Option<usize>, message: Option<Value>| {
        let mut event = json!({ "type": kind });
        index.into_iter().for_each(|index| crate::json::set(&mut event, "index", index.into()));
        message.into_iter().for_each(|said| crate::json::set(&mut event, "delta", json!({"message": said})));
        events.push(sse::event(kind, &event));
    };
    for word in words::chunks(crate::json::text(message, "tool_plan").unwrap_or_default()) {
        push("tool-plan-delta", None, Some(json!({"tool_plan": word})));
    }
    for (at, block) in crate::json::list(message, "content").iter().enumerate() {
        let name = crate::json::text(block, "type").unwrap_or_default();
        push("content-start", Some(at), Some(json!({"content": {"type": name, name: ""}})));
        for word in words::chunks(crate::json::text(block, name).unwrap_or_default()) {
            push("content-delta", Some(at), Some(json!({"content": {name: word}})));
        }
        push("content-end", Some(at), None);
    }
    for (at, call) in crate::json::list(message, "tool_calls").iter().enumerate() {
        let mut begun = call.clone();
        let arguments = begun.pointer_mut("/function/arguments").map(Value::take).unwrap_or_default();
        if let Some(place) = begun.pointer_mut("/function/arguments") {
            *place = "".into();
        }
        push("tool-call-start", Some(at), Some(json!({"tool_calls": begun})));
        for piece in words::pieces(arguments.as_str().unwrap_or_default(), ARGUMENT_PIECE_BYTES) {
            let piece = json!({"tool_calls": {"function": {"arguments": piece}}});
            push("tool-call-delta", Some(at), Some(piece));
        }
        push("tool-call-end", Some(at), None);
    }
    let empty =
        json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let start = json!({"id": id, "type": "message-start", "delta": {"message": empty}});
    events.insert(0, sse::event("message-start", &start));
    let delta = json!({"finish_reason": finish_reason(reply), "usage": usage(reply)});
    events.push(sse::event("message-end", &json!({"type": "message-end", "delta": delta})));
    events.push(sse::DONE);
    events
}
