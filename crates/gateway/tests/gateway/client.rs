//! A plain HTTP client: ordinary calls through hyper, odd ones over a bare socket.

use crate::provider::PATIENCE;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A request to be.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// An answer, read to its end or its break.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) cut: bool,
}

/// An answer whose head has come. Dropping it closes the connection.
pub(crate) struct Live {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    seen: Vec<u8>,
    connection: JoinHandle<hyper::Result<()>>,
}

// === impl Ask ===

impl Ask {
    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: "POST", path: path.into(), headers: Vec::new(), body: body.to_string().into() }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it and reads the head of the answer.
    pub(crate) async fn open(self, address: &str) -> Live {
        self.open_on(TcpStream::connect(address).await.unwrap()).await
    }

    /// The same over a connection that is there.
    pub(crate) async fn open_on(self, stream: TcpStream) -> Live {
        let host = stream.peer_addr().unwrap().to_string();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = self.request(&self.path).header("host", host).body(Full::new(self.body)).unwrap();
        let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        Live::new(response, connection)
    }

    /// The same over HTTP/2, with the windows of the RFC: what is not read stops after 64 KiB.
    pub(crate) async fn open_http2_on(self, stream: TcpStream) -> Live {
        let uri = format!("http://{}{}", stream.peer_addr().unwrap(), self.path);
        let mut client = http2::Builder::new(TokioExecutor::new());
        client.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = self.request(&uri).body(Full::new(self.body)).unwrap();
        let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        Live::new(response, connection)
    }

    fn request(&self, uri: &str) -> http::request::Builder {
        let begun = Request::builder().method(self.method).uri(uri);
        self.headers.iter().fold(begun, |request, (name, value)| request.header(name, value))
    }
}

// === impl Live ===

impl Live {
    fn new(response: Response<Incoming>, connection: JoinHandle<hyper::Result<()>>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body, seen: Vec::new(), connection }
    }

    /// Reads until the body contains this text.
    pub(crate) async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            let frame = timeout(PATIENCE, self.body.frame()).await.unwrap();
            let frame = frame
                .unwrap_or_else(|| panic!("ended without {text:?}: {}", String::from_utf8_lossy(&self.seen)));
            self.seen.extend_from_slice(&frame.unwrap().into_data().unwrap_or_default());
        }
    }

    pub(crate) async fn rest(mut self) -> Answer {
        let mut cut = false;
        let mut seen = std::mem::take(&mut self.seen);
        while let Some(frame) = timeout(PATIENCE, self.body.frame()).await.unwrap() {
            match frame {
                Ok(frame) => seen.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    cut = true;
                    break;
                }
            }
        }
        Answer { status: self.status, headers: self.headers.clone(), body: seen.into(), cut }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn record(&self) -> String {
        self.header("x-gatehouse-record").to_owned()
    }

    /// The data of a stream's events; `[DONE]` as a string. Amazon's messages are each an object with their name for
    /// its member.
    pub(crate) fn events(&self) -> Vec<Value> {
        if self.header("content-type") == "application/vnd.amazon.eventstream" {
            return self.messages().into_iter().map(|(name, payload)| json!({name: payload})).collect();
        }
        let text = self.text().replace("\r\n", "\n");
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        let read = |data: &str| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        data.map(|data| if data == "[DONE]" { json!("[DONE]") } else { read(data) }).collect()
    }
}

impl Answer {
    /// The messages of one of Amazon's streams: the name of each and its payload. A stream that is cut is no stream.
    pub(crate) fn messages(&self) -> Vec<(String, Value)> {
        let mut rest = self.body.as_ref();
        let mut all = Vec::new();
        let number = |bytes: &[u8]| usize::try_from(u32::from_be_bytes(bytes.try_into().unwrap())).unwrap();
        while !rest.is_empty() {
            let (message, behind) = rest.split_at(number(&rest[..4]));
            let (headers, payload) = message[12..message.len() - 4].split_at(number(&message[4..8]));
            // The name is the value of the first header.
            let at = 1 + usize::from(headers[0]) + 1;
            let length = usize::from(u16::from_be_bytes([headers[at], headers[at + 1]]));
            let name = String::from_utf8(headers[at + 2..at + 2 + length].to_vec()).unwrap();
            all.push((name, serde_json::from_slice(payload).unwrap()));
            rest = behind;
        }
        all
    }
}

/// Sends these bytes and reads until the connection closes.
pub(crate) async fn raw(address: &str, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        // A server that has heard enough may close before everything is written.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    // A reset after the answer takes nothing from what was read before.
    while let Ok(count @ 1..) =
        timeout(PATIENCE, stream.read(&mut buffer)).await.expect("the connection stays open")
    {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}
