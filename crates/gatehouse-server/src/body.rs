//! Bodies, both ways: collecting what comes, within a limit, and what we answer with.

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What we answer with.
pub enum Reply {
    /// In one piece; `None` once it has gone.
    Whole(Option<Bytes>),
    /// As it comes. Dropping it, as happens when the client leaves, ends the call.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// Collects a body; `None` when it exceeds the limit. A body in one piece, as small ones are, is not
/// copied.
///
/// # Errors
/// When the body breaks off.
pub async fn collect<B>(mut body: B, bytes_max: u64) -> Result<Option<Bytes>, hyper::Error>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    let expected = usize::try_from(body.size_hint().lower().min(bytes_max)).unwrap_or_default();
    let mut first: Option<Bytes> = None;
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        let taken = first.as_ref().map_or(0, Bytes::len) + rest.len() + piece.len();
        if u64::try_from(taken).unwrap_or(u64::MAX) > bytes_max {
            return Ok(None);
        }
        if first.is_none() && rest.is_empty() {
            first = Some(piece);
            continue;
        }
        if let Some(earlier) = first.take() {
            rest.reserve(expected.max(taken));
            rest.extend_from_slice(&earlier);
        }
        rest.extend_from_slice(&piece);
    }
    Ok(Some(first.unwrap_or_else(|| rest.freeze())))
}

/// An answer in plain text.
#[must_use]
pub fn plain(status: StatusCode, text: &'static str) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(Bytes::from_static(text.as_bytes()))));
    *response.status_mut() = status;
    response
}

// === impl Reply ===

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => {
                stream.as_mut().poll_next(context).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(u64::try_from(bytes.as_ref().map_or(0, Bytes::len)).unwrap_or(u64::MAX))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
