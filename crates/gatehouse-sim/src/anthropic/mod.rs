//! Anthropic's Messages API.

mod answer;
mod blocks;
mod request;
mod stream;
mod tools;
mod turns;

use bytes::Bytes;
use serde_json::json;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::dialect::Dialect;
use crate::fault::{Checked, Fault};
use crate::sse;
use crate::think::Reply;

const NOT_JSON: &str = "The request body is not valid JSON.";

/// `POST …/messages`.
pub(crate) fn messages(ask: &Ask<'_>) -> Checked<Answer> {
    let request = read(ask, true)?;
    let reply = ask.think(&request.conversation);
    let cached = request.cached.as_ref().map(|prefix| prefix.usage(ask.prefixes));
    Ok(render(ask, &request, &reply, cached.unwrap_or_default()))
}

/// `POST …/messages/count_tokens`.
pub(crate) fn count_tokens(ask: &Ask<'_>) -> Checked<Answer> {
    let request = read(ask, false)?;
    Ok(Answer::ok(&json!({"input_tokens": request.conversation.input_tokens()})))
}

/// `POST …/publishers/anthropic/models/{model}:rawPredict` and `:streamRawPredict`: the version stands in the body,
/// and the model does not.
pub(crate) fn raw_predict(ask: &Ask<'_>, model: &str, stream: bool) -> Checked<Answer> {
    let mut object = ask.object(NOT_JSON)?;
    let Some(body) = object.as_object_mut() else { return Err(Fault::bad(NOT_JSON)) };
    let version = body.remove("anthropic_version");
    if version.as_ref().and_then(serde_json::Value::as_str).is_none_or(str::is_empty) {
        return Err(Fault::bad("anthropic_version: Field required"));
    }
    if body.contains_key("model") {
        return Err(Fault::bad("model: Extra inputs are not permitted"));
    }
    let streams = body.get("stream").and_then(serde_json::Value::as_bool).unwrap_or_default();
    if streams != stream {
        return Err(Fault::bad("stream: does not fit the method"));
    }
    body.insert("model".to_owned(), model.into());
    let request = request::read(&object, true)?;
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let reply = ask.think(&request.conversation);
    let cached = request.cached.as_ref().map(|prefix| prefix.usage(ask.prefixes));
    Ok(render(ask, &request, &reply, cached.unwrap_or_default()))
}

fn read(ask: &Ask<'_>, generates: bool) -> Checked<request::MessagesRequest> {
    if !ask.headers.contains_key("anthropic-version") {
        return Err(Fault::bad("anthropic-version: header is required"));
    }
    let body = ask.object(NOT_JSON)?;
    let request = request::read(&body, generates)?;
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    Ok(request)
}

/// There is no such model.
pub(crate) fn no_such_model(model: &str) -> Fault {
    Fault::new(404, format!("model: {model}"))
}

fn render(
    ask: &Ask<'_>,
    request: &request::MessagesRequest,
    reply: &Reply,
    cached: answer::Cached,
) -> Answer {
    let message = answer::Message::new(request, reply, cached, ask.ids);
    if request.stream { ask.stream(stream::events(&message), broken) } else { Answer::ok(&message.done()) }
}

/// How a stream tells a failure after it has begun.
fn broken(fault: &Fault) -> Bytes {
    sse::event("error", &Dialect::Anthropic.envelope(fault, None))
}

/// The answer with this text, for the model `bench`.
pub(crate) fn bench(ask: &Ask<'_>, text: &str, stream: bool) -> Answer {
    let request = request::MessagesRequest::plain(ask.model, stream);
    let reply = Reply::fixed(text);
    render(ask, &request, &reply, answer::Cached::default())
}
