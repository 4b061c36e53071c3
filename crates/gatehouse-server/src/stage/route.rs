//! Where does it go? Hard constraints first, then the order of the configuration, or, among equals, to where the
//! conversation has been before.

use super::{Guarded, Routed};
use crate::clock;
use crate::headers::RESIDENCY;
use crate::trail::Trail;
use gatehouse_core::call::Operation;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;
use gatehouse_route::plan::{Wish, plan};
use gatehouse_route::sticky::Conversation;
use http::HeaderMap;
use std::sync::Arc;

/// Plans the call.
///
/// # Errors
/// `model_not_found`, `no_capable_target`, `context_length_exceeded`.
pub fn route(mut guarded: Guarded, trail: &mut Trail) -> Result<Routed, Error> {
    let call = &mut guarded.0;
    let route = match &call.route {
        Some(route) => Arc::clone(route),
        None => trail.snapshot.route(&call.model, &call.key.caller)?,
    };
    trail.routed(&route.reason);
    call.conversation = route.has_choice().then(|| call.turn_of()).flatten();
    let needs = call.view.needs;
    let wish = Wish {
        region: region(&call.headers)?,
        // Whoever can answer a conversation can be asked how long it is: if not by them, by us.
        front: if call.front.operation == Operation::CountTokens {
            Dialect::OpenAiChat
        } else {
            call.front.dialect
        },
        tools: needs.tools,
        images: needs.images,
        audio: needs.audio,
        documents: needs.documents,
        structured: needs.structured,
        // Each text to be embedded or ranked is read by itself; together they may be longer than any.
        input_tokens: match call.front.operation {
            Operation::Embeddings | Operation::Rerank => 0,
            _ => trail.meter.input_estimate(),
        },
        // What is no conversation has nowhere to stay.
        conversation: route
            .spreads
            .then(|| call.conversation.unwrap_or_else(|| Conversation::of(&clock::chance()))),
    };
    let planned = plan(&wish, &route.candidates)?;
    Ok(Routed { guarded, route, order: planned.order })
}

/// Where the caller says that the data must stay. A caller may narrow where its data goes, never widen it.
pub(crate) fn region(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    const NAME: &str = "x-gatehouse-residency";
    let Some(value) = headers.get(RESIDENCY) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let sound = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if headers.get_all(RESIDENCY).iter().count() > 1 || !sound {
        return Err(Error::invalid(NAME, format!("{NAME}: write one region, such as eu")));
    }
    Ok(Some(text))
}
