//! `generationConfig` and what else stands beside the conversation, read.

use super::member::{each, get, text, whole};
use super::{schema, thinking, view};
use crate::chat::{ChatRequest, Extension, Format, RawJson, Weight};
use crate::json::Node;
use gatehouse_core::content::Dialect;

/// Members of `generationConfig` without a place of their own that change what the caller gets.
const MEANING: &[&str] = &[
    "responseModalities",
    "responseLogprobs",
    "logprobs",
    "speechConfig",
    "imageConfig",
    "responseMimeType",
];
/// Members of `generationConfig` that have a place in the canonical form.
const PLACED: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
];

/// Reads `generationConfig`, whose shape the view has checked.
pub(super) fn read(config: Node<'_>, request: &mut ChatRequest) {
    let number = |name| get(config, name).map(|value| RawJson(value.raw().to_owned()));
    let count = |name| get(config, name).and_then(whole);
    request.temperature = number("temperature");
    request.top_p = number("topP");
    request.top_k = count("topK");
    request.candidates = count("candidateCount");
    request.max_output_tokens = count("maxOutputTokens");
    request.seed = number("seed");
    request.presence_penalty = number("presencePenalty");
    request.frequency_penalty = number("frequencyPenalty");
    request.stop = each(get(config, "stopSequences")).filter_map(|stop| stop.str()).map(Into::into).collect();
    request.reasoning = get(config, "thinkingConfig").map(thinking::read);
    format(config, request);
    for (name, value) in config.members().filter(|(_, value)| !value.is_null()) {
        let known = view::CONFIG.iter().find(|camel| super::member::spells(&name, camel));
        if PLACED.iter().any(|placed| known == Some(placed)) || is_default(known.copied(), value) {
            continue;
        }
        let weight =
            if known.is_some_and(|known| MEANING.contains(known)) { Weight::Meaning } else { Weight::Hint };
        request.extensions.push(extension("generationConfig", &name, value, weight));
    }
}

/// An extension inside `container`, or in the root.
pub(super) fn extension(container: &str, name: &str, value: Node<'_>, weight: Weight) -> Extension {
    let path = if container.is_empty() { name.to_owned() } else { format!("{container}.{name}") };
    Extension { path, value: RawJson(value.raw().to_owned()), origin: Dialect::GeminiGenerate, weight }
}

/// Whether a member says what holds without it: SDKs ask for text and no logprobs by name.
fn is_default(known: Option<&str>, value: Node<'_>) -> bool {
    match known {
        Some("responseModalities") => each(Some(value))
            .all(|modality| modality.str().is_some_and(|word| word.eq_ignore_ascii_case("text"))),
        Some("responseLogprobs") => value.bool() == Some(false),
        _ => false,
    }
}

fn format(config: Node<'_>, request: &mut ChatRequest) {
    let schema = get(config, "responseJsonSchema")
        .map(|schema| RawJson(schema.raw().to_owned()))
        .or_else(|| get(config, "responseSchema").map(schema::normalised));
    let mime = text(config, "responseMimeType");
    request.format = match (mime.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(Format::JsonObject),
        (Some("text/plain"), _) => Some(Format::Text),
        (None, None) => None,
        // `text/x.enum`: one of the schema's words, and what Google may add.
        (Some(_), _) => {
            for name in ["responseMimeType", "responseSchema", "responseJsonSchema"] {
                if let Some(value) = get(config, name) {
                    request.extensions.push(extension("generationConfig", name, value, Weight::Meaning));
                }
            }
            None
        }
    };
}
