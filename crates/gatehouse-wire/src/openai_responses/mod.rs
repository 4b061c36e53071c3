//! OpenAI's `POST /v1/responses`, as a front and as an upstream, used without the provider's memory.
//!
//! A request is a list of *items* rather than messages, an answer is another list of them, and a stream
//! says of every item when it begins, grows and ends. The set of items is open: what is not known here
//! travels as an `Opaque` block, byte for byte, and is never a reason to fail.
//!
//! What the dialect can say and others cannot: tools in namespaces and free-form tools become functions
//! (`tools`) and are turned back in the answer (`names`); reasoning that another maker sealed becomes a
//! reasoning item whose `encrypted_content` is our envelope (`seals`). No provider is asked to keep an answer: what
//! a request refers to is put into it before it comes here (`kept`), and `store` goes out as `false`.
//!
//! In reading order: `view` and `rewrite` for what passes as bytes, with `texts` for what guardrails read;
//! `request`, `input`, `parts`, `tools`, `names` and `seals` to read a request; `request_out` and
//! `input_out` to write one; `answer` and `stream_in` (with `growing`) to read answers; `item_out`,
//! `answer_out` and `stream_out` to write them; [`count`] for `/v1/responses/input_tokens`.

mod answer;
mod answer_out;
mod citations;
pub mod count;
mod growing;
mod input;
mod input_out;
mod item_out;
pub mod kept;
mod names;
mod parts;
mod request;
mod request_out;
mod rewrite;
mod seals;
mod stream_in;
mod stream_out;
mod texts;
mod tools;
mod view;

use crate::chat::{ChatRequest, ChatResponse, Extension, RawJson, Weight};
use crate::codec::{
    Codec, Encoded, ProviderCodec, ReplyContext, Rewrite, StreamDecoder, StreamEncoder, Summary, Target, View,
};
use crate::json::{Doc, Node};
use gatehouse_core::content::{Dialect, Span};
use gatehouse_core::error::Error;

/// The dialect of `POST /v1/responses`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

// === impl OpenAiResponses ===

impl ProviderCodec for OpenAiResponses {
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

impl Codec for OpenAiResponses {
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

/// Something of this dialect that the canonical form has no place for.
fn extension(path: impl Into<String>, value: Node<'_>, weight: Weight) -> Extension {
    Extension {
        path: path.into(),
        value: RawJson(value.raw().to_owned()),
        origin: Dialect::OpenAiResponses,
        weight,
    }
}

/// The members of a request that are read here: any other spelling of them is refused.
const ROOT: &[&str] = &[
    "model",
    "input",
    "instructions",
    "stream",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "text",
    "reasoning",
    "include",
    "truncation",
    "store",
    "background",
    "previous_response_id",
    "conversation",
    "prompt",
    "user",
    "safety_identifier",
    "metadata",
    "service_tier",
];

/// The members of an item of `input`.
const ITEM: &[&str] = &[
    "type",
    "role",
    "content",
    "id",
    "status",
    "call_id",
    "name",
    "namespace",
    "arguments",
    "output",
    "input",
    "summary",
    "encrypted_content",
];

/// The members of a part of a message.
const PART: &[&str] = &[
    "type",
    "text",
    "refusal",
    "image_url",
    "detail",
    "file_id",
    "file_data",
    "file_url",
    "filename",
    "input_audio",
    "prompt_cache_breakpoint",
];

/// The members of a tool.
const TOOL: &[&str] = &["type", "name", "description", "parameters", "strict", "format", "tools"];

/// The dialect's words for an item's type; the item of a caller may leave it out.
fn item_type<'a>(item: Node<'a>) -> Result<std::borrow::Cow<'a, str>, Error> {
    match item.opt("type") {
        Some(kind) => kind.want_str(),
        None if item.opt("role").is_some() => Ok("message".into()),
        None if item.opt("id").is_some() => Ok("item_reference".into()),
        None => Err(item.wrong("needs a \"type\", or a \"role\" when it is a message")),
    }
}

#[cfg(test)]
mod tests;
