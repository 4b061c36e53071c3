//! The models that a caller may use, in the shape that its SDK reads.

use super::Whole;
use crate::call::Call;
use crate::clock;
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_ledger::{Catalogue, ServiceTier, dollars};
use gatehouse_wire::models::{Details, ModelEntry, Purpose, list, single};
use http::HeaderMap;
use std::sync::Arc;

/// Answers a list of models, or one.
///
/// # Errors
/// `model_not_found`, the same for what does not exist and for what the key may not use.
pub fn answer(call: &Call, trail: &Trail) -> Result<Whole, Error> {
    let family = call.front.dialect.family();
    let visible = trail.snapshot.visible(&call.key.caller);
    let now = clock::unix_seconds();
    let entry = |(name, target): &(String, Arc<Target>)| entry(name, target, trail.snapshot.catalogue(), now);
    let body = match call.front.model.as_deref().map(|name| name.trim_start_matches("models/")) {
        None => list(family, &visible.iter().map(entry).collect::<Vec<_>>()),
        Some(name) => {
            // A name that is in no list may still be callable.
            let route = trail.snapshot.route(name, &call.key.caller)?;
            let target =
                route.targets.first().ok_or_else(|| Error::new(Code::Internal, "a route without targets"))?;
            single(family, &entry(&(name.to_owned(), Arc::clone(target))))
        }
    };
    Ok(Whole::ok(HeaderMap::new(), Bytes::from(body)))
}

/// A model with what is known of it. The price is what this gateway charges: one of the configuration goes before
/// that of the catalogue.
fn entry(name: &str, target: &Target, catalogue: &Catalogue, now: u64) -> ModelEntry {
    let facts = target.facts(catalogue);
    let priced = target.prices.at(now, ServiceTier::Standard, 0);
    let modalities = facts.as_ref().map(|facts| facts.modalities(now));
    let details = Details {
        modalities,
        capabilities: facts.as_ref().map(|facts| facts.can()).unwrap_or_default(),
        prices: priced.as_ref().map(|priced| dollars(&priced.price)).unwrap_or_default(),
        price_id: priced.map(|priced| priced.id.to_string()),
        source: facts.as_ref().map(|facts| facts.source.clone()),
        date: facts.map(|facts| facts.date),
    };
    ModelEntry {
        id: name.to_owned(),
        created: 0,
        owned_by: target.deployment.provider.to_string(),
        display_name: None,
        context_tokens: target.capabilities.context_tokens,
        output_tokens: target.capabilities.output_tokens,
        purpose: match target.dialect(Dialect::OpenAiEmbeddings) {
            Some(_) if name.contains("embed") => Purpose::Embeddings,
            _ => Purpose::Chat,
        },
        details,
    }
}
