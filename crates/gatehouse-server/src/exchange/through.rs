//! A path of a provider's own: sent as it came, answered with what comes.

use super::attempt::{Head, Sent};
use super::passing::Opened;
use super::prepare::{Prepared, no_such_operation};
use super::whole::read_bytes;
use super::{Answered, Whole, edit};
use crate::call::Call;
use crate::clock;
use crate::headers;
use crate::passage::{self, Passage};
use crate::target::Target;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Place, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_providers::credential::Credential;
use gatehouse_providers::{Action, Signing};
use gatehouse_wire::anything;
use gatehouse_wire::json::{Doc, Strictness};
use http::{HeaderMap, HeaderValue, Request, header};
use std::sync::Arc;

/// Answers a call.
///
/// # Errors
/// What came of the attempt; `unsupported_parameter` and `guard_unavailable` where a guardrail has to see an answer
/// that it cannot read.
pub async fn exchange(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Answered, Error> {
    let passage = call.passage.as_ref().ok_or_else(|| no_such_operation(target))?;
    let is_judged = call.guards.any_at(&[Place::Output, Place::ToolArguments]);
    if is_judged && call.stream {
        let message =
            "stream: a guardrail judges the answer, and reads a stream of this path as a whole only";
        return Err(Error::unsupported("stream", message));
    }
    let prepared = Prepared {
        dialect: Dialect::Passthrough,
        action: if call.stream { Action::Stream } else { Action::Generate },
        body: passage.other.clone().unwrap_or_else(|| call.body().clone()),
        dropped: Vec::new(),
        translation: None,
        hide_usage: false,
    };
    let sending = Sent::send(call, target, &prepared, trail).await;
    if passage.reads() {
        // Nobody bills what is only read.
        trail.meter.refused();
    }
    let (sent, Head { status, headers, body }) = sending?;
    if !is_judged {
        sent.succeeded(&headers, &[], trail);
        let opened = Opened::new(call, target, body, passed_on(&headers), None, None);
        let opened = if passage.reads() { opened } else { opened.counted() };
        return Ok(Answered::Bytes(Box::new(opened.with_status(status))));
    }
    let raw = match read_bytes(body, call, trail).await {
        Ok(raw) => raw,
        Err(error) => return Err(sent.failed(Some(status.as_u16()), &headers, error, trail)),
    };
    if !passage.reads() {
        trail.meter.text(&String::from_utf8_lossy(&raw));
    }
    sent.succeeded(&headers, &[], trail);
    Ok(Answered::Whole(Whole { status, headers: passed_on(&headers), body: judged(call, raw, trail)? }))
}

/// The request, with the provider's credential and without the caller's.
///
/// # Errors
/// When the credential cannot be put into a request.
pub fn addressed(
    call: &Call,
    target: &Target,
    passage: &Passage,
    credential: Option<&Credential>,
) -> Result<Request<Bytes>, Error> {
    let provider = &target.provider;
    let body = match &passage.other {
        Some(other) => other.clone(),
        None if passage.reads() => Bytes::new(),
        None => call.body().clone(),
    };
    let mut headers = passage::headers(&call.headers);
    provider.kind.sign(
        &Signing {
            method: &passage.method,
            uri: &passage.uri,
            credential,
            settings: &provider.settings,
            body: &body,
            now: clock::unix_seconds(),
        },
        &mut headers,
    )?;
    let mut request = Request::new(body);
    *request.method_mut() = passage.method.clone();
    *request.uri_mut() = passage.uri.clone();
    *request.headers_mut() = headers;
    request.headers_mut().entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    passage.leaves();
    Ok(request)
}

/// The provider's headers that its clients read beside the usual ones.
fn passed_on(upstream: &HeaderMap) -> HeaderMap {
    let mut passed = headers::passed_on(upstream);
    for name in [header::CONTENT_TYPE, header::CONTENT_DISPOSITION, header::CONTENT_RANGE, header::ETAG] {
        if let Some(value) = upstream.get(&name) {
            passed.insert(name, value.clone());
        }
    }
    passed
}

/// An answer as its guardrails let it pass: every text of it counts as the model's.
fn judged(call: &Call, raw: Bytes, trail: &mut Trail) -> Result<Bytes, Error> {
    if raw.is_empty() {
        return Ok(raw);
    }
    let doc = Doc::parse(raw, Strictness::Provider).map_err(|error| {
        let message = "a guardrail judges the answers of this account, and cannot read this one";
        Error::new(Code::GuardUnavailable, message).detail(error.message)
    })?;
    let judged = call.guards.judge(doc.text(), &anything::spans(&doc, Place::Output));
    trail.judged(judged.tally);
    match judged.stopped {
        Some(error) => Err(error),
        // A number cannot become a word.
        None => Doc::parse(splice(doc.bytes(), &judged.edits), Strictness::Provider)
            .map(|doc| doc.bytes().clone())
            .map_err(|_| edit::cannot()),
    }
}
