//! Where the body of an answer ends (RFC 9112 sections 6 and 7).

use bytes::{Buf as _, Bytes, BytesMut};
use gatehouse_core::error::Error;
use std::fmt;
use std::io;

/// The longest line with the size of a chunk, its extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 4 * 1024;
/// The most that may follow the last chunk.
const TRAILER_BYTES_MAX: usize = 64 * 1024;

/// How a body is delimited, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes follow, at least one.
    Length(u64),
    /// Chunks follow.
    Chunked(Chunk),
    /// All that comes until the connection is closed.
    Close,
    /// Nothing follows.
    Ended,
}

/// What is next in a body of chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The line with the size.
    Size,
    /// So much of its data, at least one byte.
    Data(u64),
    /// The line's end behind its data.
    End,
    /// Lines behind the last chunk, of which there were so many bytes.
    Trailers(usize),
}

/// Why there is no (whole) answer.
#[derive(Debug)]
pub enum Broken {
    /// The connection was closed too early.
    Cut,
    /// What came is not HTTP/1.1, or more than we take.
    Malformed(&'static str),
    /// The connection failed.
    Io(io::Error),
    /// The body that was being sent came to no end.
    Source(Box<Error>),
}

// === impl Framing ===

impl Framing {
    /// So many bytes.
    pub(super) fn length(length: u64) -> Self {
        if length == 0 { Self::Ended } else { Self::Length(length) }
    }

    /// Chunks, of which none has come.
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Takes the next part of the body from what has come. `None`: nothing is left of it, or all of it.
    ///
    /// # Errors
    /// [`Broken::Malformed`] where it is not chunked as it should be.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Broken> {
        loop {
            match self {
                Self::Ended => return Ok(None),
                Self::Close => return Ok(some(buffer, u64::MAX)),
                Self::Length(left) => {
                    let taken = some(buffer, *left);
                    *self = Self::length(*left - length(taken.as_ref()));
                    return Ok(taken);
                }
                Self::Chunked(Chunk::Data(left)) => {
                    let taken = some(buffer, *left);
                    *left -= length(taken.as_ref());
                    if *left == 0 {
                        *self = Self::Chunked(Chunk::End);
                    }
                    return Ok(taken);
                }
                Self::Chunked(between) => match between.next(buffer)? {
                    Some(next) => *self = next,
                    None => return Ok(None),
                },
            }
        }
    }

    /// The connection was closed: a good end, or not.
    ///
    /// # Errors
    /// [`Broken::Cut`] where more should have come.
    pub(super) fn closed(self) -> Result<(), Broken> {
        match self {
            Self::Close | Self::Ended => Ok(()),
            Self::Length(_) | Self::Chunked(_) => Err(Broken::Cut),
        }
    }
}

/// At most so much of what is there.
fn some(buffer: &mut BytesMut, most: u64) -> Option<Bytes> {
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
    (length > 0).then(|| buffer.split_to(length).freeze())
}

fn length(taken: Option<&Bytes>) -> u64 {
    taken.map_or(0, |taken| u64::try_from(taken.len()).unwrap_or(u64::MAX))
}

// === impl Chunk ===

impl Chunk {
    /// What follows this, which is no data. `None`: it is not all there.
    fn next(self, buffer: &mut BytesMut) -> Result<Option<Framing>, Broken> {
        match self {
            // An empty line is no size, whatever the parser says.
            Self::Size if buffer.first().is_some_and(|first| !first.is_ascii_hexdigit()) => {
                Err(Broken::Malformed("a chunk without a size"))
            }
            Self::Size => match httparse::parse_chunk_size(buffer) {
                Ok(httparse::Status::Complete((line, size))) => {
                    buffer.advance(line);
                    let next = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                    Ok(Some(Framing::Chunked(next)))
                }
                Ok(httparse::Status::Partial) if buffer.len() <= CHUNK_LINE_BYTES_MAX => Ok(None),
                Ok(httparse::Status::Partial) | Err(_) => Err(Broken::Malformed("a chunk without a size")),
            },
            Self::End | Self::Data(_) => match buffer.get(..2) {
                Some(b"\r\n") => {
                    buffer.advance(2);
                    Ok(Some(Framing::chunked()))
                }
                Some(_) => Err(Broken::Malformed("a chunk longer than its size")),
                None => Ok(None),
            },
            Self::Trailers(before) => {
                let line = memchr::memchr(b'\n', buffer).map(|at| at + 1);
                let sum = before + line.unwrap_or(buffer.len());
                if sum > TRAILER_BYTES_MAX {
                    return Err(Broken::Malformed("trailers too long"));
                }
                let Some(line) = line else { return Ok(None) };
                let last = matches!(buffer.get(..line), Some(b"\r\n" | b"\n"));
                buffer.advance(line);
                Ok(Some(if last { Framing::Ended } else { Framing::Chunked(Self::Trailers(sum)) }))
            }
        }
    }
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the connection was closed before the end of the answer"),
            Self::Malformed(what) => write!(f, "the answer has {what}"),
            Self::Io(error) => write!(f, "the connection failed: {error}"),
            Self::Source(error) => write!(f, "the body came to no end: {error}"),
        }
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::{CHUNK_LINE_BYTES_MAX, Framing, TRAILER_BYTES_MAX};
    use bytes::BytesMut;

    /// What comes of a body that arrives in pieces of `piece` bytes: its text, what is left over, its end.
    fn read(mut framing: Framing, text: &[u8], piece: usize) -> Result<(String, usize, Framing), String> {
        let mut buffer = BytesMut::new();
        let mut body = Vec::new();
        for piece in text.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(bytes) = framing.take(&mut buffer).map_err(|error| error.to_string())? {
                body.extend_from_slice(&bytes);
            }
        }
        Ok((String::from_utf8(body).unwrap(), buffer.len(), framing))
    }

    #[test]
    fn bodies_come_whole_wherever_they_are_cut() {
        let chunked = b"5\r\nhello\r\n1;name=\"x\"\r\n \r\n0005\r\nworld\r\n0\r\nx-sum: 1\r\n\r\nnext";
        for piece in 1..chunked.len() {
            let hello = |rest, end| Ok(("hello world".to_owned(), rest, end));
            assert_eq!(read(Framing::chunked(), chunked, piece), hello(4, Framing::Ended), "{piece}");
            assert_eq!(read(Framing::length(11), b"hello worldnext", piece), hello(4, Framing::Ended));
            assert_eq!(read(Framing::Close, b"hello world", piece), hello(0, Framing::Close));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_end() {
        for text in ["", "5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\nx: y\r\n"]
        {
            let (_, _, end) = read(Framing::chunked(), text.as_bytes(), 64).unwrap();
            assert!(end.closed().is_err(), "{text}");
        }
        assert!(read(Framing::length(5), b"hell", 64).unwrap().2.closed().is_err());
        assert!(read(Framing::Close, b"hell", 64).unwrap().2.closed().is_ok());
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        let endless = [
            format!("5;{}", "x".repeat(CHUNK_LINE_BYTES_MAX)),
            format!("0\r\nx: {}", "y".repeat(TRAILER_BYTES_MAX)),
            format!("0\r\n{}", "x: y\r\n".repeat(TRAILER_BYTES_MAX / 6 + 1)),
        ];
        let wrong = ["-5\r\n", "\r\n", "x\r\n", "5\r\nhelloworld\r\n", "fffffffffffffffff\r\n", "5\n5\r\n"];
        for text in wrong.into_iter().chain(endless.iter().map(String::as_str)) {
            assert!(read(Framing::chunked(), text.as_bytes(), 64).is_err(), "{text}");
        }
    }
}
