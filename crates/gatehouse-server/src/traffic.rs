//! What is open on one connection: the calls that it has brought, and the answers that its client has yet
//! to take. Without this a client of HTTP/2 could keep its place without ever asking again, and answers in
//! memory without ever reading them: what it does not take lies with the HTTP library, where nobody else
//! sees it.

use crate::body::{Cut, Reply};
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What is open on one connection.
pub(crate) struct Traffic(Mutex<Load>);

#[derive(Clone, Copy, Debug)]
struct Load {
    /// Calls, and pieces of their answers, that are not at their end.
    open: usize,
    /// Those of them that wait for nobody but the client.
    waiting: usize,
    /// Whether something of an answer of ours may have yet to be written.
    speaks: bool,
    /// When a call has last begun or ended, or a client taken something.
    moved: Instant,
}

/// How a connection stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standstill {
    /// Nothing is open on it.
    Idle,
    /// Its client takes nothing of what waits for it.
    Stalled,
}

/// A call that is open for as long as this lives.
pub(crate) struct OpenCall(Arc<Traffic>);

/// An answer on its way to a client.
pub(crate) struct Outgoing {
    reply: Reply,
    call: OpenCall,
    /// Whether it has something for the client, as far as is known.
    waits: bool,
}

/// A piece of an answer, until the client has taken all of it.
pub(crate) struct Piece {
    bytes: Bytes,
    traffic: Arc<Traffic>,
}

// === impl Traffic ===

impl Traffic {
    /// Of a connection that has brought nothing yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Load { open: 0, waiting: 0, speaks: false, moved: Instant::now() })))
    }

    /// A call begins.
    pub(crate) fn begin(self: &Arc<Self>) -> OpenCall {
        self.change(|load| {
            load.open += 1;
            load.speaks = true;
        });
        OpenCall(Arc::clone(self))
    }

    /// Waits until nothing has been open for as long as `idle`, or the client has taken nothing of what
    /// waits for it for as long as `stall`.
    pub(crate) async fn standstill(&self, idle: Duration, stall: Duration) -> Standstill {
        loop {
            let load = *self.load();
            let still = load.moved.elapsed();
            let left = match load {
                Load { open: 0, .. } if still >= idle => return Standstill::Idle,
                Load { open: 0, .. } => idle.saturating_sub(still),
                Load { waiting: 1.., .. } if still >= stall => return Standstill::Stalled,
                // What ends meanwhile may have to be looked at earlier.
                Load { waiting: 1.., .. } => stall.saturating_sub(still).min(idle),
                // A provider is what they wait for, and that has limits of its own.
                Load { .. } => idle,
            };
            tokio::time::sleep(left).await;
        }
    }

    /// Something has happened that counts as if the client had taken something.
    pub(crate) fn moved(&self) {
        self.change(|_| {});
    }

    /// Everything that was said so far is written.
    pub(crate) fn flushed(&self) {
        let mut load = self.load();
        load.speaks = load.open > 0;
    }

    /// Whether no answer of ours is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.load().speaks
    }

    fn change(&self, how: impl FnOnce(&mut Load)) {
        let mut load = self.load();
        how(&mut load);
        load.moved = Instant::now();
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl OpenCall ===

impl OpenCall {
    /// The call's answer.
    pub(crate) fn answer(self, reply: Reply) -> Outgoing {
        self.0.change(|load| load.waiting += 1);
        Outgoing { reply, call: self, waits: true }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.change(|load| load.open = load.open.saturating_sub(1));
    }
}

// === impl Outgoing ===

impl Outgoing {
    /// Who is asked for more has been taken from; who has nothing more does not wait for the client.
    fn asked(&mut self, waits: bool) {
        let waited = std::mem::replace(&mut self.waits, waits);
        self.call.0.change(|load| {
            load.waiting = load.waiting.saturating_sub(usize::from(waited)) + usize::from(waits);
        });
    }
}

impl Body for Outgoing {
    type Data = Piece;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Cut>>> {
        let polled = Pin::new(&mut self.reply).poll_frame(context);
        self.asked(polled.is_ready());
        let traffic = &self.call.0;
        polled.map_ok(|frame| frame.map_data(|bytes| Piece::new(bytes, Arc::clone(traffic))))
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.asked(false);
    }
}

// === impl Piece ===

impl Piece {
    fn new(bytes: Bytes, traffic: Arc<Traffic>) -> Self {
        traffic.change(|load| {
            load.open += 1;
            load.waiting += 1;
        });
        Self { bytes, traffic }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(into)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.traffic.moved();
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.traffic.change(|load| {
            load.open = load.open.saturating_sub(1);
            load.waiting = load.waiting.saturating_sub(1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Standstill, Traffic};
    use crate::body::Reply;
    use bytes::{Buf as _, Bytes};
    use http_body_util::BodyExt as _;
    use std::time::Duration;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(3_600);

    fn whole(text: &'static str) -> Reply {
        Reply::Whole(Some(Bytes::from_static(text.as_bytes())))
    }

    fn counts(traffic: &Traffic) -> (usize, usize) {
        let load = traffic.load();
        (load.open, load.waiting)
    }

    #[tokio::test]
    async fn a_connection_idles_once_all_of_its_answers_are_taken() {
        let traffic = Traffic::new();
        assert_eq!(traffic.standstill(SHORT, LONG).await, Standstill::Idle);
        let call = traffic.begin();
        assert_eq!(counts(&traffic), (1, 0));
        let mut answer = call.answer(whole("hello"));
        assert_eq!(counts(&traffic), (1, 1));
        let mut piece = answer.frame().await.unwrap().unwrap().into_data().ok().unwrap();
        drop(answer);
        piece.advance(2);
        assert_eq!(counts(&traffic), (1, 1), "three bytes are left");
        drop(piece);
        assert_eq!(counts(&traffic), (0, 0));
        assert_eq!(traffic.standstill(SHORT, LONG).await, Standstill::Idle);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_stands_still() {
        let traffic = Traffic::new();
        let answer = traffic.begin().answer(whole("hello"));
        assert_eq!(traffic.standstill(SHORT, SHORT).await, Standstill::Stalled);
        drop(answer);
        assert_eq!(counts(&traffic), (0, 0));
    }

    #[tokio::test]
    async fn a_call_that_waits_for_its_provider_is_waited_for() {
        let traffic = Traffic::new();
        let call = traffic.begin();
        let mut stands = Box::pin(traffic.standstill(SHORT, SHORT));
        let waited = tokio::time::timeout(20 * SHORT, stands.as_mut()).await;
        assert!(waited.is_err(), "it was given up");
        drop(call);
        assert_eq!(stands.await, Standstill::Idle);
    }
}
