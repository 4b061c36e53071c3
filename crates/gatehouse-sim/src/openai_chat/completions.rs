//! `POST …/completions`, the oldest of OpenAI's surfaces: a prompt in, a text out.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::finish_reason;
use super::complaint::{
    NOT_JSON, boolean, integer_from, invalid_type, missing_parameter, model, no_such_model, number_range,
};
use super::request::stop;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::conversation::Conversation;
use crate::fault::{Checked, Fault};
use crate::ids::now;
use crate::json::{flag, get, set, unknown};
use crate::sse;
use crate::think::Reply;
use crate::words;

const KNOWN: [&str; 18] = [
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "model",
    "n",
    "presence_penalty",
    "prompt",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];

/// Answers a completion.
pub(crate) fn completions(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    if let Some(name) = unknown(&body, &KNOWN).first() {
        return Err(Fault::bad(format!("Unrecognized request argument supplied: {name}")));
    }
    let mut conversation = Conversation::new(model(&body)?);
    let stream = boolean(&body, "stream")?;
    number_range(&body, "temperature", 0.0, 2.0)?;
    conversation.max_tokens = integer_from(&body, "max_tokens", 0)?;
    conversation.stop = stop(&body)?;
    conversation.message();
    conversation.user_begins();
    prompt(&body, &mut conversation)?;
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let reply = ask.think(&conversation);
    let id = ask.ids.next("cmpl-");
    if !stream {
        return Ok(Answer::ok(&json!({"id": id, "object": "text_completion", "created": now(),
            "model": conversation.model, "usage": usage(&reply),
            "choices": [choice(&reply.text, Some(finish_reason(&reply.finish)))]})));
    }
    let include_usage = get(&body, "stream_options").is_some_and(|options| flag(options, "include_usage"));
    let events = events(&id, &conversation.model, &reply, include_usage);
    Ok(ask.stream(events, super::broken))
}

fn prompt(body: &Value, conversation: &mut Conversation) -> Checked<()> {
    let wrong = |value: &Value| invalid_type("prompt", "a string or an array of strings", value);
    match get(body, "prompt") {
        None => Err(missing_parameter("prompt")),
        Some(Value::String(text)) => {
            conversation.user_says(text);
            Ok(())
        }
        Some(Value::Array(texts)) => {
            for text in texts {
                match text {
                    Value::String(text) => conversation.user_says(text),
                    // Token ids: one word each.
                    Value::Number(token) => conversation.user_says(&token.to_string()),
                    other => return Err(wrong(other)),
                }
            }
            Ok(())
        }
        Some(other) => Err(wrong(other)),
    }
}

fn choice(text: &str, finish: Option<&str>) -> Value {
    json!({"text": text, "index": 0, "logprobs": null, "finish_reason": finish})
}

fn usage(reply: &Reply) -> Value {
    json!({"prompt_tokens": reply.usage.input, "completion_tokens": reply.usage.output,
        "total_tokens": reply.usage.input + reply.usage.output})
}

fn events(id: &str, model: &str, reply: &Reply, include_usage: bool) -> Vec<Bytes> {
    let created = now();
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({"id": id, "object": "text_completion", "created": created, "choices": choices, "model": model});
        if include_usage {
            set(&mut chunk, "usage", usage);
        }
        sse::data(&chunk)
    };
    let texts = words::chunks(&reply.text);
    let mut events: Vec<Bytes> =
        texts.iter().map(|text| chunk(json!([choice(text, None)]), Value::Null)).collect();
    events.push(chunk(json!([choice("", Some(finish_reason(&reply.finish)))]), Value::Null));
    if include_usage {
        events.push(chunk(json!([]), usage(reply)));
    }
    events.push(sse::DONE);
    events
}
