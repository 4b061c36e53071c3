//! OpenAI `POST /v1/chat/completions`, and the family of servers that speak it with small differences.
//!
//! In reading order: what the pipeline needs of a request ([`view`], over [`view_messages`]) and the edits
//! that make it fit for another server of the family ([`rewrite`], over [`edits`] and [`quirks`]); whole
//! requests read ([`request`]: [`messages`], [`parts`], [`tools`]) and written ([`request_out`]:
//! [`messages_out`], [`parts_out`], [`tools_out`]); answers ([`answer`], [`answer_out`]) and streams
//! ([`stream_in`] over [`calls`], [`stream_out`]). [`reasoning`] is how thoughts and seals travel in a
//! dialect that has no place for them; [`details`] OpenRouter's way, which is kept as it comes.

mod answer;
mod answer_out;
mod calls;
mod citations;
mod details;
mod edits;
mod finish;
pub(crate) mod media;
mod members;
mod messages;
mod messages_out;
mod parts;
mod parts_out;
mod quirks;
mod reasoning;
mod request;
mod request_out;
mod rewrite;
mod stream_in;
mod stream_out;
mod stream_usage;
mod tools;
mod tools_out;
mod usage;
mod view;
mod view_messages;

#[cfg(test)]
mod tests;

pub(crate) use stream_usage::ForUsage;

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::Doc;
use gatehouse_core::content::Span;
use gatehouse_core::error::Error;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

// === impl OpenAiChat ===

impl ProviderCodec for OpenAiChat {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request_out::encode(request, target)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        answer::summary(doc)
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        answer::spans(doc)
    }

    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error> {
        answer::decode(doc)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::default())
    }
}

impl Codec for OpenAiChat {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        rewrite::rewrite(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error> {
        request::decode(doc)
    }

    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
        answer_out::encode(answer, context)
    }

    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(context))
    }
}
