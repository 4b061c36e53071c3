//! A message as a stream: `message_start`, a `ping`, each block started, filled and stopped,
//! `message_delta`, `message_stop`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Message;
use crate::json::{get, set, text};
use crate::sse;
use crate::words;

/// Bytes of the pieces in which arguments come.
const ARGUMENT_PIECE_BYTES: usize = 12;

/// The events.
pub(super) fn events(message: &Message<'_>) -> Vec<Bytes> {
    let mut events = Vec::new();
    let mut push = |event: Value| events.push(sse::event(text(&event, "type").unwrap_or_default(), &event));
    push(json!({"type": "message_start", "message": message.begun()}));
    if message.blocks.is_empty() {
        push(json!({"type": "ping"}));
    }
    for (index, block) in message.blocks.iter().enumerate() {
        let (begun, deltas) = parts(block);
        push(json!({"type": "content_block_start", "index": index, "content_block": begun}));
        if index == 0 {
            push(json!({"type": "ping"}));
        }
        for delta in deltas {
            push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        push(json!({"type": "content_block_stop", "index": index}));
    }
    push(message.delta());
    push(json!({"type": "message_stop"}));
    events
}

/// A block as it starts, and what fills it.
fn parts(block: &Value) -> (Value, Vec<Value>) {
    let mut begun = block.clone();
    let mut deltas = Vec::new();
    match text(block, "type") {
        Some("thinking") => {
            set(&mut begun, "thinking", json!(""));
            set(&mut begun, "signature", json!(""));
            for word in words::chunks(text(block, "thinking").unwrap_or_default()) {
                deltas.push(json!({"type": "thinking_delta", "thinking": word}));
            }
            deltas.push(json!({"type": "signature_delta", "signature": get(block, "signature")}));
        }
        Some("tool_use") => {
            set(&mut begun, "input", json!({}));
            deltas.push(json!({"type": "input_json_delta", "partial_json": ""}));
            let arguments = get(block, "input").map(Value::to_string).unwrap_or_default();
            // A call without arguments only sends the empty piece.
            let arguments = if arguments == "{}" { "" } else { &arguments };
            for piece in words::pieces(arguments, ARGUMENT_PIECE_BYTES) {
                deltas.push(json!({"type": "input_json_delta", "partial_json": piece}));
            }
        }
        _ => {
            set(&mut begun, "text", json!(""));
            for word in words::chunks(text(block, "text").unwrap_or_default()) {
                deltas.push(json!({"type": "text_delta", "text": word}));
            }
        }
    }
    (begun, deltas)
}
