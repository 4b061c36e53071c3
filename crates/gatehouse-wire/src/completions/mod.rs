//! OpenAI's first dialect, `POST /v1/completions`: one text in, one text out.
//!
//! Old applications and base models speak it. Towards a provider that has it too, bytes pass; for any
//! other provider the prompt becomes one turn of a user. What only it can do (several prompts, token ids,
//! `suffix`, `echo`, `best_of`, `logprobs`) is passed on in the same dialect and refused by name in any
//! other. The limit of the answer is 16 tokens in OpenAI's own service when the caller names none; a
//! translated request leaves that to the provider, as no caller of a chat model wants 16.

mod answer;
mod fim;
mod request;
mod request_out;
mod rewrite;
mod stream_in;
mod stream_out;
mod usage;
mod view;

pub use fim::{MistralFim, inserts};

use crate::chat::{ChatRequest, ChatResponse};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::Doc;
use gatehouse_core::content::Span;
use gatehouse_core::error::Error;

/// The dialect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Completions;

// === impl Completions ===

impl ProviderCodec for Completions {
    fn encode_request(&self, request: &ChatRequest, target: &Target<'_>) -> Result<Encoded, Error> {
        request_out::encode(request, target)
    }

    fn summary(&self, doc: &Doc) -> Summary {
        answer::summary(doc)
    }

    fn answer_spans(&self, doc: &Doc) -> Vec<Span> {
        answer::spans(doc.root())
    }

    fn decode_answer(&self, doc: &Doc) -> Result<ChatResponse, Error> {
        answer::decode(doc)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::default())
    }
}

impl Codec for Completions {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc.root())
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        rewrite::rewrite(doc, view, target)
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
