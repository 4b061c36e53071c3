//! Messages of an event stream, written: lengths, headers, payload, and both sums.

use bytes::Bytes;
use serde_json::Value;

/// Bytes beside headers and payload: the prelude of 12, and the sum of 4 at the end.
const FIXED_BYTES: usize = 16;

/// An event.
pub(super) fn event(name: &str, payload: &Value) -> Bytes {
    message(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload,
    )
}

/// A failure in the middle of a stream.
pub(super) fn exception(name: &str, payload: &Value) -> Bytes {
    let kind = ("application/json", "exception");
    message(&[(":exception-type", name), (":content-type", kind.0), (":message-type", kind.1)], payload)
}

/// Flips a bit of the sum at the end.
pub(super) fn damage(message: &mut Bytes) {
    let mut bytes = message.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    *message = Bytes::from(bytes);
}

fn message(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    let mut written = Vec::new();
    for (name, value) in headers {
        written.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        written.extend_from_slice(name.as_bytes());
        // Seven is a text.
        written.push(7);
        written.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        written.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let mut out = Vec::new();
    for length in [written.len() + payload.len() + FIXED_BYTES, written.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&written);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    Bytes::from(out)
}
