//! How a provider's stream is cut into events: server-sent events, or Amazon's binary messages.

use crate::eventstream::Messages;
use crate::sse::{self, Frame};
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// Cuts a byte stream into frames, in the way of its dialect.
#[derive(Debug)]
pub enum Frames {
    /// Server-sent events.
    Sse(sse::Frames),
    /// `application/vnd.amazon.eventstream`
    EventStream(Messages),
}

// === impl Frames ===

impl Frames {
    /// For a stream of this dialect.
    #[must_use]
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::BedrockConverse => Self::EventStream(Messages::default()),
            _ => Self::Sse(sse::Frames::default()),
        }
    }

    /// Takes in what has arrived.
    ///
    /// # Errors
    /// `upstream_bad_response` when an event exceeds [`sse::FRAME_BYTES_MAX`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Sse(frames) => frames.push(bytes),
            Self::EventStream(messages) => messages.push(bytes),
        }
    }

    /// The next complete frame.
    ///
    /// # Errors
    /// `upstream_bad_response` when a message is damaged; nothing behind it can be read then.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        match self {
            Self::Sse(frames) => Ok(frames.next_frame()),
            Self::EventStream(messages) => messages.next_message(),
        }
    }

    /// What is left when the body ends.
    ///
    /// # Errors
    /// `upstream_bad_response` when a message was cut.
    pub fn rest(&mut self) -> Result<Option<Frame>, Error> {
        match self {
            Self::Sse(frames) => Ok(frames.rest()),
            Self::EventStream(messages) => messages.rest().map(|()| None),
        }
    }
}
