//! The administration side, as far as it goes: metrics, health, and the signed log without its records.

use crate::body::{Reply, plain};
use crate::house::House;
use bytes::Bytes;
use gatehouse_audit::{Mirror, Status};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;

/// Answers a request to the administration side.
#[must_use]
pub async fn serve(house: &House, request: &Request<Incoming>) -> Response<Reply> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "read only\n");
    }
    match request.uri().path() {
        "/metrics" => metrics(house),
        path @ ("/healthz" | "/readyz") => health(house, path),
        path => match path.strip_prefix("/log/") {
            Some(path) => log(house, path.to_owned()).await,
            None => plain(StatusCode::NOT_FOUND, "there is /api, /metrics, /log, /healthz and /readyz\n"),
        },
    }
}

/// `/log/…`: what whoever remembers a checkpoint needs to see that the log only grew. It tells of nobody.
async fn log(house: &House, path: String) -> Response<Reply> {
    let none = || plain(StatusCode::NOT_FOUND, "there is the checkpoint, the keys and tiles of hashes\n");
    let Some(receipts) = house.receipts.get().map(Arc::clone) else { return none() };
    let read = tokio::task::spawn_blocking(move || receipts.public(&path)).await;
    match read.map_err(|error| error.to_string()).and_then(|read| read) {
        Ok(Some(bytes)) => {
            let mut response = Response::new(Reply::Whole(Some(Bytes::from(bytes))));
            let kind = HeaderValue::from_static("application/octet-stream");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Ok(None) => none(),
        Err(error) => {
            tracing::error!(%error, "the signed log cannot be shown");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the log cannot be read\n")
        }
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
        Status::Spooling { .. } => {
            plain(StatusCode::OK, "ready; the audit log cannot be written, records are spooled\n")
        }
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
    let signing = house.receipts.get().map(|receipts| receipts.signing());
    let mirrored = house.mirror.get().map(Mirror::leaves);
    house.metrics.book.set(house.log.stats(), &house.log.status(), signing, mirrored);
    let mut response = Response::new(Reply::Whole(Some(Bytes::from(house.metrics.text()))));
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
