//! `InvokeModel` of models that embed or rank: each maker's form.

use http::HeaderValue;
use serde_json::{Value, json};

use super::signature::{self, Asked};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text, unknown};
use crate::{embed, rerank, words};

/// Texts that Cohere's models take at once.
const TEXTS_MAX: usize = 96;
const INPUT_TYPES: [&str; 4] = ["search_document", "search_query", "classification", "clustering"];

/// Answers a call.
pub(crate) fn invoke(ask: &Ask<'_>, path: &str) -> Checked<Answer> {
    signature::check(&Asked { path, headers: ask.headers, body: ask.body })?;
    if ask.directives.missing {
        return Err(Fault::bad("The provided model identifier is invalid."));
    }
    if ask.model.contains(".rerank-") {
        return rerank::invoke(ask);
    }
    let body = ask.object("The request body is not valid JSON.")?;
    if ask.model.contains("titan-embed") {
        titan(&body)
    } else if ask.model.contains("cohere.embed-") {
        cohere(&body)
    } else {
        Err(Fault::bad("The provided model identifier is invalid."))
    }
}

fn known(body: &Value, names: &[&str]) -> Checked<()> {
    match unknown(body, names).first() {
        Some(name) => Err(Fault::bad(format!(
            "Malformed input request: #: extraneous key [{name}] is not permitted, please reformat your input and try again."
        ))),
        None => Ok(()),
    }
}

fn titan(body: &Value) -> Checked<Answer> {
    known(body, &["inputText", "dimensions", "normalize", "embeddingTypes"])?;
    let said = text(body, "inputText").filter(|said| !said.is_empty());
    let said =
        said.ok_or_else(|| Fault::bad("Malformed input request: #: required key [inputText] not found"))?;
    let dimensions = get(body, "dimensions").and_then(Value::as_u64).unwrap_or(embed::DIMENSIONS);
    let vector = embed::written(&embed::vector(said, dimensions));
    Ok(Answer::ok(&json!({"embedding": vector, "inputTextTokenCount": words::count(said)})))
}

fn cohere(body: &Value) -> Checked<Answer> {
    known(body, &["texts", "input_type", "truncate", "embedding_types", "output_dimension"])?;
    if !text(body, "input_type").is_some_and(|kind| INPUT_TYPES.contains(&kind)) {
        return Err(Fault::bad("Malformed input request: #: required key [input_type] not found"));
    }
    let texts: Vec<&str> = list(body, "texts").iter().filter_map(Value::as_str).collect();
    if texts.is_empty() || texts.len() > TEXTS_MAX {
        return Err(Fault::bad(format!("Malformed input request: texts must be 1 to {TEXTS_MAX}")));
    }
    let dimensions = get(body, "output_dimension").and_then(Value::as_u64).unwrap_or(embed::DIMENSIONS);
    let vectors: Vec<_> = texts.iter().map(|said| embed::written(&embed::vector(said, dimensions))).collect();
    let tokens: u64 = texts.iter().map(|said| words::count(said)).sum();
    let mut answer = Answer::ok(
        &json!({"embeddings": {"float": vectors}, "id": "sim", "response_type": "embeddings_by_type", "texts": texts}),
    );
    answer.headers.insert("x-amzn-bedrock-input-token-count", HeaderValue::from(tokens));
    Ok(answer)
}
