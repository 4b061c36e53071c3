//! `POST …/embeddings`, as floats or as base64 of little-endian floats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::complaint::{
    NOT_JSON, integer_from, invalid_type, invalid_value, missing_parameter, model, no_such_model,
};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::embed;
use crate::fault::{Checked, Fault};
use crate::json::{get, text, unknown};
use crate::options::{EMBEDDING_DIMENSIONS_MAX, EMBEDDING_INPUTS_MAX};
use crate::words;

/// Voyage's: the same, but for what some members are called.
pub(crate) fn voyage_embeddings(ask: &Ask<'_>) -> Checked<Answer> {
    let known =
        ["encoding_format", "input", "input_type", "model", "output_dimension", "output_dtype", "truncation"];
    answer(ask, &known, "output_dimension")
}

/// Answers with a vector for each input.
pub(crate) fn embeddings(ask: &Ask<'_>) -> Checked<Answer> {
    answer(ask, &["dimensions", "encoding_format", "input", "model", "user"], "dimensions")
}

fn answer(ask: &Ask<'_>, known: &[&str], size: &str) -> Checked<Answer> {
    let body = ask.object(NOT_JSON)?;
    if let Some(name) = unknown(&body, known).first() {
        return Err(Fault::bad(format!("Unrecognized request argument supplied: {name}")));
    }
    let model = model(&body)?;
    let inputs = inputs(&body)?;
    let dimensions = integer_from(&body, size, 1)?.unwrap_or(embed::DIMENSIONS);
    if dimensions > EMBEDDING_DIMENSIONS_MAX {
        let said = format!("Invalid 'dimensions': expected a value <= {EMBEDDING_DIMENSIONS_MAX}.");
        return Err(Fault::bad(said).param("dimensions"));
    }
    let base64 = match text(&body, "encoding_format") {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => return Err(invalid_value("encoding_format", other, &["float", "base64"])),
    };
    if ask.directives.missing {
        return Err(no_such_model(ask.model));
    }
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = embed::vector(input, dimensions);
            let embedding = if base64 { json!(encoded(&vector)) } else { json!(embed::written(&vector)) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: u64 = inputs.iter().map(|input| words::count(input)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(Answer::ok(&json!({"object": "list", "data": data, "model": model, "usage": usage})))
}

fn encoded(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// A text, a list of texts, a list of token ids, or a list of such lists.
fn inputs(body: &Value) -> Checked<Vec<String>> {
    let wrong = |value: &Value| invalid_type("input", "a string or an array", value);
    let tokens = |list: &[Value]| {
        let words: Option<Vec<String>> = list.iter().map(|token| Some(token.as_u64()?.to_string())).collect();
        words.map(|words| words.join(" "))
    };
    let inputs = match get(body, "input") {
        None => return Err(missing_parameter("input")),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) if !list.is_empty() => match tokens(list) {
            Some(one) => vec![one],
            None => list
                .iter()
                .map(|one| match one {
                    Value::String(text) => Ok(text.clone()),
                    Value::Array(list) => tokens(list).ok_or_else(|| wrong(one)),
                    other => Err(wrong(other)),
                })
                .collect::<Checked<_>>()?,
        },
        Some(other) => return Err(wrong(other)),
    };
    if inputs.iter().any(String::is_empty) || inputs.len() > EMBEDDING_INPUTS_MAX {
        return Err(Fault::bad(
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        ));
    }
    Ok(inputs)
}
