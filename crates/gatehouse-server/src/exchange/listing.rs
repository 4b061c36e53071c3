//! The models that a caller may use, in the shape that its SDK reads.

use super::Whole;
use crate::call::Call;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::models::{ModelEntry, Purpose, list, single};
use http::HeaderMap;

/// Answers a list of models, or one.
///
/// # Errors
/// `model_not_found`, the same for what does not exist and for what the key may not use.
pub fn answer(call: &Call, trail: &Trail) -> Result<Whole, Error> {
    let family = call.front.dialect.family();
    let visible = trail.snapshot.visible(&call.key.caller);
    let entry = |(name, target): &(String, std::sync::Arc<crate::target::Target>)| ModelEntry {
        id: name.clone(),
        created: 0,
        owned_by: target.deployment.provider.to_string(),
        display_name: None,
        context_tokens: target.capabilities.context_tokens,
        output_tokens: target.capabilities.output_tokens,
        purpose: match target.dialect(Dialect::OpenAiEmbeddings) {
            Some(_) if name.contains("embed") => Purpose::Embeddings,
            _ => Purpose::Chat,
        },
    };
    let body = match call.front.model.as_deref().map(|name| name.trim_start_matches("models/")) {
        None => list(family, &visible.iter().map(entry).collect::<Vec<_>>()),
        Some(name) => {
            // A name that is in no list may still be callable.
            let route = trail.snapshot.route(name, &call.key.caller)?;
            let target =
                route.targets.first().ok_or_else(|| Error::new(Code::Internal, "a route without targets"))?;
            single(family, &entry(&(name.to_owned(), std::sync::Arc::clone(target))))
        }
    };
    Ok(Whole { headers: HeaderMap::new(), body: Bytes::from(body) })
}
