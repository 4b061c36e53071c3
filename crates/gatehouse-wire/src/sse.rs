//! Server-sent events: frames found in place, over any cut of the bytes.
//!
//! Read as the [HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html) says: lines
//! end with LF, CR or CRLF, a leading byte-order mark is skipped, `data:` lines of one event are joined.

use bytes::{Buf, Bytes, BytesMut};
use gatehouse_core::error::{Code, Error};
use std::ops::Range;

/// The largest event that is read: images in Responses streams are some megabytes of base64.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event: its bytes as they came, and where its name and data are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Everything from the first byte of the event to its blank line, ready to be forwarded.
    pub raw: Bytes,
    /// The `event:` name; empty when there is none.
    pub event: Range<usize>,
    /// The data, one contiguous range in `raw`; empty for comments and for events without data.
    pub data: Range<usize>,
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    /// How far `buffer` has been searched for the end of a frame.
    searched: usize,
    started: bool,
}

// === impl Frame ===

impl Frame {
    /// A frame that is only data, such as an element of Gemini's JSON array.
    #[must_use]
    pub fn of_data(raw: Bytes) -> Self {
        Self { event: 0..0, data: 0..raw.len(), raw }
    }

    /// The data.
    #[must_use]
    pub fn data(&self) -> Bytes {
        self.raw.slice(self.data.clone())
    }

    /// The name of the event.
    #[must_use]
    pub fn name(&self) -> &str {
        self.raw.get(self.event.clone()).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    fn parse(raw: Bytes) -> Self {
        let mut event = 0..0;
        let mut data: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            let line = line_at(&raw, at);
            if let Some(value) = field(&raw, line.content.clone(), b"data") {
                data.push(value);
            } else if let Some(value) = field(&raw, line.content.clone(), b"event") {
                event = value;
            }
            at = line.next;
        }
        match data.as_slice() {
            [] => Self { raw, event, data: 0..0 },
            [one] => Self { event, data: one.clone(), raw },
            many => Self::joined(&raw, &event, many),
        }
    }

    /// Several `data:` lines as one, so that edits in place are possible. JSON does not mind that the line
    /// feeds between them become spaces.
    fn joined(raw: &Bytes, event: &Range<usize>, lines: &[Range<usize>]) -> Self {
        let mut out = BytesMut::with_capacity(raw.len());
        let mut name = 0..0;
        if !event.is_empty() {
            out.extend_from_slice(b"event: ");
            name = out.len()..out.len() + event.len();
            out.extend_from_slice(raw.get(event.clone()).unwrap_or_default());
            out.extend_from_slice(b"\n");
        }
        out.extend_from_slice(b"data: ");
        let start = out.len();
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(b" ");
            }
            out.extend_from_slice(raw.get(line.clone()).unwrap_or_default());
        }
        let end = out.len();
        out.extend_from_slice(b"\n\n");
        Self { raw: out.freeze(), event: name, data: start..end }
    }
}

struct Line {
    content: Range<usize>,
    next: usize,
}

/// The line that begins at `at`.
fn line_at(raw: &[u8], at: usize) -> Line {
    let rest = raw.get(at..).unwrap_or_default();
    match memchr::memchr2(b'\n', b'\r', rest) {
        None => Line { content: at..raw.len(), next: raw.len() },
        Some(end) => {
            let crlf = rest.get(end) == Some(&b'\r') && rest.get(end + 1) == Some(&b'\n');
            Line { content: at..at + end, next: at + end + 1 + usize::from(crlf) }
        }
    }
}

/// The value of a field line, without the one space that may lead it.
fn field(raw: &[u8], line: Range<usize>, name: &[u8]) -> Option<Range<usize>> {
    let text = raw.get(line.clone())?;
    let rest = text.strip_prefix(name)?;
    if rest.is_empty() {
        return Some(line.end..line.end);
    }
    let value = rest.strip_prefix(b":")?;
    let start = line.end - value.len() + usize::from(value.first() == Some(&b' '));
    Some(start..line.end)
}

// === impl Frames ===

impl Frames {
    /// Takes in what has arrived.
    ///
    /// # Errors
    /// `upstream_bad_response` when an event exceeds [`FRAME_BYTES_MAX`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.buffer.len() + bytes.len() > FRAME_BYTES_MAX {
            return Err(Error::new(Code::UpstreamBadResponse, "an event of the stream is too large"));
        }
        self.buffer.extend_from_slice(bytes);
        if !self.started && self.buffer.len() >= 3 {
            self.started = true;
            if self.buffer.starts_with(b"\xEF\xBB\xBF") {
                self.buffer.advance(3);
            }
        }
        Ok(())
    }

    /// The next complete frame.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let end = self.frame_end()?;
        self.searched = 0;
        Some(Frame::parse(self.buffer.split_to(end).freeze()))
    }

    /// What is left when the body ends: an event whose blank line never came still counts.
    pub fn rest(&mut self) -> Option<Frame> {
        let rest = self.buffer.split().freeze();
        self.searched = 0;
        if rest.iter().all(|byte| matches!(byte, b'\n' | b'\r' | b' ')) {
            return None;
        }
        let mut whole = BytesMut::from(rest.as_ref());
        whole.extend_from_slice(b"\n\n");
        Some(Frame::parse(whole.freeze()))
    }

    /// The index behind the blank line that ends the first frame. Leading blank lines belong to it.
    fn frame_end(&mut self) -> Option<usize> {
        let buffer: &[u8] = &self.buffer;
        let mut at = self.searched;
        loop {
            let rest = buffer.get(at..)?;
            let end = at + memchr::memchr2(b'\n', b'\r', rest)?;
            // A CR at the very end may be half of a CRLF: wait for the next byte.
            if buffer.get(end) == Some(&b'\r') && buffer.get(end + 1).is_none() {
                return None;
            }
            let line = line_at(buffer, at);
            if line.content.is_empty() && at > 0 && !only_blank(buffer, at) {
                return Some(line.next);
            }
            at = line.next;
            self.searched = at;
        }
    }
}

fn only_blank(buffer: &[u8], end: usize) -> bool {
    buffer.iter().take(end).all(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Puts JSON that was written from `start` on into one line, as a line ends an event's data: what came
/// from elsewhere may be laid out. Inside of strings there are no line ends.
pub(crate) fn on_one_line(out: &mut [u8], start: usize) {
    let written = out.get_mut(start..).unwrap_or_default();
    written.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
}

#[cfg(test)]
mod tests {
    use super::{Frame, Frames};
    use proptest::prelude::*;

    fn read(bytes: &[u8], cut: usize) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        let mut out = Vec::new();
        let mut take = |frame: Frame| {
            out.push((frame.name().to_owned(), String::from_utf8_lossy(&frame.data()).into_owned()));
        };
        for piece in bytes.chunks(cut) {
            frames.push(piece).unwrap();
            while let Some(frame) = frames.next_frame() {
                take(frame);
            }
        }
        frames.rest().into_iter().for_each(take);
        out
    }

    #[test]
    fn reads_every_line_end_comments_names_and_joined_data() {
        let text = b"\xEF\xBB\xBF: hi\n\nevent: a\ndata: 1\n\n\r\n\r\ndata:2\r\n\r\ndata: 3\rdata: 4\r\rdata\n\nid: 7\ndata: last";
        let expected: Vec<(String, String)> =
            [("", ""), ("a", "1"), ("", "2"), ("", "3 4"), ("", ""), ("", "last")]
                .map(|(name, data)| (name.to_owned(), data.to_owned()))
                .into();
        for cut in 1..text.len() {
            assert_eq!(read(text, cut), expected, "cut at {cut}");
        }
    }

    proptest! {
        /// Wherever the network cuts, the frames are the same.
        #[test]
        fn cuts_do_not_matter(text in "(data: [a-zé]{0,9}|event: x|: c|\r\n|\n|\r){0,30}", cut in 1usize..9) {
            let whole = read(text.as_bytes(), text.len().max(1));
            prop_assert_eq!(read(text.as_bytes(), cut), whole);
        }

        /// Forwarding the raw bytes of all frames forwards everything (joined data apart).
        #[test]
        fn raw_bytes_are_kept(lines in proptest::collection::vec("(: c|data: [a-z]{0,5})", 1..9)) {
            let text: String = lines.iter().map(|line| format!("{line}\n\n")).collect();
            let mut frames = Frames::default();
            frames.push(text.as_bytes()).unwrap();
            let mut back = Vec::new();
            while let Some(frame) = frames.next_frame() {
                back.extend_from_slice(&frame.raw);
            }
            prop_assert_eq!(back, text.into_bytes());
        }
    }
}
