//! A response as one document, at its beginning, at its end and when it failed.

use serde_json::{Map, Value, json};

use super::request::ResponsesRequest;
use crate::ids::{Ids, now};
use crate::json::{get, set};
use crate::sign;
use crate::think::{Finish, Reply};

/// A response with its items, before it is told at once or in events.
pub(super) struct Document<'a> {
    request: &'a ResponsesRequest,
    reply: &'a Reply,
    id: String,
    created: u64,
    /// The items as they are at the end.
    pub(super) items: Vec<Value>,
}

// === impl Document ===

impl<'a> Document<'a> {
    /// Gives every item its identifier.
    pub(super) fn new(request: &'a ResponsesRequest, reply: &'a Reply, ids: &Ids) -> Self {
        let mut items = Vec::new();
        if let Some(said) = &reply.reasoning {
            let summary =
                if request.summary { json!([{"type": "summary_text", "text": said}]) } else { json!([]) };
            let mut item = json!({"id": ids.next("rs_"), "type": "reasoning", "summary": summary});
            if request.encrypted {
                set(&mut item, "encrypted_content", json!(sign::seal(said)));
            }
            items.push(item);
        }
        for call in &reply.calls {
            items.push(json!({"id": ids.next("fc_"), "type": "function_call", "status": "completed",
                "arguments": call.arguments.to_string(), "call_id": ids.next("call_"), "name": call.name}));
        }
        if reply.calls.is_empty() {
            let complete = matches!(reply.finish, Finish::Stop | Finish::Sequence(_));
            let status = if complete { "completed" } else { "incomplete" };
            let part = json!({"type": "output_text", "annotations": [], "logprobs": [], "text": reply.text});
            items.push(
                json!({"id": ids.next("msg_"), "type": "message", "status": status, "role": "assistant",
                "content": [part]}),
            );
        }
        Self { request, reply, id: ids.next("resp_"), created: now(), items }
    }

    /// As it is before anything was said.
    pub(super) fn begun(&self) -> Value {
        self.document("in_progress", &[], Value::Null, Value::Null)
    }

    /// As it is when all was said.
    pub(super) fn done(&self) -> Value {
        let (status, details) = match self.reply.finish {
            Finish::Stop | Finish::Sequence(_) | Finish::Calls => ("completed", Value::Null),
            Finish::Length => ("incomplete", json!({"reason": "max_output_tokens"})),
            Finish::Filtered => ("incomplete", json!({"reason": "content_filter"})),
        };
        let usage = self.reply.usage;
        let output = usage.output + usage.reasoning;
        let usage = json!({"input_tokens": usage.input,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning}, "total_tokens": usage.input + output});
        let mut document = self.document(status, &self.items, usage, Value::Null);
        set(&mut document, "incomplete_details", details);
        document
    }

    /// The name of the event that ends its stream.
    pub(super) fn last_event(&self) -> &'static str {
        match self.reply.finish {
            Finish::Stop | Finish::Sequence(_) | Finish::Calls => "response.completed",
            Finish::Length | Finish::Filtered => "response.incomplete",
        }
    }

    /// As it is when it broke off.
    pub(super) fn failed(&self, message: &str) -> Value {
        self.document("failed", &[], Value::Null, json!({"code": "server_error", "message": message}))
    }

    fn document(&self, status: &str, output: &[Value], usage: Value, error: Value) -> Value {
        let body = &self.request.body;
        let echo = |name: &str, default: Value| get(body, name).cloned().unwrap_or(default);
        let completed_at = if status == "completed" { json!(self.created) } else { Value::Null };
        let reasoning = get(body, "reasoning");
        let of_reasoning =
            |name: &str| reasoning.and_then(|one| get(one, name)).cloned().unwrap_or(Value::Null);
        let format = body.pointer("/text/format").cloned().unwrap_or(json!({"type": "text"}));
        let members = [
            ("id", json!(self.id)),
            ("object", json!("response")),
            ("created_at", json!(self.created)),
            ("status", json!(status)),
            ("background", json!(false)),
            ("completed_at", completed_at),
            ("error", error),
            ("frequency_penalty", json!(0.0)),
            ("incomplete_details", Value::Null),
            ("instructions", echo("instructions", Value::Null)),
            ("max_output_tokens", echo("max_output_tokens", Value::Null)),
            ("max_tool_calls", echo("max_tool_calls", Value::Null)),
            ("model", json!(self.request.conversation.model)),
            ("output", json!(output)),
            ("parallel_tool_calls", echo("parallel_tool_calls", json!(true))),
            ("presence_penalty", json!(0.0)),
            ("previous_response_id", Value::Null),
            ("prompt_cache_key", echo("prompt_cache_key", Value::Null)),
            ("reasoning", json!({"effort": of_reasoning("effort"), "summary": of_reasoning("summary")})),
            ("safety_identifier", echo("safety_identifier", Value::Null)),
            ("service_tier", json!("default")),
            ("store", echo("store", json!(true))),
            ("temperature", echo("temperature", json!(1.0))),
            ("text", json!({"format": format, "verbosity": "medium"})),
            ("tool_choice", echo("tool_choice", json!("auto"))),
            ("tools", echo("tools", json!([]))),
            ("top_logprobs", json!(0)),
            ("top_p", echo("top_p", json!(1.0))),
            ("truncation", echo("truncation", json!("disabled"))),
            ("usage", usage),
            ("user", echo("user", Value::Null)),
            ("metadata", echo("metadata", json!({}))),
        ];
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<String, Value>>()
            .into()
    }
}
