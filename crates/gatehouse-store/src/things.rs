//! The database of what tenants have at providers: `things.db`, with files and batches.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::database::{self, Safety, signed, unsigned};
use crate::error::StoreError;

/// The file in the data folder.
pub const THINGS_FILE: &str = "things.db";
const MIGRATIONS: &[&str] = &[include_str!("sql/things_1.sql")];
/// The most open batches that are looked at in one round.
pub const OPEN_ROWS_MAX: u32 = 10_000;
/// The most rows that a page has.
pub const THINGS_ROWS_MAX: u32 = 10_001;

/// A file or a batch as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThingRecord {
    /// As callers have it.
    pub id: String,
    /// `file` or `batch`.
    pub kind: String,
    /// Whose it is.
    pub tenant: String,
    /// Where it is.
    pub provider: String,
    /// The id there.
    pub upstream: String,
    /// What a file is for.
    pub purpose: String,
    /// When it was made, in Unix seconds.
    pub created_at: u64,
    /// When its id ends, in Unix seconds.
    pub expires_at: u64,
    /// What callers were last shown of it.
    pub body: String,
    /// What else is to be remembered of it.
    pub memo: String,
    /// Whether it is a batch that is not settled.
    pub open: bool,
    /// How often in a row its provider did not know it.
    pub misses: u32,
    /// The call that settles it, once that is decided.
    pub settlement: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThingPage<'a> {
    /// `file` or `batch`.
    pub kind: &'a str,
    /// Whose.
    pub tenant: &'a str,
    /// What files are for; empty for all.
    pub purpose: &'a str,
    /// Only what comes behind this one.
    pub after: Option<&'a str>,
    /// The oldest first.
    pub ascending: bool,
    /// So many at most.
    pub limit: u32,
    /// What has not ended by then.
    pub now: u64,
}

/// Files and batches. Every method blocks on the disk; call it where blocking is allowed.
pub struct Things {
    connection: Mutex<Connection>,
}

const SELECT: &str = "SELECT id, kind, tenant, provider, upstream, purpose, created_at, expires_at, body, memo, \
                      open, misses, settlement FROM things";

// === impl Things ===

impl Things {
    /// Opens the database in this data folder, and makes it when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let connection = database::open(&data.join(THINGS_FILE), Safety::Full, MIGRATIONS)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Keeps a thing. Of one that is there, what may change is replaced, but for a body by an empty one;
    /// what has been settled stays so.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put(&self, thing: &ThingRecord) -> Result<(), StoreError> {
        let sql = "INSERT INTO things (id, kind, tenant, provider, upstream, purpose, created_at, expires_at, body, \
                   memo, open, misses, settlement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                   ON CONFLICT (id) DO UPDATE SET body = iif(excluded.body = '', body, excluded.body), open = min(open, excluded.open), \
                   misses = excluded.misses, settlement = coalesce(settlement, excluded.settlement)";
        self.connection().prepare_cached(sql)?.execute(params![
            thing.id,
            thing.kind,
            thing.tenant,
            thing.provider,
            thing.upstream,
            thing.purpose,
            signed(thing.created_at),
            signed(thing.expires_at),
            thing.body,
            thing.memo,
            thing.open,
            thing.misses,
            thing.settlement,
        ])?;
        Ok(())
    }

    /// The thing of a tenant's that has this id at a provider.
    ///
    /// # Errors
    /// When the database fails.
    pub fn find(
        &self,
        tenant: &str,
        provider: &str,
        upstream: &str,
    ) -> Result<Option<ThingRecord>, StoreError> {
        let connection = self.connection();
        let sql = [SELECT, " WHERE tenant = ? AND provider = ? AND upstream = ? ORDER BY number LIMIT 1"];
        let mut select = connection.prepare_cached(&sql.concat())?;
        Ok(select.query_row([tenant, provider, upstream], read).optional()?)
    }

    /// Forgets a thing, unless it is a batch that is not settled.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM things WHERE id = ? AND NOT open", [id])?;
        Ok(())
    }

    /// A part of a tenant's list; `None` when it has nothing of the id behind which it is to begin.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(&self, page: &ThingPage<'_>) -> Result<Option<Vec<ThingRecord>>, StoreError> {
        let connection = self.connection();
        let from = match page.after {
            None if page.ascending => 0,
            None => i64::MAX,
            Some(id) => {
                let sql = "SELECT number FROM things WHERE id = ? AND tenant = ? AND kind = ?";
                let mut select = connection.prepare_cached(sql)?;
                let number = select.query_row([id, page.tenant, page.kind], |row| row.get(0)).optional()?;
                let Some(number) = number else { return Ok(None) };
                number
            }
        };
        let (way, order) = if page.ascending { (">", "ASC") } else { ("<", "DESC") };
        let sql = format!(
            "{SELECT} WHERE tenant = ?1 AND kind = ?2 AND number {way} ?3 AND (?4 = '' OR purpose = ?4) \
             AND expires_at > ?5 ORDER BY number {order} LIMIT ?6"
        );
        let mut select = connection.prepare_cached(&sql)?;
        let limit = page.limit.min(THINGS_ROWS_MAX);
        let parameters = params![page.tenant, page.kind, from, page.purpose, signed(page.now), limit];
        let rows = select.query_map(parameters, read)?.collect::<Result<_, _>>()?;
        Ok(Some(rows))
    }

    /// The batches that are not settled, the oldest first, without their bodies.
    ///
    /// # Errors
    /// When the database fails.
    pub fn open_batches(&self) -> Result<Vec<ThingRecord>, StoreError> {
        let connection = self.connection();
        let columns = SELECT.replace("body", "''");
        let sql = [&columns, " WHERE open ORDER BY number LIMIT ?"].concat();
        let mut select = connection.prepare_cached(&sql)?;
        let rows = select.query_map([OPEN_ROWS_MAX], read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Forgets what has ended before `now`, but for batches that are not settled.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sweep(&self, now: u64) -> Result<(), StoreError> {
        self.connection().execute("DELETE FROM things WHERE expires_at <= ? AND NOT open", [signed(now)])?;
        Ok(())
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<ThingRecord> {
    Ok(ThingRecord {
        id: row.get(0)?,
        kind: row.get(1)?,
        tenant: row.get(2)?,
        provider: row.get(3)?,
        upstream: row.get(4)?,
        purpose: row.get(5)?,
        created_at: unsigned(row.get(6)?),
        expires_at: unsigned(row.get(7)?),
        body: row.get(8)?,
        memo: row.get(9)?,
        open: row.get(10)?,
        misses: row.get(11)?,
        settlement: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{ThingPage, ThingRecord, Things};

    fn thing(id: &str, kind: &str, tenant: &str) -> ThingRecord {
        ThingRecord {
            id: id.to_owned(),
            kind: kind.to_owned(),
            tenant: tenant.to_owned(),
            provider: "p".to_owned(),
            upstream: format!("up-{id}"),
            purpose: if kind == "file" { "batch".to_owned() } else { String::new() },
            created_at: 1,
            expires_at: 100,
            body: "{}".to_owned(),
            open: kind == "batch",
            ..ThingRecord::default()
        }
    }

    #[test]
    fn a_tenant_sees_its_own_page_by_page() {
        let dir = tempfile::tempdir().unwrap();
        let things = Things::open(dir.path()).unwrap();
        for id in ["a", "b", "c", "d"] {
            things.put(&thing(id, "file", "one")).unwrap();
        }
        things.put(&thing("x", "file", "two")).unwrap();
        things.put(&thing("y", "batch", "one")).unwrap();
        let page = ThingPage { kind: "file", tenant: "one", limit: 2, now: 50, ..ThingPage::default() };
        let ids = |page: &ThingPage<'_>| {
            let rows = things.list(page).unwrap();
            rows.map(|rows| rows.into_iter().map(|row| row.id).collect::<Vec<_>>().concat())
        };
        assert_eq!(ids(&page).as_deref(), Some("dc"));
        assert_eq!(ids(&ThingPage { after: Some("c"), ..page }).as_deref(), Some("ba"));
        assert_eq!(ids(&ThingPage { ascending: true, after: Some("a"), ..page }).as_deref(), Some("bc"));
        assert_eq!(ids(&ThingPage { purpose: "vision", ..page }).as_deref(), Some(""));
        assert_eq!(ids(&ThingPage { now: 100, ..page }).as_deref(), Some(""));
        // What another tenant has is nothing to begin behind.
        assert_eq!(ids(&ThingPage { after: Some("x"), ..page }), None);
        assert_eq!(things.find("two", "p", "up-a").unwrap(), None);
        assert_eq!(things.find("one", "p", "up-a").unwrap(), Some(thing("a", "file", "one")));
    }

    #[test]
    fn what_was_settled_is_not_opened_again_and_an_open_batch_outlives_its_id() {
        let dir = tempfile::tempdir().unwrap();
        let things = Things::open(dir.path()).unwrap();
        let open = thing("b", "batch", "one");
        things.put(&open).unwrap();
        things.sweep(1_000).unwrap();
        things.remove("b").unwrap();
        assert_eq!(things.open_batches().unwrap(), [ThingRecord { body: String::new(), ..open.clone() }]);
        let settled = ThingRecord { open: false, settlement: Some("s".to_owned()), ..open.clone() };
        things.put(&settled).unwrap();
        things
            .put(&ThingRecord { body: "{1}".to_owned(), settlement: Some("t".to_owned()), ..open })
            .unwrap();
        let found = things.find("one", "p", "up-b").unwrap().unwrap();
        assert_eq!((found.open, found.settlement.as_deref(), &*found.body), (false, Some("s"), "{1}"));
        assert!(things.open_batches().unwrap().is_empty());
        things.sweep(1_000).unwrap();
        assert_eq!(things.find("one", "p", "up-b").unwrap(), None);
    }
}
