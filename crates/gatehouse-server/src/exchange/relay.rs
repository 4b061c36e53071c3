//! A stream on its way to the caller.
//!
//! Pulled by the caller's connection: a slow caller stops the chain, and TCP stops the provider. The last
//! bytes of a good answer wait until its record is safe. When the caller leaves, the relay is dropped, and
//! with it the connection to the provider and the trail.

use super::edit;
use super::opened::{Feed, Opened};
use crate::clock::left;
use crate::house::House;
use crate::trail::{Ended, Trail};
use bytes::{Bytes, BytesMut};
use gatehouse_core::error::{Code, Error};
use gatehouse_guard::window::Window;
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::error::mid_stream;
use gatehouse_wire::sse::Frame;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After so long without a byte, a comment keeps the caller's connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a provider that has said its last word may take to close.
const CLOSE_WAIT_MAX: Duration = Duration::from_millis(250);

/// A stream under way.
pub struct Relay {
    opened: Opened,
    trail: Trail,
    house: Arc<House>,
    out: BytesMut,
    state: State,
    /// How the trail of a stream that has failed ended: its last bytes wait for the record, too.
    failed: Option<Ended>,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More will come.
    Open,
    /// The last word was said; the end waits for the record.
    Ended,
    /// Everything is out.
    Done,
}

// === impl Relay ===

impl Relay {
    /// Begins to pass it on.
    pub(super) fn new(opened: Opened, trail: Trail, house: Arc<House>) -> Self {
        Self { opened, trail, house, out: BytesMut::new(), state: State::Open, failed: None }
    }

    /// The next bytes for the caller; `None` when everything is out.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.state == State::Open
                && let Err(error) = self.pass_on_ready()
            {
                self.fail(&error);
            }
            match self.state {
                State::Done => {
                    if let Some(ended) = self.failed.take() {
                        // Should it not be safe: an error is the last word already.
                        let _ = self.trail.safe(&ended).await;
                    }
                    return (!self.out.is_empty()).then(|| self.give());
                }
                State::Ended => return Some(self.end().await),
                State::Open if !self.out.is_empty() => return Some(self.give()),
                State::Open => {}
            }
            if let Some(alive) = self.wait().await {
                return Some(alive);
            }
        }
    }

    /// Waits for more; gives what is to be said meanwhile.
    async fn wait(&mut self) -> Option<Bytes> {
        let house = Arc::clone(&self.house);
        let mut keys_changed = std::pin::pin!(house.keys_changed.notified());
        // Listening begins before the look, so that no change in between is missed.
        keys_changed.as_mut().enable();
        if !house.keys.load().keys.holds(&self.opened.key) {
            self.fail(&Error::new(Code::InvalidApiKey, "this caller key was revoked"));
            return None;
        }
        let Feed::Live(source) = &mut self.opened.source else { return None };
        let over = left(self.opened.deadline);
        let limit = self.opened.idle.saturating_sub(self.opened.silent).min(over);
        let comment = self.opened.manner.comment().filter(|_| limit > KEEP_ALIVE);
        let since = Instant::now();
        let filled = tokio::select! {
            filled = source.fill(limit) => filled,
            () = tokio::time::sleep(KEEP_ALIVE), if comment.is_some() => {
                // A comment of ours does not excuse the provider's silence.
                self.opened.silent += KEEP_ALIVE;
                return comment.map(Bytes::from_static);
            }
            () = keys_changed => {
                self.opened.silent += since.elapsed();
                return None;
            }
        };
        match filled {
            Ok(()) => {
                self.opened.silent = Duration::ZERO;
                None
            }
            // What came before the break is passed on first.
            Err(error) => {
                match self.pass_on_ready() {
                    Ok(()) if self.state == State::Open => self.fail(&error),
                    Ok(()) => {}
                    Err(guard) => self.fail(&guard),
                }
                None
            }
        }
    }

    /// Passes on what has come.
    fn pass_on_ready(&mut self) -> Result<(), Error> {
        while self.state == State::Open {
            let (frame, events, over) = match &mut self.opened.source {
                Feed::Live(source) => {
                    let Some((frame, events)) = source.take() else {
                        if source.is_whole() {
                            self.last_words()?;
                        }
                        return Ok(());
                    };
                    (frame, events, false)
                }
                Feed::Ready(events) => {
                    let all: Vec<ChatEvent> = events.drain(..).collect();
                    (Frame::of_data(Bytes::new()), all, true)
                }
            };
            self.meter(&events);
            match &mut self.opened.window {
                None => self.emit(&frame, &events, &[])?,
                Some(window) => {
                    let bytes = frame.raw.len();
                    let pushed = window.push(frame, bytes, events);
                    self.pass_window()?;
                    pushed?;
                }
            }
            if over {
                self.last_words()?;
            }
        }
        Ok(())
    }

    /// The provider has said everything: what a window holds back is judged as it is.
    fn last_words(&mut self) -> Result<(), Error> {
        if let Some(window) = &mut self.opened.window {
            window.finish()?;
        }
        self.pass_window()?;
        if self.state == State::Open {
            self.state = State::Ended;
        }
        Ok(())
    }

    fn pass_window(&mut self) -> Result<(), Error> {
        // Nothing follows an error, or the end.
        while self.state == State::Open
            && let Some(held) = self.opened.window.as_mut().and_then(Window::pop)
        {
            self.emit(&held.frame, &held.events, &held.changed)?;
        }
        Ok(())
    }

    /// Counts what goes by.
    fn meter(&mut self, events: &[ChatEvent]) {
        for event in events {
            match event {
                ChatEvent::Delta { text, .. } => self.trail.meter.text(text),
                ChatEvent::Usage(usage) => self.trail.meter.reported(*usage),
                ChatEvent::Finish { finish, .. } => self.trail.finished(finish.as_str()),
                ChatEvent::Tier(tier) => self.trail.tier(tier),
                ChatEvent::Open { block, .. } if self.opened.encoder.is_some() => {
                    if let Some(path) = block.lost_in(self.opened.front) {
                        self.trail.left_out(&path);
                    }
                }
                _ => {}
            }
        }
    }

    /// Writes one frame for the caller.
    fn emit(&mut self, frame: &Frame, events: &[ChatEvent], changed: &[usize]) -> Result<(), Error> {
        if let Some(encoder) = &mut self.opened.encoder {
            let mut out = Vec::new();
            for event in events.iter().filter(|event| !event.is_of_frame()) {
                if matches!(event, ChatEvent::End) && !self.trail.meter.is_reported() {
                    // SDKs want a usage; where the provider gave none, they get our count.
                    encoder.event(&ChatEvent::Usage(self.trail.meter.total(true).0), &mut out)?;
                }
                encoder.event(event, &mut out)?;
            }
            self.out.extend_from_slice(&out);
        } else if let Some(error) = events.iter().find_map(error_of) {
            // The provider's own error event has no stable code: ours has.
            let id = self.trail.id().to_string();
            self.out.extend_from_slice(&mid_stream(self.opened.front, error, &id));
        } else {
            let hidden = if self.opened.hide_usage { edit::for_usage(events) } else { None };
            if edit::is_unspelled(events, changed) {
                self.trail.left_out(edit::SPELLED);
            }
            edit::write(frame, edit::of_texts(events, changed), hidden, &mut self.out)?;
        }
        for event in events {
            match event {
                ChatEvent::End => self.state = State::Ended,
                ChatEvent::Error(error) => {
                    // It is written already, in the caller's dialect.
                    self.trail.answer.take_in(&self.out);
                    if let Some(window) = &mut self.opened.window {
                        self.trail.judged(window.take_tally());
                    }
                    self.failed = Some(self.trail.fail(200, error));
                    self.state = State::Done;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Gives what is written.
    fn give(&mut self) -> Bytes {
        let bytes = self.out.split().freeze();
        let bytes = match &self.opened.keeper {
            Some(keeper) => keeper.of_stream(&bytes),
            None => bytes,
        };
        self.trail.answer.take_in(&bytes);
        self.opened.manner.framed(bytes)
    }

    /// The whole answer is there: its record is made safe, then its end goes out.
    async fn end(&mut self) -> Bytes {
        if let Feed::Live(source) = &mut self.opened.source {
            source.closed(CLOSE_WAIT_MAX).await;
        }
        let keeper = self.opened.keeper.take();
        if let Some(keeper) = &keeper {
            let bytes = self.out.split().freeze();
            self.out.extend_from_slice(&keeper.last_of_stream(&self.house.memory, &bytes).await);
        }
        let last = self.give();
        self.note_window();
        let ended = self.trail.settle(200);
        self.state = State::Done;
        match self.trail.safe(&ended).await {
            Ok(()) => last,
            Err(error) => {
                if let Some(keeper) = keeper {
                    keeper.forget(&self.house.memory).await;
                }
                let bytes = self.error_bytes(&error);
                self.opened.manner.framed(Bytes::from(bytes))
            }
        }
    }

    /// The stream fails in the middle: an error in the caller's dialect is its last word.
    fn fail(&mut self, error: &Error) {
        tracing::debug!(call = %self.trail.id(), %error, "stream failed");
        let bytes = self.error_bytes(error);
        self.out.extend_from_slice(&bytes);
        self.trail.answer.take_in(&self.out);
        self.note_window();
        self.failed = Some(self.trail.fail(200, error));
        self.state = State::Done;
    }

    /// What the guardrails saw in the answer goes to the record.
    fn note_window(&mut self) {
        if let Some(window) = &mut self.opened.window {
            let tally = window.take_tally();
            self.trail.judged(tally);
        }
    }

    fn error_bytes(&mut self, error: &Error) -> Vec<u8> {
        match &mut self.opened.encoder {
            Some(encoder) => {
                let mut out = Vec::new();
                encoder.fail(error, &mut out);
                out
            }
            None => mid_stream(self.opened.front, error, &self.trail.id().to_string()),
        }
    }
}

impl Drop for Relay {
    /// When the caller leaves, the trail ends with what the guardrails saw until then.
    fn drop(&mut self) {
        self.note_window();
    }
}

fn error_of(event: &ChatEvent) -> Option<&Error> {
    match event {
        ChatEvent::Error(error) => Some(error),
        _ => None,
    }
}
