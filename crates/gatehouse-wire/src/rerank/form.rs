//! What the forms of providers have in common.

use super::{Ranked, RerankAnswer, RerankRequest};
use crate::chat::{Extension, Weight};
use crate::error::from_stream;
use crate::json::{Doc, Node, Out, Raw};
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;

/// Names under which a list of results stands.
const LISTS: [&str; 2] = ["results", "data"];
/// Names under which a score stands.
const SCORES: [&str; 2] = ["relevance_score", "score"];

/// Writes the model (unless it is in the path), the question and the documents, the latter under `documents`.
pub(super) fn question(out: &mut Out, model: Option<&str>, request: &RerankRequest, documents: &str) {
    out.field_opt("model", model);
    out.field("query", &request.query);
    out.array_field(documents, |out| {
        request.documents.iter().for_each(|text| {
            out.item(text);
        });
    });
}

/// The extensions of these names, to be written as they came; others are named as dropped, or refused.
pub(super) fn kept<'a>(
    request: &'a RerankRequest,
    known: impl Fn(&str) -> bool,
    dropped: &mut Vec<String>,
) -> Result<Vec<&'a Extension>, Error> {
    let mut kept = Vec::new();
    for extension in &request.extensions {
        match extension.weight {
            _ if known(&extension.path) => kept.push(extension),
            Weight::Hint => dropped.push(extension.path.clone()),
            Weight::Meaning => {
                let message = format!("{} cannot be honoured by this model", extension.path);
                return Err(Error::unsupported(extension.path.clone(), message));
            }
        }
    }
    Ok(kept)
}

/// Writes extensions.
pub(super) fn extend(out: &mut Out, extensions: &[&Extension]) {
    for extension in extensions {
        out.field(&extension.path, Raw(&extension.value.0));
    }
}

/// Reads an answer, whichever of the names its list and its scores have.
pub(super) fn answer(family: Family, doc: &Doc) -> Result<RerankAnswer, Error> {
    let root = doc.root();
    let list = LISTS.iter().find_map(|name| root.opt(name)).unwrap_or(root);
    if !list.is_array() {
        return Err(from_stream(family, doc).unwrap_or_else(unreadable));
    }
    let results: Option<Vec<_>> = list.items().map(ranked).collect();
    Ok(RerankAnswer {
        id: root.opt("id").and_then(|id| id.str()).unwrap_or_default().into_owned(),
        results: results.ok_or_else(unreadable)?,
        usage: usage(root),
    })
}

fn ranked(one: Node<'_>) -> Option<Ranked> {
    let score = SCORES.iter().find_map(|name| one.opt(name))?;
    Some(Ranked { index: one.opt("index")?.u64()?, score: score.want_number().ok()?.to_owned() })
}

/// What an answer says that it used: `usage` (Jina, Voyage, vLLM) or `meta` (Cohere).
pub(super) fn usage(root: Node<'_>) -> Option<Usage> {
    let at = |path: &[&str]| root.path(path).and_then(number);
    let total = at(&["usage", "total_tokens"]).or_else(|| at(&["usage", "prompt_tokens"]));
    let billed =
        at(&["meta", "billed_units", "input_tokens"]).or_else(|| at(&["meta", "tokens", "input_tokens"]));
    let search_units = at(&["meta", "billed_units", "search_units"]);
    let input_tokens = total.or(billed);
    (input_tokens.is_some() || search_units.is_some()).then(|| Usage {
        input_tokens: input_tokens.unwrap_or_default(),
        search_units: search_units.unwrap_or_default(),
        ..Usage::default()
    })
}

/// A count, which Cohere also writes as `1.0`.
fn number(node: Node<'_>) -> Option<u64> {
    node.u64().or_else(|| node.raw().trim().strip_suffix(".0")?.parse().ok())
}

/// What is no ranking.
pub(super) fn unreadable() -> Error {
    Error::new(Code::UpstreamBadResponse, "the provider's answer holds no ranking")
}
