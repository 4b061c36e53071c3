//! From what came of a call to an HTTP answer. The record is made safe before the end of any answer goes
//! out.

use crate::body::{Live, Reply};
use crate::exchange::opened::Opened;
use crate::exchange::{Whole, passing, realtime};
use crate::headers;
use crate::house::House;
use crate::stage::seal;
use crate::switch::{Asked, Onward};
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::content::{Dialect, Family};
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::error as wire;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;

/// An answer in one piece.
pub async fn whole(whole: Whole, mut trail: Trail, family: Family) -> Response<Reply> {
    trail.answer.take_in(&whole.body);
    let mut headers = whole.headers;
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    seal::describe(&mut headers, &trail);
    let ended = trail.settle(whole.status.as_u16());
    seal::price(&mut headers, &ended);
    if let Err(error) = trail.safe(&ended).await {
        return refused(family, &error, &trail.id().to_string());
    }
    let family = spoken(family, &trail);
    seal::request_id(&mut headers, family, &trail.id().to_string());
    respond(whole.status, headers, Reply::Whole(Some(whole.body)))
}

/// The beginning of an answer that is fetched later.
pub fn begun(trail: &Trail, body: Bytes) -> Response<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    seal::describe(&mut headers, trail);
    seal::request_id(&mut headers, Family::OpenAi, &trail.id().to_string());
    respond(StatusCode::OK, headers, Reply::Whole(Some(body)))
}

/// A stream.
pub fn stream(mut opened: Opened, trail: Trail, house: Arc<House>, family: Family) -> Response<Reply> {
    let mut headers = std::mem::take(&mut opened.headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(opened.content_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer would turn a stream into a wait.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    seal::describe(&mut headers, &trail);
    let family = spoken(family, &trail);
    seal::request_id(&mut headers, family, &trail.id().to_string());
    let deadline = opened.deadline();
    let relay = Box::new(opened.relay(trail, house));
    let frames = futures_util::stream::unfold(relay, |mut relay| async move {
        relay.next().await.map(|bytes| (Ok(bytes), relay))
    });
    respond(StatusCode::OK, headers, Reply::Stream(Live::until(deadline, frames)))
}

/// Bytes that pass as they come.
pub fn bytes(mut opened: passing::Opened, trail: Trail, house: Arc<House>) -> Response<Reply> {
    let mut headers = std::mem::take(&mut opened.headers);
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    seal::describe(&mut headers, &trail);
    let family = spoken(Family::OpenAi, &trail);
    seal::request_id(&mut headers, family, &trail.id().to_string());
    let (status, deadline) = (opened.status, opened.deadline());
    let passing = Box::new(opened.pass(trail, house));
    let pieces = futures_util::stream::unfold(passing, |mut passing| async move {
        passing.next().await.map(|piece| (piece, passing))
    });
    respond(status, headers, Reply::Stream(Live::until(deadline, pieces)))
}

/// A session: the answer that switches, and in it what goes on with the connection.
pub async fn session(
    mut opened: realtime::Opened,
    trail: Trail,
    house: Arc<House>,
    switch: Option<Asked>,
    family: Family,
) -> Response<Reply> {
    let Some(switch) = switch else {
        return failed(&Error::new(Code::Internal, "the request asks for no WebSocket"), trail, family).await;
    };
    let headers = std::mem::take(&mut opened.headers);
    let mut response = switching(headers, &switch, &trail, Family::OpenAi);
    let session = Box::pin(opened.serve(switch, trail, house));
    response.extensions_mut().insert(Onward::new(session));
    response
}

/// The answer that switches, for who puts into it what goes on with the connection.
pub fn switching(mut headers: HeaderMap, switch: &Asked, trail: &Trail, family: Family) -> Response<Reply> {
    switch.agree(&mut headers);
    seal::describe(&mut headers, trail);
    seal::request_id(&mut headers, family, &trail.id().to_string());
    respond(StatusCode::SWITCHING_PROTOCOLS, headers, Reply::Whole(None))
}

/// Whose answers these are to look like: as the dialect's, but where a cloud frames it, as the cloud's.
fn spoken(asked: Family, trail: &Trail) -> Family {
    if asked == Family::Bedrock || trail.record().surface == Some(Dialect::Passthrough) {
        asked
    } else {
        trail.record().surface.map_or(asked, |surface| surface.family())
    }
}

/// An error, recorded.
pub async fn failed(error: &Error, mut trail: Trail, family: Family) -> Response<Reply> {
    let family = spoken(family, &trail);
    let id = trail.id().to_string();
    let mut response = refused(family, error, &id);
    if let Some(detail) = &error.detail {
        tracing::info!(call = %id, code = error.code.as_str(), detail, "call failed");
    }
    for (name, value) in std::mem::take(&mut trail.upstream) {
        // How long to wait, we say ourselves: of all targets it was only one.
        if let Some(name) = name.filter(|name| !name.as_str().starts_with("retry-after")) {
            response.headers_mut().insert(name, value);
        }
    }
    seal::describe(response.headers_mut(), &trail);
    if let Reply::Whole(Some(body)) = response.body() {
        trail.answer.take_in(body);
    }
    let ended = trail.fail(response.status().as_u16(), error);
    seal::price(response.headers_mut(), &ended);
    match trail.safe(&ended).await {
        Ok(()) => response,
        Err(unsafe_record) => refused(family, &unsafe_record, &id),
    }
}

/// An error as HTTP.
#[must_use]
pub fn refused(family: Family, error: &Error, id: &str) -> Response<Reply> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::put(&mut headers, headers::RECORD, id);
    seal::request_id(&mut headers, family, id);
    let status =
        StatusCode::from_u16(wire::status(family, error)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let waits = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let after = error.retry_after.or(waits.then_some(std::time::Duration::from_secs(1)));
    if let Some(after) = after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers::put(&mut headers, header::RETRY_AFTER, &seconds.to_string());
        headers::put(&mut headers, headers::RETRY_AFTER_MS, &after.as_millis().to_string());
    }
    // SDKs retry by themselves; after our retries and fallbacks, theirs would multiply.
    let may_help =
        matches!(error.code, Code::RateLimited | Code::Overloaded | Code::Draining | Code::AuditUnavailable);
    headers::put(&mut headers, headers::SHOULD_RETRY, if may_help { "true" } else { "false" });
    if family == Family::Bedrock {
        headers.insert(headers::AMAZON_ERROR, HeaderValue::from_static(wire::bedrock_type(error)));
    }
    if unread_body(error) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    respond(status, headers, Reply::Whole(Some(Bytes::from(wire::render(family, error, id)))))
}

/// Whether the rest of the body may still be on its way: reading it only to throw it away would be what an
/// attacker wants.
fn unread_body(error: &Error) -> bool {
    matches!(error.code, Code::RequestTooLarge | Code::RequestTimeout | Code::UnsupportedMediaType)
}

fn respond(status: StatusCode, headers: HeaderMap, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
