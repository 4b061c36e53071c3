//! The dialect as a whole: what callers may write, what targets get, and the laws of translation.

mod answers;
mod laws;
mod requests;

use super::Gemini;
use crate::chat::{ChatEvent, ChatRequest, Origin, Seal};
use crate::codec::{Codec, Encoded, ProviderCodec as _, Quirks, ReplyContext, Target};
use crate::json::{Doc, Strictness};
use crate::sse::Frames;
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;

fn caller(text: &str) -> Doc {
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
}

fn provider(bytes: &[u8]) -> Doc {
    Doc::parse(Bytes::copy_from_slice(bytes), Strictness::Provider).unwrap()
}

fn target(model: &str) -> Target<'_> {
    Target { model, capabilities: Capabilities::default(), quirks: &Quirks::NONE }
}

fn decode(text: &str) -> Result<ChatRequest, Error> {
    Gemini.decode_request(&caller(text))
}

fn encode(request: &ChatRequest, model: &str) -> Result<Encoded, Error> {
    Gemini.encode_request(request, &target(model))
}

fn body(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body).unwrap()
}

fn seal(origin: Origin, value: &str) -> Seal {
    Seal { origin, value: value.to_owned() }
}

fn context() -> ReplyContext {
    ReplyContext { model: "m".to_owned(), id: "00ff".to_owned(), ..ReplyContext::default() }
}

fn write_stream(events: &[ChatEvent], context: ReplyContext) -> Vec<u8> {
    let (mut encoder, mut out) = (Gemini.encoder(context), Vec::new());
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

fn read_stream(bytes: &[u8], cut: usize) -> Result<Vec<ChatEvent>, Error> {
    let (mut frames, mut events, mut decoder) = (Frames::default(), Vec::new(), Gemini.decoder());
    for piece in bytes.chunks(cut.max(1)) {
        frames.push(piece)?;
        while let Some(frame) = frames.next_frame() {
            decoder.frame(&frame, &mut events)?;
        }
    }
    if let Some(frame) = frames.rest() {
        decoder.frame(&frame, &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}
