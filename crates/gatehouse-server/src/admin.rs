//! The administration side, as far as it goes: metrics and health.

use crate::body::{Reply, plain};
use crate::house::House;
use bytes::Bytes;
use gatehouse_audit::Status;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;

/// Answers a request to the administration side.
#[must_use]
pub fn serve(house: &House, request: &Request<Incoming>) -> Response<Reply> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "read only\n");
    }
    match request.uri().path() {
        "/metrics" => metrics(house),
        path @ ("/healthz" | "/readyz") => health(house, path),
        _ => plain(StatusCode::NOT_FOUND, "there is /metrics, /healthz and /readyz\n"),
    }
}

/// `/healthz`: the process answers. `/readyz`: it takes calls. Neither asks a provider.
#[must_use]
pub fn health(house: &House, path: &str) -> Response<Reply> {
    if path == "/healthz" {
        return plain(StatusCode::OK, "ok\n");
    }
    if house.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    match house.log.status() {
        Status::Healthy => plain(StatusCode::OK, "ready\n"),
        Status::Failed { .. } => plain(StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written\n"),
    }
}

fn metrics(house: &House) -> Response<Reply> {
    let snapshot = house.snapshot.load();
    let failing = snapshot.providers().iter().map(|provider| {
        let failing = provider.credentials.iter().filter(|credential| credential.is_failing()).count();
        (Arc::clone(&provider.name), failing)
    });
    house.metrics.failing(failing);
    let mut response = Response::new(Reply::Whole(Some(Bytes::from(house.metrics.text()))));
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
