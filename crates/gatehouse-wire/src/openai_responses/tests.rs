//! What the dialect promises, by example (`requests`, `upstream`, `answers`, `streams`) and by law
//! (`laws`).

mod answers;
mod laws;
mod requests;
mod streams;
mod upstream;

use super::OpenAiResponses;
use crate::chat::{Block, ChatEvent, ChatRequest, ChatResponse, ToolCall, Turn};
use crate::codec::{Codec, Encoded, ProviderCodec as _, Quirks, ReplyContext, Target};
use crate::json::{Doc, Strictness};
use crate::sse::Frames;
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;
use serde_json::Value;
use std::sync::Arc;

const CODEC: OpenAiResponses = OpenAiResponses;
const REPLY_ID: &str = "0123456789abcdef0123456789abcdef";

fn caller(body: &Value) -> Doc {
    Doc::parse(Bytes::from(serde_json::to_vec(body).unwrap()), Strictness::Caller).unwrap()
}

fn provider(body: &[u8]) -> Doc {
    Doc::parse(Bytes::copy_from_slice(body), Strictness::Provider).unwrap()
}

fn decode(body: &Value) -> Result<ChatRequest, Error> {
    CODEC.decode_request(&caller(body))
}

fn target(capabilities: Capabilities, quirks: &Quirks) -> Target<'_> {
    Target { model: "gpt-up", capabilities, quirks }
}

fn encode(request: &ChatRequest) -> Result<Encoded, Error> {
    CODEC.encode_request(request, &target(Capabilities::default(), &Quirks::NONE))
}

/// An encoded request as JSON, and what was dropped.
fn sent(request: &ChatRequest) -> (Value, Vec<String>) {
    let encoded = encode(request).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped)
}

fn context(request: Option<ChatRequest>) -> ReplyContext {
    ReplyContext {
        model: "alias".to_owned(),
        id: REPLY_ID.to_owned(),
        created: 1_790_000_000,
        request: request.map(Arc::new),
        ..ReplyContext::default()
    }
}

fn reply(answer: &ChatResponse, request: Option<ChatRequest>) -> Value {
    serde_json::from_slice(&CODEC.encode_answer(answer, &context(request))).unwrap()
}

/// What a caller that keeps the answer's items sends in the next turn.
fn next_turn(output: &Value) -> Vec<Turn> {
    decode(&serde_json::json!({"model": "m", "input": output})).unwrap().turns
}

fn call(id: &str, name: &str, arguments: &str) -> Block {
    Block::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        ..ToolCall::default()
    })
}

/// The stream for some events.
fn stream(events: &[ChatEvent], request: Option<ChatRequest>) -> Vec<u8> {
    let mut encoder = CODEC.encoder(context(request));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// The data of a stream's events; every name is the type, and the numbers have no gap.
fn data(stream: &[u8]) -> Vec<Value> {
    let mut frames = Frames::default();
    frames.push(stream).unwrap();
    let mut all = Vec::new();
    while let Some(frame) = frames.next_frame() {
        let event: Value = serde_json::from_slice(&frame.data()).unwrap();
        assert_eq!(event["type"], frame.name());
        assert_eq!(event["sequence_number"], all.len());
        all.push(event);
    }
    assert_eq!(frames.rest(), None);
    all
}

/// Reads a stream that arrives in pieces of `cut` bytes.
fn read(stream: &[u8], cut: usize) -> Result<Vec<ChatEvent>, Error> {
    let (mut frames, mut decoder, mut out) = (Frames::default(), CODEC.decoder(), Vec::new());
    for piece in stream.chunks(cut.max(1)) {
        frames.push(piece)?;
        while let Some(frame) = frames.next_frame() {
            decoder.frame(&frame, &mut out)?;
        }
    }
    if let Some(frame) = frames.rest() {
        decoder.frame(&frame, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

/// Server-sent events, one for each value.
fn frames_of(events: &[Value]) -> Vec<u8> {
    events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into_bytes()
}
