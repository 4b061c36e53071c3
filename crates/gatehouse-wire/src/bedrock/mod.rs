//! Amazon Bedrock's Converse, `POST /model/{m}/converse` and `/converse-stream`.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
//!
//! One form for the models of many makers. What a model takes beyond the common members goes into
//! `additionalModelRequestFields` in its maker's own words, so `model` tells makers apart by the model's
//! name. `request_out` writes requests (in the order that `anthropic::plan` gives turns, which is the same
//! here), `content_out` and `tools_out` their parts, and `check` refuses what cannot be said. `answer` and
//! `stream_in` read; streams come as binary messages ([`crate::eventstream`]). The model stands in the path,
//! as does the wish for a stream.
//!
//! Towards callers: `view` walks over their requests, `request`, `additional` and `media` read them, and `rewrite`
//! passes them on to Bedrock itself; `answer_out` and `stream_out` write. `seals` has what rides along.

mod additional;
mod answer;
mod answer_out;
mod blocks;
mod check;
mod content_out;
#[cfg(test)]
mod front_tests;
mod media;
pub(crate) mod model;
mod names;
mod request;
mod request_out;
mod rewrite;
mod seals;
mod settings;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod tools_out;
mod usage;
mod view;

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::Doc;
use gatehouse_core::content::{Dialect, Span};
use gatehouse_core::error::Error;

/// This dialect.
const DIALECT: Dialect = Dialect::BedrockConverse;

/// The dialect of `POST /model/{m}/converse`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Converse;

// === impl Converse ===

impl ProviderCodec for Converse {
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

impl Codec for Converse {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        rewrite::rewrite(doc, view, target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error> {
        request::read(doc)
    }

    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
        answer_out::encode(answer, context)
    }

    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(context))
    }
}
