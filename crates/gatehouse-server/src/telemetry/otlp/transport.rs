//! OTLP's requests over HTTP, and what their answers mean.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>

use super::Settings;
use super::proto::Message;
use crate::body;
use crate::upstream::Upstream;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use std::time::Duration;

/// The time for one request, as OpenTelemetry has it.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// The time to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(3);
/// The most of an answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// The connection to the collector.
pub(super) struct Transport {
    upstream: Upstream,
    endpoint: String,
    headers: HeaderMap,
}

/// Why something did not arrive.
#[derive(Debug)]
pub(super) struct Failure {
    /// In words, for the log.
    pub(super) what: String,
    /// Whether the same may arrive later.
    pub(super) may_pass: bool,
}

// === impl Transport ===

impl Transport {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            upstream: Upstream::new(CONNECT_TIME_MAX),
            endpoint: settings.endpoint.clone(),
            headers: settings.headers.clone(),
        }
    }

    /// Sends a message to a path below the collector's address.
    pub(super) async fn post(&self, path: &str, message: Message) -> Result<(), Failure> {
        let failure = |what: String, may_pass| Failure { what, may_pass };
        let uri: Uri = format!("{}{path}", self.endpoint)
            .parse()
            .map_err(|_| failure("no address".to_owned(), false))?;
        let mut request = Request::new(Bytes::from(message.into_bytes()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let response = match self.upstream.send(request, REQUEST_TIME_MAX).await {
            Ok(response) => response,
            Err(error) => return Err(failure(error.detail.unwrap_or(error.message), true)),
        };
        let status = response.status();
        // Reading it to its end leaves the connection for the next request.
        let read = body::collect(response.into_body(), ANSWER_BYTES_MAX);
        let _ = tokio::time::timeout(REQUEST_TIME_MAX, read).await;
        if status.is_success() {
            return Ok(());
        }
        Err(failure(format!("it answered {status}"), matches!(status.as_u16(), 429 | 502 | 503 | 504)))
    }
}
