//! Cohere's `POST /v2/chat`, whole and streamed, spoken towards providers only: no caller asks in it.
//! <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/chat-stream>
//!
//! `request_out` writes requests (in the order that `anthropic::plan` gives turns: results of tools follow their
//! calls), `settings` and `tools_out` what belongs to them, and `check` refuses what cannot be said. `answer` and
//! `stream_in` read; `blocks` is what both have in common. What a model plans to do with its tools (`tool_plan`) is
//! a thought.

mod answer;
mod blocks;
mod check;
mod request_out;
mod settings;
mod stream_in;
#[cfg(test)]
mod tests;
mod tools_out;
mod usage;

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{Encoded, ProviderCodec, StreamDecoder, Summary, Target};
use crate::json::Doc;
use gatehouse_core::content::{Dialect, Span};
use gatehouse_core::error::Error;

/// This dialect.
const DIALECT: Dialect = Dialect::CohereChat;

/// The dialect of `POST /v2/chat`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereChat;

// === impl CohereChat ===

impl ProviderCodec for CohereChat {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request_out::write(request, target)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        answer::summary(doc)
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        answer::spans(doc.root())
    }

    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error> {
        answer::read(doc)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }
}
