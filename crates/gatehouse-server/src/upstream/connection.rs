//! One HTTP/1.1 connection to a provider, driven by the call that uses it: it has no task of its own, so
//! that a call is one task from end to end, nothing is handed between threads, and a call that is dropped
//! takes its connection with it at once. While nothing comes, it holds no buffer.

use super::framing::{Broken, Framing};
use super::head::{self, BodyLength, Head, HeadReader};
use super::pool::Home;
use super::upload::{Rest, Upload};
use bytes::{Buf as _, Bytes, BytesMut};
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

/// What is read at once: first into a place that all connections of a thread share.
const READ_BYTES: usize = 16 * 1024;
/// What is read at once while more comes than that.
const READ_BYTES_MAX: usize = 128 * 1024;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What is below HTTP.
pub(crate) type Stream = TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
}

/// A connection on which nothing is under way, or the one thing that its user waits for.
pub(super) struct Connection {
    pub(super) origin: Origin,
    stream: Box<Stream>,
    /// What has come and was not taken yet.
    buffer: BytesMut,
    /// The last read brought as much as it could.
    busy: bool,
    outgoing: Outgoing,
}

/// What of a request is still to be written.
#[derive(Default)]
struct Outgoing {
    head: Bytes,
    body: Bytes,
    /// Something of it was handed to the stream.
    begun: bool,
    /// All of it was, and went on to the network.
    done: bool,
    /// Writing failed: what came may be an answer all the same.
    failed: bool,
    /// What of the body comes from somewhere else.
    rest: Option<Box<Rest>>,
}

/// Why no answer came.
pub(super) enum Unanswered {
    /// The provider cannot have acted on it: it was gone before it could have the whole request.
    Unheard(Broken),
    /// It may have acted on it.
    Failed(Broken),
}

/// The body of an answer, and the connection that it comes by. Read to its end, the connection goes home to
/// its pool; dropped before, the connection is closed.
pub struct Answer {
    framing: Framing,
    /// The connection, and where it goes when another request may follow.
    link: Option<(Connection, Option<Home>)>,
}

/// What came of a request for another protocol.
pub enum Switched {
    /// The stream goes on in it, beginning with these bytes.
    Over(Box<Stream>, BytesMut),
    /// The provider answered over HTTP.
    Not(Answer),
}

// === impl Connection ===

impl Connection {
    /// Takes over a stream on which nothing has been said.
    pub(super) fn new(origin: Origin, stream: Stream) -> Self {
        let (buffer, outgoing) = (BytesMut::new(), Outgoing::default());
        Self { origin, stream: Box::new(stream), buffer, busy: false, outgoing }
    }

    /// Whether it can take a request: the provider may have closed it while nobody looked.
    pub(super) fn is_usable(&mut self) -> bool {
        // Whoever takes it next polls it with a waker of its own.
        let mut nobody = Context::from_waker(Waker::noop());
        self.buffer.is_empty() && self.poll_fill(&mut nobody).is_pending()
    }

    /// Whether the provider has closed it, or speaks unasked, and the runtime has not heard of it yet: it
    /// hears between two tasks, and this one is about to write.
    pub(super) fn is_left(&self) -> bool {
        let socket = match self.stream.inner() {
            MaybeHttpsStream::Http(plain) => plain.inner(),
            MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().inner(),
        };
        let looked = SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]);
        !looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(
        mut self,
        request: &Request<Bytes>,
        upload: Option<Upload>,
        home: Home,
    ) -> Result<Response<Answer>, Unanswered> {
        self.outgoing = Outgoing::new(request, upload);
        let head = self.head(HeadReader::default()).await?;
        Ok(self.answered(head, home))
    }

    /// Sends a request for another protocol and waits for the head of its answer.
    pub(super) async fn switch(
        mut self,
        request: &Request<Bytes>,
        home: Home,
    ) -> Result<Response<Switched>, Unanswered> {
        self.outgoing = Outgoing { head: head::switching(request).into(), ..Outgoing::default() };
        let head = self.head(HeadReader::switching()).await?;
        if head.status != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(self.answered(head, home).map(Switched::Not));
        }
        let mut response = Response::new(Switched::Over(self.stream, self.buffer));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    async fn head(&mut self, mut reader: HeadReader) -> Result<Head, Unanswered> {
        let head = poll_fn(|context| self.poll_head(&mut reader, context)).await;
        head.map_err(|broken| {
            // What is not idempotent goes out again by itself only where it is known that it was never
            // applied (RFC 9110 section 9.2.2; RFC 9112 section 9.3.1 allows no more). That is so where the
            // connection was gone before all of the request was written: a request that lacks bytes is
            // incomplete (RFC 9112 section 8). Once all was written nobody knows, even if the provider's
            // close was under way already; that is an attempt like any other.
            let applied = self.outgoing.done || reader.has_begun();
            if applied { Unanswered::Failed(broken) } else { Unanswered::Unheard(broken) }
        })
    }

    fn answered(self, head: Head, home: Home) -> Response<Answer> {
        let Head { status, headers, framing, keep_alive } = head;
        let mut response = Response::new(Answer { framing, link: Some((self, keep_alive.then_some(home))) });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn poll_head(
        &mut self,
        reader: &mut HeadReader,
        context: &mut Context<'_>,
    ) -> Poll<Result<Head, Broken>> {
        loop {
            // An answer may come before all of the request was written, and even if it cannot be.
            if let Poll::Ready(Err(error)) = self.poll_write(context) {
                if let Some(error) = self.outgoing.rest.as_mut().and_then(|rest| rest.failed.take()) {
                    return Poll::Ready(Err(Broken::Source(Box::new(error))));
                }
                if !self.outgoing.begun {
                    return Poll::Ready(Err(Broken::Io(error)));
                }
            }
            if let Some(head) = reader.take(&mut self.buffer)? {
                return Poll::Ready(Ok(head));
            }
            match ready!(self.poll_fill(context)) {
                Ok(0) => return Poll::Ready(Err(Broken::Cut)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Broken::Io(error))),
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll(Pin::new(&mut self.stream), context)
    }

    /// Reads what has come. Nothing more will, when that is nothing.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = if self.busy {
            self.buffer.reserve(READ_BYTES_MAX);
            ready!(pin!(self.stream.read_buf(&mut self.buffer)).poll(context))?
        } else {
            ready!(SHARED.with_borrow_mut(|shared| {
                let mut into = ReadBuf::new(shared);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut into))?;
                self.buffer.extend_from_slice(into.filled());
                Poll::Ready(io::Result::Ok(into.filled().len()))
            }))?
        };
        self.busy = read >= READ_BYTES;
        Poll::Ready(Ok(read))
    }
}

// === impl Outgoing ===

impl Outgoing {
    fn new(request: &Request<Bytes>, upload: Option<Upload>) -> Self {
        let length = match &upload {
            None => BodyLength::Known(u64::try_from(request.body().len()).unwrap_or(u64::MAX)),
            Some(upload) => upload.length.map_or(BodyLength::Chunked, BodyLength::Known),
        };
        let rest = upload.map(|upload| Box::new(Rest::new(upload)));
        Self {
            head: head::request(request, length).into(),
            body: request.body().clone(),
            rest,
            ..Self::default()
        }
    }

    /// Writes what is left.
    fn poll(&mut self, mut stream: Pin<&mut Box<Stream>>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.done || self.failed {
            return Poll::Ready(Ok(()));
        }
        let written = self.poll_all(&mut stream, context);
        match &written {
            Poll::Ready(Ok(())) => self.done = true,
            Poll::Ready(Err(_)) => self.failed = true,
            Poll::Pending => {}
        }
        written
    }

    fn poll_all(
        &mut self,
        stream: &mut Pin<&mut Box<Stream>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.head.is_empty() && self.body.is_empty() {
                match self.rest.as_mut().map(|rest| rest.poll_next(context)) {
                    None => break,
                    Some(Poll::Ready(Ok(Some((head, body))))) => (self.head, self.body) = (head, body),
                    Some(Poll::Ready(Ok(None))) => self.rest = None,
                    Some(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                    Some(Poll::Pending) => {
                        // What is written must not wait for what will come.
                        ready!(stream.as_mut().poll_flush(context))?;
                        return Poll::Pending;
                    }
                }
                continue;
            }
            let written = if self.head.is_empty() {
                ready!(stream.as_mut().poll_write(context, &self.body))?
            } else if self.body.is_empty() || !stream.is_write_vectored() {
                ready!(stream.as_mut().poll_write(context, &self.head))?
            } else {
                let parts = [IoSlice::new(&self.head), IoSlice::new(&self.body)];
                ready!(stream.as_mut().poll_write_vectored(context, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            let of_head = written.min(self.head.len());
            self.head.advance(of_head);
            self.body.advance(written - of_head);
        }
        stream.as_mut().poll_flush(context)
    }
}

// === impl Answer ===

impl Answer {
    /// The connection has done its part.
    fn release(&mut self) {
        let Some((mut connection, Some(home))) = self.link.take() else { return };
        connection.busy = false;
        if connection.outgoing.done && connection.is_usable() {
            (connection.buffer, connection.outgoing) = (BytesMut::new(), Outgoing::default());
            home.keep(connection);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let broken = loop {
            let Some((connection, _)) = &mut this.link else { return Poll::Ready(None) };
            // Whoever answers before he has heard all may still want the rest.
            let _ = connection.poll_write(context);
            match this.framing.take(&mut connection.buffer) {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(None) if this.framing == Framing::Ended => {
                    this.release();
                    return Poll::Ready(None);
                }
                Ok(None) => {}
                Err(broken) => break broken,
            }
            if connection.buffer.is_empty() {
                // A pause may be long: it needs no memory.
                connection.buffer = BytesMut::new();
            }
            match ready!(connection.poll_fill(context)) {
                Ok(0) => match this.framing.closed() {
                    Ok(()) => {
                        this.link = None;
                        return Poll::Ready(None);
                    }
                    Err(broken) => break broken,
                },
                Ok(_) => {}
                Err(error) => break Broken::Io(error),
            }
        };
        this.link = None;
        Poll::Ready(Some(Err(broken)))
    }

    fn is_end_stream(&self) -> bool {
        // The end must be polled for: only then does the connection go home.
        false
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            Framing::Ended => SizeHint::with_exact(0),
            Framing::Chunked(_) | Framing::Close => SizeHint::default(),
        }
    }
}
