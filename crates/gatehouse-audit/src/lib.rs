//! The book: what was asked, by whom, what came of it and what it cost, in append-only files.
//!
//! The cast, in the order in which a call meets it. [`Log::permit`] gives a [`Permit`], without which no
//! call goes on. Before a provider is contacted, [`Permit::admitted`] writes the first leaf; at the end,
//! whatever the end, [`Permit::settle`] writes the last. Each gives a [`Ticket`], and [`Log::durable`]
//! waits until that leaf is on the disk. A [`Reader`] gives [`Entry`]s back, whose bytes are exactly
//! those that a Merkle tree hashes, and a [`View`] reads their members. After a crash, [`unfinished`]
//! finds the calls without an end.
//!
//! ```no_run
//! # use gatehouse_audit::{Log, Options, LogError};
//! # async fn call(admitted: gatehouse_core::record::Admitted, settled: gatehouse_core::record::Settled)
//! # -> Result<(), LogError> {
//! let log = Log::open(&Options::new("data"))?;
//! let mut permit = log.permit()?;
//! permit.admitted(&admitted)?;
//! // … the provider answers …
//! let ticket = permit.settle(&settled)?;
//! log.durable(ticket).await
//! # }
//! ```
//!
//! Beside the log, [`tree::Sealing`] keeps the Merkle tree over it and signs it.
//!
//! What this crate does not know: HTTP, policies, databases. Segments are the truth; every database is a
//! projection of them that may be deleted.

mod back;
mod blocks;
mod canonical;
mod commit;
mod compact;
mod digit;
mod disk;
mod error;
mod event;
mod group;
mod leaf;
mod log;
mod mirror;
mod naming;
mod open;
mod options;
mod pack;
mod permit;
mod progress;
mod prune;
mod pruned;
mod reader;
mod room;
mod segment;
mod shared;
mod span;
mod spool;
mod spot;
mod subjects;
mod sync;
mod time;
pub mod tree;
mod unfinished;
mod view;
mod writer;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod simulation_tests;

pub use canonical::{INTEGER_MAX, TEXT_BYTES_MAX};
pub use commit::{CONTENT_BYTES_MAX, PAYLOADS_MAX};
pub use error::{LogError, ReadError};
pub use event::{
    EVENT_FIELDS_MAX, EVENT_NAME_BYTES_MAX, EVENT_TEXT_BYTES_MAX, EVENT_TEXTS_MAX, Event, EventKind, Field,
    RETENTION_PRUNED,
};
pub use leaf::{
    ATTEMPTS_MAX, CATEGORIES_MAX, DROPPED_MAX, GUARDS_MAX, LABEL_BYTES_MAX, LEAF_BYTES_MAX, LEAF_VERSION,
    Leaf, TAG_NAME_BYTES_MAX, TAGS_MAX, UPSTREAM_ID_BYTES_MAX,
};
pub use log::{Durability, Log, Stats, Status};
pub use mirror::Mirror;
pub use naming::erased_label;
pub use open::own_content_key;
pub use options::{DEFAULT_SHARD, FLUSH_AFTER, Options, PERMITS_MAX, SEGMENT_BYTES_MAX};
pub use pack::Text;
pub use permit::Permit;
pub use prune::{ContentsDue, Held, RecordsDue, contents_due, records_due};
pub use pruned::Pruned;
pub use reader::{Batch, Cursor, Damage, Entry, Reader, log_dir, read, read_at, shard_dir, shards};
pub use segment::{Contents, SHARD_BYTES_MAX};
pub use span::{Span, Spans};
pub use spool::SpoolOptions;
pub use subjects::{ContentKey, Known, SUBJECTS_MAX, Subject, Subjects};
pub use time::{parse_rfc3339, rfc3339};
pub use unfinished::{INTERRUPTED, Unfinished, unfinished, unfinished_at};
pub use view::{
    Actor, Corr, CostView, Kept, Model, Org, Part, ResultView, Route, Standing, TimingView, UsageView, View,
};
pub use writer::Ticket;
