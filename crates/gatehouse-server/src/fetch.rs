//! Documents from the network, read whole, and what is sent to others than providers: never a part of a call.

use crate::upstream::{Broken, Upstream};
use bytes::{Bytes, BytesMut};
use gatehouse_core::error::{Code, Error};
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use secrecy::{ExposeSecret as _, SecretString};
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

/// What is sent to somebody who is no provider.
pub struct Ask<'a> {
    /// How.
    pub verb: Verb,
    /// Where to.
    pub url: &'a str,
    /// A bearer token.
    pub token: Option<&'a SecretString>,
    /// Other headers.
    pub headers: Vec<(String, SecretString)>,
    /// What it is, and what it says; not with [`Verb::Get`].
    pub body: Option<(&'static str, Bytes)>,
}

/// How something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Nothing is: an answer is asked for.
    Get,
    /// To replace what is there.
    Put,
    /// To be dealt with.
    Post,
}

/// Sends it, and reads the answer: its status, whatever that is, and at most so many bytes. Redirections are not
/// followed.
///
/// # Errors
/// Why there is no answer, in words for the operator. They name no credential.
pub async fn exchange(ask: Ask<'_>, time_max: Duration, bytes_max: usize) -> Result<(u16, Bytes), String> {
    let url = ask.url;
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    let method = match ask.verb {
        Verb::Get => Method::GET,
        Verb::Put => Method::PUT,
        Verb::Post => Method::POST,
    };
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = ask.token {
        let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut value = value.map_err(|_| "the token does not fit into a header".to_owned())?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    for (name, value) in &ask.headers {
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("{name} does not fit into a header"))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let (kind, body) = ask.body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let request = request.body(body).map_err(|error| format!("{url}: {error}"))?;
    let upstream = Upstream::new(CONNECT_TIME_MAX);
    let asked = Box::pin(whole(&upstream, request, time_max, bytes_max));
    let answer = tokio::time::timeout(time_max, asked)
        .await
        .map_err(|_| format!("{url} did not answer in time"))?
        .map_err(|error| format!("{url}: {}", error.detail.as_deref().unwrap_or(&error.message)))?;
    Ok((answer.status().as_u16(), answer.into_body()))
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
