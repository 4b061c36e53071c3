//! `:embedContent` and `:batchEmbedContents`; Vertex' `:predict`.

use serde_json::{Value, json};

use super::read_body;
use super::request::{camel, invalid_value};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::embed;
use crate::fault::{Checked, Fault};
use crate::json::{get, list, text};
use crate::options::{EMBEDDING_DIMENSIONS_MAX, EMBEDDING_INPUTS_MAX};
use crate::words;

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

/// Several, at Vertex AI; its newest models take one at a time.
pub(crate) fn predict(ask: &Ask<'_>) -> Checked<Answer> {
    let body = ask.object("Invalid JSON payload received.")?;
    if ask.directives.missing {
        return Err(Fault::new(404, format!("Publisher Model `{}` was not found.", ask.model)));
    }
    let instances = list(&body, "instances");
    if instances.is_empty() || instances.len() > 1 && ask.model.starts_with("gemini-embedding-") {
        return Err(Fault::bad("The number of instances is not supported by this model."));
    }
    let asked = body.pointer("/parameters/outputDimensionality").and_then(Value::as_u64);
    let predict = |instance: &Value| {
        let said = text(instance, "content").ok_or_else(|| Fault::bad("The instance has no content."))?;
        let values = embed::written(&embed::vector(said, asked.unwrap_or(embed::DIMENSIONS)));
        let statistics = json!({"token_count": words::count(said), "truncated": false});
        Ok(json!({"embeddings": {"values": values, "statistics": statistics}}))
    };
    let predictions = instances.iter().map(predict).collect::<Checked<Vec<_>>>()?;
    Ok(Answer::ok(&json!({"predictions": predictions, "metadata": {"billableCharacterCount": 1}})))
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
