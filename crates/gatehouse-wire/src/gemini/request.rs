//! A whole request, read.

use super::member::{each, get, spells};
use super::{config, tools, turns, view};
use crate::chat::{ChatRequest, Turn, Weight};
use crate::json::Node;
use gatehouse_core::error::Error;

/// Members of the request that have a place in the canonical form, or none in any (`model` stands in the
/// path).
const PLACED: &[&str] =
    &["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "serviceTier", "model"];

/// Reads a request. The model is left empty and `stream` unset: both stand in the path.
pub(super) fn decode(root: Node<'_>) -> Result<ChatRequest, Error> {
    let view = view::view(root)?;
    let mut request =
        ChatRequest { include_usage: true, service_tier: view.service_tier, ..ChatRequest::default() };
    let system: Vec<_> = get(root, "systemInstruction")
        .map(|system| each(get(system, "parts")).filter_map(turns::part).collect())
        .unwrap_or_default();
    if !system.is_empty() {
        request.turns.push(Turn::System(system));
    }
    if let Some(contents) = get(root, "contents") {
        request.turns.extend(turns::read(contents)?);
    }
    tools::read(root, &mut request);
    if let Some(generation) = get(root, "generationConfig") {
        config::read(generation, &mut request);
    }
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        if !PLACED.iter().any(|placed| spells(&name, placed)) {
            // A cached content is a part of the prompt; the rest the caller will not miss in the answer.
            let weight = if spells(&name, "cachedContent") { Weight::Meaning } else { Weight::Hint };
            request.extensions.push(config::extension("", &name, value, weight));
        }
    }
    Ok(request)
}
