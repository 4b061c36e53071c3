//! An answer before it is paced: status, headers, and its pieces.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

/// What a dialect answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers, the content type among them.
    pub(crate) headers: HeaderMap,
    /// The events of a stream, or the one body.
    pub(crate) pieces: Arc<[Bytes]>,
    /// Whether it is a stream.
    pub(crate) streamed: bool,
}

// === impl Answer ===

impl Answer {
    /// One JSON document.
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::literal(status, Some(json), vec![Bytes::from(body.to_string())], false)
    }

    /// One JSON document, status 200.
    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// A stream of server-sent events.
    pub(crate) fn events(events: Vec<Bytes>) -> Self {
        let sse = HeaderValue::from_static("text/event-stream; charset=utf-8");
        let mut answer = Self::literal(StatusCode::OK, Some(sse), events, true);
        answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer
    }

    /// Any bytes.
    pub(crate) fn literal(
        status: StatusCode,
        content_type: Option<HeaderValue>,
        pieces: Vec<Bytes>,
        streamed: bool,
    ) -> Self {
        let mut headers = HeaderMap::with_capacity(16);
        headers.extend(content_type.map(|value| (CONTENT_TYPE, value)));
        Self { status, headers, pieces: pieces.into(), streamed }
    }
}
