//! A document from the network, read whole: what a command asks for, never a part of a call.

use crate::upstream::{Broken, Upstream};
use bytes::{Bytes, BytesMut};
use gatehouse_core::error::{Code, Error};
use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the whole document may take.
const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(60);

/// Fetches a document of at most so many bytes. Redirections are not followed: they name another source than the
/// one that was asked for.
///
/// # Errors
/// Why it cannot be had, in words for the one who asked.
pub async fn document(url: &str, bytes_max: usize) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none() {
        return Err(format!("{url} is no address; write one such as https://example.com/catalogue.jsonl"));
    }
    let request = Request::get(uri).body(Bytes::new()).map_err(|error| format!("{url}: {error}"))?;
    let upstream = Upstream::new(CONNECT_TIME_MAX);
    let asked = Box::pin(whole(&upstream, request, DOCUMENT_TIME_MAX, bytes_max));
    let answer = tokio::time::timeout(DOCUMENT_TIME_MAX, asked)
        .await
        .map_err(|_| format!("{url} did not answer in time"))?
        .map_err(|error| format!("{url}: {error}"))?;
    match answer.status() {
        status if status.is_success() => Ok(answer.into_body()),
        status if status.is_redirection() => {
            Err(format!("{url} points elsewhere; write the address that it points to"))
        }
        status => Err(format!("{url} answered {status}")),
    }
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// Nobody answers in time, the answer breaks off, or it is longer than `bytes_max`.
pub(crate) async fn whole(
    upstream: &Upstream,
    request: Request<Bytes>,
    limit: Duration,
    bytes_max: usize,
) -> Result<Response<Bytes>, Error> {
    let (parts, mut body) = upstream.send(request, limit).await?.into_parts();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |error: Broken| {
            Error::new(Code::UpstreamBadResponse, "an answer broke off").detail(error.to_string())
        };
        if let Ok(piece) = frame.map_err(broken)?.into_data() {
            read.extend_from_slice(&piece);
        }
        if read.len() > bytes_max {
            return Err(Error::new(Code::UpstreamBadResponse, "an answer is too large"));
        }
    }
    Ok(Response::from_parts(parts, read.freeze()))
}
