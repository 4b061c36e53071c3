//! A message as one document, at its beginning and at its end.

use serde_json::{Value, json};

use super::request::MessagesRequest;
use crate::ids::Ids;
use crate::json::set;
use crate::sign::{self, Kind};
use crate::think::{Finish, Reply, Usage};

/// Tokens that the prompt cache gave or took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cached {
    /// Read from it.
    pub(super) read: u64,
    /// Written for five minutes.
    pub(super) five_minutes: u64,
    /// Written for an hour.
    pub(super) hour: u64,
}

/// A message with its blocks, before it is told at once or in events.
pub(super) struct Message<'a> {
    id: String,
    model: &'a str,
    /// The blocks as they are at the end.
    pub(super) blocks: Vec<Value>,
    finish: &'a Finish,
    usage: Usage,
    cached: Cached,
}

// === impl Message ===

impl<'a> Message<'a> {
    /// Makes the blocks.
    pub(super) fn new(request: &'a MessagesRequest, reply: &'a Reply, cached: Cached, ids: &Ids) -> Self {
        let mut blocks = Vec::new();
        if let Some(said) = &reply.reasoning {
            let shown = if request.thinking_omitted { "" } else { said };
            blocks.push(json!({"type": "thinking", "thinking": shown, "signature": sign::sign(Kind::Thinking, shown)}));
        }
        if !reply.text.is_empty() {
            blocks.push(json!({"type": "text", "text": reply.text}));
        }
        for call in &reply.calls {
            blocks.push(json!({"type": "tool_use", "id": ids.next("toolu_"), "name": call.name,
                "input": call.arguments, "caller": {"type": "direct"}}));
        }
        let model = &request.conversation.model;
        Self { id: ids.next("msg_"), model, blocks, finish: &reply.finish, usage: reply.usage, cached }
    }

    /// The whole message.
    pub(super) fn done(&self) -> Value {
        let (reason, sequence, details) = self.stop();
        let output = self.usage.output + self.usage.reasoning;
        let mut usage = self.input_usage(output);
        set(&mut usage, "output_tokens_details", json!({"thinking_tokens": self.usage.reasoning}));
        json!({"model": self.model, "id": self.id, "type": "message", "role": "assistant",
            "content": self.blocks, "stop_reason": reason, "stop_sequence": sequence, "stop_details": details,
            "usage": usage})
    }

    /// As it is before anything was said.
    pub(super) fn begun(&self) -> Value {
        json!({"model": self.model, "id": self.id, "type": "message", "role": "assistant", "content": [],
            "stop_reason": null, "stop_sequence": null, "stop_details": null, "usage": self.input_usage(1)})
    }

    /// What is known at the end only.
    pub(super) fn delta(&self) -> Value {
        let (reason, sequence, details) = self.stop();
        json!({"type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": sequence, "stop_details": details},
            "usage": {"input_tokens": self.uncached(),
                "cache_creation_input_tokens": self.cached.five_minutes + self.cached.hour,
                "cache_read_input_tokens": self.cached.read,
                "output_tokens": self.usage.output + self.usage.reasoning,
                "output_tokens_details": {"thinking_tokens": self.usage.reasoning}}})
    }

    fn stop(&self) -> (&'static str, Value, Value) {
        match self.finish {
            Finish::Stop => ("end_turn", Value::Null, Value::Null),
            Finish::Sequence(sequence) => ("stop_sequence", json!(sequence), Value::Null),
            Finish::Length => ("max_tokens", Value::Null, Value::Null),
            Finish::Calls => ("tool_use", Value::Null, Value::Null),
            Finish::Filtered => {
                let why = "The simulated provider withheld this answer.";
                ("refusal", Value::Null, json!({"type": "refusal", "category": null, "explanation": why}))
            }
        }
    }

    /// Input that is neither read from nor written to the cache.
    fn uncached(&self) -> u64 {
        let Cached { read, five_minutes, hour } = self.cached;
        self.usage.input.saturating_sub(read + five_minutes + hour)
    }

    fn input_usage(&self, output: u64) -> Value {
        let Cached { read, five_minutes, hour } = self.cached;
        json!({"input_tokens": self.uncached(), "cache_creation_input_tokens": five_minutes + hour,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour},
            "output_tokens": output, "service_tier": "standard", "inference_geo": "not_available"})
    }
}
