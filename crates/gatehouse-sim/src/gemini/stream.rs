//! An answer as chunks: every one a whole document with the usage so far, calls whole, the finish
//! reason in the last one. The end of the body is the end; there is no marker.

use serde_json::{Value, json};

use super::answer::{calls, candidate, response, usage};
use super::request::GenerateRequest;
use crate::ids::Ids;
use crate::sign::{self, Kind};
use crate::think::Reply;
use crate::words;

/// The chunks.
pub(super) fn chunks(request: &GenerateRequest, reply: &Reply, ids: &Ids) -> Vec<Value> {
    let id = ids.next("sim");
    let mut chunks = Vec::new();
    for index in 0..request.candidates {
        let mut spoken = 0;
        let parts = parts(request, reply);
        let count = parts.len();
        for (number, (part, tokens)) in parts.into_iter().enumerate() {
            spoken += tokens;
            let last = number + 1 == count;
            let candidate = candidate(&part, last.then_some(reply), index);
            let output = if last { reply.usage.output } else { spoken };
            chunks.push(response(request, &[candidate], &usage(request, reply, output), &id));
        }
    }
    chunks
}

/// The parts of each chunk and the tokens in it.
fn parts(request: &GenerateRequest, reply: &Reply) -> Vec<(Vec<Value>, u64)> {
    let mut parts = Vec::new();
    if let Some(said) = reply.reasoning.as_deref().filter(|_| request.thoughts) {
        parts.extend(
            words::chunks(said).into_iter().map(|word| (vec![json!({"text": word, "thought": true})], 0)),
        );
    }
    let texts = words::chunks(&reply.text).into_iter();
    parts.extend(texts.map(|word| (vec![json!({ "text": word })], words::count(word))));
    if !reply.calls.is_empty() {
        parts.push((calls(reply), 0));
    } else if reply.reasoning.is_some() && !reply.text.is_empty() {
        // The signature of a text comes at the end, on a part without text.
        parts.push((vec![json!({"text": "", "thoughtSignature": sign::sign(Kind::Text, "")})], 0));
    }
    if parts.is_empty() {
        parts.push((Vec::new(), 0));
    }
    parts
}
