//! A response as a stream: numbered events, each item added, filled and done, then the whole again.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Document;
use crate::json::{set, text};
use crate::sse;
use crate::think::Reply;
use crate::words;

/// Bytes of the pieces in which arguments come.
const ARGUMENT_PIECE_BYTES: usize = 12;

#[derive(Default)]
struct Events {
    events: Vec<Bytes>,
}

/// The events.
pub(super) fn events(document: &Document<'_>, reply: &Reply) -> Vec<Bytes> {
    let mut events = Events::default();
    events.push("response.created", json!({"response": document.begun()}));
    events.push("response.in_progress", json!({"response": document.begun()}));
    for (index, item) in document.items.iter().enumerate() {
        events.item(index, item, reply);
    }
    events.push(document.last_event(), json!({"response": document.done()}));
    events.events
}

// === impl Events ===

impl Events {
    /// Adds an event with its type and its number.
    fn push(&mut self, name: &str, mut event: Value) {
        set(&mut event, "type", json!(name));
        set(&mut event, "sequence_number", json!(self.events.len()));
        self.events.push(sse::event(name, &event));
    }

    fn item(&mut self, index: usize, item: &Value, reply: &Reply) {
        let mut begun = item.clone();
        match text(item, "type") {
            Some("reasoning") => set(&mut begun, "summary", json!([])),
            Some("function_call") => {
                set(&mut begun, "arguments", json!(""));
                set(&mut begun, "status", json!("in_progress"));
            }
            _ => {
                set(&mut begun, "content", json!([]));
                set(&mut begun, "status", json!("in_progress"));
            }
        }
        self.push("response.output_item.added", json!({"output_index": index, "item": begun}));
        let id = item.get("id").unwrap_or(&Value::Null);
        match text(item, "type") {
            Some("reasoning") => {
                self.summary(index, id, item.pointer("/summary/0/text").and_then(Value::as_str));
            }
            Some("function_call") => self.arguments(index, id, text(item, "arguments").unwrap_or_default()),
            _ => self.message(index, id, &reply.text),
        }
        self.push("response.output_item.done", json!({"output_index": index, "item": item}));
    }

    fn summary(&mut self, index: usize, id: &Value, said: Option<&str>) {
        let Some(said) = said else { return };
        let part = |text: &str| {
            json!({"item_id": id, "output_index": index, "summary_index": 0,
                "part": {"type": "summary_text", "text": text}})
        };
        self.push("response.reasoning_summary_part.added", part(""));
        for word in words::chunks(said) {
            let delta = json!({"item_id": id, "output_index": index, "summary_index": 0, "delta": word});
            self.push("response.reasoning_summary_text.delta", delta);
        }
        let done = json!({"item_id": id, "output_index": index, "summary_index": 0, "text": said});
        self.push("response.reasoning_summary_text.done", done);
        self.push("response.reasoning_summary_part.done", part(said));
    }

    fn arguments(&mut self, index: usize, id: &Value, arguments: &str) {
        for piece in words::pieces(arguments, ARGUMENT_PIECE_BYTES) {
            let delta = json!({"item_id": id, "output_index": index, "delta": piece});
            self.push("response.function_call_arguments.delta", delta);
        }
        let done = json!({"item_id": id, "output_index": index, "arguments": arguments});
        self.push("response.function_call_arguments.done", done);
    }

    fn message(&mut self, index: usize, id: &Value, said: &str) {
        let part = |text: &str| {
            json!({"item_id": id, "output_index": index, "content_index": 0,
                "part": {"type": "output_text", "annotations": [], "logprobs": [], "text": text}})
        };
        self.push("response.content_part.added", part(""));
        for word in words::chunks(said) {
            let delta = json!({"item_id": id, "output_index": index, "content_index": 0, "delta": word, "logprobs": []});
            self.push("response.output_text.delta", delta);
        }
        let done =
            json!({"item_id": id, "output_index": index, "content_index": 0, "text": said, "logprobs": []});
        self.push("response.output_text.done", done);
        self.push("response.content_part.done", part(said));
    }
}
