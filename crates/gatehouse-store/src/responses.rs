//! The database of answers that are kept for callers: `responses.db`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::Path;

use crate::database::{self, Safety, signed};
use crate::error::StoreError;

/// The file in the data folder.
pub const RESPONSES_FILE: &str = "responses.db";
const MIGRATIONS: &[&str] = &[include_str!("sql/responses_1.sql")];

/// An id of an answer: that of the call that it is of.
pub type ResponseId = [u8; 16];

/// An answer as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRecord {
    /// Its id.
    pub id: ResponseId,
    /// Whose it is.
    pub tenant: String,
    /// The answer that it goes on from.
    pub previous: Option<ResponseId>,
    /// When it is kept no longer, in Unix seconds.
    pub expires_at: u64,
    /// The ids of its items.
    pub items: Vec<String>,
    /// What was said, sealed.
    pub body: Vec<u8>,
}

/// An answer that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundResponse {
    /// Its id.
    pub id: ResponseId,
    /// What was said, sealed.
    pub body: Vec<u8>,
}

/// What became of the search for a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// All of it, oldest first.
    Whole(Vec<FoundResponse>),
    /// One of its answers is not there.
    Broken,
    /// It is larger than was asked for.
    TooLarge,
}

/// The answers that are kept. Every method blocks on the disk.
pub struct Responses {
    connection: Connection,
}

// === impl Responses ===

impl Responses {
    /// Opens the database in this data folder, and makes it when it is not there.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let connection = database::open(&data.join(RESPONSES_FILE), Safety::Full, MIGRATIONS)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is to be gone from the file, too.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self { connection })
    }

    /// Keeps answers, all of them or none. One that is there already is replaced.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put(&mut self, records: &[ResponseRecord]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO responses VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                 expires_at = excluded.expires_at, body = excluded.body",
            )?;
            let mut item = transaction.prepare_cached(
                "INSERT INTO response_items VALUES (?, ?, ?) ON CONFLICT (tenant, item) DO UPDATE SET
                 response = excluded.response",
            )?;
            for record in records {
                let ResponseRecord { id, tenant, previous, expires_at, items, body } = record;
                insert.execute(params![id, tenant, previous, signed(*expires_at), body])?;
                for name in items {
                    item.execute(params![tenant, name, id])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// One answer of a tenant's, unless its time is over.
    ///
    /// # Errors
    /// When the database fails.
    pub fn get(&self, tenant: &str, id: &ResponseId, now: u64) -> Result<Option<FoundResponse>, StoreError> {
        let sql = "SELECT id, body FROM responses WHERE id = ? AND tenant = ? AND expires_at > ?";
        let mut select = self.connection.prepare_cached(sql)?;
        Ok(select.query_row(params![id, tenant, signed(now)], found).optional()?)
    }

    /// An answer with all that it goes on from, so many bytes at most. Each of them lives on until `expires_at` at
    /// least: a conversation is kept as long as it is gone on with.
    ///
    /// # Errors
    /// When the database fails.
    pub fn chain(
        &mut self,
        tenant: &str,
        last: &ResponseId,
        now: u64,
        expires_at: Option<u64>,
        bytes_max: usize,
    ) -> Result<Chain, StoreError> {
        let transaction = self.connection.transaction()?;
        let mut all = Vec::new();
        {
            let sql =
                "SELECT id, body, previous FROM responses WHERE id = ? AND tenant = ? AND expires_at > ?";
            let mut select = transaction.prepare_cached(sql)?;
            let mut extend = transaction
                .prepare_cached("UPDATE responses SET expires_at = max(expires_at, ?) WHERE id = ?")?;
            let (mut next, mut bytes) = (Some(*last), 0_usize);
            while let Some(id) = next {
                let row = |row: &Row<'_>| Ok((found(row)?, row.get(2)?));
                let here = select.query_row(params![id, tenant, signed(now)], row).optional()?;
                let Some((one, previous)) = here else { return Ok(Chain::Broken) };
                bytes = bytes.saturating_add(one.body.len());
                if bytes > bytes_max {
                    return Ok(Chain::TooLarge);
                }
                if let Some(at) = expires_at {
                    extend.execute(params![signed(at), id])?;
                }
                all.push(one);
                next = previous;
            }
        }
        transaction.commit()?;
        all.reverse();
        Ok(Chain::Whole(all))
    }

    /// The answer that has an item of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub fn having(&self, tenant: &str, item: &str, now: u64) -> Result<Option<FoundResponse>, StoreError> {
        let sql = "SELECT r.id, r.body FROM response_items i JOIN responses r ON r.id = i.response
                   WHERE i.tenant = ? AND i.item = ? AND r.expires_at > ?";
        let mut select = self.connection.prepare_cached(sql)?;
        Ok(select.query_row(params![tenant, item, signed(now)], found).optional()?)
    }

    /// Keeps something else of an answer that is kept, as long as that is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn replace(&self, tenant: &str, id: &ResponseId, body: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE responses SET body = ? WHERE id = ? AND tenant = ?";
        self.connection.execute(sql, params![body, id, tenant])?;
        Ok(())
    }

    /// Deletes an answer of a tenant's. `false` when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn delete(&self, tenant: &str, id: &ResponseId, now: u64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM responses WHERE id = ? AND tenant = ? AND expires_at > ?";
        Ok(self.connection.execute(sql, params![id, tenant, signed(now)])? == 1)
    }

    /// Deletes what is kept no longer: so many at most, and how many it were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sweep(&self, now: u64, at_most: usize) -> Result<usize, StoreError> {
        let sql = "DELETE FROM responses WHERE id IN
                   (SELECT id FROM responses WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";
        let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
        Ok(self.connection.execute(sql, params![signed(now), at_most])?)
    }
}

fn found(row: &Row<'_>) -> rusqlite::Result<FoundResponse> {
    Ok(FoundResponse { id: row.get(0)?, body: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::{Chain, ResponseRecord, Responses};

    fn record(id: u8, previous: Option<u8>) -> ResponseRecord {
        ResponseRecord {
            id: [id; 16],
            tenant: "a".to_owned(),
            previous: previous.map(|previous| [previous; 16]),
            expires_at: 100,
            items: vec![format!("msg_{id}")],
            body: vec![id; 10],
        }
    }

    fn ids(chain: Chain) -> Vec<u8> {
        let Chain::Whole(all) = chain else { panic!("{chain:?}") };
        all.iter().map(|one| one.body[0]).collect()
    }

    #[test]
    fn a_conversation_is_found_by_its_end_and_lives_while_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut responses = Responses::open(dir.path()).unwrap();
        responses.put(&[record(1, None), record(2, Some(1)), record(3, Some(2))]).unwrap();
        assert_eq!(ids(responses.chain("a", &[3; 16], 50, None, 1000).unwrap()), [1, 2, 3]);
        assert_eq!(responses.chain("a", &[3; 16], 50, None, 29).unwrap(), Chain::TooLarge);
        assert_eq!(responses.chain("b", &[3; 16], 50, None, 1000).unwrap(), Chain::Broken);
        assert_eq!(ids(responses.chain("a", &[2; 16], 99, Some(300), 1000).unwrap()), [1, 2]);
        assert_eq!(ids(responses.chain("a", &[2; 16], 200, None, 1000).unwrap()), [1, 2]);
        assert_eq!(
            responses.chain("a", &[3; 16], 200, None, 1000).unwrap(),
            Chain::Broken,
            "its time is over"
        );
        assert!(responses.delete("a", &[1; 16], 200).unwrap());
        assert_eq!(responses.chain("a", &[2; 16], 200, None, 1000).unwrap(), Chain::Broken);
    }

    #[test]
    fn answers_are_their_tenants_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut responses = Responses::open(dir.path()).unwrap();
        responses.put(&[record(1, None)]).unwrap();
        assert!(responses.get("a", &[1; 16], 99).unwrap().is_some());
        assert!(responses.having("a", "msg_1", 99).unwrap().is_some());
        assert!(responses.get("b", &[1; 16], 99).unwrap().is_none());
        assert!(responses.having("b", "msg_1", 99).unwrap().is_none());
        assert!(!responses.delete("b", &[1; 16], 99).unwrap());
        for over in [100, 101] {
            assert!(responses.get("a", &[1; 16], over).unwrap().is_none());
            assert!(responses.having("a", "msg_1", over).unwrap().is_none());
            assert!(!responses.delete("a", &[1; 16], over).unwrap());
        }
    }

    #[test]
    fn an_answer_is_replaced_and_what_is_over_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let mut responses = Responses::open(dir.path()).unwrap();
        responses.put(&[record(1, None), record(2, None)]).unwrap();
        responses.put(&[ResponseRecord { body: vec![9], expires_at: 200, ..record(1, None) }]).unwrap();
        assert_eq!(responses.get("a", &[1; 16], 0).unwrap().unwrap().body, [9]);
        assert_eq!((responses.sweep(100, 10).unwrap(), responses.sweep(100, 10).unwrap()), (1, 0));
        assert!(responses.having("a", "msg_2", 0).unwrap().is_none());
        assert!(responses.having("a", "msg_1", 0).unwrap().is_some());
    }
}
