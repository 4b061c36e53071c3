//! Vectors, by the type of their numbers. <https://docs.cohere.com/reference/embed>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::check_model;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::json::{get, list, set, text, unknown};
use crate::{embed, words};

/// Texts that a model takes at once.
const TEXTS_MAX: usize = 96;
const INPUT_TYPES: [&str; 5] = ["search_document", "search_query", "classification", "clustering", "image"];
const KNOWN: [&str; 10] = [
    "model",
    "texts",
    "images",
    "inputs",
    "input_type",
    "max_tokens",
    "output_dimension",
    "embedding_types",
    "truncate",
    "priority",
];

/// Answers a call.
pub(crate) fn embed(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object("invalid request: the body is no JSON object")?;
    let bad = |why: String| Err(Fault::bad(format!("invalid request: {why}")));
    if let Some(name) = unknown(&body, &KNOWN).first() {
        return bad(format!("unknown field: parameter '{name}' is not a valid field"));
    }
    check_model(ask)?;
    if !text(&body, "input_type").is_some_and(|kind| INPUT_TYPES.contains(&kind)) {
        return bad(format!("valid input_type must be provided: {INPUT_TYPES:?}"));
    }
    let texts: Vec<&str> = list(&body, "texts").iter().filter_map(Value::as_str).collect();
    if texts.is_empty() || texts.len() != list(&body, "texts").len() || texts.len() > TEXTS_MAX {
        return bad(format!("texts must be a list of 1 to {TEXTS_MAX} strings"));
    }
    let dimensions = get(&body, "output_dimension").and_then(Value::as_u64).unwrap_or(embed::DIMENSIONS);
    let vectors: Vec<Vec<f32>> = texts.iter().map(|said| embed::vector(said, dimensions)).collect();
    let asked: Vec<&str> = list(&body, "embedding_types").iter().filter_map(Value::as_str).collect();
    let mut embeddings = json!({});
    for kind in if asked.is_empty() { vec!["float"] } else { asked } {
        let all: Vec<Value> = match kind {
            "float" => vectors.iter().map(|vector| json!(embed::written(vector))).collect(),
            "base64" => vectors.iter().map(|vector| packed(vector).into()).collect(),
            other => return bad(format!("embedding_types: {other} is not simulated")),
        };
        set(&mut embeddings, kind, Value::Array(all));
    }
    let tokens: u64 = texts.iter().map(|said| words::count(said)).sum();
    Ok(Answer::ok(&json!({"id": ask.ids.next("embed-"), "texts": texts, "embeddings": embeddings,
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens, "image_tokens": 0}},
        "response_type": "embeddings_by_type"})))
}

fn packed(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}
