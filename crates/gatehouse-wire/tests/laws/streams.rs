//! Streams: the same events at any cut, in an order that can be relied on, written in every dialect.

use super::answers::context;
use super::eventstream::frames as messages;
use super::{ALL, Subject, parse};
use gatehouse_core::error::Error;
use gatehouse_wire::chat::{ChatEvent, Finish, fold};
use gatehouse_wire::codec::StreamDecoder;
use gatehouse_wire::json::{Strictness, unescape};
use gatehouse_wire::sse::{Frame, Frames};
use gatehouse_wire::watch::Watched;
use std::collections::HashMap;

/// What a stream meant, and whether it was whole.
pub(super) type Read = (Vec<ChatEvent>, Result<(), Error>);

/// Everything that is done with a provider's stream. `cut` is the size of the pieces it comes in.
pub fn stream(subject: Subject, bytes: &[u8], cut: usize) {
    if is_binary(subject) {
        return super::bedrock(bytes, cut);
    }
    told(subject.name, decode(subject, bytes, cut.max(1)), &decode(subject, bytes, bytes.len().max(1)));
}

/// What was read of a stream that was cut, and of the same in one piece.
pub(super) fn told(name: &str, (mut read, whole): Read, uncut: &Read) {
    assert!((&read, &whole) == (&uncut.0, &uncut.1), "{name}: other events when cut");
    in_order(name, &read);
    if let Err(error) = whole {
        // As the server does: what broke is told to the caller.
        read.push(ChatEvent::Error(error));
    } else {
        let last = read.last();
        assert!(matches!(last, Some(ChatEvent::End | ChatEvent::Error(_))), "{name}: no end");
    }
    let meant = fold(&read);
    // A model that failed by its own word may be an error in one dialect and an answer in another.
    let either = meant.as_ref().is_ok_and(|answer| answer.finish == Finish::Failed);
    for other in ALL {
        let mut encoder = other.codec.encoder(context());
        let mut written = Vec::new();
        read.iter().for_each(|event| encoder.event(event, &mut written));
        if is_binary(*other) {
            let (all, end) = messages(&written, 61);
            assert!(end.is_ok(), "{} wrote for {name}: {end:?}", other.name);
            all.iter().for_each(|frame| drop(parse(&frame.data(), Strictness::Provider)));
        } else {
            every_event_is_json(&written);
        }
        let (back, whole) = decode(*other, &written, 64);
        in_order(other.name, &back);
        let read_failed = whole.is_err() || fold(&back).is_err();
        assert!(read_failed == meant.is_err() || either, "{} wrote for {name}: {whole:?}", other.name);
    }
}

/// Frames are the same wherever the network cuts.
pub fn sse(bytes: &[u8], cut: usize) {
    assert_eq!(frames(bytes, cut.max(1)), frames(bytes, bytes.len().max(1)));
}

fn frames(bytes: &[u8], cut: usize) -> Vec<Frame> {
    let (mut frames, mut all) = (Frames::default(), Vec::new());
    for piece in bytes.chunks(cut) {
        if frames.push(piece).is_err() {
            break;
        }
        while let Some(frame) = frames.next_frame() {
            assert!(frame.data.end <= frame.raw.len() && frame.event.end <= frame.raw.len());
            all.push(frame);
        }
    }
    all.extend(frames.rest());
    all
}

/// Whether the dialect's streams are Amazon's messages.
fn is_binary(subject: Subject) -> bool {
    subject.name == "bedrock"
}

fn decode(subject: Subject, bytes: &[u8], cut: usize) -> Read {
    let (frames, end) = if is_binary(subject) { messages(bytes, cut) } else { (frames(bytes, cut), Ok(())) };
    assert!(end.is_ok(), "{}: {end:?}", subject.name);
    let plain = decode_with(subject.codec.decoder(), &frames);
    // Who watches tells more of the frames, and nothing else of the answer.
    let mut watched = decode_with(Box::new(Watched::new(subject.codec.decoder())), &frames);
    watched.0.retain(|event| !event.is_of_frame());
    let meant = plain.0.iter().filter(|event| !event.is_of_frame());
    assert!(meant.eq(&watched.0) && plain.1 == watched.1, "{}: other events when watched", subject.name);
    plain
}

/// The meaning of frames.
pub(super) fn decode_with(mut decoder: Box<dyn StreamDecoder>, frames: &[Frame]) -> Read {
    let mut events = Vec::new();
    for frame in frames {
        if let Err(error) = one(decoder.as_mut(), frame, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish(&mut events);
    (events, end)
}

/// One frame; where a delta says that it stands, it stands.
fn one(decoder: &mut dyn StreamDecoder, frame: &Frame, events: &mut Vec<ChatEvent>) -> Result<(), Error> {
    let before = events.len();
    let done = decoder.frame(frame, events);
    let data = frame.data();
    for event in events.iter().skip(before) {
        let (ChatEvent::Delta { text, at: Some(at), .. }
        | ChatEvent::Repeat { text, at, .. }
        | ChatEvent::Aside { text, at, .. }) = event
        else {
            continue;
        };
        let stands = data.get(at.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok());
        assert_eq!(
            stands.map(unescape).as_deref(),
            Some(text.as_str()),
            "a text is not where it is said to be"
        );
    }
    done
}

/// `Start`, blocks with indices that count from 0, each opened once and fed while open, one end, nothing
/// behind it.
fn in_order(name: &str, events: &[ChatEvent]) {
    let mut open: HashMap<u32, bool> = HashMap::new();
    let mut over = false;
    // Those about frames are not part of the answer, and stand outside of the order.
    let told = events.iter().filter(|event| !event.is_of_frame());
    for (at, event) in told.enumerate() {
        assert!(!over, "{name}: {event:?} behind the end");
        match event {
            ChatEvent::Start { .. } => assert_eq!(at, 0, "{name}: a late start"),
            ChatEvent::Open { index, .. } => {
                assert_eq!(usize::try_from(*index).ok(), Some(open.len()), "{name}: a gap in the blocks");
                open.insert(*index, true);
            }
            ChatEvent::Delta { index, .. } | ChatEvent::Seal { index, .. } => {
                assert_eq!(open.get(index), Some(&true), "{name}: {event:?} of no open block");
            }
            ChatEvent::Close { index } => {
                assert_eq!(open.insert(*index, false), Some(true), "{name}: closed, but not open");
            }
            ChatEvent::End => {
                assert!(open.values().all(|open| !open), "{name}: an end with open blocks");
                over = true;
            }
            ChatEvent::Error(_) => over = true,
            _ => {}
        }
    }
}

fn every_event_is_json(written: &[u8]) {
    for frame in frames(written, written.len().max(1)) {
        let data = frame.data();
        if !data.is_empty() && data != "[DONE]" {
            parse(&data, Strictness::Provider);
        }
    }
}
