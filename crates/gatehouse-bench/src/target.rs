//! Who is measured: an address, what to send there, and which processes it is.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use std::net::SocketAddr;

/// One server under load.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its name in the table.
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The path of chat completions there.
    pub(crate) path: String,
    /// Credentials and what else it wants.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The process whose tree is measured; absent for the simulated provider itself.
    pub(crate) pid: Option<u32>,
}

/// What is asked, over and over, and what a right answer looks like.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// The body.
    pub(crate) body: Bytes,
    /// What stands in a right answer …
    pub(crate) needle: Bytes,
    /// … and how often.
    pub(crate) times: usize,
    /// What a right answer ends with.
    pub(crate) ending: &'static [u8],
}

// === impl Target ===

impl Target {
    /// A request for it.
    pub(crate) fn request(&self, body: &Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(http::header::HOST, HeaderValue::from_static("bench.invalid"));
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.iter().cloned());
        request
    }
}

// === impl Work ===

impl Work {
    /// What is wrong with an answer, if anything.
    pub(crate) fn fault(&self, answer: &[u8]) -> Option<String> {
        let found = memchr::memmem::find_iter(answer, &self.needle).count();
        if found == self.times && answer.trim_ascii_end().ends_with(self.ending) {
            return None;
        }
        let shown = String::from_utf8_lossy(answer.get(..answer.len().min(300)).unwrap_or_default());
        Some(format!("{} bytes, {found} of {} expected texts, beginning {shown:?}", answer.len(), self.times))
    }
}
