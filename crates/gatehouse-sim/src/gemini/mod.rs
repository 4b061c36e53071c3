//! Gemini's API, under `/v1beta` and `/v1` alike.

mod answer;
mod contents;
mod embed;
mod request;
mod schema;
mod stream;
mod tools;

use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Value, json};

pub(crate) use request::camel;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::dialect::Dialect;
use crate::fault::{Checked, Fault};
use crate::json::get;
use crate::sse;
use crate::think::Reply;

pub(crate) use embed::{batch_embed_contents, embed_content, predict};

const NOT_JSON: &str = "Invalid JSON payload received. Expected an object.";

/// How `streamGenerateContent` is asked for, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// `generateContent`.
    No,
    /// `alt=sse`.
    Events,
    /// One JSON array, sent element by element.
    Array,
}

/// `:generateContent` and `:streamGenerateContent`.
pub(crate) fn generate(ask: &Ask<'_>, streaming: Streaming, version: &str) -> Checked<Answer> {
    let body = read_body(ask, version, "generateContent")?;
    let request = request::read(&body, ask.model)?;
    let reply = ask.think(&request.conversation);
    Ok(render(ask, &request, &reply, streaming))
}

/// `:countTokens`.
pub(crate) fn count_tokens(ask: &Ask<'_>, version: &str) -> Checked<Answer> {
    let body = read_body(ask, version, "countTokens")?;
    let inner = get(&body, "generateContentRequest").unwrap_or(&body);
    let tokens = request::read_to_count(inner, ask.model)?.input_tokens();
    Ok(Answer::ok(&json!({"totalTokens": tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]})))
}

/// The body in camel case: the API takes both spellings of every member.
fn read_body(ask: &Ask<'_>, version: &str, method: &str) -> Checked<Value> {
    let body = request::camel(&ask.object(NOT_JSON)?);
    if ask.directives.missing {
        return Err(no_such_model(ask.model, version, method));
    }
    Ok(body)
}

/// There is no such model.
pub(crate) fn no_such_model(model: &str, version: &str, method: &str) -> Fault {
    Fault::new(
        404,
        format!(
            "models/{model} is not found for API version {version}, or is not supported for {method}. Call \
             ModelService.ListModels to see the list of available models and their supported methods."
        ),
    )
}

fn render(ask: &Ask<'_>, request: &request::GenerateRequest, reply: &Reply, streaming: Streaming) -> Answer {
    match streaming {
        Streaming::No => Answer::ok(&answer::document(request, reply, ask.ids)),
        Streaming::Events => {
            let events = stream::chunks(request, reply, ask.ids).iter().map(sse::data_crlf).collect();
            let mut answer =
                ask.stream(events, |fault| sse::data_crlf(&Dialect::Gemini.envelope(fault, None)));
            answer.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            answer
        }
        Streaming::Array => array(ask, &stream::chunks(request, reply, ask.ids)),
    }
}

/// The chunks as the elements of one array.
fn array(ask: &Ask<'_>, chunks: &[Value]) -> Answer {
    let elements = chunks.iter().enumerate().map(|(index, chunk)| {
        let open = if index == 0 { "[" } else { ",\r\n" };
        let close = if index + 1 == chunks.len() { "\n]\n" } else { "\n" };
        Bytes::from(format!("{open}{chunk}{close}"))
    });
    let elements = elements.collect();
    let mut answer = ask.stream(elements, |fault| {
        Bytes::from(format!(",\r\n{}\n]\n", Dialect::Gemini.envelope(fault, None)))
    });
    answer.headers.remove(http::header::CACHE_CONTROL);
    answer
        .headers
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    answer
}

/// The answer with this text, for the model `bench`.
pub(crate) fn bench(ask: &Ask<'_>, text: &str, streaming: Streaming) -> Answer {
    let request = request::GenerateRequest::plain(ask.model);
    let reply = Reply::fixed(text);
    render(ask, &request, &reply, streaming)
}
