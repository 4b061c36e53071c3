//! `POST …/fim/completions`, Mistral's: what stands between a prompt and a suffix, answered as a chat is.

use serde_json::Value;

use super::complaint::{
    NOT_JSON, boolean, integer_from, invalid_type, missing_parameter, model, no_such_model,
};
use super::request::{ChatRequest, stop};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::json::{get, unknown};

const KNOWN: [&str; 11] = [
    "max_tokens",
    "metadata",
    "min_tokens",
    "model",
    "prompt",
    "random_seed",
    "stop",
    "stream",
    "suffix",
    "temperature",
    "top_p",
];

/// Answers with the prompt and the suffix, so that it can be seen that both came.
pub(crate) fn fim(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    if let Some(name) = unknown(&body, &KNOWN).first() {
        return Err(Fault::new(422, format!("Extra inputs are not permitted: {name}")));
    }
    let mut conversation = Conversation::new(model(&body)?);
    conversation.max_tokens = integer_from(&body, "max_tokens", 0)?;
    conversation.stop = stop(&body)?;
    conversation.message();
    conversation.user_begins();
    conversation.user_says(text(&body, "prompt")?.ok_or_else(|| missing_parameter("prompt"))?);
    if let Some(suffix) = text(&body, "suffix")? {
        conversation.user_says(suffix);
    }
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let reply = ask.think(&conversation);
    let request = ChatRequest::plain(ask.model, boolean(&body, "stream")?, true);
    Ok(super::render(ask, &request, &reply))
}

fn text<'a>(body: &'a Value, name: &str) -> Checked<Option<&'a str>> {
    match get(body, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(invalid_type(name, "a string", other)),
    }
}
