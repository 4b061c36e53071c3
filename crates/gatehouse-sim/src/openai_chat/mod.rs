//! OpenAI's older surface: chat completions, completions, embeddings. Also what the compatible family
//! speaks.

mod answer;
pub(crate) mod complaint;
mod completions;
mod embeddings;
mod messages;
mod request;
mod stream;
mod tools;

use serde_json::Value;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::Checked;
use crate::think::Reply;

pub(crate) use complaint::{
    NOT_JSON, boolean, integer_from, invalid_type, invalid_value, missing_parameter, model, no_such_model,
    number_range,
};
pub(crate) use completions::completions;
pub(crate) use embeddings::{embeddings, voyage_embeddings};
pub(crate) use messages::check_image_url;
pub(crate) use tools::{check_function_name, check_strict};

/// `POST …/chat/completions`.
pub(crate) fn chat(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    let request = request::read(&body)?;
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let reply = ask.think(&request.conversation);
    Ok(render(ask, &request, &reply))
}

fn render(ask: &Ask<'_>, request: &request::ChatRequest, reply: &Reply) -> Answer {
    if request.stream {
        let events = stream::events(request, reply, ask.ids);
        ask.stream(events, broken)
    } else {
        Answer::ok(&answer::document(request, reply, ask.ids))
    }
}

/// The chat answer with this text, for the model `bench`.
pub(crate) fn bench(ask: &Ask<'_>, text: &str, stream: bool, include_usage: bool) -> Answer {
    let request = request::ChatRequest::plain(ask.model, stream, include_usage);
    let reply = Reply::fixed(text);
    render(ask, &request, &reply)
}

/// How a chat stream tells a failure after it has begun.
fn broken(fault: &crate::fault::Fault) -> bytes::Bytes {
    let envelope: Value = crate::dialect::Dialect::OpenAi.envelope(fault, None);
    crate::sse::data(&envelope)
}
