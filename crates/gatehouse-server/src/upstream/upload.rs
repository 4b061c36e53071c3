//! A body that is sent as it comes, pulled by the connection that sends it: whoever sends slowly is waited for, and a
//! provider that reads slowly stops him.

use bytes::Bytes;
use futures_core::Stream;
use gatehouse_core::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The pieces of a body, or why there is no more of it.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// A body that is sent as it comes.
pub struct Upload {
    /// How long it is; sent in chunks where nobody knows.
    pub length: Option<u64>,
    /// What it is.
    pub pieces: Pieces,
}

/// What of it is still to be taken.
pub(super) struct Rest {
    pieces: Pieces,
    is_chunked: bool,
    has_begun: bool,
    /// Its source has come to an end, and is not asked again.
    is_over: bool,
    /// Why its source gave no more.
    pub(super) failed: Option<Error>,
}

// === impl Rest ===

impl Rest {
    pub(super) fn new(upload: Upload) -> Self {
        Self {
            is_chunked: upload.length.is_none(),
            pieces: upload.pieces,
            has_begun: false,
            is_over: false,
            failed: None,
        }
    }

    /// The next piece and what stands before it; nothing when it was the last.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<(Bytes, Bytes)>>> {
        loop {
            if self.is_over {
                return Poll::Ready(Ok(None));
            }
            let piece = match ready!(self.pieces.as_mut().poll_next(context)) {
                // An empty chunk would be the last one.
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) => Some(piece),
                Some(Err(error)) => {
                    (self.failed, self.is_over) = (Some(error), true);
                    return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
                }
                None => {
                    self.is_over = true;
                    None
                }
            };
            return Poll::Ready(Ok(self.framed(piece)));
        }
    }

    /// As RFC 9112 section 7.1 has it.
    fn framed(&mut self, piece: Option<Bytes>) -> Option<(Bytes, Bytes)> {
        let between = if std::mem::replace(&mut self.has_begun, true) { "\r\n" } else { "" };
        match piece {
            Some(piece) if !self.is_chunked => Some((Bytes::new(), piece)),
            Some(piece) => Some((Bytes::from(format!("{between}{:x}\r\n", piece.len())), piece)),
            None if !self.is_chunked => None,
            None => Some((Bytes::from(format!("{between}0\r\n\r\n")), Bytes::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rest, Upload};
    use bytes::Bytes;
    use futures_util::stream;
    use std::task::{Context, Poll, Waker};

    fn sent(length: Option<u64>, pieces: &[&'static str]) -> String {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        let mut rest = Rest::new(Upload { length, pieces: Box::pin(stream::iter(pieces)) });
        let mut context = Context::from_waker(Waker::noop());
        let mut all = Vec::new();
        while let Poll::Ready(Ok(Some((before, piece)))) = rest.poll_next(&mut context) {
            all.extend_from_slice(&before);
            all.extend_from_slice(&piece);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_body_of_unknown_length_is_sent_in_chunks() {
        assert_eq!(
            sent(None, &["hello", "", "0123456789abcdef"]),
            "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
        );
        assert_eq!(sent(None, &[]), "0\r\n\r\n");
        assert_eq!(sent(Some(3), &["a", "bc"]), "abc");
    }
}
