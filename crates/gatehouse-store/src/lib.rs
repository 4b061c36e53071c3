//! Where it is kept: SQLite files in the data folder.
//!
//! [`Store`] is `gatehouse.db`: caller keys, settings and holds, which exist nowhere else. [`Index`] is
//! `index.db`: what the audit log says, in a shape that can be asked; a [`Projector`] builds it, and it
//! may be deleted at any time. [`Responses`] is `responses.db`: answers that are kept for callers, sealed.
//! [`Things`] is `things.db`: whose which file and batch at a provider is, and which batches are to be settled.
//! They are files of their own so that deleting one cannot touch another, and so that a busy projector never makes
//! a new key wait.
//!
//! Everything here blocks on the disk: a server calls it on threads that may block. Several processes may
//! have them open at once. All values in SQL are bound parameters.

mod admins;
mod database;
mod error;
mod filter;
mod forget;
mod holds;
mod index;
mod keys;
mod names;
mod projector;
mod query;
mod responses;
#[cfg(test)]
mod samples;
mod store;
mod sums;
mod things;
mod usage;

pub use admins::AdminRecord;
pub use error::StoreError;
pub use filter::Filter;
pub use holds::{Hold, Selection};
pub use index::{INDEX_FILE, Index};
pub use keys::{KeyBudget, KeyHash, KeyRecord};
pub use projector::{BATCH_LEAVES_MAX, Keys, Projector};
pub use query::{After, CallRow, PAGE_ROWS_MAX, Page, Shown};
pub use responses::{Chain, FoundResponse, RESPONSES_FILE, ResponseId, ResponseRecord, Responses};
pub use store::{STORE_FILE, Store};
pub use things::{OPEN_ROWS_MAX, THINGS_FILE, THINGS_ROWS_MAX, ThingPage, ThingRecord, Things};
pub use usage::{DIMENSIONS_MAX, Dimension, USAGE_ROWS_MAX, UsageRow};
