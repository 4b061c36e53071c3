//! How a log is opened: where it is, how large its parts may grow, how long it may wait.

use crate::span::Spans;
use crate::spool::SpoolOptions;
use crate::subjects::ContentKey;
use std::path::PathBuf;
use std::time::Duration;

/// A segment that has grown to this is followed by another, and is compressed.
pub const SEGMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How many calls may be in flight.
pub const PERMITS_MAX: usize = 16_384;
/// How long a leaf that nobody waits for may stay off the disk.
pub const FLUSH_AFTER: Duration = Duration::from_millis(25);
/// The shard of a gateway that stands alone.
pub const DEFAULT_SHARD: &str = "r0";

/// How to open a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; the log is in `log/<shard>` under it.
    pub data_dir: PathBuf,
    /// The name of this replica's log.
    pub shard: String,
    /// See [`SEGMENT_BYTES_MAX`].
    pub segment_bytes_max: u64,
    /// Where leaves go while the log cannot be written; without one, calls are refused then.
    pub spool: Option<SpoolOptions>,
    /// How long a time one file holds.
    pub spans: Spans,
    /// See [`PERMITS_MAX`].
    pub permits_max: usize,
    /// See [`FLUSH_AFTER`].
    pub flush_after: Duration,
    /// Whether segments that have ended are compressed, on a thread of their own.
    pub compresses: bool,
    /// The key under which the keys of subjects are wrapped; without one, that in the data folder.
    pub content_key: Option<ContentKey>,
}

// === impl Options ===

impl Options {
    /// The defaults, for this data folder.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            shard: DEFAULT_SHARD.to_owned(),
            segment_bytes_max: SEGMENT_BYTES_MAX,
            spool: None,
            spans: Spans::default(),
            permits_max: PERMITS_MAX,
            flush_after: FLUSH_AFTER,
            compresses: true,
            content_key: None,
        }
    }
}
