//! Anthropic's `POST /v1/messages`, as a caller's language and as a provider's.
//!
//! Read a request: `view` (hot path) and `request`. Write one: `check` refuses and names what cannot
//! be said here, `plan` puts turns into the order that Anthropic demands, `request_out` writes. Answers
//! are in `answer`, streams in `stream_in` and `stream_out`, `/count_tokens` in [`count`]. Errors are
//! the affair of [`crate::error`].
//!
//! What Anthropic knows and the canonical conversation does not (citations, callers of tools, server tools)
//! travels as an extension. One whose path ends in a member's name is a *rider*: it belongs to the block
//! before it. See `content`.

mod answer;
pub(crate) mod check;
mod citations;
pub mod cloud;
mod content;
pub(crate) mod content_out;
pub mod count;
pub(crate) mod ids;
#[cfg(test)]
mod laws_of_answers;
#[cfg(test)]
mod laws_of_requests;
pub(crate) mod plan;
mod request;
mod request_out;
pub(crate) mod rewrite;
pub(crate) mod schema;
pub(crate) mod spans;
mod stream_blocks;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod testing;
pub(crate) mod thinking;
pub(crate) mod tools_out;
#[cfg(test)]
mod translation_tests;
pub(crate) mod usage;
mod view;
mod view_content;
mod words;

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::Doc;
use gatehouse_core::content::{Dialect, Span};
use gatehouse_core::error::Error;

/// This dialect.
const DIALECT: Dialect = Dialect::AnthropicMessages;

/// The dialect of `POST /v1/messages`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Messages;

// === impl Messages ===

impl ProviderCodec for Messages {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request_out::write(request, target, request_out::Purpose::Answer)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        answer::summary(doc)
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        spans::of_answer(doc.root())
    }

    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error> {
        answer::read(doc)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }
}

impl Codec for Messages {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        rewrite::rewrite(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error> {
        // Whatever is malformed is refused by the same walk as on the hot path; reading cannot fail then.
        view::view(doc)?;
        Ok(request::read(doc))
    }

    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
        answer::write(answer, context)
    }

    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(context))
    }
}
