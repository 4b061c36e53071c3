//! Amazon's event streams, and Converse's events in them.

use super::streams::{Read, decode_with, told};
use bytes::Bytes;
use gatehouse_core::error::Error;
use gatehouse_wire::bedrock::Converse;
use gatehouse_wire::codec::ProviderCodec as _;
use gatehouse_wire::eventstream::Messages;
use gatehouse_wire::sse::Frame;

/// What the length of a header's value can say.
const NAME_BYTES_MAX: usize = 65_535;

/// Frames up to the end or the damage, and which it was.
pub(super) type Cut = (Vec<Frame>, Result<(), Error>);

/// Any bytes: the same messages and the same end wherever the network cuts, each inside of its own bytes.
pub fn eventstream(bytes: &[u8], cut: usize) {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(frames(bytes, cut.max(1)), whole);
    let mut at = 0;
    for frame in &whole.0 {
        assert!(frame.data.end <= frame.raw.len() && frame.event.end <= frame.raw.len());
        assert_eq!(bytes.get(at..at + frame.raw.len()), Some(&frame.raw[..]), "not what came");
        at += frame.raw.len();
    }
    assert!(whole.1.is_err() || at == bytes.len(), "bytes that belong to no message");
}

/// Events become sound messages, of which then one byte is damaged, the rest is cut off, or
/// one length is made another: what stands before is read, and nothing else is.
pub fn damaged(lines: &[u8], number: usize) {
    let sound = framed(lines);
    let (all, end) = frames(&sound, 7);
    assert!(end.is_ok() && all.len() == messages(lines).count(), "sound messages that are not read: {end:?}");
    if sound.is_empty() {
        return;
    }
    let at = number % sound.len();
    let mut flipped = sound.clone();
    flipped[at] ^= 1 << (number % 8);
    let before = before(&all, at);
    let (read, end) = frames(&flipped, 61);
    assert!(read == all[..before] && end.is_err(), "damage at {at} was not seen");
    let (read, end) = frames(&sound[..at], 61);
    let starts = all[..before].iter().map(|frame| frame.raw.len()).sum::<usize>() == at;
    assert!(read == all[..before] && end.is_ok() == starts, "cut at {at}");
    // A length that lies, with a sum that does not: nobody may wait for it, or set room aside.
    let start: usize = all[..before].iter().map(|frame| frame.raw.len()).sum();
    for total in [0_u32, 15, u32::MAX, u32::MAX / 2] {
        let mut lying = sound.clone();
        lying[start..start + 4].copy_from_slice(&total.to_be_bytes());
        let sum = crc32(&lying[start..start + 8]);
        lying[start + 8..start + 12].copy_from_slice(&sum.to_be_bytes());
        let (read, end) = frames(&lying, 61);
        assert!(read == all[..before] && end.is_err(), "a length of {total} was believed");
    }
}

/// Converse's events: everything that holds for any stream.
pub fn bedrock(lines: &[u8], cut: usize) {
    let bytes = framed(lines);
    let read = |cut: usize| -> Read {
        let (frames, end) = frames(&bytes, cut.max(1));
        let (events, finished) = decode_with(Converse.decoder(), &frames);
        (events, finished.and(end))
    };
    told("bedrock", read(cut), &read(bytes.len()));
}

/// How many messages end at or before a byte.
fn before(all: &[Frame], at: usize) -> usize {
    let mut end = 0;
    all.iter()
        .take_while(|frame| {
            end += frame.raw.len();
            end <= at
        })
        .count()
}

pub(super) fn frames(bytes: &[u8], cut: usize) -> Cut {
    let (mut messages, mut all) = (Messages::default(), Vec::new());
    for piece in bytes.chunks(cut.max(1)) {
        if let Err(error) = messages.push(piece) {
            return (all, Err(error));
        }
        loop {
            match messages.next_message() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(error) => return (all, Err(error)),
            }
        }
    }
    (all, messages.rest())
}

/// The names and payloads of events that are written as server-sent ones are: the form of all other seeds.
fn messages(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut name = b"".as_slice();
    lines.split(|byte| *byte == b'\n').filter_map(move |line| {
        name = line.strip_prefix(b"event: ").unwrap_or(name);
        Some((name.get(..NAME_BYTES_MAX).unwrap_or(name), line.strip_prefix(b"data: ")?))
    })
}

/// Writes each event as a message.
fn framed(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, payload) in messages(lines) {
        let exception = name.ends_with(b"Exception");
        let key: &[u8] = if exception { b":exception-type" } else { b":event-type" };
        let mut headers = vec![u8::try_from(key.len()).unwrap_or_default()];
        headers.extend_from_slice(key);
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(name.len()).unwrap_or_default().to_be_bytes());
        headers.extend_from_slice(name);
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or_default().to_be_bytes();
        let start = out.len();
        out.extend_from_slice(&length(headers.len() + payload.len() + 16));
        out.extend_from_slice(&length(headers.len()));
        out.extend_from_slice(&crc32(&out[start..]).to_be_bytes());
        out.extend_from_slice(&headers);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32(&out[start..]).to_be_bytes());
    }
    out
}

/// CRC-32 bit by bit, knowing nothing of our code.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Bytes for the decoder of answers in one piece.
pub fn bedrock_answer(bytes: &[u8]) {
    let parsed = gatehouse_wire::json::Doc::parse(
        Bytes::copy_from_slice(bytes),
        gatehouse_wire::json::Strictness::Provider,
    );
    if let Ok(doc) = parsed {
        super::answers::of_provider("bedrock", &Converse, &doc);
    }
}
