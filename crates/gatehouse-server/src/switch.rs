//! A caller's connection that goes on as a WebSocket (RFC 6455 section 4.2): what the request must say, what is
//! answered, and who goes on with the connection once HTTP has let go of it.

use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one subprotocol that is spoken.
const SUBPROTOCOL: &str = "realtime";
/// The version of the protocol (RFC 6455 section 4.1).
const VERSION: &str = "13";

/// The caller's connection, as a stream of WebSocket frames.
pub type Line = TokioIo<Upgraded>;

/// A caller's wish to switch.
pub struct Asked {
    upgrade: OnUpgrade,
    accept: HeaderValue,
    subprotocol: Option<HeaderValue>,
}

/// What goes on with the connection after HTTP. Travels in the answer that switches.
#[derive(Clone)]
pub(crate) struct Onward(Arc<Mutex<Option<Session>>>);

/// A session to its end.
pub(crate) type Session = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Checks that a request asks for a WebSocket, and asks rightly.
///
/// # Errors
/// `invalid_request` saying what is missing.
pub fn is_sound(method: &Method, headers: &HeaderMap) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::new(Code::InvalidRequest, format!("a session {why}")));
    let says = |name, token: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|list| list.split(',').any(|one| one.trim().eq_ignore_ascii_case(token)))
        })
    };
    if !says(header::UPGRADE, "websocket") || !says(header::CONNECTION, "upgrade") {
        return wrong(
            "is a WebSocket: ask over HTTP/1.1 with \"Connection: Upgrade\" and \"Upgrade: websocket\"",
        );
    }
    // What stands behind the head are frames, for whoever reads it.
    let is_empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0");
    if method != Method::GET || !is_empty || headers.contains_key(header::TRANSFER_ENCODING) {
        return wrong("is asked for by a GET without a body");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return wrong("needs \"Sec-WebSocket-Version: 13\"");
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    // Sixteen bytes in base64.
    let is_key = |key: &HeaderValue| key.len() == 24 && key.as_bytes().ends_with(b"==");
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key) => Ok(()),
        _ => wrong("needs one \"Sec-WebSocket-Key\" of sixteen bytes in base64"),
    }
}

// === impl Asked ===

impl Asked {
    /// Takes the wish out of a request, if it has one.
    pub fn of(request: &mut Request<Incoming>) -> Option<Self> {
        let accept = derive_accept_key(request.headers().get(header::SEC_WEBSOCKET_KEY)?.as_bytes());
        let mut offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
        let spoken = offered.any(|value| {
            value.to_str().is_ok_and(|list| list.split(',').any(|one| one.trim() == SUBPROTOCOL))
        });
        Some(Self {
            accept: HeaderValue::from_str(&accept).ok()?,
            subprotocol: spoken.then(|| HeaderValue::from_static(SUBPROTOCOL)),
            upgrade: hyper::upgrade::on(request),
        })
    }

    /// Writes what agrees to the switch.
    pub fn agree(&self, into: &mut HeaderMap) {
        into.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        into.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        into.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(subprotocol) = &self.subprotocol {
            into.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol.clone());
        }
    }

    /// Waits until HTTP has let go; `None` when the caller left before.
    pub async fn line(self) -> Option<Line> {
        self.upgrade.await.ok().map(TokioIo::new)
    }
}

// === impl Onward ===

impl Onward {
    pub(crate) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(Some(session))))
    }

    /// Takes the session out; it is there once.
    pub(crate) fn take(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::is_sound;
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    fn headers(changes: &[(&'static str, Option<&'static str>)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            map.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in changes {
            match value {
                Some(value) => drop(map.insert(*name, HeaderValue::from_static(value))),
                None => drop(map.remove(*name)),
            }
        }
        map
    }

    #[test]
    fn a_handshake_is_whole_or_refused() {
        assert!(is_sound(&Method::GET, &headers(&[])).is_ok());
        assert!(is_sound(&Method::HEAD, &headers(&[])).is_err());
        for (name, value) in [
            ("upgrade", None),
            ("upgrade", Some("h2c")),
            ("connection", Some("close")),
            ("sec-websocket-version", Some("8")),
            ("sec-websocket-key", None),
            ("sec-websocket-key", Some("short")),
            ("content-length", Some("2")),
            ("transfer-encoding", Some("chunked")),
        ] {
            assert!(is_sound(&Method::GET, &headers(&[(name, value)])).is_err(), "{name} {value:?}");
        }
    }
}
