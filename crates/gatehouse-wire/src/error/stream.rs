//! Our error as the last thing in a stream whose headers are gone.

use super::bedrock::converse_exception;
use super::render::{openai_type, render};
use crate::eventstream_out;
use crate::json::Out;
use gatehouse_core::content::Dialect;
use gatehouse_core::error::Error;

/// The bytes that end a failed stream: an event, or the exception that Amazon's streams have for it. Nothing may follow, `[DONE]` least of all.
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
        Dialect::BedrockConverse => eventstream_out::exception(
            converse_exception(error),
            &render(dialect.family(), error, request_id),
        ),
        Dialect::CohereChat => event(b"event: message-end\ndata: ", &cohere(error, request_id)),
        // OpenAI chat, completions, Gemini, and whatever comes to stream later in their manner.
        _ => event(b"data: ", &render(dialect.family(), error, request_id)),
    }
}

fn event(lead: &[u8], body: &[u8]) -> Vec<u8> {
    [lead, body, b"\n\n"].concat()
}

/// Cohere's streams end with the error as the reason for it; the stable code stands beside, as in its errors.
fn cohere(error: &Error, request_id: &str) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("type", "message-end").field("id", request_id).object_field("delta", |out| {
            out.field("error", &error.message).field("finish_reason", "ERROR");
        });
        out.field("message", &error.message).field("code", error.code.as_str());
    });
    out.into_bytes()
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
            (Dialect::CohereChat, "message-end"),
        ] {
            let mut frames = Frames::default();
            frames.push(&mid_stream(dialect, &error, "rec_1")).unwrap();
            let frame = frames.next_frame().unwrap();
            assert_eq!(frame.name(), name, "{dialect:?}");
            let data: Value = serde_json::from_slice(&frame.data()).unwrap();
            assert!(data["error"].is_object() || data["delta"]["error"].is_string());
            assert_eq!(frames.next_frame(), None);
        }
    }
}
