//! Rankings. The documents in an answer come from the request, as the guardrails let it pass.

use super::Whole;
use super::attempt::{Head, Sent};
use super::prepare::{Prepared, no_such_operation};
use super::whole::read_json;
use crate::call::Call;
use crate::dialects;
use crate::headers;
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::splice;
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use gatehouse_providers::Action;
use gatehouse_wire::rerank::{self, Billing, RerankRequest};
use std::sync::Arc;

/// Answers a ranking.
///
/// # Errors
/// What came of the attempt.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Whole, Error> {
    let request = rerank::decode_request(&call.doc)?;
    let prepared = prepare(call, target, &request)?;
    let codec = dialects::ranking(prepared.dialect)?;
    trail.meter.by_units(codec.billing() == Billing::Units);
    let (sent, head) = Sent::send(call, target, &prepared, trail).await?;
    let Head { headers, body, .. } = head;
    let read = read_json(body, call, trail).await.and_then(|doc| {
        let answer = codec.decode_answer(&doc)?.fitted(&request)?;
        Ok((doc, answer))
    });
    let (doc, mut answer) = match read {
        Ok(read) => read,
        Err(error) => return Err(sent.failed(Some(200), &headers, error, trail)),
    };
    sent.succeeded(&headers, &prepared.dropped, trail);
    // Where nothing is counted that may be billed, our count stands.
    answer.usage.into_iter().for_each(|usage| trail.meter.reported(usage));
    let passes = prepared.dialect == call.front.dialect && !request.return_documents;
    let body = if passes {
        doc.bytes().clone()
    } else {
        answer.usage.get_or_insert_with(|| counted(trail));
        let id = trail.id().to_string();
        Bytes::from(rerank::encode_answer(&answer, &request, &call.model, &id))
    };
    Ok(Whole::ok(headers::passed_on(&headers), body))
}

/// What we say where the provider said nothing.
fn counted(trail: &Trail) -> Usage {
    trail.meter.total(true).0
}

/// The request for a target.
fn prepare(call: &Call, target: &Target, request: &RerankRequest) -> Result<Prepared, Error> {
    let front = call.front.dialect;
    let dialect = target.dialect(front).ok_or_else(|| no_such_operation(target))?;
    let (body, dropped) = if dialect == front {
        let rewrite = rerank::rewrite(&call.doc, &call.view, &target.wire())?;
        (splice(call.body(), &rewrite.edits), rewrite.dropped)
    } else {
        let encoded = dialects::ranking(dialect)?.encode_request(request, &target.wire())?;
        (Bytes::from(encoded.body), encoded.dropped)
    };
    Ok(Prepared { dialect, action: Action::Generate, body, dropped, translation: None, hide_usage: false })
}
