//! A session under way: events from both sides, until one of them ends it or we must.

use super::judge::Judge;
use super::socket::{Heard, Socket, Wrong};
use super::times::Times;
use super::turns::Turns;
use super::{Opened, renamed};
use crate::clock::left;
use crate::house::House;
use crate::payload::Kept;
use crate::switch::Line;
use crate::trail::Trail;
use crate::upstream::Stream;
use bytes::Bytes;
use gatehouse_config::file::Limits;
use gatehouse_core::content::Place;
use gatehouse_core::error::{Code, Error};
use gatehouse_core::usage::{Usage, UsageSource};
use gatehouse_wire::error::redact;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::realtime::{Kind, SessionCodec};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// How many messages are passed on before they are sent, where they come faster than that.
const BATCH_MAX: usize = 16;
/// The status in the record: what the caller was answered.
pub(super) const STATUS: u16 = 101;

/// A session under way.
pub(super) struct Session {
    caller: Socket<Line>,
    provider: Socket<Box<Stream>>,
    codec: &'static dyn SessionCodec,
    model: String,
    named: String,
    first: Option<Bytes>,
    key: Arc<str>,
    judge: Judge,
    turns: Turns,
    trail: Trail,
    house: Arc<House>,
    times: Times,
    /// What may pass to the caller now.
    out: Vec<Utf8Bytes>,
    /// The caller's event that an error is about.
    about: Option<String>,
}

/// Why a session ends.
enum End {
    /// One side is gone.
    Gone {
        /// Whether it was the caller.
        caller: bool,
        /// Whether it said goodbye.
        in_order: bool,
        /// Why, if it said so.
        reason: Utf8Bytes,
    },
    /// We must end it.
    Ours(Error, CloseCode),
}

/// What happens next.
enum Next {
    Asked(Result<Heard, Wrong>),
    Said(Result<Heard, Wrong>),
    Late,
    KeysChanged,
    Draining,
}

// === impl Session ===

impl Session {
    /// Both sides are WebSockets now.
    pub(super) async fn begin(
        opened: Opened,
        caller: Socket<Line>,
        trail: Trail,
        house: Arc<House>,
        limits: &Limits,
    ) -> Self {
        let bytes_max = limits.message.0;
        let times = Times {
            deadline: opened.deadline,
            answering: opened.idle,
            idle: limits.session_idle.0,
            last: Instant::now(),
        };
        let (codec, binary) = (opened.codec, opened.codec.takes_binary());
        Self {
            caller,
            provider: Socket::new(opened.stream, opened.came, Role::Client, bytes_max, binary).await,
            codec,
            named: opened.named,
            first: opened.first,
            model: opened.model,
            key: opened.key,
            judge: Judge::new(opened.guards),
            turns: Turns::new(codec.rates()),
            trail,
            house,
            times,
            out: Vec::new(),
            about: None,
        }
    }

    /// Passes events on until the session ends.
    pub(super) async fn run(mut self) {
        let end = match self.introduce().await {
            Ok(()) => self.relay().await,
            Err(end) => end,
        };
        self.end(end).await;
    }

    /// Tells the provider what the caller has asked for with the first message.
    async fn introduce(&mut self) -> Result<(), End> {
        let Some(first) = self.first.take() else { return Ok(()) };
        let text = text_of(first).map_err(|error| End::Ours(error, CloseCode::Error))?;
        if let Ok(doc) = Doc::parse(Bytes::from(text.clone()), Strictness::Caller)
            && let Ok(asked) = self.codec.asked(&doc)
        {
            self.turns.asked(doc.text(), &asked);
        }
        let (binary, limit) = (self.caller.speaks_binary(), self.times.patience());
        self.provider.say(text, binary, limit).await.map_err(|()| lost())?;
        self.provider.flush(limit).await.map_err(|()| lost())
    }

    async fn relay(&mut self) -> End {
        let house = Arc::clone(&self.house);
        let mut alarm = pin!(tokio::time::sleep_until(self.times.wake().into()));
        let mut drain = pin!(house.drain.notified());
        drain.as_mut().enable();
        let mut draining = house.is_draining();
        loop {
            let mut keys_changed = pin!(house.keys_changed.notified());
            // Listening begins before the look, so that no change in between is missed.
            keys_changed.as_mut().enable();
            if !house.keys.load().keys.holds(&self.key) {
                let error = Error::new(Code::InvalidApiKey, "this caller key was revoked");
                return End::Ours(error, CloseCode::Policy);
            }
            loop {
                if draining && !self.turns.is_running() {
                    let message = "the gateway is shutting down; open another session";
                    return End::Ours(Error::new(Code::Draining, message), CloseCode::Away);
                }
                let next = tokio::select! {
                    said = self.provider.hear() => Next::Said(said),
                    asked = self.caller.hear() => Next::Asked(asked),
                    () = alarm.as_mut() => Next::Late,
                    () = keys_changed.as_mut() => Next::KeysChanged,
                    () = drain.as_mut(), if !draining => Next::Draining,
                };
                let done = match next {
                    Next::Said(said) => self.all_said(said).await,
                    Next::Asked(asked) => self.all_asked(asked).await,
                    Next::Late => self.look_at_the_clock(alarm.as_mut()),
                    Next::KeysChanged => break,
                    Next::Draining => {
                        draining = true;
                        Ok(())
                    }
                };
                if let Err(end) = done {
                    return end;
                }
            }
        }
    }

    /// What the provider said, and what more is there already.
    async fn all_said(&mut self, first: Result<Heard, Wrong>) -> Result<(), End> {
        let mut next = Some(first);
        let mut passed = Ok(());
        for _ in 0..BATCH_MAX {
            let Some(heard) = next else { break };
            passed = self.said(heard);
            let limit = self.times.patience();
            for text in std::mem::take(&mut self.out) {
                keep(&mut self.trail.answer, &text);
                let binary = self.provider.speaks_binary();
                self.caller.say(text, binary, limit).await.map_err(|()| gone())?;
            }
            if passed.is_err() {
                break;
            }
            next = self.provider.heard();
        }
        self.caller.flush(self.times.patience()).await.map_err(|()| gone())?;
        passed
    }

    /// What the caller asked, and what more is there already.
    async fn all_asked(&mut self, first: Result<Heard, Wrong>) -> Result<(), End> {
        let mut next = Some(first);
        for _ in 0..BATCH_MAX {
            let Some(heard) = next else { break };
            let text = self.asked(heard)?;
            let limit = self.times.patience();
            let binary = self.caller.speaks_binary();
            self.provider.say(text, binary, limit).await.map_err(|()| lost())?;
            next = self.caller.heard();
        }
        self.provider.flush(self.times.patience()).await.map_err(|()| lost())
    }

    /// An event of the caller, as it goes on.
    fn asked(&mut self, heard: Result<Heard, Wrong>) -> Result<Utf8Bytes, End> {
        let text = match heard {
            Ok(Heard::Text(text)) => text,
            Ok(Heard::Gone { in_order, reason }) => return Err(End::Gone { caller: true, in_order, reason }),
            Err(wrong) => return Err(End::Ours(wrong.error, wrong.code)),
        };
        self.times.last = Instant::now();
        self.about = None;
        let judged = self.judged(&text).map_err(|error| {
            self.trail.request.take_in(text.as_bytes());
            if error.code == Code::GuardBlocked {
                // What may not pass is not kept either, beside its digest, unless a rule of the record wants it.
                self.trail.request.stopped();
            }
            End::Ours(error, CloseCode::Policy)
        })?;
        let goes_on = judged.unwrap_or(text);
        keep(&mut self.trail.request, &goes_on);
        Ok(goes_on)
    }

    /// An event of the caller with the edits of guardrails and the provider's name of the model; `None` when
    /// nothing is to be edited.
    fn judged(&mut self, text: &Utf8Bytes) -> Result<Option<Utf8Bytes>, Error> {
        let doc = Doc::parse(Bytes::from(text.clone()), Strictness::Caller)?;
        let asked = self.codec.asked(&doc)?;
        self.about.clone_from(&asked.event_id);
        self.turns.asked(doc.text(), &asked);
        let edited = self.judge.asked(&doc, &asked)?;
        let Some((model, _)) = &asked.model else { return edited.map(text_of).transpose() };
        if *model != self.model {
            let message = format!("a session keeps the model that it began with, {:?}", self.model);
            return Err(Error::invalid("session.model", message));
        }
        // Edits may have moved it.
        let doc = edited.map_or(Ok(doc), |edited| Doc::parse(edited, Strictness::Caller))?;
        let Some((_, range)) = self.codec.asked(&doc)?.model else { return Ok(None) };
        text_of(renamed(doc.bytes(), range, &self.named)).map(Some)
    }

    /// An event of the provider; what may pass is in `out`, also when the session ends with it.
    fn said(&mut self, heard: Result<Heard, Wrong>) -> Result<(), End> {
        let text = match heard {
            Ok(Heard::Text(text)) => text,
            Ok(Heard::Gone { in_order, reason }) => {
                return Err(End::Gone { caller: false, in_order, reason });
            }
            Err(wrong) => {
                let error =
                    Error::new(Code::UpstreamBadResponse, "the provider's WebSocket broke the protocol");
                return Err(End::Ours(error.detail(wrong.error.message), CloseCode::Error));
            }
        };
        self.times.last = Instant::now();
        let ours = |error: Error| {
            let blocked = matches!(error.code, Code::GuardBlocked | Code::GuardUnavailable);
            End::Ours(error, if blocked { CloseCode::Policy } else { CloseCode::Error })
        };
        if self.codec.is_audio(&text) {
            self.turns.spoke(text.len());
            self.judge.unread(Place::Output).map_err(ours)?;
            return self.judge.said(text, None, &mut self.out).map_err(ours);
        }
        let Ok(doc) = Doc::parse(Bytes::from(text.clone()), Strictness::Provider) else {
            return Err(ours(Error::new(
                Code::UpstreamBadResponse,
                "the provider sent an event that is no JSON",
            )));
        };
        let said = self.codec.said(&doc);
        if let Kind::Turn(turn) = &said.kind
            && let Some(before) = self.turns.goes_on(turn)
        {
            self.settled(before)?;
        }
        self.turns.said(&said);
        said.pieces.iter().for_each(|piece| self.trail.meter.text(&piece.text));
        if said.media_chars > 0 {
            self.judge.unread(Place::Output).map_err(ours)?;
        }
        self.counts(&said.kind).map_err(ours)?;
        let listened = self.judge.listens().then_some((&doc, &said));
        self.judge.said(text, listened, &mut self.out).map_err(ours)?;
        match said.kind {
            Kind::Over(_) => self.another_turn(),
            Kind::Turn(turn) => match self.turns.came_to(&turn) {
                Some(over) => self.settled(over),
                None => Ok(()),
            },
            Kind::Begins { .. } | Kind::Other => Ok(()),
        }
    }

    /// A turn is over, and another one may come.
    fn settled(&mut self, (usage, source): (Usage, UsageSource)) -> Result<(), End> {
        self.trail.turn(usage, source);
        self.another_turn()
    }

    fn another_turn(&mut self) -> Result<(), End> {
        self.trail.another_turn().map_err(|error| End::Ours(error, CloseCode::Policy))
    }

    /// Counts a response, or what one comes to.
    fn counts(&mut self, kind: &Kind) -> Result<(), Error> {
        match kind {
            Kind::Begins { audio } => {
                self.turns.begins();
                self.count_running();
                if *audio {
                    self.judge.unread(Place::Output)?;
                }
            }
            Kind::Over(usage) => {
                let usage = *usage;
                let source = if usage.is_some() { UsageSource::Provider } else { UsageSource::Estimated };
                let usage = usage.unwrap_or_else(|| self.turns.counted());
                self.turns.over(&usage);
                self.trail.turn(usage, source);
                if self.turns.is_running() {
                    self.count_running();
                }
            }
            Kind::Turn(turn) if turn.speaks => self.count_running(),
            Kind::Turn(_) | Kind::Other => {}
        }
        Ok(())
    }

    /// Puts what is under way into the record as we count it: whatever the provider came to say is billed, and where
    /// the session ends before it, nobody tells us any more.
    fn count_running(&mut self) {
        self.trail.meter.sent();
        self.trail.meter.reported(self.turns.counted());
    }

    fn look_at_the_clock(&self, alarm: Pin<&mut Sleep>) -> Result<(), End> {
        let answering = self.turns.is_running();
        let next = self.times.next(answering);
        if !left(next).is_zero() {
            alarm.reset(self.times.wake().into());
            return Ok(());
        }
        let (code, message) = if left(self.times.deadline).is_zero() {
            (Code::RequestTimeout, "the session has lasted as long as it may (limits.session)")
        } else if answering {
            (Code::UpstreamTimeout, "the provider fell silent in the middle of a response")
        } else {
            (Code::RequestTimeout, "nothing was said for too long (limits.session_idle)")
        };
        Err(End::Ours(Error::new(code, message), CloseCode::Policy))
    }

    /// Ends both sides and the record.
    async fn end(mut self, end: End) {
        self.trail.judged(self.judge.take_tally());
        let cut = self.turns.is_running();
        if cut {
            self.count_running();
        } else if let Some((usage, source)) = self.turns.settled() {
            // It was over but for what it used.
            self.trail.turn(usage, source);
        }
        match end {
            End::Gone { caller: false, in_order, reason } if cut || !in_order => {
                let mut message = "the provider ended the session".to_owned();
                if !reason.is_empty() {
                    // As from any answer of a provider, what looks like its key is taken out.
                    message = format!("{message}: {}", redact(&reason));
                }
                self.fail(&Error::new(Code::UpstreamError, message), CloseCode::Error).await;
            }
            End::Gone { in_order, .. } => {
                if in_order && !cut {
                    self.trail.settle(STATUS);
                }
                // Else the trail ends as one whose caller has left; it need not wait for goodbyes.
                let Self { trail, mut caller, mut provider, .. } = self;
                drop(trail);
                tokio::join!(caller.close(CloseCode::Normal, ""), provider.close(CloseCode::Normal, ""));
            }
            End::Ours(error, code) => self.fail(&error, code).await,
        }
    }

    /// Tells the caller why, ends the record, and then the connections.
    async fn fail(&mut self, error: &Error, code: CloseCode) {
        tracing::debug!(call = %self.trail.id(), %error, "session ended");
        let event_id = format!("event_{}", self.trail.id());
        let event = self.codec.error_event(error, &event_id, self.about.as_deref());
        event.iter().for_each(|event| keep(&mut self.trail.answer, event));
        let ended = self.trail.fail(STATUS, error);
        // Should it not be safe: an error is the last word already.
        let _ = self.trail.safe(&ended).await;
        let limit = self.times.patience();
        let reason = if event.is_some() { error.code.as_str().to_owned() } else { in_short(error) };
        if let Some(event) = event
            && self.caller.say(event.into(), false, limit).await.is_ok()
        {
            let _ = self.caller.flush(limit).await;
        }
        tokio::join!(self.caller.close(code, &reason), self.provider.close(CloseCode::Normal, ""));
    }
}

/// The caller does not take what it is told.
fn gone() -> End {
    End::Gone { caller: true, in_order: false, reason: Utf8Bytes::default() }
}

/// Neither does the provider.
fn lost() -> End {
    End::Gone { caller: false, in_order: false, reason: Utf8Bytes::default() }
}

/// An error as the reason of a close frame, which is all that there is for it.
pub(super) fn in_short(error: &Error) -> String {
    format!("{}: {}", error.code.as_str(), error.message)
}

/// Events are kept a line each.
fn keep(kept: &mut Kept, event: &str) {
    kept.take_in(event.as_bytes());
    kept.take_in(b"\n");
}

fn text_of(bytes: Bytes) -> Result<Utf8Bytes, Error> {
    Utf8Bytes::try_from(bytes).map_err(|_| Error::new(Code::Internal, "an edit made an event unreadable"))
}
