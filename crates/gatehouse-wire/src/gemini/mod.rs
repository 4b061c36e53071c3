//! Gemini's `generateContent` and `streamGenerateContent`, as a front and as an upstream.
//!
//! The model and the choice to stream stand in the path, so [`View::model`](crate::codec::View) is `None`
//! and the server fills both in. Google reads its JSON as protobuf: every member may be written in
//! camelCase or snake_case, a list of one without its brackets, and `null` means absent; so do we
//! ([`member`]).
//!
//! | file | what |
//! |---|---|
//! | `member` | names in two spellings |
//! | `view` | the walk on the hot path, which checks the shape too |
//! | `rewrite` | edits for a target of the same dialect |
//! | `request`, `turns`, `tools`, `config`, `schema` | reading a request |
//! | `request_out`, `turns_out`, `tools_out`, `config_out` | writing one |
//! | `assembler`, `partial` | parts of a model to events: histories, answers and streams share it |
//! | `answer`, `stream_in`, `stream_out`, `part_out` | answers and streams, both ways |
//! | `grounding`, `response`, `media`, `seals`, `thinking`, `usage`, `finish`, `time` | the small translations, both ways |
//! | `count` | `:countTokens` |

mod answer;
mod assembler;
mod config;
mod config_out;
pub mod count;
mod finish;
mod grounding;
mod media;
pub(crate) mod member;
mod part_out;
mod partial;
mod request;
mod request_out;
mod response;
mod rewrite;
mod schema;
mod seals;
mod stream_in;
mod stream_out;
mod thinking;
mod time;
mod tools;
mod tools_out;
mod turns;
mod turns_out;
pub(crate) mod usage;
mod view;

#[cfg(test)]
mod tests;

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::Doc;
use gatehouse_core::content::Span;
use gatehouse_core::error::Error;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

/// The model as bodies name it.
pub(crate) fn resource_name(model: &str) -> String {
    if model.contains('/') { model.to_owned() } else { format!("models/{model}") }
}

// === impl Gemini ===

impl ProviderCodec for Gemini {
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

impl Codec for Gemini {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc.root())
    }

    fn rewrite(&self, doc: &Doc, _view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        rewrite::rewrite(doc, doc.root(), target)
    }

    fn decode_request(&self, doc: &Doc) -> Result<ChatRequest, Error> {
        request::decode(doc.root())
    }

    fn encode_answer(&self, answer: &ChatResponse, context: &ReplyContext) -> Vec<u8> {
        answer::encode(answer, context)
    }

    fn encoder(&self, context: ReplyContext) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(context))
    }
}
