//! What can go wrong with the book.

use gatehouse_core::error::Code;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a leaf was not written, or is not known to be on the disk.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// As many calls as the log has room for are in flight.
    #[error("all {permits_max} places of the audit log are taken")]
    Full {
        /// The limit that is reached.
        permits_max: usize,
    },
    /// The log cannot be written now; it tries again by itself.
    #[error("the audit log cannot be written: {reason}")]
    Unavailable {
        /// What the last attempt met.
        reason: Arc<str>,
    },
    /// The log cannot be written now; the leaf is kept in memory and written as soon as it can be.
    #[error("the audit log cannot be written: {reason}; the record is kept until it can")]
    Kept {
        /// What the last attempt met.
        reason: Arc<str>,
    },
    /// The leaf was written, but the disk reported an error before it was safe.
    #[error("record {seq} of the audit log may not have reached the disk")]
    Lost {
        /// The number of the leaf.
        seq: u64,
    },
    /// The log was closed before the leaf was safe.
    #[error("the audit log is closed")]
    Closed,
    /// Another process writes this log.
    #[error("another process has the audit log open ({path})")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file that is no segment of this log stands where one should be.
    #[error("{path} is not a segment of this log: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The name of a shard that cannot be a folder.
    #[error("the name of a shard is 1 to 64 letters, digits, dots, dashes or underscores, not {name:?}")]
    BadShard {
        /// The name.
        name: String,
    },
    /// The file system said no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system said no.
    #[error("cannot read the audit log in {dir}: {source}")]
    Io {
        /// The folder of the shard.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A leaf that is not a leaf.
    #[error("the record at segment {segment}, byte {offset} of the audit log does not read: {source}")]
    Leaf {
        /// The first sequence number of its segment.
        segment: u64,
        /// Where in the segment it stands.
        offset: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

// === impl LogError ===

impl LogError {
    /// The code that a caller is answered with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code::Overloaded,
            _ => Code::AuditUnavailable,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: Arc::new(source) }
    }
}
