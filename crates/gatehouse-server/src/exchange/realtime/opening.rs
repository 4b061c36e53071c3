//! Before a session whose first message names the model: the caller's connection is a WebSocket already, and what it
//! asks for is read from there.

use super::session::{STATUS, in_short};
use super::socket::{Heard, Socket};
use crate::house::House;
use crate::switch::Line;
use crate::trail::Trail;
use bytes::Bytes;
use gatehouse_core::error::{Code, Error, Fault};
use gatehouse_wire::realtime::SessionCodec;
use std::pin::pin;
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The caller's side of a session that has no other side yet.
pub struct Caller(pub(super) Socket<Line>);

/// Why there is no first message.
pub enum Unsaid {
    /// The caller has left.
    Left,
    /// It may not come, or did not in time; and the code that the connection is closed with.
    Wrong(Error, CloseCode),
}

// === impl Caller ===

impl Caller {
    /// A connection that has become a WebSocket.
    pub(crate) async fn new(line: Line, trail: &Trail, codec: &dyn SessionCodec) -> Self {
        let bytes_max = trail.snapshot.limits.message.0;
        Self(Socket::new(line, Bytes::new(), Role::Server, bytes_max, codec.takes_binary()).await)
    }

    /// Waits for the first message.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn first(&mut self, house: &House, limit: Duration) -> Result<Bytes, Unsaid> {
        let mut drain = pin!(house.drain.notified());
        drain.as_mut().enable();
        if house.is_draining() {
            return Err(drained());
        }
        tokio::select! {
            heard = self.0.hear() => match heard {
                Ok(Heard::Text(text)) => Ok(Bytes::from(text)),
                Ok(Heard::Gone { .. }) => Err(Unsaid::Left),
                Err(wrong) => Err(Unsaid::Wrong(wrong.error, wrong.code)),
            },
            () = tokio::time::sleep(limit) => {
                let message = "the first message did not arrive in time (limits.body_time)";
                Err(Unsaid::Wrong(Error::new(Code::RequestTimeout, message), CloseCode::Policy))
            }
            () = drain => Err(drained()),
        }
    }

    /// Ends the record and then the connection: there will be no session.
    pub async fn refuse(mut self, error: &Error, code: CloseCode, mut trail: Trail) {
        tracing::debug!(call = %trail.id(), %error, "no session");
        let ended = trail.fail(STATUS, error);
        // Should it not be safe: an error is the last word already.
        let _ = trail.safe(&ended).await;
        self.0.close(code, &in_short(error)).await;
    }

    /// The caller was not there for a session.
    pub async fn left(mut self, trail: Trail) {
        drop(trail);
        self.0.close(CloseCode::Normal, "").await;
    }
}

/// The code that says whose fault an error is.
#[must_use]
pub fn close_code(error: &Error) -> CloseCode {
    match (error.code, error.code.fault()) {
        (Code::Draining, _) => CloseCode::Away,
        (_, Fault::Provider | Fault::Gateway) => CloseCode::Error,
        _ => CloseCode::Policy,
    }
}

fn drained() -> Unsaid {
    let message = "the gateway is shutting down; open another session";
    Unsaid::Wrong(Error::new(Code::Draining, message), CloseCode::Away)
}
