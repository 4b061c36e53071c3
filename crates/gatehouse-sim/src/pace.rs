//! The body of every answer: its pieces in their time, cut, stalled or cut into other pieces on
//! demand. The call's [`Flight`] travels in it, so that a body given up early is counted as such.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::stats::Flight;

/// How long a cut waits, so that what was sent before it has left the process.
const CUT_FLUSH_PAUSE: Duration = Duration::from_millis(2);

/// When and in what pieces an answer is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The time between two pieces.
    pub(crate) delay: Duration,
    /// The size of the pieces; events as they are when `None`.
    pub(crate) chunk_bytes: Option<usize>,
    /// Where the connection is closed.
    pub(crate) cut: Option<Place>,
    /// Where nothing more comes.
    pub(crate) stall: Option<Place>,
}

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// After so many events of a stream; in the middle of an answer that is no stream.
    Events(usize),
    /// After so many bytes.
    Bytes(usize),
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Paced {
    pieces: Arc<[Bytes]>,
    /// The piece that is being sent, and where in it.
    piece: usize,
    within: usize,
    sent: usize,
    total: usize,
    /// Whether the length is told beforehand.
    sized: bool,
    pace: Pace,
    cut_at: Option<usize>,
    stall_at: Option<usize>,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the connection has to send the last piece before it gets another.
    flush_due: bool,
    /// Whether the place of the cut or the stall was reached.
    stopped: bool,
    flight: Option<Flight>,
}

/// Why a body ended before its end: it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

// === impl Cut ===

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was cut on purpose")
    }
}

impl std::error::Error for Cut {}

// === impl Paced ===

impl Paced {
    /// A whole body with no call behind it: what the control API answers.
    pub(crate) fn whole(body: Bytes) -> Self {
        Self::new(Arc::from([body]), false, Pace::default(), None)
    }

    /// An answer: `streamed` in events, or one body whose length is told.
    pub(crate) fn new(pieces: Arc<[Bytes]>, streamed: bool, pace: Pace, flight: Option<Flight>) -> Self {
        let total = pieces.iter().map(Bytes::len).sum();
        let at = |place: Place| match place {
            Place::Bytes(bytes) => bytes.min(total),
            Place::Events(events) if streamed => pieces.iter().take(events).map(Bytes::len).sum(),
            Place::Events(_) => total / 2,
        };
        let (cut_at, stall_at) = (pace.cut.map(at), pace.stall.map(at));
        let pieces = if pace.chunk_bytes.is_some() { Arc::from([joined(&pieces)]) } else { pieces };
        let mut body = Self {
            pieces,
            piece: 0,
            within: 0,
            sent: 0,
            total,
            sized: !streamed,
            pace,
            cut_at,
            stall_at,
            timer: None,
            flush_due: false,
            stopped: false,
            flight,
        };
        body.complete_at_the_end();
        body
    }

    /// Whether everything was handed over and nothing is to happen after it.
    fn at_the_end(&self) -> bool {
        self.sent == self.total && self.cut_at.is_none() && self.stall_at.is_none()
    }

    fn complete_at_the_end(&mut self) {
        if self.at_the_end() {
            self.flight.iter_mut().for_each(Flight::complete);
        }
    }

    /// The next piece, up to the next place where something happens.
    fn take_piece(&mut self) -> Option<Bytes> {
        let piece = loop {
            let piece = self.pieces.get(self.piece)?;
            if self.within < piece.len() {
                break piece;
            }
            self.piece += 1;
            self.within = 0;
        };
        let next_stop = |at: Option<usize>| at.map_or(usize::MAX, |at| at.saturating_sub(self.sent));
        let size = (piece.len() - self.within)
            .min(self.pace.chunk_bytes.unwrap_or(usize::MAX).max(1))
            .min(next_stop(self.cut_at))
            .min(next_stop(self.stall_at));
        let taken = piece.slice(self.within..self.within + size);
        self.within += size;
        self.sent += size;
        Some(taken)
    }

    /// Waits for the time of the next piece. Pieces have their times from the first one on, so that a
    /// late one does not make the later ones later.
    fn poll_delay(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }

    fn set_delay(&mut self) {
        if self.pace.delay.is_zero() {
            return;
        }
        match &mut self.timer {
            Some(timer) => {
                let next = timer.deadline() + self.pace.delay;
                timer.as_mut().reset(next);
            }
            None => self.timer = Some(Box::pin(sleep_until(Instant::now() + self.pace.delay))),
        }
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !std::mem::replace(&mut self.stopped, true) {
            self.timer = Some(Box::pin(sleep_until(Instant::now() + CUT_FLUSH_PAUSE)));
        }
        if self.poll_delay(cx).is_pending() {
            return Poll::Pending;
        }
        self.flight.iter_mut().for_each(Flight::cut);
        Poll::Ready(Some(Err(Cut)))
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        if this.stall_at == Some(this.sent) {
            // Nothing wakes this task again but the client's leaving, which drops it.
            if !std::mem::replace(&mut this.stopped, true) {
                this.flight.iter().for_each(Flight::stalled);
            }
            return Poll::Pending;
        }
        if this.cut_at == Some(this.sent) {
            return this.poll_cut(cx);
        }
        if this.poll_delay(cx).is_pending() {
            return Poll::Pending;
        }
        if std::mem::replace(&mut this.flush_due, false) {
            // Pending once makes the connection send the last piece alone.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = this.take_piece() else { return Poll::Ready(None) };
        this.set_delay();
        this.flush_due = this.pace.chunk_bytes.is_some();
        this.flight.iter().for_each(|flight| flight.sent(piece.len()));
        this.complete_at_the_end();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.at_the_end()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.sized {
            return SizeHint::default();
        }
        SizeHint::with_exact(u64::try_from(self.total - self.sent).unwrap_or(u64::MAX))
    }
}

fn joined(pieces: &[Bytes]) -> Bytes {
    let mut all = BytesMut::new();
    pieces.iter().for_each(|piece| all.extend_from_slice(piece));
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    fn body(pieces: &[&'static str], pace: Pace) -> Paced {
        let pieces: Vec<Bytes> = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        Paced::new(Arc::from(pieces), true, pace, None)
    }

    async fn read(mut body: Paced) -> (Vec<Bytes>, bool) {
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => pieces.extend(frame.into_data().ok()),
                Err(Cut) => return (pieces, true),
            }
        }
        (pieces, false)
    }

    #[tokio::test(start_paused = true)]
    async fn cut_after_events_and_after_bytes() {
        let events = ["one\n\n", "two\n\n", "three\n\n"];
        let cut = |place| Pace { cut: Some(place), ..Pace::default() };
        let (pieces, was_cut) = read(body(&events, cut(Place::Events(2)))).await;
        assert_eq!((pieces.concat(), was_cut), (b"one\n\ntwo\n\n".to_vec(), true));
        let (pieces, was_cut) = read(body(&events, cut(Place::Bytes(7)))).await;
        assert_eq!((pieces.concat(), was_cut), (b"one\n\ntw".to_vec(), true));
        let (pieces, was_cut) = read(body(&events, cut(Place::Events(9)))).await;
        assert_eq!((pieces.concat().len(), was_cut), (17, true));
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_come_in_their_time() {
        let begun = Instant::now();
        let pace = Pace { delay: Duration::from_millis(5), ..Pace::default() };
        let (pieces, _) = read(body(&["a", "b", "c", "d"], pace)).await;
        assert_eq!(pieces.len(), 4);
        let took = begun.elapsed().as_millis();
        assert!((15..=20).contains(&took), "three gaps of 5 ms, took {took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_stands_still() {
        let pace = Pace { stall: Some(Place::Events(1)), ..Pace::default() };
        let mut body = body(&["a", "b"], pace);
        assert!(body.frame().await.is_some());
        assert!(tokio::time::timeout(Duration::from_secs(3_600), body.frame()).await.is_err());
    }

    proptest! {
        #[test]
        fn rechunking_changes_no_byte(size in 1_usize..9, cut in proptest::option::of(0_usize..20)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let pace = Pace { chunk_bytes: Some(size), cut: cut.map(Place::Bytes), ..Pace::default() };
            let (pieces, was_cut) = runtime.block_on(read(body(&["event one\n\n", "", "two\n\n"], pace)));
            let whole = b"event one\n\ntwo\n\n";
            prop_assert_eq!(pieces.concat(), whole[..cut.unwrap_or(whole.len()).min(whole.len())].to_vec());
            prop_assert_eq!(was_cut, cut.is_some());
            prop_assert!(pieces.iter().all(|piece| piece.len() <= size));
        }
    }
}
