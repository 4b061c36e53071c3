//! Amazon's event streams, written: the other half of [`crate::eventstream`], for callers that read them.
//!
//! The headers are those that Amazon's SDKs look for: `:message-type` says whether a message is an event or an
//! exception, and `:event-type` or `:exception-type` which.

use crate::sse::Frame;

/// The type of a header's value that is a text.
const TEXT: u8 = 7;
/// Both lengths, the sum of them, and the sum behind everything.
const FIXED_BYTES: usize = 16;
/// Both lengths and the sum of them.
const PRELUDE_BYTES: usize = 12;

/// A message that is an event with a JSON payload.
#[must_use]
pub fn event(name: &str, payload: &[u8]) -> Vec<u8> {
    message(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

/// A message that ends the stream with an exception and a JSON payload.
#[must_use]
pub fn exception(name: &str, payload: &[u8]) -> Vec<u8> {
    let kind = (":message-type", "exception");
    message(&[(":exception-type", name), (":content-type", "application/json"), kind], payload)
}

/// Whether a frame is one of these messages: it begins with its own length, which no text does.
#[must_use]
pub fn is_message(frame: &Frame) -> bool {
    let total = frame.raw.first_chunk().map(|length| u32::from_be_bytes(*length));
    total.and_then(|total| usize::try_from(total).ok()) == Some(frame.raw.len())
}

/// A message with its headers as they came and another payload: lengths and sums are of what it is now.
#[must_use]
pub fn with_payload(message: &Frame, payload: &[u8]) -> Vec<u8> {
    whole(message.raw.get(PRELUDE_BYTES..message.data.start).unwrap_or_default(), payload)
}

fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    for (name, value) in headers {
        // All of them are ours, and short.
        written.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        written.extend_from_slice(name.as_bytes());
        written.push(TEXT);
        written.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    whole(&written, payload)
}

fn whole(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = FIXED_BYTES + headers.len() + payload.len();
    let mut out = Vec::with_capacity(total);
    for length in [total, headers.len()] {
        // A frame is limited to far less than what fits here.
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::{event, exception, is_message, with_payload};
    use crate::eventstream::Messages;
    use proptest::prelude::*;

    proptest! {
        /// What is written is read again, message by message.
        #[test]
        fn the_reader_reads_it(all in proptest::collection::vec(("[a-zA-Z]{1,30}", "\\PC{1,60}", any::<bool>()), 0..6)) {
            let mut messages = Messages::default();
            for (name, payload, failed) in &all {
                let write = if *failed { exception } else { event };
                messages.push(&write(name, payload.as_bytes())).unwrap();
            }
            for (name, payload, _) in &all {
                let frame = messages.next_message().unwrap().unwrap();
                prop_assert_eq!(frame.name(), name);
                prop_assert_eq!(frame.data().to_vec(), payload.clone().into_bytes());
                // With its own payload it is what it was, with another one a message all the same.
                prop_assert!(is_message(&frame));
                prop_assert_eq!(&with_payload(&frame, payload.as_bytes())[..], &frame.raw[..]);
                let mut edited = Messages::default();
                edited.push(&with_payload(&frame, b"{}")).unwrap();
                let edited = edited.next_message().unwrap().unwrap();
                prop_assert_eq!((edited.name(), &edited.data()[..]), (name.as_str(), b"{}".as_slice()));
            }
            prop_assert!(messages.rest().is_ok());
        }
    }
}
