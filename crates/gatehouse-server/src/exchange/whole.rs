//! An answer in one piece: read within its limit, judged, written in the caller's dialect.

use super::Whole;
use super::attempt::{Head, Sent};
use super::edit;
use super::prepare::Prepared;
use crate::body;
use crate::call::Call;
use crate::clock::left;
use crate::dialects;
use crate::headers;
use crate::trail::Trail;
use crate::upstream::Answer;
use bytes::Bytes;
use gatehouse_core::content::{Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::watch;
use std::pin::pin;

/// Sends the request and reads the whole answer.
///
/// # Errors
/// What came of the attempt, or `guard_blocked` when a guardrail stops the answer.
pub async fn exchange(
    call: &Call,
    target: &std::sync::Arc<crate::target::Target>,
    prepared: &Prepared,
    trail: &mut Trail,
) -> Result<Whole, Error> {
    let (sent, head) = Sent::send(call, target, prepared, trail).await?;
    let Head { headers, body, .. } = head;
    let codec = dialects::provider_codec(prepared.dialect)?;
    let read = read_json(body, call, trail).await.and_then(|doc| {
        let summary = codec.summary(&doc);
        match summary.error {
            Some(error) => Err(error),
            None => Ok((doc, summary)),
        }
    });
    let (doc, summary) = match read {
        Ok(read) => read,
        Err(error) => return Err(sent.failed(Some(200), &headers, error, trail)),
    };
    sent.succeeded(&headers, &prepared.dropped, trail);
    match summary.usage {
        Some(usage) => trail.meter.reported(usage),
        None => {
            codec.answer_spans(&doc).iter().for_each(|span| trail.meter.text(doc.slice(span.range.clone())));
        }
    }
    if let Some(reason) = summary.finish {
        trail.finished(reason);
    }
    if let Some(tier) = &summary.service_tier {
        trail.tier(tier);
    }
    let doc = judged(call, codec, doc, trail)?;
    let body = match &prepared.translation {
        None => doc.bytes().clone(),
        Some(context) => {
            let answer = codec.decode_answer(&doc)?;
            let lost = answer.blocks.iter().filter_map(|block| block.lost_in(call.front.dialect));
            lost.for_each(|path| trail.left_out(&path));
            Bytes::from(dialects::codec(call.front.dialect)?.encode_answer(&answer, context))
        }
    };
    Ok(Whole::ok(headers::passed_on(&headers), body))
}

/// The answer as its guardrails let it pass.
///
/// # Errors
/// `guard_blocked`, `guard_unavailable`, and `upstream_bad_response` for what cannot be changed.
pub fn judged(
    call: &Call,
    codec: &dyn gatehouse_wire::codec::ProviderCodec,
    doc: Doc,
    trail: &mut Trail,
) -> Result<Doc, Error> {
    if !call.guards.any_at(&[Place::Output, Place::ToolArguments]) {
        return Ok(doc);
    }
    let mut spans = codec.answer_spans(&doc);
    let spelled = watch::complete(doc.root(), &mut spans);
    let mut judged = call.guards.judge(doc.text(), &spans);
    let mut is_spelled = false;
    for text in spelled.iter().flat_map(|spelled| &spelled.texts) {
        match call.guards.judge_text(text, Place::Output, &mut judged.tally) {
            Ok(changed) => is_spelled |= changed.is_some(),
            Err(error) => judged.stopped = judged.stopped.or(Some(error)),
        }
    }
    trail.judged(judged.tally);
    if let Some(error) = judged.stopped {
        return Err(error);
    }
    if judged.edits.is_empty() && !is_spelled {
        Ok(doc)
    } else {
        if !spelled.is_empty() {
            trail.left_out(edit::SPELLED);
        }
        judged.edits.extend(spelled.into_iter().map(|spelled| spelled.edit));
        judged.edits.sort_by_key(|edit| edit.range.start);
        // A number cannot become a word.
        Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Provider).map_err(|_| edit::cannot())
    }
}

/// Reads a JSON answer within its limits of size and time.
///
/// # Errors
/// `upstream_bad_response`, `upstream_timeout`.
pub async fn read_json(answer: Answer, call: &Call, trail: &Trail) -> Result<Doc, Error> {
    let raw = read_bytes(answer, call, trail).await?;
    Doc::parse(raw, Strictness::Provider).map_err(|error| {
        Error::new(Code::UpstreamBadResponse, "the provider's answer cannot be read").detail(error.message)
    })
}

/// Reads an answer within its limits of size and time.
///
/// # Errors
/// `upstream_bad_response`, `upstream_timeout`.
pub async fn read_bytes(answer: Answer, call: &Call, trail: &Trail) -> Result<Bytes, Error> {
    let bytes_max = trail.snapshot.limits.answer.0;
    let bad = |message: &str| Error::new(Code::UpstreamBadResponse, message);
    match tokio::time::timeout(left(call.deadline), pin!(body::collect(answer, bytes_max))).await {
        Ok(Ok(Some(raw))) => Ok(raw),
        Ok(Ok(None)) => Err(too_large(bytes_max)),
        Ok(Err(error)) => Err(bad("the provider's answer broke off").detail(error.to_string())),
        Err(_) => Err(Error::new(Code::UpstreamTimeout, "the provider's answer did not come in time")),
    }
}

/// An answer, or what has to be kept of one that is streamed, is too large.
pub(super) fn too_large(bytes_max: u64) -> Error {
    let message = format!("the provider's answer exceeds {bytes_max} bytes (limits.answer)");
    Error::new(Code::UpstreamBadResponse, message)
}
