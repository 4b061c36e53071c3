//! The last requests, for tests that look at what arrived. Credentials are never kept, only where they
//! were carried.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

use crate::credential::{CARRIERS, without_key};
use crate::options::{REQUESTS_KEPT_BYTES_MAX, REQUESTS_KEPT_MAX};

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query, without the value of `key`.
    pub query: Option<String>,
    /// Its headers in the order they came, those of [`Received::carriers`] without their values.
    pub headers: Vec<(String, String)>,
    /// Where credentials were: names of headers, `?key` for the query.
    pub carriers: Vec<String>,
    /// Its body as text.
    pub body_text: String,
    /// Its body as JSON; null when it is none.
    pub body: Value,
}

/// A request as it is kept: cheap to take, read only when somebody looks.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The last requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    kept: VecDeque<Kept>,
    bytes: usize,
}

// === impl Journal ===

impl Journal {
    /// Keeps a request and forgets old ones beyond the limits.
    pub(crate) fn keep(&mut self, request: Kept) {
        self.bytes += request.body.len();
        self.kept.push_back(request);
        while self.kept.len() > REQUESTS_KEPT_MAX || self.bytes > REQUESTS_KEPT_BYTES_MAX {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.body.len();
        }
    }

    /// The last requests, the oldest of them first.
    pub(crate) fn last(&self, count: usize) -> Vec<Received> {
        self.kept.iter().skip(self.kept.len().saturating_sub(count)).map(Received::of).collect()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

// === impl Received ===

impl Received {
    fn of(kept: &Kept) -> Self {
        let mut carriers = Vec::new();
        let mut headers = Vec::with_capacity(kept.headers.len());
        for (name, value) in &kept.headers {
            if CARRIERS.contains(&name.as_str()) {
                carriers.push(name.to_string());
                headers.push((name.to_string(), "(hidden)".to_owned()));
            } else {
                headers.push((name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
            }
        }
        if kept.query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key="))) {
            carriers.push("?key".to_owned());
        }
        Self {
            method: kept.method.to_string(),
            path: kept.path.clone(),
            query: kept.query.as_deref().map(without_key),
            headers,
            carriers,
            body_text: String::from_utf8_lossy(&kept.body).into_owned(),
            body: serde_json::from_slice(&kept.body).unwrap_or_default(),
        }
    }

    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &'static str) -> Kept {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", "sk-secret".parse().unwrap());
        headers.insert("x-trace", "1".parse().unwrap());
        let query = Some("key=sk-secret&alt=sse".to_owned());
        Kept {
            method: http::Method::POST,
            path: "/p".to_owned(),
            query,
            headers,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn credentials_are_not_kept_in_sight() {
        let mut journal = Journal::default();
        journal.keep(request("{\"a\": 1}"));
        let seen = journal.last(5).remove(0);
        assert!(!serde_json::to_string(&seen).unwrap().contains("sk-secret"));
        assert_eq!(seen.carriers, ["x-api-key", "?key"]);
        assert_eq!((seen.header("x-trace"), &seen.body["a"]), (Some("1"), &serde_json::json!(1)));
    }

    #[test]
    fn old_requests_are_forgotten() {
        let mut journal = Journal::default();
        (0..REQUESTS_KEPT_MAX + 10).for_each(|_| journal.keep(request("{}")));
        assert_eq!(journal.last(usize::MAX).len(), REQUESTS_KEPT_MAX);
        assert_eq!(journal.last(3).len(), 3);
    }
}
