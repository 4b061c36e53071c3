//! Gemini Live, `BidiGenerateContent`: what a message of either side means to a gateway that passes it on as it is.
//!
//! The first message of the caller names the model and what the session is to be; each further one has one member that
//! says what it is. Google reads its JSON as protobuf: every member may be written in camelCase or `snake_case`, and
//! Google's own clients write both. Messages of Google come as binary with JSON in them.
//! <https://ai.google.dev/api/live>

mod caller;
mod provider;
mod texts;

pub use caller::view;

use crate::json::Doc;
use crate::realtime::{Asked, Rates, Said, SessionCodec};
use gatehouse_core::error::Error;

/// Gemini Live.
#[derive(Clone, Copy, Debug)]
pub struct GeminiLive;

// === impl GeminiLive ===

impl SessionCodec for GeminiLive {
    fn asked(&self, doc: &Doc) -> Result<Asked, Error> {
        caller::asked(doc)
    }

    fn is_audio(&self, _: &str) -> bool {
        // Other members may stand beside it, before it or behind it.
        false
    }

    fn said(&self, doc: &Doc) -> Said {
        provider::said(doc)
    }

    fn error_event(&self, _: &Error, _: &str, _: Option<&str>) -> Option<String> {
        None
    }

    fn takes_binary(&self) -> bool {
        true
    }

    fn rates(&self) -> Rates {
        // 25 tokens a second of PCM at 16 bits: 16 kHz of the caller's, 24 kHz of the model's.
        Rates { input_chars_per_token: 1_706, output_chars_per_token: 2_560 }
    }
}

#[cfg(test)]
mod tests;
