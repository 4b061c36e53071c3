//! Cohere's `POST /v2/chat`, whole and streamed.
//! <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/chat-stream>
//!
//! `request_out` writes requests (in the order that `anthropic::plan` gives turns: results of tools follow their
//! calls), `settings` and `tools_out` what belongs to them, and `check` refuses what cannot be said. `answer` and
//! `stream_in` read; `blocks` is what both have in common. What a model plans to do with its tools (`tool_plan`) is
//! a thought.
//!
//! Towards callers: `view` walks over their requests and `request` reads them; `answer_out` and `stream_out` write.

mod answer;
mod answer_out;
mod blocks;
mod check;
#[cfg(test)]
mod front_tests;
mod request;
mod request_out;
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
use crate::cut::cut;
use crate::json::Doc;
use crate::members::fitted;
use gatehouse_core::content::{Dialect, Span};
use gatehouse_core::error::Error;

/// This dialect.
const DIALECT: Dialect = Dialect::CohereChat;

/// What marks the envelope of a thought that is all seal.
const REDACTED: &str = "redacted";

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

impl Codec for CohereChat {
    fn view(&self, doc: &Doc) -> Result<View, Error> {
        view::view(doc)
    }

    fn rewrite(&self, doc: &Doc, view: &View, target: &Target<'_>) -> Result<Rewrite, Error> {
        let mut rewrite = fitted(doc, view, target)?;
        let messages = doc.root().opt("messages");
        for message in messages.into_iter().flat_map(|list| list.items()) {
            let lists = ["content", "tool_calls"].into_iter().filter_map(|name| message.opt(name));
            for one in lists.flat_map(|list| list.items()) {
                // Seals are their makers' alone.
                if let Some(sealed) = one.opt(blocks::SIGNATURE) {
                    rewrite.dropped.push(sealed.name());
                    cut(doc, one, |name| name == blocks::SIGNATURE, &mut rewrite.edits);
                }
            }
        }
        rewrite.edits.sort_by_key(|edit| edit.range.start);
        Ok(rewrite)
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
