//! Amazon's event streams (`application/vnd.amazon.eventstream`): binary messages, found over any cut of
//! the bytes.
//!
//! A message is, in big endian: its length (`u32`), that of its headers (`u32`), the CRC-32 of these two,
//! the headers, the payload, and the CRC-32 of everything before. A header is the length of its name
//! (`u8`), the name, the type of its value (`u8`) and the value. Both sums are checked before anything is
//! believed: behind a length that lies no message can be found. The format is described with
//! [Amazon's SDKs](https://smithy.io/2.0/aws/amazon-eventstream.html).
//!
//! A message becomes a [`Frame`]: its name is the `:event-type`, the `:exception-type` or, of a failure
//! that the service has no type for, the `:error-code`; its data is the payload, or the `:error-message`.

use crate::sse::{FRAME_BYTES_MAX, Frame};
use bytes::{Bytes, BytesMut};
use gatehouse_core::error::{Code, Error};
use std::ops::Range;

/// Both lengths and their sum.
const PRELUDE_BYTES: usize = 12;
/// The sum behind a message.
const SUM_BYTES: usize = 4;
/// The largest headers that Amazon's own readers take.
const HEADERS_BYTES_MAX: usize = 128 * 1024;
/// The headers that name a message; a message has one of them.
const NAMES: &[&[u8]] = &[b":event-type", b":exception-type", b":error-code"];
/// The header with the words of a failure that has no payload.
const ERROR_MESSAGE: &[u8] = b":error-message";
/// The type of a header's value that is a text.
const TEXT: u8 = 7;

/// Cuts a byte stream into messages.
#[derive(Debug, Default)]
pub struct Messages {
    buffer: BytesMut,
}

/// What the prelude of a message says.
struct Prelude {
    total: usize,
    headers: usize,
}

/// What the headers of a message say, by their place in it.
#[derive(Default)]
struct Headers {
    name: Option<Range<usize>>,
    message: Option<Range<usize>>,
}

// === impl Messages ===

impl Messages {
    /// Takes in what has arrived.
    ///
    /// # Errors
    /// `upstream_bad_response` when a message exceeds [`FRAME_BYTES_MAX`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.buffer.len() + bytes.len() > FRAME_BYTES_MAX {
            return Err(bad("a message of the provider's stream is too large"));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete message.
    ///
    /// # Errors
    /// `upstream_bad_response` when it is damaged or too large.
    pub fn next_message(&mut self) -> Result<Option<Frame>, Error> {
        let Some(prelude) = Prelude::read(&self.buffer)? else { return Ok(None) };
        if self.buffer.len() < prelude.total {
            return Ok(None);
        }
        let raw = self.buffer.split_to(prelude.total).freeze();
        frame(raw, &prelude).map(Some)
    }

    /// The body is over.
    ///
    /// # Errors
    /// `upstream_bad_response` when that is in the middle of a message.
    pub fn rest(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(bad("the provider's stream ended inside of a message"))
        }
    }
}

// === impl Prelude ===

impl Prelude {
    /// Reads it as soon as it is there, so that nobody waits for a length that is none.
    fn read(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let (Some(lengths), Some(total), Some(headers), Some(sum)) =
            (bytes.get(..8), number(bytes, 0), number(bytes, 4), number(bytes, 8))
        else {
            return Ok(None);
        };
        if crc32fast::hash(lengths) != sum {
            return Err(bad("the head of a message of the provider's stream is damaged"));
        }
        let length = |number| usize::try_from(number).unwrap_or(usize::MAX);
        let (total, headers) = (length(total), length(headers));
        let fits = headers <= HEADERS_BYTES_MAX && total >= PRELUDE_BYTES + headers + SUM_BYTES;
        if !fits || total > FRAME_BYTES_MAX {
            return Err(bad("a message of the provider's stream has an impossible length"));
        }
        Ok(Some(Self { total, headers }))
    }
}

// === impl Headers ===

impl Headers {
    /// Reads the headers that stand at `range`; `None` when they are malformed.
    fn read(raw: &[u8], range: Range<usize>) -> Option<Self> {
        let mut headers = Self::default();
        let mut at = range.start;
        while at < range.end {
            let name = at + 1..at + 1 + usize::from(*raw.get(at)?);
            let kind = *raw.get(name.end)?;
            let value = value_at(raw, kind, name.end + 1)?;
            if value.end > range.end {
                return None;
            }
            let name = raw.get(name)?;
            if kind == TEXT && NAMES.contains(&name) {
                headers.name = Some(value.clone());
            } else if kind == TEXT && name == ERROR_MESSAGE {
                headers.message = Some(value.clone());
            }
            at = value.end;
        }
        Some(headers)
    }
}

/// Where the value of a header stands that begins at `at`; `None` for a type that does not exist.
fn value_at(raw: &[u8], kind: u8, at: usize) -> Option<Range<usize>> {
    let length = match kind {
        // Truth values have only their type.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // Long numbers and times.
        5 | 8 => 8,
        6 | TEXT => {
            let length = u16::from_be_bytes(raw.get(at..at + 2)?.try_into().ok()?);
            return Some(at + 2..at + 2 + usize::from(length));
        }
        // UUIDs.
        9 => 16,
        _ => return None,
    };
    Some(at..at + length)
}

/// A whole message as a frame.
fn frame(raw: Bytes, prelude: &Prelude) -> Result<Frame, Error> {
    let end = prelude.total - SUM_BYTES;
    if raw.get(..end).map(crc32fast::hash) != number(&raw, end) {
        return Err(bad("a message of the provider's stream is damaged"));
    }
    let payload = PRELUDE_BYTES + prelude.headers..end;
    let headers = Headers::read(&raw, PRELUDE_BYTES..payload.start)
        .ok_or_else(|| bad("the headers of a message of the provider's stream are malformed"))?;
    let data = if payload.is_empty() { headers.message.unwrap_or(payload) } else { payload };
    Ok(Frame { event: headers.name.unwrap_or(0..0), data, raw })
}

/// The number that stands at `at`.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn bad(message: &str) -> Error {
    Error::new(Code::UpstreamBadResponse, message)
}

#[cfg(test)]
mod tests {
    use super::{FRAME_BYTES_MAX, Messages};
    use crate::sse::Frame;
    use gatehouse_core::error::Error;
    use proptest::prelude::*;

    /// A message with these headers (name, type, value as it is written) and this payload.
    fn message(headers: &[(&str, u8, &[u8])], payload: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        for (name, kind, value) in headers {
            written.push(u8::try_from(name.len()).unwrap());
            written.extend_from_slice(name.as_bytes());
            written.push(*kind);
            written.extend_from_slice(value);
        }
        let mut out = Vec::new();
        for length in [written.len() + payload.len() + 16, written.len()] {
            out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        }
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out.extend_from_slice(&written);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
        out
    }

    fn text(value: &str) -> Vec<u8> {
        let mut out = u16::try_from(value.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(value.as_bytes());
        out
    }

    fn event(name: &str, payload: &str) -> Vec<u8> {
        let (name, kind) = (text(name), text("event"));
        message(&[(":event-type", 7, &name), (":message-type", 7, &kind)], payload.as_bytes())
    }

    fn read(bytes: &[u8], cut: usize) -> Result<Vec<Frame>, Error> {
        let (mut messages, mut all) = (Messages::default(), Vec::new());
        for piece in bytes.chunks(cut.max(1)) {
            messages.push(piece)?;
            while let Some(frame) = messages.next_message()? {
                all.push(frame);
            }
        }
        messages.rest().map(|()| all)
    }

    #[test]
    fn the_example_of_the_formats_description_is_read() {
        // No headers, no payload.
        let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(read(&empty, 3).unwrap()[0].raw.as_ref(), empty);
        assert!(read(&empty[..15], 4).is_err(), "a stream that is cut");
    }

    #[test]
    fn every_type_of_header_is_passed_over() {
        let (name, bytes) = (text("messageStop"), text("x"));
        let headers: &[(&str, u8, &[u8])] = &[
            ("t", 0, b""),
            ("f", 1, b""),
            ("b", 2, b"1"),
            ("s", 3, b"12"),
            ("i", 4, b"1234"),
            ("l", 5, b"12345678"),
            ("y", 6, &bytes),
            ("d", 8, b"12345678"),
            ("u", 9, b"1234567812345678"),
            (":event-type", 7, &name),
        ];
        let frames = read(&message(headers, b"{}"), 1).unwrap();
        assert_eq!((frames[0].name(), frames[0].data().as_ref()), ("messageStop", b"{}".as_slice()));
        assert!(read(&message(&[("x", 10, b"")], b""), 99).is_err(), "no such type");
        assert!(read(&message(&[("x", 7, &[0xff, 0xff])], b""), 99).is_err(), "a value beyond the headers");
    }

    #[test]
    fn failures_are_named_by_their_type_or_code() {
        let (kind, name, said) = (text("exception"), text("throttlingException"), text("Too fast."));
        let exception = message(&[(":message-type", 7, &kind), (":exception-type", 7, &name)], b"{}");
        let error = message(&[(":error-code", 7, &name), (":error-message", 7, &said)], b"");
        let frames = read(&[exception, error].concat(), 5).unwrap();
        assert_eq!((frames[0].name(), frames[0].data().as_ref()), ("throttlingException", b"{}".as_slice()));
        assert_eq!(
            (frames[1].name(), frames[1].data().as_ref()),
            ("throttlingException", b"Too fast.".as_slice())
        );
    }

    #[test]
    fn lengths_that_cannot_be_are_refused_at_once() {
        for (total, headers) in [(15u32, 0u32), (16, 1), (u32::MAX, 0), (1 << 20, 1 << 18)] {
            let mut head = [total.to_be_bytes(), headers.to_be_bytes()].concat();
            head.extend_from_slice(&crc32fast::hash(&head).to_be_bytes());
            assert!(read(&head, 12).unwrap_err().message.contains("length"), "{total} {headers}");
        }
        assert!(Messages::default().push(&vec![0; FRAME_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn no_flipped_bit_is_overlooked() {
        let good = [event("messageStart", r#"{"role":"assistant","p":"abc"}"#), event("x", "{}")].concat();
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(read(&bad, 7).is_err(), "bit {at}");
        }
    }

    proptest! {
        /// Wherever the network cuts, the frames are the same, and their bytes are all there were.
        #[test]
        fn cuts_do_not_matter(all in proptest::collection::vec(("[a-zA-Z]{0,20}", "\\PC{0,40}"), 0..6), cut in 1usize..50) {
            let bytes: Vec<u8> = all.iter().flat_map(|(name, payload)| event(name, payload)).collect();
            let frames = read(&bytes, cut).unwrap();
            prop_assert_eq!(&frames, &read(&bytes, bytes.len()).unwrap());
            let told: Vec<_> = frames.iter().map(|one| (one.name().to_owned(), one.data().to_vec())).collect();
            let said: Vec<_> = all.iter().map(|(name, payload)| (name.clone(), payload.clone().into_bytes())).collect();
            prop_assert_eq!(told, said);
            prop_assert_eq!(frames.iter().flat_map(|one| one.raw.to_vec()).collect::<Vec<_>>(), bytes);
        }

        /// Any bytes: never a panic.
        #[test]
        fn nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 1usize..50) {
            let _ = read(&bytes, cut);
        }
    }
}
