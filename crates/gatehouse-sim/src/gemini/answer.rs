//! An answer as one document, and the parts it is made of.

use serde_json::{Value, json};

use super::request::GenerateRequest;
use crate::ids::Ids;
use crate::json::set;
use crate::sign::{self, Kind};
use crate::think::{Finish, Reply};

/// The document.
pub(super) fn document(request: &GenerateRequest, reply: &Reply, ids: &Ids) -> Value {
    let mut parts = Vec::new();
    if let Some(said) = reply.reasoning.as_deref().filter(|_| request.thoughts) {
        parts.push(json!({"text": said, "thought": true}));
    }
    if !reply.text.is_empty() {
        let mut part = json!({"text": reply.text});
        if reply.reasoning.is_some() {
            set(&mut part, "thoughtSignature", json!(sign::sign(Kind::Text, "")));
        }
        parts.push(part);
    }
    parts.extend(calls(reply));
    let candidates: Vec<Value> =
        (0..request.candidates).map(|index| candidate(&parts, Some(reply), index)).collect();
    response(request, &candidates, &usage(request, reply, reply.usage.output), &ids.next("sim"))
}

/// The calls, the first of them signed.
pub(super) fn calls(reply: &Reply) -> Vec<Value> {
    let part = |(index, call): (usize, &crate::think::Call)| {
        let mut part = json!({"functionCall": {"name": call.name, "args": call.arguments}});
        if index == 0 {
            set(&mut part, "thoughtSignature", json!(sign::sign(Kind::Call, &call.name)));
        }
        part
    };
    reply.calls.iter().enumerate().map(part).collect()
}

/// A candidate; it has a finish reason with its reply, at its end.
pub(super) fn candidate(parts: &[Value], ended: Option<&Reply>, index: u64) -> Value {
    let content = if parts.is_empty() { json!({}) } else { json!({"parts": parts, "role": "model"}) };
    let mut candidate = json!({ "content": content });
    if let Some(reply) = ended {
        set(
            &mut candidate,
            "finishReason",
            json!(match reply.finish {
                Finish::Stop | Finish::Sequence(_) | Finish::Calls => "STOP",
                Finish::Length => "MAX_TOKENS",
                Finish::Filtered => "SAFETY",
            }),
        );
        if reply.finish == Finish::Calls {
            set(&mut candidate, "finishMessage", json!("Model generated function call(s)."));
        }
        if reply.finish == Finish::Filtered {
            set(
                &mut candidate,
                "safetyRatings",
                json!([{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true}]),
            );
        }
    }
    set(&mut candidate, "index", json!(index));
    candidate
}

/// What it cost so far; members that would be zero are absent.
pub(super) fn usage(request: &GenerateRequest, reply: &Reply, output: u64) -> Value {
    let output = output * request.candidates;
    let (input, thoughts) = (reply.usage.input, reply.usage.reasoning);
    let mut usage = json!({"promptTokenCount": input});
    if output > 0 {
        set(&mut usage, "candidatesTokenCount", json!(output));
    }
    set(&mut usage, "totalTokenCount", json!(input + output + thoughts));
    set(&mut usage, "promptTokensDetails", json!([{"modality": "TEXT", "tokenCount": input}]));
    if thoughts > 0 {
        set(&mut usage, "thoughtsTokenCount", json!(thoughts));
    }
    usage
}

/// The envelope of candidates.
pub(super) fn response(request: &GenerateRequest, candidates: &[Value], usage: &Value, id: &str) -> Value {
    json!({"candidates": candidates, "usageMetadata": usage, "modelVersion": request.conversation.model,
        "responseId": id})
}
