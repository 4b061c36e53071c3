//! Errors on the wire: ours in the caller's dialect, and a provider's as ours.
//!
//! Outward, [`render`] writes the body of an error answer, [`status`] its HTTP status, and [`mid_stream`]
//! the last bytes of a stream that failed when the headers were already gone. Inward, [`classify`] reads
//! what a provider answered with an error status, [`in_success_body`] an error that came with a status of
//! success, [`from_stream`] an error event of a stream, and [`from_exception`] one that is named outside of its
//! body.
//!
//! What providers write is read leniently and never passed on unread: it is cut to a limit and whatever
//! looks like a credential is taken out, as some providers quote the key that they refuse.

mod bedrock;
mod classify;
mod redact;
mod render;
mod report;
mod signs;
mod stream;
mod wait;

pub use bedrock::{bedrock_exception, bedrock_type};
pub use classify::{classify, from_exception, from_node, from_stream, in_success_body};
pub use redact::redact;
pub(crate) use render::openai_type;
pub use render::{render, status};
pub use report::{BODY_BYTES_MAX, MESSAGE_CHARS_MAX};
pub use stream::mid_stream;
pub use wait::RETRY_AFTER_MAX;
