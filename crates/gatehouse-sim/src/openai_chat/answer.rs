//! A chat answer as one document.

use serde_json::{Map, Value, json};

use super::request::ChatRequest;
use crate::ids::{Ids, now};
use crate::think::{Finish, Reply};
use crate::words;

/// What every token is said to be worth.
const LOGPROB: f64 = -0.01;

/// The document.
pub(super) fn document(request: &ChatRequest, reply: &Reply, ids: &Ids) -> Value {
    let choices: Vec<Value> = (0..request.choices).map(|index| choice(request, reply, ids, index)).collect();
    json!({"id": ids.next("chatcmpl-"), "object": "chat.completion", "created": now(),
        "model": request.conversation.model, "choices": choices, "usage": usage(request, reply),
        "service_tier": "default", "system_fingerprint": "fp_simulated"})
}

fn choice(request: &ChatRequest, reply: &Reply, ids: &Ids, index: u64) -> Value {
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let silent = !reply.calls.is_empty();
    message.insert("content".to_owned(), if silent { Value::Null } else { json!(reply.text) });
    if silent {
        let call = |call: &crate::think::Call| {
            json!({"id": ids.next("call_"), "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.to_string()}})
        };
        message.insert("tool_calls".to_owned(), reply.calls.iter().map(call).collect());
    }
    message.insert("refusal".to_owned(), Value::Null);
    message.insert("annotations".to_owned(), json!([]));
    let logprobs = request.logprobs && !silent;
    json!({"index": index, "message": message,
        "logprobs": if logprobs { logprobs_of(&words::chunks(&reply.text)) } else { Value::Null },
        "finish_reason": finish_reason(&reply.finish)})
}

/// Invented probabilities of the given tokens.
pub(super) fn logprobs_of(tokens: &[&str]) -> Value {
    let one = |token: &&str| json!({"token": token, "logprob": LOGPROB, "bytes": token.as_bytes(), "top_logprobs": []});
    json!({"content": tokens.iter().map(one).collect::<Vec<Value>>(), "refusal": null})
}

/// Why it ended, in OpenAI's words.
pub(super) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Sequence(_) => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

/// What it cost.
pub(super) fn usage(request: &ChatRequest, reply: &Reply) -> Value {
    let completion = (reply.usage.output + reply.usage.reasoning) * request.choices;
    json!({"prompt_tokens": reply.usage.input, "completion_tokens": completion,
        "total_tokens": reply.usage.input + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.usage.reasoning * request.choices,
            "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}
