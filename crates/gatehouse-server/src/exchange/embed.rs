//! Vectors for texts. Answers are read from their bytes: they hold more numbers than anything else.
//!
//! Some providers take fewer texts at once than callers send: they are asked several times, one piece after the other,
//! and the caller sees one answer. A piece that fails fails the attempt; what the others cost is not forgotten.

use super::Whole;
use super::attempt::{Head, Sent};
use super::prepare::{Prepared, fresh_id, no_such_operation};
use super::whole::read_bytes;
use crate::call::Call;
use crate::dialects;
use crate::headers;
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, splice};
use gatehouse_core::error::Error;
use gatehouse_core::usage::Usage;
use gatehouse_providers::Action;
use gatehouse_wire::embeddings::{self, EmbedAnswer, EmbedRequest};
use http::HeaderMap;
use std::sync::Arc;

/// Answers an embedding.
///
/// # Errors
/// What came of the attempt.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Whole, Error> {
    let front = call.front.dialect;
    let dialect = target.dialect(front).ok_or_else(|| no_such_operation(target))?;
    if dialect == front {
        let rewrite = dialects::embeddings(front).rewrite(&call.doc, &call.view, &target.wire())?;
        let body = splice(call.body(), &rewrite.edits);
        let prepared = ready(dialect, call.front.batch, body, rewrite.dropped);
        let Came { headers, raw, usage } = ask(call, target, &prepared, trail).await?;
        usage.into_iter().for_each(|usage| trail.meter.reported(usage));
        return Ok(Whole::ok(headers::passed_on(&headers), identified(front, raw)));
    }
    let request = dialects::embeddings(front).decode_request(&call.doc)?;
    let (headers, mut answer) = translated(call, target, dialect, &request, trail).await?;
    match answer.usage {
        Some(usage) => trail.meter.reported(usage),
        None => {
            // OpenAI's answer must name a usage: ours, where the provider counts for nobody.
            let input_tokens = trail.meter.input_estimate();
            answer.usage = Some(Usage { input_tokens, ..Usage::default() });
        }
    }
    if answer.id.is_empty() {
        answer.id = trail.id().to_string();
    }
    let body = Bytes::from(dialects::embeddings(front).encode_answer(&answer, &request, &call.model)?);
    Ok(Whole::ok(headers::passed_on(&headers), identified(front, body)))
}

/// An answer as clients of the dialect want it.
fn identified(front: Dialect, body: Bytes) -> Bytes {
    if front == Dialect::OpenAiEmbeddings {
        embeddings::identified(body, &format!("embd-{}", fresh_id()))
    } else {
        body
    }
}

/// What a provider answered.
struct Came {
    headers: HeaderMap,
    raw: Bytes,
    usage: Option<Usage>,
}

/// Asks in another dialect, in as many pieces as the provider needs.
async fn translated(
    call: &Call,
    target: &Arc<Target>,
    dialect: Dialect,
    request: &EmbedRequest,
    trail: &mut Trail,
) -> Result<(HeaderMap, EmbedAnswer), Error> {
    let codec = dialects::asked_embeddings(dialect);
    let piece_max = codec.texts_max(target.model()).unwrap_or(usize::MAX).max(1);
    let mut whole =
        (HeaderMap::new(), EmbedAnswer { usage: Some(Usage::default()), ..EmbedAnswer::default() });
    for piece in request.inputs.chunks(piece_max.min(request.inputs.len().max(1))) {
        let came = one_piece(call, target, dialect, &part(request, piece), trail).await;
        let (headers, answer) = match came {
            Ok(came) => came,
            Err(error) => {
                // Those before it are paid for, though nobody gets their vectors.
                whole.1.usage.into_iter().for_each(|usage| trail.spent(target, usage));
                return Err(error);
            }
        };
        whole.0 = headers;
        whole.1.model = answer.model;
        whole.1.id = answer.id;
        whole.1.vectors.extend(answer.vectors);
        // One piece that was not counted leaves the sum unknown.
        whole.1.usage = whole.1.usage.zip(answer.usage).map(|(sum, more)| sum.saturating_add(more));
    }
    Ok(whole)
}

/// The request for some of its texts.
fn part(request: &EmbedRequest, texts: &[gatehouse_wire::embeddings::EmbedInput]) -> EmbedRequest {
    EmbedRequest { inputs: texts.to_vec(), ..request.clone() }
}

async fn one_piece(
    call: &Call,
    target: &Arc<Target>,
    dialect: Dialect,
    request: &EmbedRequest,
    trail: &mut Trail,
) -> Result<(HeaderMap, EmbedAnswer), Error> {
    let codec = dialects::asked_embeddings(dialect);
    let encoded = codec.encode_request(request, &target.wire())?;
    let prepared = ready(dialect, encoded.batch, Bytes::from(encoded.body), encoded.dropped);
    let came = ask(call, target, &prepared, trail).await?;
    let mut answer = codec.decode_answer(&came.raw)?;
    answer.usage = came.usage;
    Ok((came.headers, answer))
}

/// Sends a request and reads its answer.
async fn ask(
    call: &Call,
    target: &Arc<Target>,
    prepared: &Prepared,
    trail: &mut Trail,
) -> Result<Came, Error> {
    let (sent, head) = Sent::send(call, target, prepared, trail).await?;
    let Head { headers, body, .. } = head;
    let codec = dialects::asked_embeddings(prepared.dialect);
    let read = read_bytes(body, call, trail).await.and_then(|raw| {
        let summary = codec.summary(&raw);
        match summary.error {
            Some(error) => Err(error),
            None => Ok((raw, summary.usage)),
        }
    });
    match read {
        Ok((raw, usage)) => {
            sent.succeeded(&headers, &prepared.dropped, trail);
            let usage = usage.or_else(|| headers::input_tokens(&headers));
            Ok(Came { headers, raw, usage })
        }
        Err(error) => Err(sent.failed(Some(200), &headers, error, trail)),
    }
}

fn ready(dialect: Dialect, batch: bool, body: Bytes, dropped: Vec<String>) -> Prepared {
    let action = if batch { Action::EmbedMany } else { Action::Generate };
    Prepared { dialect, action, body, dropped, translation: None, hide_usage: false }
}
