//! The database that is built from the audit log: `index.db`. It may be deleted at any time.

use gatehouse_audit::{Cursor, Subjects, Unfinished, shard_dir, unfinished_at};
use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::UnixMicros;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::database::{self, Safety, signed, unsigned};
use crate::error::StoreError;
use crate::filter::{id_after, id_before};

/// The file in the data folder.
pub const INDEX_FILE: &str = "index.db";
/// Microseconds of an hour: what is spent is summed up by the hour.
pub(crate) const HOUR_MICROS: u64 = 3_600_000_000;
/// Steps of the database's machine between two looks at the clock: some hundred microseconds.
const STEPS_BETWEEN: i32 = 10_000;
const MIGRATIONS: &[&str] =
    &[include_str!("sql/index_1.sql"), include_str!("sql/index_2.sql"), include_str!("sql/index_3.sql")];

/// The index as readers use it. Every method blocks on the disk. It shows the log as far as a
/// [`crate::Projector`] has read it.
pub struct Index {
    connection: Mutex<Connection>,
    pub(crate) data: PathBuf,
}

/// Opens the index of this data folder, for readers and writers.
pub(crate) fn open_index(data: &Path) -> Result<Connection, StoreError> {
    let connection = database::open(&data.join(INDEX_FILE), Safety::Normal, MIGRATIONS)?;
    // A name that goes is gone from the file.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}

/// A place in the log, as two columns of the index hold it.
pub(crate) fn cursor(segment: i64, position: i64) -> Cursor {
    Cursor { segment: unsigned(segment), offset: unsigned(position) }
}

// === impl Index ===

impl Index {
    /// Opens the index in this data folder, and makes an empty one when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: Mutex::new(open_index(data)?), data: data.to_owned() })
    }

    /// What a key has spent on calls accepted since `since`, what is reserved for its unfinished calls
    /// included: for budgets when the gateway starts. Calls without a known price count nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub fn spent(&self, key: &str, since: UnixMicros) -> Result<Nanodollars, StoreError> {
        let whole_hours = since.div_ceil(HOUR_MICROS);
        let connection = self.connection();
        // Whole hours from the roll-up, the part of an hour before them from the calls themselves.
        let mut select = connection.prepare_cached(
            "SELECT coalesce((SELECT sum(nanos) FROM spent WHERE key = ?1 AND hour >= ?2), 0) \
             + coalesce((SELECT sum(cost_nanos) FROM calls CROSS JOIN kinds USING (kind) WHERE call >= ?5 \
             AND call < ?6 AND at >= ?3 AND at < ?4 AND key = ?1), 0) \
             + coalesce((SELECT sum(reserved_nanos) FROM open_calls WHERE key = ?1 AND at >= ?3), 0)",
        )?;
        let first_whole = whole_hours.saturating_mul(HOUR_MICROS);
        let (low, high) = (id_before(since), id_after(first_whole));
        let parameters = params![key, signed(whole_hours), signed(since), signed(first_whole), low, high];
        Ok(Nanodollars(unsigned(select.query_row(parameters, |row| row.get(0))?)))
    }

    /// The calls that were admitted and have no end, oldest first. At the start, before any call is let
    /// in, each of them gets its last leaf by [`Unfinished::settlement`].
    ///
    /// # Errors
    /// When the database or the log cannot be read.
    pub fn unfinished(&self, subjects: &Subjects) -> Result<Vec<Unfinished>, StoreError> {
        let places = {
            let connection = self.connection();
            let mut select = connection
                .prepare_cached("SELECT shard, segment, position FROM open_calls ORDER BY at, call")?;
            let place = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, cursor(row.get(1)?, row.get(2)?)));
            select.query_map([], place)?.collect::<Result<Vec<(String, _)>, _>>()?
        };
        let mut found = Vec::with_capacity(places.len());
        for (shard, at) in places {
            found.extend(unfinished_at(&shard_dir(&self.data, &shard), at, subjects)?);
        }
        Ok(found)
    }

    /// Gives up whatever is asked from now on, as soon as `over` says so; it is asked often, and must be quick.
    ///
    /// # Errors
    /// When the database fails.
    pub fn give_up_when(&self, over: impl FnMut() -> bool + Send + 'static) -> Result<(), StoreError> {
        Ok(self.connection().progress_handler(STEPS_BETWEEN, Some(over))?)
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
