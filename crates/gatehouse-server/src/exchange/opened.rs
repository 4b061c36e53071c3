//! A stream until its first content has come: nothing has been passed on, and every attempt may still be made
//! elsewhere.

use super::attempt::{Head, Sent};
use super::manner::Manner;
use super::prepare::Prepared;
use super::relay::Relay;
use super::source::Source;
use super::whole::read_json;
use super::writer::Writer;
use crate::call::Call;
use crate::clock::left;
use crate::dialects;
use crate::headers;
use crate::house::House;
use crate::memory::keeper::Keeper;
use crate::target::Target;
use crate::trail::Trail;
use gatehouse_core::content::{Dialect, Place};
use gatehouse_core::error::{Code, Error};
use gatehouse_guard::window::Window;
use gatehouse_wire::chat::{self, ChatEvent};
use gatehouse_wire::framing::Frames;
use gatehouse_wire::sse::Frame;
use gatehouse_wire::watch::Watched;
use http::{HeaderMap, header};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer that has begun may wait for its first content before its head goes out: an error in
/// that time is still answered with its status.
const LIFECYCLE_WAIT_MAX: Duration = Duration::from_secs(2);

/// A stream whose first content has come.
pub struct Opened {
    pub(super) source: Feed,
    pub(super) encoder: Option<Writer>,
    pub(super) window: Option<Window<Frame>>,
    pub(super) hide_usage: bool,
    pub(super) front: Dialect,
    pub(super) deadline: Instant,
    pub(super) idle: Duration,
    /// How long the provider has been silent, in whole intervals between signs of life.
    pub(super) silent: Duration,
    pub(super) key: Arc<str>,
    pub(super) manner: Manner,
    /// What keeps the answer, where it is kept.
    pub keeper: Option<Box<Keeper>>,
    /// The provider's headers that are passed on.
    pub headers: HeaderMap,
}

/// Where frames come from.
pub(super) enum Feed {
    /// The provider's stream.
    Live(Box<Source>),
    /// An answer in one piece, where a provider did not stream.
    Ready(VecDeque<ChatEvent>),
}

// === impl Opened ===

impl Opened {
    /// Sends the request and waits for the first content.
    ///
    /// # Errors
    /// What came of the attempt: nothing has been passed on yet.
    pub async fn open(
        call: &Call,
        target: &Arc<Target>,
        prepared: &Prepared,
        trail: &mut Trail,
    ) -> Result<Self, Error> {
        let (sent, head) = Sent::send(call, target, prepared, trail).await?;
        let Head { headers, body, .. } = head;
        let codec = dialects::provider_codec(prepared.dialect)?;
        let answer_max = trail.snapshot.limits.answer.0;
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let feed = if kind.starts_with("application/json") {
            read_json(body, call, trail).await.and_then(|doc| match codec.summary(&doc).error {
                Some(error) => Err(error),
                None => codec.decode_answer(&doc).map(|answer| Feed::Ready(chat::events(&answer).into())),
            })
        } else {
            let limit = target.provider.timeouts.first_token.min(left(call.deadline));
            let decoder = if is_watched(call, prepared) {
                Box::new(Watched::new(codec.decoder()))
            } else {
                codec.decoder()
            };
            first_content(Source::new(body, Frames::of(prepared.dialect), decoder, answer_max), limit)
                .await
                .map(|source| Feed::Live(Box::new(source)))
        };
        let source = match feed {
            Ok(feed) => feed,
            Err(error) => return Err(sent.failed(Some(200), &headers, error, trail)),
        };
        sent.succeeded(&headers, &prepared.dropped, trail);
        let front = call.front.dialect;
        let encoder = match (&prepared.translation, &source) {
            (Some(context), _) => Some(dialects::codec(front)?.encoder(context.as_ref().clone())),
            (None, Feed::Ready(_)) => {
                let request = super::prepare::Decoded::default().request(call)?;
                Some(dialects::codec(front)?.encoder(super::prepare::context(call, &request)))
            }
            (None, Feed::Live(_)) if is_written_anew(call) => {
                let request = super::prepare::Decoded::default().request(call)?;
                Some(dialects::codec(front)?.encoder(super::prepare::context(call, &request)))
            }
            (None, Feed::Live(_)) => None,
        };
        Ok(Self {
            source,
            encoder: encoder.map(|encoder| Writer::new(encoder, answer_max)),
            window: is_guarded(call).then(|| Window::new(call.guards.clone())),
            hide_usage: prepared.hide_usage,
            front,
            deadline: call.deadline,
            idle: target.provider.timeouts.idle,
            silent: Duration::ZERO,
            key: Arc::clone(&call.key.caller.key_id),
            manner: Manner::of(&call.front),
            keeper: None,
            headers: headers::passed_on(&headers),
        })
    }

    /// The content type of the stream.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.manner.content_type()
    }

    /// When the answer is worth nothing any more.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Begins to pass it on.
    #[must_use]
    pub fn relay(self, trail: Trail, house: Arc<House>) -> Relay {
        Relay::new(self, trail, house)
    }
}

/// Whether guardrails look at the answer.
fn is_guarded(call: &Call) -> bool {
    call.guards.any_at(&[Place::Output, Place::ToolArguments])
}

/// Whether guardrails look at frames that the caller gets as they are: then they must see all of them.
fn is_watched(call: &Call, prepared: &Prepared) -> bool {
    is_guarded(call) && prepared.translation.is_none() && !is_written_anew(call)
}

/// Whether a stream of the caller's own dialect has to be written anew all the same: where an array is
/// wanted of a provider that streams events, and where a guardrail may edit arguments that are an object
/// in the frame and no string to splice into.
fn is_written_anew(call: &Call) -> bool {
    let objects =
        call.front.dialect == Dialect::GeminiGenerate && call.guards.any_at(&[Place::ToolArguments]);
    objects || call.front.framing == crate::front::Framing::Array
}

/// Reads until there is content, an end or an error.
async fn first_content(mut source: Source, limit: Duration) -> Result<Source, Error> {
    let until = Instant::now() + limit;
    let mut begun: Option<Instant> = None;
    loop {
        let lifecycle = |event: &ChatEvent| {
            matches!(event, ChatEvent::Start { .. } | ChatEvent::Usage(_) | ChatEvent::Tier(_))
                || event.is_of_frame()
        };
        let failed = source.ready().find_map(|event| match event {
            ChatEvent::Error(error) => Some(error.clone()),
            _ => None,
        });
        // Content before the error is an answer that breaks off, and goes out as one.
        let content = source.ready().any(|event| !lifecycle(event) && !matches!(event, ChatEvent::Error(_)));
        match failed {
            Some(error) if !content => return Err(error),
            _ if content || source.is_whole() => return Ok(source),
            _ => {}
        }
        if source.ready().next().is_some() {
            begun.get_or_insert_with(Instant::now);
        }
        let wait = match begun {
            Some(begun) => left(begun + LIFECYCLE_WAIT_MAX).min(left(until)),
            None => left(until),
        };
        match source.fill(wait).await {
            Err(error)
                if begun.is_some() && error.code == Code::UpstreamTimeout && !left(until).is_zero() =>
            {
                return Ok(source);
            }
            other => other?,
        }
    }
}
