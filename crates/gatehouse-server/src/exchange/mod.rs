//! One exchange with one provider: [`prepare`] writes the request for it, [`attempt`] sends it, [`source`]
//! reads what comes, [`whole`] and [`relay`] (once it is [`opened`]) pass it on in one piece or as it comes, [`edit`] with what has changed.

pub mod attempt;
pub mod count;
pub mod edit;
pub mod embed;
pub mod listing;
pub mod manner;
pub mod native;
pub mod opened;
pub mod passing;
pub mod prepare;
pub mod realtime;
pub mod relay;
pub mod rerank;
pub mod source;
pub mod through;
pub mod whole;
pub mod writer;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// An answer in one piece, in the caller's dialect.
#[derive(Debug)]
pub struct Whole {
    /// The status, a good one.
    pub status: StatusCode,
    /// The provider's headers that are passed on.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What came of a call.
pub enum Answered {
    /// An answer in one piece.
    Whole(Whole),
    /// A stream whose first content has come.
    Stream(Box<opened::Opened>),
    /// Bytes that pass as they come.
    Bytes(Box<passing::Opened>),
    /// A session that the provider has agreed to.
    Session(Box<realtime::Opened>),
}

// === impl Whole ===

impl Whole {
    /// An answer with the usual status.
    #[must_use]
    pub fn ok(headers: HeaderMap, body: Bytes) -> Self {
        Self { status: StatusCode::OK, headers, body }
    }
}
