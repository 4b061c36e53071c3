//! Our error as the last thing in a stream whose headers are gone.

use super::render::{openai_type, render};
use crate::json::Out;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The bytes that end a failed stream of server-sent events. Nothing may follow, `[DONE]` least of all.
///
/// Responses numbers its events, which only its own encoder can: this is its form without a number, for a
/// stream that fails before that encoder exists. An element of Gemini's JSON array is the bare body that
/// [`render`] writes.
#[must_use]
pub fn mid_stream(dialect: Dialect, error: &Error, request_id: &str) -> Vec<u8> {
    match dialect {
        Dialect::AnthropicMessages => {
            event(b"event: error\ndata: ", &render(dialect.family(), error, request_id))
        }
        Dialect::OpenAiResponses => event(b"event: error\ndata: ", &responses(error)),
        // OpenAI chat, completions, Gemini, and whatever comes to stream later in their manner.
        _ => event(b"data: ", &render(dialect.family(), error, request_id)),
    }
}

fn event(lead: &[u8], body: &[u8]) -> Vec<u8> {
    [lead, body, b"\n\n"].concat()
}

/// The top-level error of Responses is flat.
fn responses(error: &Error) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "error")
            .field("code", error.code.as_str())
            .field("message", &error.message)
            .field("param", error.param.as_deref())
            .object_field("error", |out| {
                out.field("type", openai_type(error.code))
                    .field("code", error.code.as_str())
                    .field("message", &error.message)
                    .field("param", error.param.as_deref());
            });
    });
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::mid_stream;
    use crate::sse::Frames;
    use gatehouse_core::content::Dialect;
    use gatehouse_core::error::{Code, Error};
    use serde_json::Value;

    #[test]
    fn every_dialect_ends_with_one_whole_event_that_its_sdk_takes_for_an_error() {
        let error = Error::new(Code::UpstreamBadResponse, "the provider stopped\nin the middle");
        for (dialect, name) in [
            (Dialect::OpenAiChat, ""),
            (Dialect::OpenAiCompletions, ""),
            (Dialect::OpenAiResponses, "error"),
            (Dialect::AnthropicMessages, "error"),
            (Dialect::GeminiGenerate, ""),
        ] {
            let mut frames = Frames::default();
            frames.push(&mid_stream(dialect, &error, "rec_1")).unwrap();
            let frame = frames.next_frame().unwrap();
            assert_eq!(frame.name(), name, "{dialect:?}");
            let data: Value = serde_json::from_slice(&frame.data()).unwrap();
            assert!(data["error"].is_object());
            assert_eq!(frames.next_frame(), None);
        }
    }
}
