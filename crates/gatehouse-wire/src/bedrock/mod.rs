//! Amazon Bedrock's Converse (`POST /model/{m}/converse` and `/converse-stream`), spoken towards providers
//! only: no caller asks in it.
//!
//! One form for the models of many makers. What a model takes beyond the common members goes into
//! `additionalModelRequestFields` in its maker's own words, so `model` tells makers apart by the model's
//! name. `request_out` writes requests (in the order that `anthropic::plan` gives turns, which is the same
//! here), `content_out` and `tools_out` their parts, and `check` refuses what cannot be said. `answer` and
//! `stream_in` read; streams come as binary messages ([`crate::eventstream`]). The model stands in the path,
//! as does the wish for a stream.

mod answer;
mod blocks;
mod check;
mod content_out;
pub(crate) mod model;
mod names;
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
