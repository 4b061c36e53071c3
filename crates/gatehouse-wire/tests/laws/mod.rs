//! What must hold for any bytes, in every dialect.
//!
//! Written once for two users: `tests/robustness.rs` checks it on mutated seeds in every test run, the
//! fuzz targets in `fuzz/` on whatever a fuzzer comes up with. A law that does not hold panics.

mod answers;
mod edits;
mod embeddings;
mod eventstream;
mod forms;
mod json;
mod rankings;
mod realtime;
mod requests;
mod streams;

pub use answers::answer;
pub use edits::edits;
pub use embeddings::{EMBEDDINGS, EmbedSubject, embed_answer, embed_request};
pub use eventstream::{bedrock, bedrock_answer, damaged, eventstream};
pub use forms::{bombs, form, native};
pub use json::json;
pub use rankings::{rerank_answer, rerank_request};
pub use realtime::realtime;
pub use requests::request;
pub use streams::{sse, stream};

use bytes::Bytes;
use gatehouse_core::content::{Edit, Family, Span, splice};
use gatehouse_wire::codec::Codec;
use gatehouse_wire::json::{Doc, Strictness};
use gatehouse_wire::{
    anthropic, bedrock as converse, cohere, completions, gemini, openai_chat, openai_responses,
};

/// A dialect under test.
#[derive(Clone, Copy)]
pub struct Subject {
    /// Its name, that of its folder of seeds.
    pub name: &'static str,
    /// Its codec.
    pub codec: &'static dyn Codec,
    /// Whether requests name the model in the body.
    pub model_in_body: bool,
}

/// Every dialect of conversations.
pub const ALL: &[Subject] = &[
    Subject { name: "completions", codec: &completions::Completions, model_in_body: true },
    Subject { name: "openai_chat", codec: &openai_chat::OpenAiChat, model_in_body: true },
    Subject { name: "openai_responses", codec: &openai_responses::OpenAiResponses, model_in_body: true },
    Subject { name: "anthropic", codec: &anthropic::Messages, model_in_body: true },
    Subject { name: "gemini", codec: &gemini::Gemini, model_in_body: false },
    Subject { name: "cohere", codec: &cohere::CohereChat, model_in_body: true },
    Subject { name: "bedrock", codec: &converse::Converse, model_in_body: false },
];

/// Errors of providers: any body gives an error with a message, for every family and status.
pub fn error(bytes: &[u8], status: u16) {
    for family in [Family::OpenAi, Family::Anthropic, Family::Gemini, Family::Bedrock, Family::Cohere] {
        let text = || Some(String::from_utf8_lossy(bytes).into_owned());
        let error = gatehouse_wire::error::classify(family, status, &|_| text(), bytes);
        assert!(!error.message.is_empty());
        let body = gatehouse_wire::error::render(family, &error, "id");
        parse(&body, Strictness::Caller);
    }
}

/// Parses what we wrote ourselves, which is always possible.
fn parse(bytes: &[u8], strictness: Strictness) -> Doc {
    let parsed = Doc::parse(Bytes::copy_from_slice(bytes), strictness);
    parsed.unwrap_or_else(|error| panic!("we wrote {:?}: {error}", String::from_utf8_lossy(bytes)))
}

/// Applies edits after checking that they may be applied.
fn apply(doc: &Doc, edits: &[Edit]) -> Bytes {
    let mut at = 0;
    for edit in edits {
        assert!(
            at <= edit.range.start && edit.range.start <= edit.range.end,
            "edits out of order: {edits:?}"
        );
        at = edit.range.end;
    }
    assert!(at <= doc.bytes().len(), "an edit outside of the body: {edits:?}");
    splice(doc.bytes(), edits)
}

/// Spans lie inside strings of the body and do not overlap, so that a guard may replace any of them: what
/// comes out is still JSON.
fn spans_can_be_masked(doc: &Doc, spans: &[Span]) {
    let mut sorted: Vec<_> = spans.iter().map(|span| span.range.clone()).collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    for range in &sorted {
        let quoted = doc.slice(range.start.saturating_sub(1)..range.end + 1);
        assert!(
            quoted.len() == range.len() + 2,
            "a span outside of the body or inside a character: {range:?}"
        );
        assert!(quoted.starts_with('"') && quoted.ends_with('"'), "a span that is no whole string: {quoted}");
    }
    let mask =
        |range: &std::ops::Range<usize>| Edit { range: range.clone(), with: Bytes::from_static(b"[X]") };
    let edits: Vec<_> = sorted.iter().map(mask).collect();
    parse(&apply(doc, &edits), Strictness::Provider);
}
