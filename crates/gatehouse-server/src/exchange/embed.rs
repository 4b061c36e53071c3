//! Vectors for texts. Answers are read from their bytes: they hold more numbers than anything else.

use super::Whole;
use super::attempt::{Head, Sent};
use super::prepare::{Prepared, no_such_operation};
use super::whole::read_bytes;
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
use gatehouse_wire::embeddings::EmbedRequest;
use std::sync::Arc;

/// Answers an embedding.
///
/// # Errors
/// What came of the attempt.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Whole, Error> {
    let (prepared, request) = prepare(call, target)?;
    let codec = dialects::embeddings(prepared.dialect);
    let (sent, head) = Sent::send(call, target, &prepared, trail).await?;
    let Head { headers, body } = head;
    let read = read_bytes(body, call, trail).await.and_then(|raw| {
        let summary = codec.summary(&raw);
        match summary.error {
            Some(error) => Err(error),
            None => Ok((raw, summary.usage)),
        }
    });
    let (raw, usage) = match read {
        Ok(read) => read,
        Err(error) => return Err(sent.failed(Some(200), &headers, error, trail)),
    };
    sent.succeeded(&headers, &prepared.dropped, trail);
    if let Some(usage) = usage {
        trail.meter.reported(usage);
    }
    let body = match request {
        None => raw,
        Some(request) => {
            let mut answer = codec.decode_answer(&raw)?;
            if answer.usage.is_none() {
                // OpenAI's answer must name a usage: ours, where the provider counts for nobody.
                let input_tokens = trail.meter.input_estimate();
                answer.usage = Some(Usage { input_tokens, ..Usage::default() });
            }
            let front = dialects::embeddings(call.front.dialect);
            Bytes::from(front.encode_answer(&answer, &request, &call.model)?)
        }
    };
    Ok(Whole { headers: headers::passed_on(&headers), body })
}

/// The request for a target, and the caller's request in canonical form when it had to be translated.
fn prepare(call: &Call, target: &Target) -> Result<(Prepared, Option<EmbedRequest>), Error> {
    let front = call.front.dialect;
    let dialect = target.dialect(front).ok_or_else(|| no_such_operation(target))?;
    let action = |batch: bool| if batch { Action::EmbedMany } else { Action::Generate };
    let ready = |batch, body, dropped| Prepared {
        dialect,
        action: action(batch),
        body,
        dropped,
        translation: None,
        hide_usage: false,
    };
    if dialect == front {
        let rewrite = dialects::embeddings(front).rewrite(&call.doc, &call.view, &target.wire())?;
        let body = splice(call.body(), &rewrite.edits);
        return Ok((ready(call.front.batch, body, rewrite.dropped), None));
    }
    let request = dialects::embeddings(front).decode_request(&call.doc)?;
    let encoded = dialects::embeddings(dialect).encode_request(&request, &target.wire())?;
    Ok((ready(encoded.batch, Bytes::from(encoded.body), encoded.dropped), Some(request)))
}
