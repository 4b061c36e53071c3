//! A provider's stream: bytes in, frames with their meaning out. Pulled, never pushed.

use super::whole::too_large;
use crate::clock::left;
use crate::upstream::Answer;
use bytes::Bytes;
use gatehouse_core::error::{Code, Error};
use gatehouse_wire::chat::ChatEvent;
use gatehouse_wire::codec::StreamDecoder;
use gatehouse_wire::framing::Frames;
use gatehouse_wire::sse::Frame;
use http_body_util::BodyExt as _;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A provider's stream under way.
pub struct Source {
    body: Answer,
    frames: Frames,
    decoder: Box<dyn StreamDecoder>,
    /// How many bytes the decoder may keep (`limits.answer`).
    kept_max: u64,
    /// What has come and was not taken yet: at most what one read from the network brought.
    ready: VecDeque<(Frame, Vec<ChatEvent>)>,
    state: State,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// It came to a good end.
    Whole,
    /// It broke off.
    Broken,
}

// === impl Source ===

impl Source {
    /// A stream whose head has come. What its decoder keeps may have so many bytes.
    #[must_use]
    pub fn new(body: Answer, frames: Frames, decoder: Box<dyn StreamDecoder>, kept_max: u64) -> Self {
        Self { body, frames, decoder, kept_max, ready: VecDeque::new(), state: State::Open }
    }

    /// The next frame that has come.
    pub fn take(&mut self) -> Option<(Frame, Vec<ChatEvent>)> {
        self.ready.pop_front()
    }

    /// What has come and was not taken yet.
    pub fn ready(&self) -> impl Iterator<Item = &ChatEvent> {
        self.ready.iter().flat_map(|(_, events)| events)
    }

    /// Whether it came to a good end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Waits until the provider has closed its answer, which leaves its connection for the next call; what
    /// it says meanwhile is nobody's concern.
    pub async fn closed(&mut self, limit: Duration) {
        let until = Instant::now() + limit;
        while self.state == State::Open && !left(until).is_zero() {
            // Who does not come to an end loses the connection.
            let _ = self.fill(left(until)).await;
            self.ready.clear();
        }
    }

    /// Waits for more.
    ///
    /// # Errors
    /// `upstream_timeout` when nothing comes within `limit`, `upstream_bad_response` when the stream breaks
    /// off, cannot be read, or has more in it that must be kept than `limits.answer`.
    pub async fn fill(&mut self, limit: Duration) -> Result<(), Error> {
        match self.state {
            State::Open => {}
            State::Whole => return Ok(()),
            State::Broken => return Err(broken()),
        }
        let filled = self.read(limit).await;
        // A pause is no end: whoever waits may wait on.
        if filled.as_ref().is_err_and(|error| error.code != Code::UpstreamTimeout) {
            self.state = State::Broken;
        }
        filled
    }

    async fn read(&mut self, limit: Duration) -> Result<(), Error> {
        match tokio::time::timeout(limit, self.body.frame()).await {
            Err(_) => Err(Error::new(Code::UpstreamTimeout, "the provider's stream has stalled")),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(piece) => self.take_in(&piece),
                Err(_) => Ok(()),
            },
            Ok(Some(Err(error))) => Err(broken().detail(error.to_string())),
            Ok(None) => self.end(),
        }
    }

    fn take_in(&mut self, piece: &Bytes) -> Result<(), Error> {
        self.frames.push(piece)?;
        while let Some(frame) = self.frames.next_frame()? {
            self.decode(frame)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        if let Some(frame) = self.frames.rest()? {
            self.decode(frame)?;
        }
        let mut events = Vec::new();
        let finished = self.decoder.finish(&mut events);
        self.ready.push_back((Frame::of_data(Bytes::new()), events));
        finished?;
        self.state = State::Whole;
        Ok(())
    }

    fn decode(&mut self, frame: Frame) -> Result<(), Error> {
        let mut events = Vec::new();
        let decoded = self.decoder.frame(&frame, &mut events);
        if decoded.is_ok() {
            self.ready.push_back((frame, events));
            let kept = u64::try_from(self.decoder.kept()).unwrap_or(u64::MAX);
            return if kept > self.kept_max { Err(too_large(self.kept_max)) } else { Ok(()) };
        }
        // What cannot be read is not passed on: no guardrail could have seen it. Nor does anything that was
        // understood of it have a place any more.
        events.retain(|event| !event.is_of_frame());
        for event in &mut events {
            if let ChatEvent::Delta { at, .. } = event {
                *at = None;
            }
        }
        self.ready.push_back((Frame::of_data(Bytes::new()), events));
        decoded
    }
}

fn broken() -> Error {
    Error::new(Code::UpstreamBadResponse, "the provider's stream broke off")
}
