//! One kept-alive HTTP/1.1 connection.

use crate::target::{Target, Work};
use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A connection to a target.
pub(crate) struct Connection {
    target: Arc<Target>,
    sender: SendRequest<Full<Bytes>>,
}

// === impl Connection ===

impl Connection {
    /// Connects.
    pub(crate) async fn open(target: &Arc<Target>) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { target: Arc::clone(target), sender })
    }

    /// Asks, reads the whole answer, checks it. Gives the time from `since` to the end, or to the first piece of a
    /// stream.
    pub(crate) async fn call(&mut self, work: &Work, since: Instant) -> Result<Duration> {
        let streamed = !work.ending.is_empty();
        tokio::time::timeout(ANSWER_MAX, async {
            let (answer, first) = self.answer(&work.body, since).await?;
            if let Some(fault) = work.fault(&answer) {
                bail!("a wrong answer: {fault}");
            }
            Ok(if streamed { first } else { since.elapsed() })
        })
        .await
        .context("no answer in time")?
    }

    /// Asks and reads the whole answer; with it the time to its first piece.
    pub(crate) async fn answer(&mut self, body: &Bytes, since: Instant) -> Result<(Bytes, Duration)> {
        let response = self.begin(body).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut whole = BytesMut::new();
        let mut first = None;
        while let Some(frame) = body.frame().await {
            first.get_or_insert_with(|| since.elapsed());
            if let Ok(piece) = frame.context("the answer broke off")?.into_data() {
                whole.extend_from_slice(&piece);
            }
        }
        if !status.is_success() {
            bail!("status {status}: {}", String::from_utf8_lossy(&whole));
        }
        Ok((whole.freeze(), first.unwrap_or_default()))
    }

    /// Asks and waits for the head of the answer.
    pub(crate) async fn begin(&mut self, body: &Bytes) -> Result<Response<Incoming>> {
        self.sender.ready().await.context("the connection was closed")?;
        self.sender.send_request(self.target.request(body)).await.context("cannot ask")
    }
}
