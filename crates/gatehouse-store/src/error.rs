//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite said no.
    #[error("the database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file system said no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database was written by a newer version of the program.
    #[error("{path} has schema {found}, this program knows {known}: it was written by a newer version")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: usize,
        /// The newest schema that is known.
        known: usize,
    },
    /// The keys under which end users' names are sealed cannot be had.
    #[error("the keys of what was said cannot be read: {source}")]
    Keys {
        /// What the system said.
        source: io::Error,
    },
    /// A key of this id is there already.
    #[error("there is a key {key_id} already")]
    Duplicate {
        /// The public part of the key.
        key_id: String,
    },
    /// The audit log could not be read.
    #[error(transparent)]
    Log(#[from] gatehouse_audit::ReadError),
    /// A JSON text in the database or a leaf in the log does not read.
    #[error("{what} does not read: {source}")]
    Json {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

// === impl StoreError ===

impl StoreError {
    /// Whether it was given up because it took too long ([`crate::Index::give_up_when`]).
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        let interrupted = Some(rusqlite::ErrorCode::OperationInterrupted);
        matches!(self, Self::Database(error) if error.sqlite_error_code() == interrupted)
    }
}
