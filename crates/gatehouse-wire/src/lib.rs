//! The languages: bytes to meaning and back, for every dialect that callers and providers speak.
//!
//! [`json::Doc`] reads a body in place; a [`codec::Codec`] says what it means. Requests and answers of
//! equal dialects on both sides pass as bytes with a few edits; unequal ones go through the canonical
//! conversation of [`chat`]. Streams are cut by [`framing`].
//!
//! What it does *not* know: providers (quirks are data that it is given), HTTP, time, configuration.
//! No IO: everything here is a function of its arguments, so that it can be fuzzed.

pub mod anthropic;
pub mod anything;
pub mod bedrock;
pub mod chat;
pub mod codec;
pub mod cohere;
pub mod completions;
mod cut;
pub mod embeddings;
pub mod error;
pub mod eventstream;
pub mod eventstream_out;
pub mod form;
pub mod framing;
pub mod free_form;
pub mod gemini;
pub mod json;
mod kept;
pub mod live;
mod members;
pub mod models;
pub mod native;
pub mod openai_chat;
pub mod openai_responses;
pub mod prompt_cache;
pub mod realtime;
pub mod rerank;
pub mod seal;
pub mod spelling;
pub mod sse;
pub mod watch;
