//! OpenAI's realtime events: what an event of either side means to a gateway that passes it on as it is.
//!
//! A session is not translated. Of each event only that is read which decides whether it may pass and what it
//! costs: its texts and where they stand, whether it carries audio, and the usage of a response.
//! <https://platform.openai.com/docs/api-reference/realtime-client-events>

mod caller;
mod provider;
mod texts;

pub use caller::{Asked, asked};
pub use provider::{Kind, Piece, Said, is_audio, said};

use crate::error::openai_type;
use crate::json::Out;
use gatehouse_core::error::Error;

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
