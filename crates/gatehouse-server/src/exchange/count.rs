//! How many tokens a conversation would take: asked of the provider where it counts for this dialect,
//! counted by us where it does not.

use super::Whole;
use super::attempt::{Head, Sent};
use super::prepare::Prepared;
use super::whole::read_json;
use crate::call::Call;
use crate::headers;
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::error::Error;
use gatehouse_providers::Action;
use gatehouse_wire::codec::{Codec as _, Rewrite};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::openai_responses::{self, OpenAiResponses};
use gatehouse_wire::{anthropic, gemini};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Answers a count.
///
/// # Errors
/// What came of the attempt.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Whole, Error> {
    let dialect = call.front.dialect;
    // A kind may serve one model in this dialect and another in its maker's.
    let speaks = target.dialect(dialect) == Some(dialect);
    if !speaks || !target.provider.kind.counts_tokens(dialect) {
        return Ok(estimate(call, target, trail));
    }
    let rewrite: Rewrite = match dialect {
        Dialect::AnthropicMessages => anthropic::Messages.rewrite(&call.doc, &call.view, &target.wire())?,
        Dialect::OpenAiResponses => OpenAiResponses.rewrite(&call.doc, &call.view, &target.wire())?,
        _ => gemini::count::rewrite(&call.doc, &target.wire())?,
    };
    let mut body = splice(call.body(), &rewrite.edits);
    if dialect == Dialect::OpenAiResponses {
        body = openai_responses::count::encode_request(&Doc::parse(body, Strictness::Caller)?)?.into();
    }
    let prepared = Prepared {
        dialect,
        action: Action::CountTokens,
        body,
        dropped: rewrite.dropped,
        translation: None,
        hide_usage: false,
    };
    let (sent, head) = Sent::send(call, target, &prepared, trail).await?;
    let Head { headers, body, .. } = head;
    match read_json(body, call, trail).await {
        Ok(doc) => {
            sent.succeeded(&headers, &prepared.dropped, trail);
            Ok(Whole::ok(headers::passed_on(&headers), doc.bytes().clone()))
        }
        Err(error) => Err(sent.failed(Some(200), &headers, error, trail)),
    }
}

/// Our own count, said to be one.
fn estimate(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Whole {
    let tokens = trail.meter.input_estimate().max(1);
    let body = match call.front.dialect {
        Dialect::AnthropicMessages => anthropic::count::encode_answer(tokens),
        Dialect::OpenAiResponses => openai_responses::count::encode_answer(tokens),
        _ => gemini::count::encode_answer(tokens),
    };
    trail.served(target, &[]);
    let mut headers = HeaderMap::new();
    headers.insert("x-gatehouse-count", HeaderValue::from_static("estimated"));
    Whole::ok(headers, Bytes::from(body))
}
