//! What the tests of this dialect share.

use super::Messages;
use crate::chat::ChatEvent;
use crate::codec::{Codec, ProviderCodec as _, ReplyContext};
use crate::json::{Doc, Strictness};
use crate::sse::{Frame, Frames};
use bytes::Bytes;
use gatehouse_core::error::Error;

/// The frames of a stream that arrives in pieces of `cut` bytes.
pub(super) fn frames(bytes: &[u8], cut: usize) -> Vec<Frame> {
    let mut source = Frames::default();
    let mut all = Vec::new();
    for piece in bytes.chunks(cut.max(1)) {
        source.push(piece).unwrap();
        all.extend(std::iter::from_fn(|| source.next_frame()));
    }
    all.extend(source.rest());
    all
}

/// The events of a stream that arrives in pieces of `cut` bytes.
pub(super) fn decode(bytes: &[u8], cut: usize) -> Result<Vec<ChatEvent>, Error> {
    let mut decoder = Messages.decoder();
    let mut events = Vec::new();
    for frame in frames(bytes, cut) {
        decoder.frame(&frame, &mut events)?;
    }
    decoder.finish(&mut events)?;
    Ok(events)
}

/// The stream that is written for these events.
pub(super) fn encode(events: &[ChatEvent], context: ReplyContext) -> Vec<u8> {
    let mut encoder = Messages.encoder(context);
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.event(event, &mut out));
    out
}

/// A body.
pub(super) fn doc(text: impl Into<Vec<u8>>) -> Doc {
    Doc::parse(Bytes::from(text.into()), Strictness::Caller).unwrap()
}
