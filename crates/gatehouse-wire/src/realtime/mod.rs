//! OpenAI's realtime events: what an event of either side means to a gateway that passes it on as it is; and what
//! every dialect of sessions must say of its events ([`SessionCodec`]).
//!
//! A session is not translated. Of each event only that is read which decides whether it may pass and what it
//! costs: its texts and where they stand, whether it carries audio, and the usage of a response.
//! <https://platform.openai.com/docs/api-reference/realtime-client-events>

mod caller;
mod provider;
mod texts;

pub use caller::{Asked, asked};
pub use provider::{Kind, Piece, Said, Turn, is_audio, said};

use crate::error::openai_type;
use crate::json::{Doc, Out};
use gatehouse_core::error::Error;

/// What a relay asks of a dialect of sessions.
pub trait SessionCodec: Send + Sync {
    /// Reads an event of the caller.
    ///
    /// # Errors
    /// `invalid_request` for what is no event.
    fn asked(&self, doc: &Doc) -> Result<Asked, Error>;

    /// Whether an event of the provider brings nothing but audio, where its beginning tells.
    fn is_audio(&self, event: &str) -> bool;

    /// Reads an event of the provider.
    fn said(&self, doc: &Doc) -> Said;

    /// An error of ours as an event, where the dialect has one; else the close frame alone says it.
    fn error_event(&self, error: &Error, event_id: &str, caused_by: Option<&str>) -> Option<String>;

    /// Whether messages may come as binary, with the same JSON in them.
    fn takes_binary(&self) -> bool;

    /// How audio is counted while nobody has told.
    fn rates(&self) -> Rates;
}

/// Characters of base64 that are a token of audio.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Of the caller's.
    pub input_chars_per_token: usize,
    /// Of the model's.
    pub output_chars_per_token: usize,
}

/// OpenAI's events.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiRealtime;

// === impl OpenAiRealtime ===

impl SessionCodec for OpenAiRealtime {
    fn asked(&self, doc: &Doc) -> Result<Asked, Error> {
        asked(doc)
    }

    fn is_audio(&self, event: &str) -> bool {
        is_audio(event)
    }

    fn said(&self, doc: &Doc) -> Said {
        said(doc)
    }

    fn error_event(&self, error: &Error, event_id: &str, caused_by: Option<&str>) -> Option<String> {
        Some(error_event(error, event_id, caused_by))
    }

    fn takes_binary(&self) -> bool {
        false
    }

    fn rates(&self) -> Rates {
        // Ten tokens a second of PCM at 24 kHz and 16 bits, and twenty of the model's voice.
        Rates { input_chars_per_token: 6_400, output_chars_per_token: 3_200 }
    }
}

/// An error of ours as an event. `event_id` names this event, `caused_by` the caller's event that it is about.
#[must_use]
pub fn error_event(error: &Error, event_id: &str, caused_by: Option<&str>) -> String {
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "error").field("event_id", event_id).object_field("error", |out| {
            out.field("type", openai_type(error.code))
                .field("code", error.code.as_str())
                .field("message", &error.message)
                .field("param", error.param.as_deref())
                .field("event_id", caused_by);
        });
    });
    out.as_str().to_owned()
}

#[cfg(test)]
mod tests;
