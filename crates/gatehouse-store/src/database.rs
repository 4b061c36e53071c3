//! Opening a SQLite file: settings that both databases share, and their schema.
//!
//! The schema's version is SQLite's own `user_version`: the number of migrations that have run. Each is a
//! file of SQL that is never changed once released.

use rusqlite::{Connection, TransactionBehavior};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;

/// How long a statement waits for another process that writes.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);

/// How much a commit must survive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Safety {
    /// A power cut: the database is the truth.
    Full,
    /// The death of the process: the database can be built again.
    Normal,
}

/// Opens or makes the database at `path` and brings its schema up to date.
pub(crate) fn open(path: &Path, safety: Safety, migrations: &[&str]) -> Result<Connection, StoreError> {
    make_private(path).map_err(|source| StoreError::Io { what: "open", path: path.to_owned(), source })?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT_MAX)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match safety {
        Safety::Full => "full",
        Safety::Normal => "normal",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    migrate(&mut connection, path, migrations)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    if version(connection)? == migrations.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again under the lock: two processes may start at once.
    let found = version(&transaction)?;
    let known = migrations.len();
    let Some(missing) = migrations.get(found..) else {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(known).unwrap_or_default())?;
    Ok(transaction.commit()?)
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Makes the folder and the file, readable by their owner only, before SQLite would make them for all.
fn make_private(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new();
    file.create(true).append(true);
    let mut dir = std::fs::DirBuilder::new();
    dir.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        file.mode(0o600);
        dir.mode(0o700);
    }
    if let Some(parent) = path.parent() {
        dir.create(parent)?;
    }
    file.open(path).map(drop)
}

/// Numbers in SQLite are signed: an amount beyond is taken as the largest.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back again; nothing that we write is negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Safety, open};
    use crate::error::StoreError;

    const ONE: &str = "CREATE TABLE one (a INTEGER) STRICT;";
    const TWO: &str = "CREATE TABLE two (b INTEGER) STRICT;";

    #[test]
    fn migrations_run_once_and_a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inner/some.db");
        open(&path, Safety::Full, &[ONE]).unwrap();
        open(&path, Safety::Normal, &[ONE, TWO]).unwrap();
        let again = open(&path, Safety::Normal, &[ONE, TWO]).unwrap();
        again.execute("INSERT INTO two VALUES (1)", []).unwrap();
        let newer = open(&path, Safety::Full, &[ONE]);
        assert!(matches!(newer, Err(StoreError::Newer { found: 2, known: 1, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn others_may_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/some.db");
        open(&path, Safety::Full, &[ONE]).unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}
