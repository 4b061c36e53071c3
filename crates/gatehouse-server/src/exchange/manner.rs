//! How a stream is framed for its caller, whatever is in it.

use crate::front::{Framing, Front};
use bytes::Bytes;
use gatehouse_core::content::Dialect;
use gatehouse_wire::anthropic::cloud;

/// How a stream is framed for its caller.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    framing: Framing,
    dialect: Dialect,
}

// === impl Manner ===

impl Manner {
    /// What a path asks for.
    #[must_use]
    pub fn of(front: &Front) -> Self {
        Self { framing: front.framing, dialect: front.dialect }
    }

    /// The content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self.framing {
            Framing::Array => "application/json",
            Framing::Chunks | Framing::Messages => "application/vnd.amazon.eventstream",
            _ => "text/event-stream; charset=utf-8",
        }
    }

    /// What keeps an idle stream alive; `None` where nothing may be put between its parts.
    #[must_use]
    pub fn comment(self) -> Option<&'static [u8]> {
        match (self.framing, self.dialect) {
            (Framing::Array | Framing::Chunks | Framing::Messages, _) => None,
            (_, Dialect::AnthropicMessages) => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
            _ => Some(b": keepalive\n\n"),
        }
    }

    /// Whole events as they go out.
    #[must_use]
    pub fn framed(self, events: Bytes) -> Bytes {
        if self.framing == Framing::Chunks { Bytes::from(cloud::chunks(&events)) } else { events }
    }
}
