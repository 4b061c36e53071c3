//! `:embedContent` and `:batchEmbedContents`.

use serde_json::{Value, json};

use super::read_body;
use super::request::{camel, invalid_value};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::embed;
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text};
use crate::options::{EMBEDDING_DIMENSIONS_MAX, EMBEDDING_INPUTS_MAX};

/// One text.
pub(crate) fn embed_content(ask: &Ask<'_>, version: &str) -> Checked<Answer> {
    let body = read_body(ask, version, "embedContent")?;
    Ok(Answer::ok(&json!({"embedding": {"values": vector(&body)?}})))
}

/// Several.
pub(crate) fn batch_embed_contents(ask: &Ask<'_>, version: &str) -> Checked<Answer> {
    let body = read_body(ask, version, "batchEmbedContents")?;
    let requests = list(&body, "requests");
    if requests.is_empty() {
        return Err(Fault::bad("* BatchEmbedContentsRequest.requests: requests is not specified\n"));
    }
    if requests.len() > EMBEDDING_INPUTS_MAX {
        return Err(Fault::bad(format!(
            "* BatchEmbedContentsRequest.requests: at most {EMBEDDING_INPUTS_MAX} requests can be in one batch\n"
        )));
    }
    let mut embeddings = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        if text(request, "model").is_none() {
            let said = format!(
                "* BatchEmbedContentsRequest.requests[{index}].model: unexpected model name format\n"
            );
            return Err(Fault::bad(said));
        }
        embeddings.push(json!({"values": vector(&camel(request))?}));
    }
    Ok(Answer::ok(&json!({ "embeddings": embeddings })))
}

fn vector(request: &Value) -> Checked<Vec<f64>> {
    let Some(content) = get(request, "content") else {
        return Err(Fault::bad("* EmbedContentRequest.content: content is not specified\n"));
    };
    let words: Vec<&str> = list(content, "parts").iter().filter_map(|part| text(part, "text")).collect();
    if words.is_empty() {
        return Err(Fault::bad("* EmbedContentRequest.content: contains no text\n"));
    }
    let config = get(request, "embedContentConfig").unwrap_or(request);
    let dimensions = match get(config, "outputDimensionality") {
        None => embed::DIMENSIONS,
        Some(value) => match value.as_u64() {
            Some(number) if (1..=EMBEDDING_DIMENSIONS_MAX).contains(&number) => number,
            _ => return Err(invalid_value("output_dimensionality", "TYPE_INT32", value)),
        },
    };
    Ok(embed::written(&embed::vector(&words.join(" "), dimensions)))
}
