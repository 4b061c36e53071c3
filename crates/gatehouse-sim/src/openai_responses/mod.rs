//! OpenAI's Responses API. Answers are not stored: `previous_response_id` and `GET` find nothing.

mod answer;
mod input;
mod request;
mod stream;

use bytes::Bytes;
use serde_json::json;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::json::unknown;
use crate::openai_chat::{NOT_JSON, no_such_model};
use crate::sse;
use crate::think::Reply;

/// What can be counted.
const COUNTED: [&str; 12] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// `POST …/responses`.
pub(crate) fn responses(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    let request = request::read(&body)?;
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let reply = ask.think(&request.conversation);
    Ok(render(ask, &request, &reply))
}

/// `POST …/responses/input_tokens`, which takes only what takes tokens.
pub(crate) fn input_tokens(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    if let Some(name) = unknown(&body, &COUNTED).first() {
        return Err(Fault::bad(format!("Unknown parameter: '{name}'.")).param(*name));
    }
    let tokens = request::read(&body)?.conversation.input_tokens();
    Ok(Answer::ok(&json!({"object": "response.input_tokens", "input_tokens": tokens})))
}

/// `GET` and `DELETE …/responses/{id}`.
pub(crate) fn not_stored(id: &str) -> Fault {
    Fault::new(404, format!("Response with id '{id}' not found."))
}

fn render(ask: &Ask<'_>, request: &request::ResponsesRequest, reply: &Reply) -> Answer {
    let document = answer::Document::new(request, reply, ask.ids);
    if request.stream {
        let events = stream::events(&document, reply);
        let after = ask.directives.fail.unwrap_or(0);
        ask.stream(events, |fault| broken(&document, fault, after))
    } else {
        Answer::ok(&document.done())
    }
}

/// How a stream tells a failure after it has begun: `response.failed`.
fn broken(document: &answer::Document<'_>, fault: &Fault, sequence: usize) -> Bytes {
    let response = document.failed(&fault.message);
    let event = json!({"type": "response.failed", "response": response, "sequence_number": sequence});
    sse::event("response.failed", &event)
}

/// The answer with this text, for the model `bench`.
pub(crate) fn bench(ask: &Ask<'_>, text: &str, stream: bool) -> Answer {
    let request = request::ResponsesRequest::plain(ask.model, stream);
    let reply = Reply::fixed(text);
    render(ask, &request, &reply)
}
