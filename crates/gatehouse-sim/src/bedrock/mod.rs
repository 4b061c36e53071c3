//! Amazon Bedrock's Converse: `POST /model/{id}/converse` and `…/converse-stream`, with real event-stream
//! framing.

mod frames;
mod invoke;
mod request;
mod signature;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::sign::{self, Kind};
use crate::think::{Finish, Reply};
use crate::words;
use signature::Asked;

pub(crate) use invoke::invoke;

/// Bytes of the pieces in which arguments come.
const ARGUMENT_PIECE_BYTES: usize = 12;
/// In a model's name: a stream whose last message is damaged.
const BAD_SUM: &str = "badcrc";

/// Answers a call; `stream` is said by the path.
pub(crate) fn converse(ask: &Ask<'_>, stream: bool, path: &str) -> Checked<Answer> {
    signature::check(&Asked { path, headers: ask.headers, body: ask.body })?;
    let body = ask.object("The request body is not valid JSON.")?;
    let conversation = request::read(&body, ask.model)?;
    if ask.directives.missing {
        return Err(Fault::bad("The provided model identifier is invalid."));
    }
    let reply = ask.think(&conversation);
    if !stream {
        return Ok(whole(ask, &reply));
    }
    let mut events = events(&blocks(ask, &reply), &reply);
    if let Some(after) = ask.directives.fail {
        events.truncate(after);
        let said = json!({"message": "Simulated failure in the middle of a stream."});
        events.push(frames::exception("modelStreamErrorException", &said));
    }
    if ask.model.split('+').any(|word| word == BAD_SUM) {
        events.last_mut().into_iter().for_each(frames::damage);
    }
    Ok(streamed(events))
}

/// The answer with this text, for the model `bench`.
pub(crate) fn bench(ask: &Ask<'_>, text: &str, stream: bool) -> Answer {
    let reply = Reply::fixed(text);
    if stream { streamed(events(&blocks(ask, &reply), &reply)) } else { whole(ask, &reply) }
}

fn whole(ask: &Ask<'_>, reply: &Reply) -> Answer {
    Answer::ok(&json!({"output": {"message": {"role": "assistant", "content": blocks(ask, reply)}},
        "stopReason": stop_reason(reply), "usage": usage(reply), "metrics": {"latencyMs": 1}}))
}

fn streamed(events: Vec<Bytes>) -> Answer {
    let kind = HeaderValue::from_static("application/vnd.amazon.eventstream");
    Answer::literal(StatusCode::OK, Some(kind), events, true)
}

fn blocks(ask: &Ask<'_>, reply: &Reply) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(said) = &reply.reasoning {
        let signature = sign::sign(Kind::Thinking, said);
        blocks.push(json!({"reasoningContent": {"reasoningText": {"text": said, "signature": signature}}}));
    }
    if !reply.text.is_empty() {
        blocks.push(json!({"text": reply.text}));
    }
    for call in &reply.calls {
        let id = ask.ids.next("tooluse_");
        blocks.push(json!({"toolUse": {"toolUseId": id, "name": call.name, "input": call.arguments}}));
    }
    blocks
}

fn stop_reason(reply: &Reply) -> &'static str {
    match reply.finish {
        Finish::Stop => "end_turn",
        Finish::Sequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::Filtered => "content_filtered",
    }
}

fn usage(reply: &Reply) -> Value {
    let (input, output) = (reply.usage.input, reply.usage.output + reply.usage.reasoning);
    json!({"inputTokens": input, "outputTokens": output, "totalTokens": input + output})
}

/// The messages of a stream. Only calls say that they begin.
fn events(blocks: &[Value], reply: &Reply) -> Vec<Bytes> {
    let mut events = vec![frames::event("messageStart", &json!({"role": "assistant", "p": "abcd"}))];
    for (at, block) in blocks.iter().enumerate() {
        let mut push = |delta: Value| {
            let payload = json!({"contentBlockIndex": at, "delta": delta, "p": "abcdefgh"});
            events.push(frames::event("contentBlockDelta", &payload));
        };
        let at_path = |path: &str| block.pointer(path).and_then(Value::as_str).unwrap_or_default();
        if let Some(call) = block.get("toolUse") {
            let start = json!({"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}});
            let payload = json!({"contentBlockIndex": at, "start": start});
            events.push(frames::event("contentBlockStart", &payload));
            for piece in words::pieces(&call["input"].to_string(), ARGUMENT_PIECE_BYTES) {
                let payload = json!({"contentBlockIndex": at, "delta": {"toolUse": {"input": piece}}});
                events.push(frames::event("contentBlockDelta", &payload));
            }
        } else if block.get("reasoningContent").is_some() {
            for word in words::chunks(at_path("/reasoningContent/reasoningText/text")) {
                push(json!({"reasoningContent": {"text": word}}));
            }
            let signature = at_path("/reasoningContent/reasoningText/signature");
            push(json!({"reasoningContent": {"signature": signature}}));
        } else {
            words::chunks(at_path("/text")).into_iter().for_each(|word| push(json!({"text": word})));
        }
        events.push(frames::event("contentBlockStop", &json!({"contentBlockIndex": at})));
    }
    events.push(frames::event("messageStop", &json!({"stopReason": stop_reason(reply)})));
    events.push(frames::event("metadata", &json!({"usage": usage(reply), "metrics": {"latencyMs": 1}})));
    events
}
