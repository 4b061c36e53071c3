//! A realtime session: one WebSocket to the caller, one to the provider, and events between them.
//!
//! [`open`] asks the provider before the caller is told anything, so that a refusal is an answer over HTTP and
//! another target may be tried; where the first message names the model, [`opening`] waits for it. [`session`] passes events on, [`judge`] says which may pass, [`turns`] counts what
//! a response uses until the provider says so.

mod judge;
pub mod opening;
mod session;
mod socket;
mod times;
mod turns;

pub use opening::Caller;

use super::attempt::Sent;
use super::prepare::Prepared;
use crate::call::Call;
use crate::dialects;
use crate::headers;
use crate::house::House;
use crate::switch::Asked;
use crate::target::Target;
use crate::trail::Trail;
use crate::upstream::{Stream, Switched};
use bytes::Bytes;
use gatehouse_core::content::{Edit, splice};
use gatehouse_core::error::{Code, Error};
use gatehouse_guard::engine::Active;
use gatehouse_providers::Action;
use gatehouse_wire::json::escaped;
use gatehouse_wire::realtime::SessionCodec;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A session that the provider has agreed to.
pub struct Opened {
    stream: Box<Stream>,
    came: Bytes,
    codec: &'static dyn SessionCodec,
    /// The name that the caller has for the model.
    model: String,
    /// The name that it has in what the provider is told.
    named: String,
    /// What the provider is told first, where that is what the caller has asked by.
    first: Option<Bytes>,
    key: Arc<str>,
    guards: Active,
    deadline: Instant,
    /// How long the provider may be silent while it answers.
    idle: Duration,
    /// The provider's headers that are passed on.
    pub headers: HeaderMap,
}

/// Asks a provider for a session.
///
/// # Errors
/// What came of the attempt, which is then in the trail.
pub async fn open(call: &Call, target: &Arc<Target>, trail: &mut Trail) -> Result<Opened, Error> {
    let dialect = target.dialect(call.front.dialect);
    let dialect = dialect.ok_or_else(|| {
        Error::new(Code::NoCapableTarget, format!("{} has no realtime sessions", target.name))
    })?;
    let codec = dialects::session(dialect)?;
    let named = target.session_model(dialect);
    let prepared = Prepared {
        dialect,
        action: Action::Stream,
        body: Bytes::new(),
        dropped: Vec::new(),
        translation: None,
        hide_usage: false,
    };
    let (sent, mut request, limit) = Sent::ready(call, target, &prepared, trail).await?;
    let key = asking(&mut request)?;
    let answer = match target.provider.upstream.switch(request, limit).await {
        Ok(answer) => answer,
        Err(error) => return Err(sent.unanswered(error, trail)),
    };
    let (parts, switched) = answer.into_parts();
    let (stream, came) = match switched {
        Switched::Over(stream, came) => (stream, came.freeze()),
        Switched::Not(body) => {
            let response = Response::from_parts(parts, body);
            let code = Code::UpstreamBadResponse;
            let ignored = Error::new(code, "the provider answered, but not with a WebSocket");
            return Err(match sent.answered(response, trail).await {
                Ok((sent, head)) => sent.failed(Some(200), &head.headers, ignored, trail),
                Err(error) => error,
            });
        }
    };
    let agreed = parts.headers.get(header::SEC_WEBSOCKET_ACCEPT);
    if agreed.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        let error = Error::new(Code::UpstreamBadResponse, "the provider's WebSocket answers another request");
        return Err(sent.failed(Some(101), &parts.headers, error, trail));
    }
    sent.switched(&parts.headers, trail);
    Ok(Opened {
        stream,
        came,
        codec,
        first: call.view.model.as_ref().map(|(_, range)| renamed(call.body(), range.clone(), &named)),
        named,
        model: call.model.clone(),
        key: Arc::clone(&call.key.caller.key_id),
        guards: call.guards.clone(),
        deadline: call.deadline,
        idle: target.provider.timeouts.idle,
        headers: headers::passed_on(&parts.headers),
    })
}

/// Makes a request one for a WebSocket; gives the key that the answer must be for.
fn asking(request: &mut Request<Bytes>) -> Result<String, Error> {
    // Sixteen random bytes in base64.
    let key = generate_key();
    let value = HeaderValue::from_str(&key)
        .map_err(|error| Error::new(Code::Internal, "a key is no header").detail(error.to_string()))?;
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        headers.remove(name);
    }
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::SEC_WEBSOCKET_KEY, value);
    Ok(key)
}

impl Opened {
    /// Passes events on until the session ends, once the caller's connection is a WebSocket.
    pub async fn serve(self, asked: Asked, trail: Trail, house: Arc<House>) {
        let Some(line) = asked.line().await else {
            // The trail ends as one whose caller has left.
            return;
        };
        let caller = Caller::new(line, &trail, self.codec).await;
        Box::pin(self.serve_on(caller, trail, house)).await;
    }

    /// The same, once the caller's connection is one.
    pub async fn serve_on(self, caller: Caller, trail: Trail, house: Arc<House>) {
        let limits = trail.snapshot.limits.clone();
        session::Session::begin(self, caller.0, trail, house, &limits).await.run().await;
    }
}

/// A message with another name of the model in it.
fn renamed(message: &Bytes, range: Range<usize>, name: &str) -> Bytes {
    let with = [b"\"".as_slice(), &escaped(name), b"\""].concat();
    splice(message, &[Edit { range, with: with.into() }])
}
