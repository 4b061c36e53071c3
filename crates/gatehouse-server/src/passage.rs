//! A call to a path of a provider's own: whether it may pass, and what of it passes.

use crate::front::{Front, Through};
use crate::snapshot::{Route, Snapshot};
use crate::target::Provider;
use bytes::Bytes;
use gatehouse_core::call::{Caller, Operation};
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, HeaderName, Method, Uri, header};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Headers of a caller that reach the provider. A credential is none of them.
const FORWARDED: [HeaderName; 9] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::RANGE,
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
];
/// What Google's clients say of themselves, of the form of the answer and of what they upload. Others of this kind say
/// whose project pays.
const FORWARDED_GOOGLE: [&str; 5] =
    ["x-goog-api-client", "x-goog-fieldmask", "x-goog-request-params", "x-goog-hash", "x-goog-upload-"];
/// So often an address is decoded to look for what it hides.
const DECODED_MAX: usize = 3;

/// A call that passes as it is.
pub struct Passage {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub uri: Uri,
    /// A body that is no JSON.
    pub other: Option<Bytes>,
    /// Whose errors its caller understands.
    pub family: Family,
    sent: AtomicBool,
}

// === impl Passage ===

impl Passage {
    /// A call to this path at the provider.
    ///
    /// # Errors
    /// `invalid_request` for a path that could lead elsewhere, or is another than it looks.
    pub fn new(
        provider: &Provider,
        through: &Through,
        query: Option<&str>,
        method: Method,
        other: Option<Bytes>,
        family: Family,
    ) -> Result<Self, Error> {
        if through.disguised {
            let message = "this path is one that the gateway knows, written in another way; write it plainly";
            return Err(Error::new(Code::InvalidRequest, message));
        }
        let uri = address(&provider.base_url, &through.path, query)?;
        Ok(Self { method, uri, other, family, sent: AtomicBool::new(false) })
    }

    /// Whether it only reads: then it costs nothing, and may be sent again.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.method == Method::GET
    }

    /// What its address says to whoever reads it.
    #[must_use]
    pub fn said(&self) -> String {
        let text = self.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str).replace('+', " ");
        // Where a guardrail reads, quotes and backslashes would mean something else.
        String::from_utf8_lossy(&decoded(text.as_bytes())).replace(['"', '\\'], " ")
    }

    /// It leaves.
    pub fn leaves(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// Whether it can be sent, or sent again. Nobody here knows what doing it twice would do.
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        self.reads() || !self.sent.load(Ordering::Relaxed)
    }
}

/// The provider that a caller passes through to.
///
/// # Errors
/// `not_found`, the same for one that is not there and for one that lets nobody through.
pub fn provider<'a>(snapshot: &'a Snapshot, through: &Through) -> Result<&'a Arc<Provider>, Error> {
    let found = snapshot.providers().iter().find(|one| *one.name == *through.provider && one.passes_through);
    found.ok_or_else(|| Error::new(Code::NotFound, "there is no provider of this name to pass through to"))
}

/// Where a call goes.
pub struct There {
    /// The name of the model in the record.
    pub model: String,
    /// Who serves.
    pub route: Arc<Route>,
}

/// Where a call goes that passes through to this provider, whatever configured names there are.
///
/// # Errors
/// `not_allowed` for keys that are limited to models and ask for none of them.
pub fn route(
    snapshot: &Snapshot,
    provider: &Arc<Provider>,
    front: &Front,
    model: Option<&str>,
    caller: &Caller,
) -> Result<There, Error> {
    let name = model.map(|model| format!("{}/{model}", provider.name));
    // On a path that nobody here knows, who says that the body names the model that answers?
    let asked = name.as_deref().filter(|_| front.operation != Operation::Passthrough);
    if !snapshot.may_use(asked, caller) {
        let message = "this key is limited to models: it may pass through only to those, on paths that the gateway knows";
        return Err(Error::new(Code::NotAllowed, message).at("model"));
    }
    let route = match model {
        Some(model) if front.operation != Operation::Passthrough => snapshot.pinned(provider, model),
        _ => snapshot.passage(provider),
    };
    let model = match name {
        Some(name) => name,
        None if front.operation == Operation::Passthrough => provider.name.to_string(),
        None => String::new(),
    };
    Ok(There { model, route: Arc::new(route) })
}

/// The headers that pass.
#[must_use]
pub fn headers(caller: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::USER_AGENT, gatehouse_providers::USER_AGENT);
    for (name, value) in caller {
        let google = FORWARDED_GOOGLE.iter().any(|known| name.as_str().starts_with(known));
        if google || FORWARDED.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// The address of a path under the provider's origin.
fn address(base_url: &str, path: &str, query: Option<&str>) -> Result<Uri, Error> {
    let refused = || Error::new(Code::InvalidRequest, "this path could lead elsewhere, and does not pass");
    if !is_plain(path) {
        return Err(refused());
    }
    let base: Uri = base_url.parse().map_err(|_| refused())?;
    let (scheme, authority) = (base.scheme_str().unwrap_or("https"), base.authority().ok_or_else(refused)?);
    let mut address = format!("{scheme}://{authority}{path}");
    let kept: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        // Where Google's clients put their key, ours has been read.
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("key"))
        .collect();
    if !kept.is_empty() {
        address.push('?');
        address.push_str(&kept.join("&"));
    }
    let uri: Uri = address.parse().map_err(|_| refused())?;
    if uri.authority() == Some(authority) { Ok(uri) } else { Err(refused()) }
}

/// Whether a path means the same to everybody who reads it: no steps up, no empty segments, and nothing that becomes
/// either when it is decoded, once or more often.
fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let segments: Vec<&str> = rest.split('/').collect();
    let last = segments.len() - 1;
    segments.iter().enumerate().all(|(at, segment)| {
        let empty = segment.is_empty() && at < last;
        !empty && is_plain_segment(segment)
    })
}

fn is_plain_segment(segment: &str) -> bool {
    let mut text = segment.as_bytes().to_vec();
    for _ in 0..DECODED_MAX {
        let odd = |byte: &u8| byte.is_ascii_control() || b"/\\;?#".contains(byte);
        if text == b"." || text == b".." || text.iter().any(odd) {
            return false;
        }
        let decoded = decoded(&text);
        if decoded == text {
            return true;
        }
        text = decoded;
    }
    false
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        // A sign is no digit of a byte.
        let pair = pair.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match pair.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{address, headers};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;

    const BASE: &str = "https://api.example.com/v1";

    #[test]
    fn a_path_stays_at_the_providers_origin() {
        for (path, query, expected) in [
            ("/v1/models", None, "https://api.example.com/v1/models"),
            (
                "/v1/files/a%20b",
                Some("limit=2&key=ghk_x&after=c"),
                "https://api.example.com/v1/files/a%20b?limit=2&after=c",
            ),
            ("/v1beta/models/m:predict", Some("key=x"), "https://api.example.com/v1beta/models/m:predict"),
            ("/", None, "https://api.example.com/"),
            ("/v1/models/", None, "https://api.example.com/v1/models/"),
            ("/v1/x@y", None, "https://api.example.com/v1/x@y"),
        ] {
            assert_eq!(address(BASE, path, query).unwrap().to_string(), expected);
        }
        for bad in [
            "",
            "v1",
            "//evil.example/x",
            "/v1//x",
            "/../x",
            "/v1/..",
            "/v1/./x",
            "/v1/%2e%2e/x",
            "/v1/%2E%2e",
            "/v1/%252e%252e/x",
            "/v1/..%2fx",
            "/v1/%2fx",
            "/v1/%5c..%5cx",
            "/v1/a\\b",
            "/v1/a;b",
            "/v1/a%3bb",
            "/v1/%00",
            "/v1/a%0d%0ab",
            "/v1/%25252e%25252e/x",
            "/v1/a%3fb",
            "/v1/a%23b",
        ] {
            assert!(address(BASE, bad, None).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever comes behind the provider's name, the request goes to the provider.
        #[test]
        fn nothing_leads_elsewhere(path in "/[ -~]{0,40}", query in proptest::option::of("[ -~]{0,30}")) {
            if let Ok(uri) = address(BASE, &path, query.as_deref()) {
                prop_assert_eq!(uri.authority().map(|one| one.as_str()), Some("api.example.com"));
                prop_assert_eq!(uri.scheme_str(), Some("https"));
                prop_assert!(!uri.path().contains("/../") && !uri.path().contains("//"));
            }
        }
    }

    #[test]
    fn no_credential_of_a_caller_passes() {
        let mut caller = HeaderMap::new();
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "host",
            "x-gatehouse-run",
            "content-length",
            "openai-organization",
            "x-goog-api-client",
            "x-goog-user-project",
            "anthropic-version",
            "content-type",
        ] {
            caller.insert(HeaderName::from_static(name), HeaderValue::from_static("v"));
        }
        let mut passed: Vec<_> = headers(&caller).keys().map(ToString::to_string).collect();
        passed.sort();
        assert_eq!(passed, ["anthropic-version", "content-type", "user-agent", "x-goog-api-client"]);
    }
}
