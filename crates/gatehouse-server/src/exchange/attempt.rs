//! One attempt at one target: credential, address, head of the answer, and what a failure means.

use super::prepare::Prepared;
use super::{native, through};
use crate::call::Call;
use crate::clock;
use crate::clock::left;
use crate::form::Files;
use crate::headers;
use crate::target::{Provider, Target};
use crate::telemetry::trace_context::{TRACEPARENT, TraceContext};
use crate::trail::Trail;
use crate::upstream::Answer;
use crate::vault::Slot;
use bytes::{Bytes, BytesMut};
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::record::Attempt;
use gatehouse_providers::credential::Credential;
use gatehouse_providers::{Action, Outgoing};
use gatehouse_route::rotation::{LIMITED_REST, REFUSED_REST};
use gatehouse_wire::error::classify;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most of a provider's error answer that is read.
const ERROR_BYTES_MAX: usize = 64 << 10;
/// How long it may take.
const ERROR_TIME_MAX: Duration = Duration::from_secs(5);

/// An attempt under way.
pub struct Sent {
    target: Arc<Target>,
    credential: Option<usize>,
    /// In whose words the provider refuses.
    family: Family,
    started: Instant,
}

/// The head of a good answer.
pub struct Head {
    /// The status, a good one.
    pub status: StatusCode,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// The body, not read yet.
    pub body: Answer,
}

// === impl Sent ===

impl Sent {
    /// Sends the request and reads the head of the answer.
    ///
    /// # Errors
    /// What came of the attempt, which is then in the trail.
    pub async fn send(
        call: &Call,
        target: &Arc<Target>,
        prepared: &Prepared,
        trail: &mut Trail,
    ) -> Result<(Self, Head), Error> {
        Self::send_with(call, target, prepared, None, trail).await
    }

    /// The same with a form, which is made once it can be sent.
    ///
    /// # Errors
    /// As [`Self::send`]'s.
    pub async fn send_with(
        call: &Call,
        target: &Arc<Target>,
        prepared: &Prepared,
        files: Option<&Files>,
        trail: &mut Trail,
    ) -> Result<(Self, Head), Error> {
        let (sent, mut request, limit) = Self::ready(call, target, prepared, trail).await?;
        let upstream = &target.provider.upstream;
        let answer = match files {
            None => upstream.send(request, limit).await,
            Some(files) => {
                headers::put(request.headers_mut(), header::CONTENT_TYPE, &files.content_type());
                upstream.send_upload(request, || files.upload(&call.doc, target.model()), limit).await
            }
        };
        match answer {
            Ok(response) => sent.answered(response, trail).await,
            Err(error) => Err(sent.unanswered(error, trail)),
        }
    }

    /// Addresses and signs the request, and notes that it leaves.
    pub(super) async fn ready(
        call: &Call,
        target: &Arc<Target>,
        prepared: &Prepared,
        trail: &mut Trail,
    ) -> Result<(Self, Request<Bytes>, Duration), Error> {
        let provider = &target.provider;
        let credential = provider.rotation.pick(clock::steady_millis(), call.conversation);
        let slot = credential.and_then(|at| provider.credentials.get(at));
        let held = match slot {
            Some(slot) => {
                Some(slot.get(left(call.deadline)).await.map_err(|error| unsigned(target, error, trail))?)
            }
            None => None,
        };
        let mut request = addressed(call, target, prepared, held.as_deref())?;
        let span = trail.context().and_then(TraceContext::child);
        if let Some(parent) = trail.context().and_then(|context| context.onward(span)) {
            request.headers_mut().insert(TRACEPARENT, parent);
        }
        let family = call.passage.as_ref().map_or(prepared.dialect.family(), |passage| passage.family);
        let sent = Self { target: Arc::clone(target), credential, family, started: Instant::now() };
        let total = left(call.deadline).min(provider.timeouts.total);
        let limit = match prepared.action {
            Action::Stream => provider.timeouts.first_token.min(total),
            Action::Generate | Action::CountTokens | Action::EmbedMany => total,
        };
        if limit.is_zero() {
            return Err(Error::new(Code::UpstreamTimeout, "the time for this call is over"));
        }
        trail.attempting(target, span);
        Ok((sent, request, limit))
    }

    /// The head of an answer, where it is a good one.
    pub(super) async fn answered(
        self,
        response: Response<Answer>,
        trail: &mut Trail,
    ) -> Result<(Self, Head), Error> {
        if response.status().is_success() {
            let (parts, body) = response.into_parts();
            return Ok((self, Head { status: parts.status, headers: parts.headers, body }));
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let error = refused(response, self.family).await;
        trail.meter.refused();
        Err(self.failed(Some(status), &headers, error, trail))
    }

    /// No answer came.
    pub(super) fn unanswered(&self, error: Error, trail: &mut Trail) -> Error {
        if error.code == Code::UpstreamUnreachable {
            trail.meter.refused();
        }
        self.failed(None, &HeaderMap::new(), error, trail)
    }

    /// The provider goes on as a WebSocket: this target serves.
    pub(super) fn switched(&self, headers: &HeaderMap, trail: &mut Trail) {
        self.slot().into_iter().for_each(Slot::taken);
        trail.attempted(self.attempt(Some(101), headers, None));
        trail.served(&self.target, &[]);
    }

    /// The answer is good as far as it has come: this target serves.
    pub fn succeeded(&self, headers: &HeaderMap, dropped: &[String], trail: &mut Trail) {
        self.slot().into_iter().for_each(Slot::taken);
        trail.attempted(self.attempt(Some(200), headers, None));
        trail.served(&self.target, dropped);
    }

    /// The attempt failed: notes it, and lets the credential rest if it was at fault.
    pub fn failed(&self, status: Option<u16>, headers: &HeaderMap, error: Error, trail: &mut Trail) -> Error {
        let rest = match error.code {
            Code::UpstreamAuthFailed | Code::UpstreamQuotaExceeded => Some(REFUSED_REST),
            Code::UpstreamRateLimited => Some(error.retry_after.unwrap_or(LIMITED_REST)),
            _ => None,
        };
        if let (Some(rest), Some(credential)) = (rest, self.credential) {
            self.target.provider.rotation.rest(credential, clock::steady_millis(), rest);
        }
        if matches!(error.code, Code::UpstreamAuthFailed | Code::UpstreamQuotaExceeded) {
            self.slot().into_iter().for_each(Slot::refused);
        }
        trail.attempted(self.attempt(status, headers, Some(error.code.as_str())));
        trail.lost(&self.target, headers);
        tracing::debug!(target = %self.target.name, %error, "attempt failed");
        error
    }

    /// The credential that it went with.
    fn slot(&self) -> Option<&Slot> {
        self.target.provider.credentials.get(self.credential?)
    }

    /// Whether another credential may do better at once.
    #[must_use]
    pub fn rotates(provider: &Provider, error: &Error) -> bool {
        let at_fault = matches!(
            error.code,
            Code::UpstreamAuthFailed | Code::UpstreamQuotaExceeded | Code::UpstreamRateLimited
        );
        at_fault && provider.rotation.has_other(usize::MAX, clock::steady_millis())
    }

    fn attempt(&self, status: Option<u16>, upstream: &HeaderMap, error: Option<&'static str>) -> Attempt {
        let id = [headers::OPENAI_ID, headers::ANTHROPIC_ID]
            .iter()
            .find_map(|name| upstream.get(name)?.to_str().ok());
        Attempt {
            target: Arc::clone(&self.target.name),
            status,
            error,
            upstream_id: id.map(Into::into),
            micros: clock::micros_since(self.started),
        }
    }
}

/// Nobody gave a credential: the attempt has failed before the provider heard of it.
fn unsigned(target: &Arc<Target>, error: Error, trail: &mut Trail) -> Error {
    let error = Error { message: format!("{}: {}", target.provider.name, error.message), ..error };
    trail.attempted(Attempt {
        target: Arc::clone(&target.name),
        status: None,
        error: Some(error.code.as_str()),
        upstream_id: None,
        micros: 0,
    });
    tracing::warn!(provider = %target.provider.name, %error, "no credential for a provider");
    error
}

fn addressed(
    call: &Call,
    target: &Target,
    prepared: &Prepared,
    credential: Option<&Credential>,
) -> Result<Request<Bytes>, Error> {
    let provider = &target.provider;
    if let Some(passage) = &call.passage {
        return through::addressed(call, target, passage, credential);
    }
    let same_family = prepared.dialect.family() == call.front.dialect.family();
    let none = HeaderMap::new();
    let addressed = provider.kind.address(&Outgoing {
        dialect: prepared.dialect,
        action: prepared.action,
        model: target.model(),
        base_url: &provider.base_url,
        credential,
        settings: &provider.settings,
        body: &prepared.body,
        now: clock::unix_seconds(),
        caller: if same_family { &call.headers } else { &none },
    })?;
    let mut request = Request::new(prepared.body.clone());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = addressed.uri;
    *request.headers_mut() = addressed.headers;
    let accept = match prepared.action {
        _ if native::has_codec(prepared.dialect) => "*/*",
        Action::Stream => "text/event-stream",
        Action::Generate | Action::CountTokens | Action::EmbedMany => "application/json",
    };
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
    Ok(request)
}

/// Reads an error answer as far as is sensible and names it.
async fn refused(response: Response<Answer>, family: Family) -> Error {
    let status = response.status().as_u16();
    let (parts, mut body) = response.into_parts();
    let mut read = BytesMut::new();
    let collect = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(piece) = frame.data_ref() {
                let room = ERROR_BYTES_MAX.saturating_sub(read.len());
                read.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            }
            if read.len() >= ERROR_BYTES_MAX {
                break;
            }
        }
    };
    // What came until then says enough.
    let _ = tokio::time::timeout(ERROR_TIME_MAX, collect).await;
    let find =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    classify(family, status, &find, &read)
}
