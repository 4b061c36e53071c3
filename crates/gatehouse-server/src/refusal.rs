//! Refusals of the HTTP library. A head that it cannot read it answers by itself, with a status and nothing
//! else: it is no request yet, so no service hears of it. Here that answer is replaced, before it goes out, by
//! one of ours, in the caller's dialect as far as it can be told, with a record as any other refusal has.

use crate::body::Reply;
use crate::front;
use crate::headers::{ANTHROPIC_VERSION, GOOGLE_KEY};
use crate::house::House;
use crate::render;
use crate::traffic::Traffic;
use crate::trail::Trail;
use bytes::{Buf as _, Bytes, BytesMut};
use gatehouse_core::content::Family;
use gatehouse_core::error::{Code, Error};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// So much of a head is looked at to tell whose dialect it is in.
const HEAD_BYTES_MAX: usize = 1024;
/// After a refusal, what the client still sends is read for so long: to close at once would take the answer
/// from it.
const LINGER: Duration = Duration::from_millis(500);

/// A stream of HTTP/1.1 whose server never refuses without a word.
pub(crate) struct Outspoken<S> {
    stream: S,
    /// Where refusals are recorded; `None` on the administration's side, which has no records.
    house: Option<Arc<House>>,
    traffic: Arc<Traffic>,
    /// How the head that is being read begins.
    head: Vec<u8>,
    refusal: Refusal,
    linger: Option<Pin<Box<Sleep>>>,
}

/// How far a refusal is.
enum Refusal {
    /// There is none.
    None,
    /// It is being recorded.
    Recorded(Pin<Box<dyn Future<Output = Bytes> + Send>>),
    /// This much of it has yet to be written.
    Said(Bytes),
}

/// Records a refusal, and writes the answer.
async fn refuse(house: Arc<House>, head: Vec<u8>, is_too_large: bool) -> Bytes {
    let family = family_of(&head);
    let error = if is_too_large {
        Error::new(Code::HeadersTooLarge, "the head of the request is too large (limits.headers)")
    } else {
        Error::new(
            Code::InvalidRequest,
            "the head of the request is malformed, or gives its length in two ways",
        )
    };
    let response = match Trail::begin(&house) {
        Ok(trail) => render::failed(&error, trail, family).await,
        Err(error) => render::refused(family, &error, &house.stray_id().to_string()),
    };
    written(response)
}

/// An answer in one piece behind which the connection closes, as HTTP/1.1.
fn written(response: Response<Reply>) -> Bytes {
    let (mut parts, body) = response.into_parts();
    let Reply::Whole(Some(body)) = body else { return Bytes::new() };
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut out = BytesMut::from(format!("HTTP/1.1 {}\r\n", parts.status).as_bytes());
    for (name, value) in &parts.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    out.freeze()
}

/// In which dialect to answer, by what can be read of the head.
fn family_of(head: &[u8]) -> Family {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let names = lines.filter_map(|line| line.split(':').next()?.trim().parse::<HeaderName>().ok());
    let told = names.filter(|name| [GOOGLE_KEY, ANTHROPIC_VERSION].contains(name));
    let headers: HeaderMap = told.map(|name| (name, HeaderValue::from_static(""))).collect();
    front::family(path, &headers)
}

/// Whether bytes begin an answer that refuses, and whether for its size.
fn refuses(bytes: &[u8]) -> Option<bool> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    status.starts_with(b"4").then_some(matches!(status, b"431" | b"414"))
}

// === impl Outspoken ===

impl<S> Outspoken<S> {
    /// Listens to what is read and written on a stream.
    pub(crate) fn new(stream: S, house: Option<Arc<House>>, traffic: Arc<Traffic>) -> Self {
        Self { stream, house, traffic, head: Vec::new(), refusal: Refusal::None, linger: None }
    }
}

impl<S: AsyncWrite + Unpin> Outspoken<S> {
    /// Says what is to be said instead of these bytes; `None` when they are to go out as they are.
    fn instead(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Option<Poll<io::Result<()>>> {
        if matches!(self.refusal, Refusal::None) {
            // While an answer of ours is on its way, it is what is written.
            let is_too_large = refuses(bytes).filter(|_| self.traffic.is_quiet())?;
            let house = Arc::clone(self.house.as_ref()?);
            let refusal = refuse(house, std::mem::take(&mut self.head), is_too_large);
            self.refusal = Refusal::Recorded(Box::pin(refusal));
        }
        Some(self.say(context))
    }

    fn say(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.refusal {
                Refusal::None => return Poll::Ready(Ok(())),
                Refusal::Recorded(answer) => {
                    self.refusal = Refusal::Said(ready!(answer.as_mut().poll(context)));
                }
                Refusal::Said(left) if left.is_empty() => return Poll::Ready(Ok(())),
                Refusal::Said(left) => match ready!(Pin::new(&mut self.stream).poll_write(context, left))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => left.advance(written),
                },
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Outspoken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if !self.traffic.is_quiet() {
            self.head = Vec::new();
        } else if let Some(left) = HEAD_BYTES_MAX.checked_sub(self.head.len()) {
            let came = into.filled().get(before..).unwrap_or_default();
            self.head.extend_from_slice(came.get(..left).unwrap_or(came));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Outspoken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.instead(bytes, context) {
            Some(said) => said.map_ok(|()| bytes.len()),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty());
        match self.instead(first.map_or(&[], |part| part), context) {
            Some(said) => said.map_ok(|()| parts.iter().map(|part| part.len()).sum()),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The library flushes once it has written everything.
        self.traffic.flushed();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        if matches!(self.refusal, Refusal::None) {
            return Poll::Ready(Ok(()));
        }
        let linger = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if linger.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut thrown_away = [0; 4096];
        loop {
            let mut into = ReadBuf::new(&mut thrown_away);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut into));
            if read.is_err() || into.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{family_of, refuses};
    use gatehouse_core::content::Family;

    #[test]
    fn a_head_that_cannot_be_read_tells_its_dialect_all_the_same() {
        for (head, family) in [
            ("POST /v1/chat/completions HTTP/1.1\r\nx : y\r\n", Family::OpenAi),
            ("POST /v1/messages?beta=true HTTP/1.1\r\nx : y\r\n", Family::Anthropic),
            ("GET /v1/models HTTP/1.1\r\nx : y\r\nAnthropic-Version: 1\r\n", Family::Anthropic),
            ("POST /v1beta/models/m:generateContent", Family::Gemini),
            ("GET /v1/models HTTP/1.1\r\nX-Goog-Api-Key: 1\r\n", Family::Gemini),
            ("\u{1}\u{2}", Family::OpenAi),
            ("", Family::OpenAi),
        ] {
            assert_eq!(family_of(head.as_bytes()), family, "{head}");
        }
    }

    #[test]
    fn a_refusal_is_told_by_its_status() {
        assert_eq!(refuses(b"HTTP/1.1 400 Bad Request\r\n"), Some(false));
        assert_eq!(refuses(b"HTTP/1.1 431 Request Header"), Some(true));
        assert_eq!(refuses(b"HTTP/1.1 200 OK\r\n"), None);
        assert_eq!(refuses(b"data: 400"), None);
    }
}
