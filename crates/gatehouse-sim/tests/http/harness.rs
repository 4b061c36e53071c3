//! A running simulator and a plain HTTP client for it.

use std::time::Duration;

use bytes::Bytes;
use gatehouse_sim::{Counts, Filter, Options, Simulator};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long anything may take before a test gives up. Nothing waits for this in a test that passes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A simulator on a port of its own.
pub(crate) struct Sim {
    pub(crate) handle: Simulator,
    pub(crate) address: String,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) served: JoinHandle<()>,
}

/// An answer, read to its end or its cut.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    /// The pieces as they came.
    pub(crate) pieces: Vec<Bytes>,
    /// Whether the body ended before its end.
    pub(crate) cut: bool,
}

/// Starts a simulator with the control API.
pub(crate) async fn start() -> Sim {
    start_with(Options { control: true, drain: Duration::from_millis(50), ..Options::default() }).await
}

pub(crate) async fn start_with(options: Options) -> Sim {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handle = Simulator::new(options);
    let (stop, stopped) = oneshot::channel();
    let serving = handle.clone();
    let served = tokio::spawn(async move { serving.serve(listener, stopped).await });
    Sim { handle, address, stop: Some(stop), served }
}

impl Sim {
    pub(crate) fn request(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("authorization", "Bearer sk-test")
            .header("anthropic-version", "2023-06-01")
            .body(Full::new(body.into()))
            .unwrap()
    }

    /// Sends a request and gives the answer with its body unread, or nothing when the connection was
    /// closed without one.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> Option<hyper::Response<Incoming>> {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().ok()
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.open(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut answer = Answer { status, headers, pieces: Vec::new(), cut: false };
        let mut body = response.into_body();
        while let Some(frame) = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap() {
            match frame {
                Ok(frame) => answer.pieces.extend(frame.into_data().ok()),
                Err(_) => {
                    answer.cut = true;
                    break;
                }
            }
        }
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path, body.to_string())).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path, "")).await
    }

    pub(crate) async fn script(&self, script: Value) {
        let answer = self.post("/_sim/scripts", &script).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Waits until the sum of all rows is so.
    pub(crate) async fn wait(&self, reached: impl Fn(&Counts) -> bool) -> Counts {
        let (counts, reached) = self.handle.wait(&Filter::default(), PATIENCE, reached).await;
        assert!(reached, "{counts:?}");
        counts
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.pieces.concat()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The events of a stream: name (empty without one) and data.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let text = self.text().replace("\r\n", "\n");
        let mut events = Vec::new();
        for block in text.split("\n\n").filter(|block| !block.is_empty()) {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let data = field("data: ").unwrap_or_default();
            let data = if data == "[DONE]" { json!("[DONE]") } else { serde_json::from_str(data).unwrap() };
            events.push((field("event: ").unwrap_or_default().to_owned(), data));
        }
        events
    }

    /// The names of the events, repeated ones once.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.events().into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }
}

/// The texts at a pointer in every event, joined.
pub(crate) fn joined(events: &[(String, Value)], pointer: &str) -> String {
    events.iter().filter_map(|(_, event)| event.pointer(pointer)?.as_str()).collect()
}

/// The schema of a weather tool.
pub(crate) fn weather() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"]})
}
