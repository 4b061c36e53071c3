//! Bodies, both ways: collecting what comes, within a limit, and what we answer with.

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A stream that is read ends by itself at its deadline, with an error in the caller's dialect; one that is
/// not read is cut so much later.
const GRACE: Duration = Duration::from_secs(1);

/// What we answer with.
pub enum Reply {
    /// In one piece; `None` once it has gone.
    Whole(Option<Bytes>),
    /// As it comes. Dropping it, as happens when the client leaves, ends the call.
    Stream(Live),
}

/// A stream under way, which ends at its deadline even while nobody asks it for more: a client that does not
/// read must not keep its call, its reservation and its provider for ever.
pub struct Live {
    stream: Arc<Mutex<Option<Frames>>>,
    watch: JoinHandle<()>,
}

type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>;

/// The answer was cut: its connection must not look as if it had come to a good end.
#[derive(Debug)]
pub struct Cut;

/// Collects a body; `None` when it exceeds the limit. A body in one piece, as small ones are, is not
/// copied.
///
/// # Errors
/// When the body breaks off.
pub async fn collect<B>(mut body: B, bytes_max: u64) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
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

// === impl Live ===

impl Live {
    /// A stream that may live until then.
    #[must_use]
    pub fn until(deadline: Instant, stream: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static) -> Self {
        let frames: Frames = Box::pin(stream);
        let stream = Arc::new(Mutex::new(Some(frames)));
        let watched = Arc::downgrade(&stream);
        let watch = tokio::spawn(async move {
            tokio::time::sleep_until((deadline + GRACE).into()).await;
            let cut = watched.upgrade().and_then(|stream| lock(&stream).take());
            drop(cut);
        });
        Self { stream, watch }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match lock(&self.stream).as_mut() {
            Some(frames) => {
                frames.as_mut().poll_next(context).map(|next| next.map(|piece| piece.map(Frame::data)))
            }
            None => Poll::Ready(Some(Err(Cut))),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Nobody else holds it but the watch, for an instant.
fn lock(stream: &Mutex<Option<Frames>>) -> MutexGuard<'_, Option<Frames>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer was cut")
    }
}

impl std::error::Error for Cut {}

// === impl Reply ===

impl Body for Reply {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(live) => live.poll_next(context),
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
