//! One side of a session: messages within their limits, and why it ended.

use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use gatehouse_core::error::{Code, Error};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as Broken, Message, Utf8Bytes};

/// What is read at once: most events are short.
const READ_BYTES: usize = 16 << 10;
/// Pings and pongs in each [`CONTROLS_SPAN`]; more is a flood.
const CONTROLS_MAX: u32 = 100;
/// See [`CONTROLS_MAX`].
const CONTROLS_SPAN: Duration = Duration::from_secs(10);
/// How long the other side may take to answer our goodbye.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(2);
/// The longest reason in a close frame (RFC 6455 section 5.5), with room for its code.
const REASON_BYTES_MAX: usize = 120;

/// One side of a session.
pub(super) struct Socket<S> {
    stream: WebSocketStream<S>,
    message_bytes_max: usize,
    /// Whether messages may come as binary, and whether the last one did.
    takes_binary: bool,
    heard_binary: bool,
    controls: u32,
    since: Instant,
}

/// What came.
pub(super) enum Heard {
    /// A message.
    Text(Utf8Bytes),
    /// The other side said goodbye, or is gone; whether in order.
    Gone {
        /// With a close frame of an ordinary code.
        in_order: bool,
        /// The reason that it gave.
        reason: Utf8Bytes,
    },
}

/// What may not come, and the code that the connection is closed with.
pub(super) struct Wrong {
    /// In our words.
    pub(super) error: Error,
    /// See RFC 6455 section 7.4.1.
    pub(super) code: CloseCode,
}

const NOT_UTF8: &str = "a message is not UTF-8";

// === impl Heard ===

impl Heard {
    /// Gone without a word.
    fn lost() -> Self {
        Self::Gone { in_order: false, reason: Utf8Bytes::default() }
    }
}

// === impl Socket ===

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Goes on with a stream, `came` of which was read already.
    pub(super) async fn new(
        stream: S,
        came: Bytes,
        role: Role,
        message_bytes_max: u64,
        takes_binary: bool,
    ) -> Self {
        let message_bytes_max = usize::try_from(message_bytes_max).unwrap_or(usize::MAX);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max))
            .accept_unmasked_frames(false);
        let stream = WebSocketStream::from_partially_read(stream, came.into(), role, Some(config)).await;
        Self {
            stream,
            message_bytes_max,
            takes_binary,
            heard_binary: false,
            controls: 0,
            since: Instant::now(),
        }
    }

    /// The next message. May be dropped at any time.
    ///
    /// # Errors
    /// What came is none.
    pub(super) async fn hear(&mut self) -> Result<Heard, Wrong> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.heard_binary = false;
                    return Ok(Heard::Text(text));
                }
                Some(Ok(Message::Binary(bytes))) if self.takes_binary => {
                    self.heard_binary = true;
                    let text = Utf8Bytes::try_from(bytes);
                    return text.map(Heard::Text).map_err(|_| wrong(NOT_UTF8, CloseCode::Invalid));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.control()?,
                Some(Ok(Message::Close(frame))) => {
                    let in_order = frame.as_ref().is_none_or(|frame| {
                        matches!(frame.code, CloseCode::Normal | CloseCode::Away | CloseCode::Status)
                    });
                    let reason = frame.map(|frame| frame.reason).unwrap_or_default();
                    return Ok(Heard::Gone { in_order, reason });
                }
                Some(Ok(Message::Binary(_))) => {
                    return Err(wrong("events are text, not binary", CloseCode::Unsupported));
                }
                Some(Ok(Message::Frame(_))) => {}
                Some(Err(broken)) => return self.broken(&broken),
                None => return Ok(Heard::lost()),
            }
        }
    }

    /// Whether the other side says what it says as binary.
    pub(super) fn speaks_binary(&self) -> bool {
        self.heard_binary
    }

    /// The next message if it is there already.
    pub(super) fn heard(&mut self) -> Option<Result<Heard, Wrong>> {
        self.hear().now_or_never()
    }

    /// Says something, as binary or as text, which [`Self::flush`] sends.
    ///
    /// # Errors
    /// The other side is gone, or takes nothing.
    pub(super) async fn say(&mut self, text: Utf8Bytes, binary: bool, limit: Duration) -> Result<(), ()> {
        let message = if binary { Message::Binary(text.into()) } else { Message::Text(text) };
        let saying = self.stream.feed(message);
        // Nothing waits as a rule, and then no timer is needed.
        let mut saying = std::pin::pin!(saying);
        match saying.as_mut().now_or_never() {
            Some(said) => said.map_err(drop),
            None => tokio::time::timeout(limit, saying).await.map_or(Err(()), |said| said.map_err(drop)),
        }
    }

    /// Sends what was said.
    ///
    /// # Errors
    /// As [`Self::say`].
    pub(super) async fn flush(&mut self, limit: Duration) -> Result<(), ()> {
        match self.stream.flush().now_or_never() {
            Some(flushed) => flushed.map_err(drop),
            None => tokio::time::timeout(limit, self.stream.flush())
                .await
                .map_or(Err(()), |flushed| flushed.map_err(drop)),
        }
    }

    /// Says goodbye and waits a moment for the answer.
    pub(super) async fn close(&mut self, code: CloseCode, reason: &str) {
        let cut = (0..=REASON_BYTES_MAX.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at));
        let reason = reason.get(..cut.unwrap_or_default()).unwrap_or_default();
        let frame = CloseFrame { code, reason: reason.into() };
        let goodbye = async {
            if self.stream.close(Some(frame)).await.is_ok() {
                // Whatever comes meanwhile comes too late.
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        let _ = tokio::time::timeout(CLOSE_WAIT_MAX, goodbye).await;
    }

    fn control(&mut self) -> Result<(), Wrong> {
        if self.since.elapsed() >= CONTROLS_SPAN {
            (self.controls, self.since) = (0, Instant::now());
        }
        self.controls += 1;
        if self.controls > CONTROLS_MAX {
            return Err(wrong("too many pings and pongs", CloseCode::Policy));
        }
        Ok(())
    }

    fn broken(&self, broken: &Broken) -> Result<Heard, Wrong> {
        Err(match broken {
            Broken::Capacity(_) => {
                let limit = self.message_bytes_max;
                let message = format!("the message exceeds the limit of {limit} bytes (limits.message)");
                Wrong { error: Error::new(Code::RequestTooLarge, message), code: CloseCode::Size }
            }
            Broken::Utf8(_) => wrong(NOT_UTF8, CloseCode::Invalid),
            Broken::Protocol(
                tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => return Ok(Heard::lost()),
            Broken::Protocol(why) => {
                wrong(&format!("a frame breaks the protocol: {why}"), CloseCode::Protocol)
            }
            _ => return Ok(Heard::lost()),
        })
    }
}

fn wrong(message: &str, code: CloseCode) -> Wrong {
    Wrong { error: Error::new(Code::InvalidRequest, message), code }
}
