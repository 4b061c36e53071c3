//! A chat answer as a stream: role, contents or calls, finish, the usage if it was asked for, `[DONE]`.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::answer::{finish_reason, logprobs_of, usage};
use super::request::ChatRequest;
use crate::ids::{Ids, now};
use crate::sse;
use crate::think::Reply;
use crate::words;

/// Bytes of the pieces in which arguments come.
const ARGUMENT_PIECE_BYTES: usize = 12;

struct Chunks<'a> {
    request: &'a ChatRequest,
    id: String,
    created: u64,
    events: Vec<Bytes>,
}

/// The events.
pub(super) fn events(request: &ChatRequest, reply: &Reply, ids: &Ids) -> Vec<Bytes> {
    let mut chunks = Chunks { request, id: ids.next("chatcmpl-"), created: now(), events: Vec::new() };
    for index in 0..request.choices {
        chunks.choice(index, reply, ids);
    }
    if request.include_usage {
        chunks.chunk(json!([]), usage(request, reply));
    }
    chunks.events.push(sse::DONE);
    chunks.events
}

// === impl Chunks ===

impl Chunks<'_> {
    fn choice(&mut self, index: u64, reply: &Reply, ids: &Ids) {
        let silent = !reply.calls.is_empty();
        let content = if silent { Value::Null } else { json!("") };
        self.delta(index, &json!({"role": "assistant", "content": content, "refusal": null}), &Value::Null);
        for word in words::chunks(&reply.text) {
            let logprobs = if self.request.logprobs { logprobs_of(&[word]) } else { Value::Null };
            self.delta(index, &json!({ "content": word }), &logprobs);
        }
        for (number, call) in reply.calls.iter().enumerate() {
            let begin = json!({"index": number, "id": ids.next("call_"), "type": "function",
                "function": {"name": call.name, "arguments": ""}});
            self.delta(index, &json!({ "tool_calls": [begin] }), &Value::Null);
            for piece in words::pieces(&call.arguments.to_string(), ARGUMENT_PIECE_BYTES) {
                let more = json!({"index": number, "function": {"arguments": piece}});
                self.delta(index, &json!({ "tool_calls": [more] }), &Value::Null);
            }
        }
        let finish = finish_reason(&reply.finish);
        let last = json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": finish});
        self.chunk(json!([last]), Value::Null);
    }

    fn delta(&mut self, index: u64, delta: &Value, logprobs: &Value) {
        let choice = json!({"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null});
        self.chunk(json!([choice]), Value::Null);
    }

    /// A chunk; it has a `usage` member only if the client asked for the usage.
    fn chunk(&mut self, choices: Value, usage: Value) {
        let mut chunk = Map::new();
        let mut set = |name: &str, value: Value| drop(chunk.insert(name.to_owned(), value));
        set("id", json!(self.id));
        set("object", json!("chat.completion.chunk"));
        set("created", json!(self.created));
        set("model", json!(self.request.conversation.model));
        set("service_tier", json!("default"));
        set("system_fingerprint", json!("fp_simulated"));
        set("choices", choices);
        if self.request.include_usage {
            set("usage", usage);
        }
        self.events.push(sse::data(&Value::Object(chunk)));
    }
}
