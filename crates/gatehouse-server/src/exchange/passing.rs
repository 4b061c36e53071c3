//! An answer that passes as the bytes it comes in: audio, and events that nobody has to read but for what they cost.
//!
//! Pulled by the caller's connection. Its last byte waits until the record is safe; an answer that breaks off is cut,
//! so that it does not look whole.

use crate::aside::Aside;
use crate::body::Cut;
use crate::call::Call;
use crate::clock::left;
use crate::house::House;
use crate::target::Target;
use crate::trail::{Ended, Trail};
use crate::upstream::Answer;
use bytes::{Bytes, BytesMut};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::Usage;
use gatehouse_wire::error::mid_stream;
use gatehouse_wire::framing::Frames;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::native::NativeCodec;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the bytes come from.
pub enum Source {
    /// From a provider.
    Live(Answer),
    /// From where they were set aside, from here on.
    Aside(Aside, u64),
}

/// An answer whose head has come.
pub struct Opened {
    body: Source,
    /// What reads the events, where there are any.
    watch: Option<Watch>,
    /// What is billed whatever comes.
    exact: Option<Usage>,
    /// Whether what passes is counted as words.
    is_counted: bool,
    front: Dialect,
    deadline: Instant,
    idle: Duration,
    key: Arc<str>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The headers that are passed on.
    pub headers: HeaderMap,
}

/// Reads events for what they cost.
struct Watch {
    frames: Frames,
    codec: &'static dyn NativeCodec,
}

/// An answer under way.
pub struct Passing {
    opened: Opened,
    trail: Trail,
    house: Arc<House>,
    /// The last byte that has come: should it be the last of all, it waits for the record.
    held: Bytes,
    /// The error that an event has told of.
    told: Option<Error>,
    state: State,
}

/// How far it is.
enum State {
    Open,
    /// It has failed: its last words wait for the record.
    Failed(Ended, Option<Bytes>),
    Done,
}

// === impl Opened ===

impl Opened {
    /// An answer of which nothing has been passed on. Events are read by `watched`; `exact` is what is billed whatever
    /// they say.
    #[must_use]
    pub fn new(
        call: &Call,
        target: &Target,
        body: Answer,
        headers: HeaderMap,
        watched: Option<&'static dyn NativeCodec>,
        exact: Option<Usage>,
    ) -> Self {
        let front = call.front.dialect;
        let watch = watched.map(|codec| Watch { frames: Frames::of(front), codec });
        Self { watch, exact, ..Self::plain(call, Source::Live(body), target.provider.timeouts.idle, headers) }
    }

    /// Bytes that nobody has to read.
    #[must_use]
    pub fn plain(call: &Call, body: Source, idle: Duration, headers: HeaderMap) -> Self {
        Self {
            body,
            watch: None,
            exact: None,
            is_counted: false,
            front: call.front.dialect,
            deadline: call.deadline,
            idle,
            key: Arc::clone(&call.key.caller.key_id),
            status: StatusCode::OK,
            headers,
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same, its bytes counted as words: nobody else says what they cost.
    #[must_use]
    pub fn counted(self) -> Self {
        Self { is_counted: true, ..self }
    }

    /// When the answer is worth nothing any more.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Begins to pass it on.
    #[must_use]
    pub fn pass(self, mut trail: Trail, house: Arc<House>) -> Passing {
        if let Some(usage) = self.exact {
            trail.meter.reported(usage);
        }
        Passing { opened: self, trail, house, held: Bytes::new(), told: None, state: State::Open }
    }
}

// === impl Source ===

impl Source {
    /// The next bytes; `None` when there are no more.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        match self {
            Self::Aside(store, at) if *at >= store.size() => None,
            Self::Aside(store, at) => {
                let piece = store.read(*at..store.size());
                if let Ok(piece) = &piece {
                    *at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
                }
                Some(piece)
            }
            Self::Live(answer) => loop {
                match answer.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(piece) if !piece.is_empty() => return Some(Ok(piece)),
                        _ => {}
                    },
                    Err(error) => {
                        let message = "the provider's answer broke off";
                        let error = Error::new(Code::UpstreamBadResponse, message).detail(error.to_string());
                        return Some(Err(error));
                    }
                }
            },
        }
    }
}

// === impl Watch ===

impl Watch {
    /// Looks for usage in what has come.
    ///
    /// # Errors
    /// When it is no event, and the error that an event tells of.
    fn see(&mut self, piece: &[u8], trail: &mut Trail) -> Result<(), Error> {
        self.frames.push(&Bytes::copy_from_slice(piece))?;
        while let Some(frame) = self.frames.next_frame()? {
            let Ok(doc) = Doc::parse(frame.data(), Strictness::Provider) else { continue };
            let summary = self.codec.summary(&doc);
            if let Some(usage) = summary.usage {
                trail.meter.reported(usage);
            }
            if let Some(error) = summary.error {
                return Err(error);
            }
        }
        Ok(())
    }
}

// === impl Passing ===

impl Passing {
    /// The next bytes for the caller; `None` when everything is out, an error where it is cut.
    pub async fn next(&mut self) -> Option<Result<Bytes, Cut>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return None,
                State::Failed(ended, words) => {
                    // Should it not be safe: an error is the last word already.
                    let _ = self.trail.safe(&ended).await;
                    return Some(words.ok_or(Cut));
                }
                State::Open => {}
            }
            match self.wait().await {
                Ok(Some(piece)) => {
                    self.state = State::Open;
                    if let Some(out) = self.take(piece) {
                        return Some(Ok(out));
                    }
                }
                Ok(None) => {
                    let ended = match self.told.take() {
                        Some(error) => self.trail.fail(200, &error),
                        None => self.trail.settle(self.opened.status.as_u16()),
                    };
                    return Some(
                        self.trail
                            .safe(&ended)
                            .await
                            .map(|()| std::mem::take(&mut self.held))
                            .map_err(|_| Cut),
                    );
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Gives all but the last byte of what has come.
    fn take(&mut self, mut piece: Bytes) -> Option<Bytes> {
        self.trail.answer.count(&piece);
        if let Some(watch) = &mut self.opened.watch
            && let Err(error) = watch.see(&piece, &mut self.trail)
        {
            // The event itself tells the caller.
            tracing::debug!(call = %self.trail.id(), %error, "an event tells of an error");
            self.opened.watch = None;
            self.told = Some(error);
        }
        if self.opened.is_counted {
            self.trail.meter.text(&String::from_utf8_lossy(&piece));
        }
        let last = piece.split_off(piece.len().saturating_sub(1));
        let held = std::mem::replace(&mut self.held, last);
        if held.is_empty() {
            return (!piece.is_empty()).then_some(piece);
        }
        let mut out = BytesMut::with_capacity(held.len() + piece.len());
        out.extend_from_slice(&held);
        out.extend_from_slice(&piece);
        Some(out.freeze())
    }

    /// Waits for more; `None` at a good end.
    async fn wait(&mut self) -> Result<Option<Bytes>, Error> {
        let house = Arc::clone(&self.house);
        loop {
            let mut keys_changed = pin!(house.keys_changed.notified());
            // Listening begins before the look, so that no change in between is missed.
            keys_changed.as_mut().enable();
            if !house.keys.load().keys.holds(&self.opened.key) {
                return Err(Error::new(Code::InvalidApiKey, "this caller key was revoked"));
            }
            let limit = self.opened.idle.min(left(self.opened.deadline));
            let piece = tokio::select! {
                piece = tokio::time::timeout(limit, self.opened.body.next()) => piece,
                () = keys_changed => continue,
            };
            return match piece {
                Err(_) => Err(Error::new(Code::UpstreamTimeout, "the provider's answer has stalled")),
                Ok(piece) => piece.transpose(),
            };
        }
    }

    /// It fails in the middle: events end with one that says so, bytes are cut.
    fn fail(&mut self, error: &Error) {
        tracing::debug!(call = %self.trail.id(), %error, "answer failed");
        let words = self.opened.watch.is_some().then(|| {
            let mut out = std::mem::take(&mut self.held).to_vec();
            out.extend_from_slice(&mid_stream(self.opened.front, error, &self.trail.id().to_string()));
            Bytes::from(out)
        });
        self.state = State::Failed(self.trail.fail(200, error), words);
    }
}
