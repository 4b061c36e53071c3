//! The database of what cannot be rebuilt: `gatehouse.db`, with keys, settings and holds.

use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::database::{self, Safety};
use crate::error::StoreError;

/// The file in the data folder.
pub const STORE_FILE: &str = "gatehouse.db";
const MIGRATIONS: &[&str] =
    &[include_str!("sql/store_1.sql"), include_str!("sql/store_2.sql"), include_str!("sql/store_3.sql")];

/// Keys, settings and holds. Every method blocks on the disk; call it where blocking is allowed. Several
/// processes may have it open at once.
pub struct Store {
    connection: Mutex<Connection>,
}

// === impl Store ===

impl Store {
    /// Opens the store in this data folder, and makes it when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let connection = database::open(&data.join(STORE_FILE), Safety::Full, MIGRATIONS)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// When the database fails.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached("SELECT value FROM settings WHERE name = ?")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Gives a setting a value.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.connection().execute(sql, params![name, value])?;
        Ok(())
    }

    /// Gives a setting a value unless it has one. `true` when it was given: of several processes that
    /// start at once, one is the first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn claim_setting(&self, name: &str, value: &str) -> Result<bool, StoreError> {
        let sql = "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO NOTHING";
        Ok(self.connection().execute(sql, params![name, value])? == 1)
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Store;

    #[test]
    fn settings_are_kept_and_claimed_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.setting("first_start").unwrap(), None);
        assert!(store.claim_setting("first_start", "1").unwrap());
        let other = Store::open(dir.path()).unwrap();
        assert!(!other.claim_setting("first_start", "2").unwrap());
        other.set_setting("some_setting", "aa").unwrap();
        other.set_setting("some_setting", "bb").unwrap();
        assert_eq!(store.setting("first_start").unwrap().as_deref(), Some("1"));
        assert_eq!(store.setting("some_setting").unwrap().as_deref(), Some("bb"));
    }
}
