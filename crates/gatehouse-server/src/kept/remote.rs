//! Asking a provider for a file or a batch: address, credential, and what a refusal means.
//!
//! Where a provider has several credentials it is always asked with the first: they may be of several accounts, and
//! what was given to one is not there for another.

use crate::body;
use crate::clock::{self, left};
use crate::form::Files;
use crate::headers;
use crate::target::Provider;
use crate::upstream::{Answer, Pieces, Upload};
use crate::vault::Slot;
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_providers::{Action, Outgoing};
use gatehouse_wire::error::classify;
use gatehouse_wire::json::{Doc, Strictness};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use std::pin::pin;
use std::time::{Duration, Instant};

/// The most of a provider's error answer that is read.
const ERROR_BYTES_MAX: u64 = 64 << 10;
/// How long it may take.
const ERROR_TIME_MAX: Duration = Duration::from_secs(5);

/// What a provider is asked.
pub struct Ask<'a> {
    /// For files or for batches.
    pub dialect: Dialect,
    /// How.
    pub method: Method,
    /// For which one; all of them, or a new one, where there is none.
    pub id: Option<&'a str>,
    /// What of it (`/content`, `/cancel`).
    pub sub: &'a str,
    /// The body.
    pub body: Bytes,
    /// When the answer is worth nothing any more.
    pub deadline: Instant,
}

/// A provider did not do what it was asked.
#[derive(Debug)]
pub struct Refused {
    /// Its status; `None` when it did not answer.
    pub status: Option<u16>,
    /// What to say.
    pub error: Error,
}

// === impl Refused ===

impl Refused {
    /// Whether there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// Whether the provider has surely done nothing: it said so itself, or never heard of it. Who is between us and a
    /// provider that failed says nothing of the provider.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.status.is_some_and(|status| !matches!(status, 502 | 504))
            || matches!(self.error.code, Code::UpstreamUnreachable | Code::UpstreamAuthFailed)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { status: None, error }
    }
}

/// Asks, and gives the head of a good answer with its body to be read.
///
/// # Errors
/// What the provider said, or that it said nothing.
pub async fn ask(
    provider: &Provider,
    ask: &Ask<'_>,
    form: Option<(&Files, &Doc)>,
) -> Result<(HeaderMap, Answer), Refused> {
    let slot = provider.credentials.first();
    let held = match slot {
        Some(slot) => Some(slot.get(left(ask.deadline)).await?),
        None => None,
    };
    let none = HeaderMap::new();
    let addressed = provider.kind.address(&Outgoing {
        dialect: ask.dialect,
        action: Action::Generate,
        model: "",
        base_url: &provider.base_url,
        credential: held.as_deref(),
        settings: &provider.settings,
        body: &ask.body,
        now: clock::unix_seconds(),
        caller: &none,
    })?;
    let mut request = Request::new(ask.body.clone());
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = within(addressed.uri, ask.id, ask.sub)?;
    *request.headers_mut() = addressed.headers;
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if ask.body.is_empty() {
        request.headers_mut().remove(header::CONTENT_TYPE);
    }
    let limit = left(ask.deadline).min(provider.timeouts.total);
    let answer = match form {
        // What makes something is sent once: on a connection of its own, where nothing is sent again.
        None if !ask.body.is_empty() => {
            let body = std::mem::take(request.body_mut());
            let length = u64::try_from(body.len()).ok();
            let pieces: Pieces = Box::pin(futures_util::stream::iter([Ok(body)]));
            provider.upstream.send_upload(request, || Upload { length, pieces }, limit).await
        }
        None => provider.upstream.send(request, limit).await,
        Some((files, fields)) => {
            headers::put(request.headers_mut(), header::CONTENT_TYPE, &files.content_type());
            provider.upstream.send_upload(request, || files.upload(fields, ""), limit).await
        }
    }?;
    if answer.status().is_success() {
        slot.into_iter().for_each(Slot::taken);
        let (parts, body) = answer.into_parts();
        return Ok((parts.headers, body));
    }
    let status = answer.status().as_u16();
    let error = refused(answer).await;
    if error.code == Code::UpstreamAuthFailed {
        slot.into_iter().for_each(Slot::refused);
    }
    Err(Refused { status: Some(status), error })
}

/// Asks for something that is told in JSON.
///
/// # Errors
/// As of [`ask`], and when the answer cannot be read.
pub async fn ask_json(
    provider: &Provider,
    asked: &Ask<'_>,
    form: Option<(&Files, &Doc)>,
    bytes_max: u64,
) -> Result<(HeaderMap, Doc), Refused> {
    let (headers, answer) = ask(provider, asked, form).await?;
    let bad = |message: &str| Error::new(Code::UpstreamBadResponse, message);
    let raw = match tokio::time::timeout(left(asked.deadline), pin!(body::collect(answer, bytes_max))).await {
        Ok(Ok(Some(raw))) => raw,
        Ok(Ok(None)) => return Err(bad("the provider's answer is too large").into()),
        Ok(Err(error)) => {
            return Err(bad("the provider's answer broke off").detail(error.to_string()).into());
        }
        Err(_) => {
            let message = "the provider's answer did not come in time";
            return Err(Error::new(Code::UpstreamTimeout, message).into());
        }
    };
    let doc = Doc::parse(raw, Strictness::Provider)
        .map_err(|error| bad("the provider's answer cannot be read").detail(error.message))?;
    Ok((headers, doc))
}

/// The address of one thing, from that of all of them.
fn within(all: Uri, id: Option<&str>, sub: &str) -> Result<Uri, Error> {
    let Some(id) = id else { return Ok(all) };
    let mut parts = all.into_parts();
    let whole = parts.path_and_query.as_ref().map(PathAndQuery::as_str).unwrap_or_default();
    let (path, query) = match whole.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (whole, String::new()),
    };
    let wrong =
        |error: String| Error::new(Code::Internal, "the provider's id cannot be asked for").detail(error);
    let one = format!("{path}/{}{sub}{query}", encoded(id));
    parts.path_and_query = Some(one.parse().map_err(|error| wrong(format!("{error}")))?);
    Uri::from_parts(parts).map_err(|error| wrong(error.to_string()))
}

/// An id as a segment of a path.
fn encoded(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    id.bytes().map(shown).collect()
}

/// Reads an error answer as far as is sensible and names it.
async fn refused(answer: Response<Answer>) -> Error {
    let (parts, body) = answer.into_parts();
    let read = tokio::time::timeout(ERROR_TIME_MAX, pin!(body::collect(body, ERROR_BYTES_MAX))).await;
    let read = read.ok().and_then(Result::ok).flatten().unwrap_or_default();
    let find =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    classify(Dialect::OpenAiFiles.family(), parts.status.as_u16(), &find, &read)
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn one_thing_is_below_all_of_them_and_its_id_is_one_segment() {
        let at = |all: &str, id, sub| within(all.parse().unwrap(), id, sub).unwrap().to_string();
        assert_eq!(at("https://a.b/v1/files", Some("file-1"), ""), "https://a.b/v1/files/file-1");
        assert_eq!(
            at("https://a.b/openai/batches?api-version=1", Some("b_1"), "/cancel"),
            "https://a.b/openai/batches/b_1/cancel?api-version=1"
        );
        assert_eq!(at("https://a.b/v1/files", Some("../x?y"), ""), "https://a.b/v1/files/%2E%2E%2Fx%3Fy");
        assert_eq!(at("https://a.b/v1/files", None, ""), "https://a.b/v1/files");
    }
}
