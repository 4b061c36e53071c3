//! The laws of the dialect, over requests, answers and streams of every shape, and the family's oddities.

mod answers;
mod family;
mod requests;
mod shapes;

use super::OpenAiChat;
use crate::chat::{ChatEvent, ChatResponse};
use crate::codec::{Codec, ProviderCodec as _, Quirks, ReplyContext, Target};
use crate::json::{Doc, Strictness};
use crate::sse::Frames;
use bytes::Bytes;
use gatehouse_core::deployment::Capabilities;
use gatehouse_core::error::Error;

fn doc(text: &str) -> Doc {
    Doc::parse(Bytes::copy_from_slice(text.as_bytes()), Strictness::Caller).unwrap()
}

fn target(quirks: &Quirks) -> Target<'_> {
    Target { model: "m", capabilities: Capabilities::default(), quirks }
}

/// Reads a stream that arrives in pieces of `cut` bytes.
fn read_stream(stream: &[u8], cut: usize) -> Result<Vec<ChatEvent>, Error> {
    let (mut frames, mut decoder, mut events) = (Frames::default(), OpenAiChat.decoder(), Vec::new());
    for piece in stream.chunks(cut.max(1)) {
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

fn write_stream(events: &[ChatEvent], context: ReplyContext) -> Vec<u8> {
    let mut encoder = OpenAiChat.encoder(context);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

fn read_answer(bytes: Vec<u8>) -> ChatResponse {
    let doc = Doc::parse(Bytes::from(bytes), Strictness::Provider).unwrap();
    OpenAiChat.decode_answer(&doc).unwrap()
}
