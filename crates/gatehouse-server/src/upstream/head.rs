//! The heads of HTTP/1.1 messages: how a request begins, and how the begin of an answer is understood
//! (RFC 9112 sections 2 to 6).

use super::framing::{Broken, Framing};
use crate::headers::is_noise;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use std::io::Write as _;
use std::mem::MaybeUninit;

/// The longest head of an answer.
const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers of an answer.
const ANSWER_HEADERS_MAX: usize = 128;
/// How many of them are usually kept.
const HEADERS_KEPT: usize = 16;
/// What the head of a request usually needs.
const REQUEST_HEAD_BYTES: usize = 512;

/// The head of an answer, and what it says of the rest.
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// Without those that are of no use to anybody.
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection.
    pub(super) keep_alive: bool,
}

/// Looks for the end of a head without looking at any byte twice.
#[derive(Default)]
pub(super) struct HeadReader {
    searched: usize,
    begun: bool,
    /// Whether the request asked for another protocol, so that an answer may switch to it.
    switches: bool,
}

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// So many bytes.
    Known(u64),
    /// As many as will come, in chunks.
    Chunked,
}

/// The head of a request whose body has this length.
pub(super) fn request(request: &Request<Bytes>, length: BodyLength) -> Vec<u8> {
    let mut head = Vec::with_capacity(REQUEST_HEAD_BYTES);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    for part in [request.method().as_str(), " ", path, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    for (name, value) in request.headers() {
        // How long it is, and whether the connection stays, is said here alone.
        if !matches!(*name, CONTENT_LENGTH | TRANSFER_ENCODING | CONNECTION) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
    }
    match length {
        BodyLength::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        BodyLength::Known(length) => {
            if length > 0 || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
                // Writing to memory does not fail.
                let _ = write!(head, "content-length: {length}\r\n");
            }
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of a request that asks to go on as a WebSocket.
pub(super) fn switching(asks: &Request<Bytes>) -> Vec<u8> {
    let mut head = request(asks, BodyLength::Known(0));
    head.truncate(head.len().saturating_sub(2));
    head.extend_from_slice(b"connection: Upgrade\r\n\r\n");
    head
}

// === impl HeadReader ===

impl HeadReader {
    /// Reads the answer to a request for another protocol.
    pub(super) fn switching() -> Self {
        Self { switches: true, ..Self::default() }
    }

    /// Takes the head of an answer from what has come, once all of it is there; those that only say that
    /// another one follows are passed over.
    ///
    /// # Errors
    /// [`Broken::Malformed`] where it is none of HTTP/1, or too long.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Head>, Broken> {
        self.begun |= !buffer.is_empty();
        while let Some(end) = self.find_end(buffer) {
            self.searched = 0;
            if let Some(head) = parse(&buffer.split_to(end).freeze(), self.switches)? {
                return Ok(Some(head));
            }
        }
        if buffer.len() > ANSWER_HEAD_BYTES_MAX {
            return Err(Broken::Malformed("a head too long"));
        }
        Ok(None)
    }

    /// Whether anything of an answer has come.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Where the first empty line ends.
    fn find_end(&mut self, buffer: &[u8]) -> Option<usize> {
        let mut from = self.searched;
        while let Some(at) = buffer.get(from..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let next = from + at + 1;
            match buffer.get(next..) {
                Some([b'\n', ..]) => return Some(next + 1),
                Some([b'\r', b'\n', ..]) => return Some(next + 2),
                // What follows is not there yet: this line's end is looked at again.
                Some([] | [b'\r']) | None => {
                    self.searched = next - 1;
                    return None;
                }
                Some(_) => from = next,
            }
        }
        self.searched = buffer.len();
        None
    }
}

/// `None` is a head that another one follows.
fn parse(bytes: &Bytes, switches: bool) -> Result<Option<Head>, Broken> {
    let mut headers = [const { MaybeUninit::uninit() }; ANSWER_HEADERS_MAX];
    let mut found = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut found, bytes, &mut headers);
    match parsed {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Broken::Malformed("a head without a status line")),
        Err(_) => return Err(Broken::Malformed("a head that is not of HTTP/1.1")),
    }
    let status = found.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Broken::Malformed("a status that is none"))?;
    let switched = status == StatusCode::SWITCHING_PROTOCOLS;
    if switched && !switches {
        return Err(Broken::Malformed("a change of protocol that nobody asked for"));
    }
    if status.is_informational() && !switched {
        return Ok(None);
    }
    let mut headers = HeaderMap::with_capacity(HEADERS_KEPT);
    for header in found.headers.iter().filter(|header| !is_noise(header.name)) {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(Broken::Malformed("a header that is none"));
        };
        headers.append(name, value);
    }
    let is_http_1_1 = found.version == Some(1);
    if switched {
        // What follows is no HTTP any more.
        return Ok(Some(Head { status, headers, framing: Framing::Ended, keep_alive: false }));
    }
    let (framing, keep_alive) = framing(status, is_http_1_1, &headers)?;
    Ok(Some(Head { status, headers, framing, keep_alive }))
}

/// How the body is delimited, and whether the connection can be used again (RFC 9112 section 6.3).
fn framing(status: StatusCode, is_http_1_1: bool, headers: &HeaderMap) -> Result<(Framing, bool), Broken> {
    let keep_alive =
        is_http_1_1 && !tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("close"));
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok((Framing::Ended, keep_alive));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        let mut codings = tokens(headers, &TRANSFER_ENCODING);
        let chunked = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        if !chunked || codings.next().is_some() || !is_http_1_1 {
            return Err(Broken::Malformed("a transfer coding other than chunked"));
        }
        // With both, somebody on the way may have understood the length.
        return Ok((Framing::chunked(), keep_alive && !headers.contains_key(CONTENT_LENGTH)));
    }
    let mut lengths = tokens(headers, &CONTENT_LENGTH).map(|text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    });
    let Some(first) = lengths.next() else { return Ok((Framing::Close, false)) };
    match first {
        Some(length) if lengths.all(|other| other == first) => Ok((Framing::length(length), keep_alive)),
        _ => Err(Broken::Malformed("a length that is none")),
    }
}

/// The members of a header that is a list, over all its lines. What is no text is a member that fits nothing.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|token| token.trim_matches([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_HEAD_BYTES_MAX, BodyLength, Head, HeadReader};
    use crate::upstream::framing::Framing;
    use bytes::{Bytes, BytesMut};
    use http::{Method, Request};

    fn read(text: &str) -> Result<Option<Head>, String> {
        HeadReader::default().take(&mut BytesMut::from(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_says_what_it_is_and_how_long() {
        let request = |method, body: &'static str| {
            let request = Request::builder().method(method).uri("/v1/x?y=1");
            let request = request.header("Host", "a").header("content-length", "99").header("X-A", "b");
            let length = BodyLength::Known(u64::try_from(body.len()).unwrap());
            String::from_utf8(super::request(&request.body(Bytes::from(body)).unwrap(), length)).unwrap()
        };
        assert_eq!(
            request(Method::POST, "{}"),
            "POST /v1/x?y=1 HTTP/1.1\r\nhost: a\r\nx-a: b\r\ncontent-length: 2\r\n\r\n"
        );
        assert!(request(Method::POST, "").ends_with("content-length: 0\r\n\r\n"));
        assert!(request(Method::GET, "").ends_with("x-a: b\r\n\r\n"));
    }

    #[test]
    fn a_head_is_found_wherever_it_is_cut() {
        let text = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 429 Slow\r\nretry-after: 7\r\n\
                    content-length: 2\r\n\r\nok";
        let mut reader = HeadReader::default();
        let mut buffer = BytesMut::new();
        let mut found = None;
        for byte in text.bytes() {
            buffer.extend_from_slice(&[byte]);
            if found.is_none() {
                found = reader.take(&mut buffer).unwrap();
            }
        }
        let head = found.unwrap();
        assert_eq!(
            (head.status.as_u16(), &head.headers["retry-after"], head.keep_alive),
            (429, &"7".parse().unwrap(), true)
        );
        assert_eq!((head.framing, &*buffer), (Framing::length(2), b"ok".as_slice()));
    }

    #[test]
    fn the_body_is_delimited_as_the_rfc_says() {
        let cases = [
            ("1.1 200", "content-length: 5", Some((Framing::length(5), true))),
            ("1.1 200", "content-length: 5\r\nContent-Length: 5", Some((Framing::length(5), true))),
            ("1.1 200", "content-length: 5, 5", Some((Framing::length(5), true))),
            ("1.1 200", "content-length: 0", Some((Framing::Ended, true))),
            ("1.0 200", "content-length: 5", Some((Framing::length(5), false))),
            (
                "1.1 200",
                "content-length: 5\r\nconnection: Keep-Alive, Close",
                Some((Framing::length(5), false)),
            ),
            ("1.1 200", "transfer-encoding: Chunked", Some((Framing::chunked(), true))),
            ("1.1 200", "transfer-encoding: chunked\r\ncontent-length: 5", Some((Framing::chunked(), false))),
            ("1.1 200", "x: y", Some((Framing::Close, false))),
            ("1.1 204", "content-length: 5", Some((Framing::Ended, true))),
            ("1.1 200", "content-length: 5\r\ncontent-length: 6", None),
            ("1.1 200", "content-length: +5", None),
            ("1.1 200", "content-length: 5,", None),
            ("1.1 200", "content-length: 99999999999999999999", None),
            ("1.1 200", "content-length:", None),
            ("1.1 200", "transfer-encoding: gzip, chunked", None),
            ("1.1 200", "transfer-encoding: chunked, chunked", None),
            ("1.1 200", "transfer-encoding: gzip", None),
            ("1.0 200", "transfer-encoding: chunked", None),
            ("1.1 101", "upgrade: x", None),
            ("1.1 20", "x: y", None),
            ("2.0 200", "x: y", None),
            ("1.1 200", "x : y", None),
            ("1.1 200", "x: y\r\n folded", None),
            ("1.1 200", "no colon", None),
        ];
        for (line, headers, expected) in cases {
            let read = read(&format!("HTTP/{line} OK\r\n{headers}\r\n\r\n"));
            match expected {
                Some(expected) => {
                    let head = read.unwrap().unwrap();
                    assert_eq!((head.framing, head.keep_alive), expected, "{line} {headers}");
                }
                None => assert!(read.is_err(), "{line} {headers}"),
            }
        }
        assert!(read("\r\n\r\n").is_err() && read("SSH-2.0-x\r\n\r\n").is_err());
        assert!(read("HTTP/1.1 200 OK\r\nx: y\r\n").unwrap().is_none());
        assert!(read(&"x".repeat(ANSWER_HEAD_BYTES_MAX + 1)).is_err());
    }
}
