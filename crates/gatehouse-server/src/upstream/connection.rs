//! One HTTP/1.1 connection to a provider, driven by the call that uses it: it has no task of its own, so
//! that a call is one task from end to end, nothing is handed between threads, and a call that is dropped
//! takes its connection with it at once.

use super::pool::Home;
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::net::TcpStream;

type Driver = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Full<Bytes>>;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
}

/// A connection on which nothing is under way, or the one thing that its user waits for.
pub(super) struct Connection {
    pub(super) origin: Origin,
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<Driver>>,
}

/// Why no answer came.
pub(super) enum Unsent {
    /// The connection had been closed before anything was written: here is the request again.
    Stale(Box<Request<Full<Bytes>>>),
    /// The request, or a part of it, was written.
    Failed(hyper::Error),
}

/// The body of an answer, and the connection that it comes by. Read to its end, the connection goes home to
/// its pool; dropped before, the connection is closed.
pub struct Answer {
    incoming: Incoming,
    link: Option<(Connection, Home)>,
}

// === impl Connection ===

impl Connection {
    /// Takes over a stream on which nothing has been said.
    pub(super) async fn begin(
        origin: Origin,
        stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    ) -> Result<Self, hyper::Error> {
        let (sender, driver) = http1::handshake(stream).await?;
        Ok(Self { origin, sender, driver: Box::pin(driver) })
    }

    /// Whether it can take a request: the provider may have closed it while nobody looked.
    pub(super) fn is_usable(&mut self) -> bool {
        // Whoever takes it next polls it with a waker of its own.
        let mut nobody = Context::from_waker(Waker::noop());
        self.driver.as_mut().poll(&mut nobody).is_pending() && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(
        mut self,
        request: Request<Full<Bytes>>,
        home: Home,
    ) -> Result<Response<Answer>, Unsent> {
        let mut answered = pin!(self.sender.try_send_request(request));
        let mut ended = false;
        let response = poll_fn(|context| {
            if !ended {
                // How a connection ends, the answer says.
                ended = self.driver.as_mut().poll(context).is_ready();
            }
            answered.as_mut().poll(context)
        });
        match response.await {
            Ok(response) => {
                let link = (!ended).then_some((self, home));
                Ok(response.map(|incoming| Answer { incoming, link }))
            }
            Err(mut error) => Err(match error.take_message() {
                Some(request) => Unsent::Stale(Box::new(request)),
                None => Unsent::Failed(error.into_error()),
            }),
        }
    }
}

// === impl Answer ===

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some((connection, _)) = &mut self.link
            && connection.driver.as_mut().poll(context).is_ready()
        {
            self.link = None;
        }
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(context));
        if frame.is_none()
            && let Some((mut connection, home)) = self.link.take()
            && connection.is_usable()
        {
            home.keep(connection);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // The end must be polled for: only then does the connection go home.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
