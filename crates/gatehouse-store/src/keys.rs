//! Caller keys, by their public part. A secret never comes here: only its HMAC, whose pepper is elsewhere.

use gatehouse_core::money::Nanodollars;
use gatehouse_core::record::UnixMicros;
use rusqlite::{ErrorCode, OptionalExtension, Row, params};
use std::fmt;

use crate::database::{signed, unsigned};
use crate::error::StoreError;
use crate::store::Store;

/// The HMAC-SHA-256 of a secret under the pepper.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// A caller key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part.
    pub key_id: String,
    /// Of the secret that is valid.
    pub hash: KeyHash,
    /// Of the secret before a rotation, and until when it is still taken.
    pub old: Option<(KeyHash, UnixMicros)>,
    /// What its owner calls it.
    pub name: String,
    /// The organisation it is bound to; empty: the caller says.
    pub org: String,
    /// The team, likewise.
    pub team: String,
    /// The application, likewise.
    pub app: String,
    /// The use case, likewise.
    pub use_case: String,
    /// The end user, likewise.
    pub user: String,
    /// Patterns of the models that it may use; empty: every model.
    pub models: Vec<String>,
    /// What it may spend.
    pub budget: Option<KeyBudget>,
    /// When it was made.
    pub created_at: UnixMicros,
    /// When its time is over.
    pub expires_at: Option<UnixMicros>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMicros>,
}

/// What a key may spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    /// The amount.
    pub limit: Nanodollars,
    /// In which time, in the words of the configuration: `day`, `month` …
    pub period: String,
}

const SELECT: &str = "SELECT key_id, hash, old_hash, old_valid_until, name, org, team, app, use_case, user, \
                      models, budget_nanos, budget_period, created_at, expires_at, revoked_at FROM keys";

// === impl Store ===

impl Store {
    /// Keeps a new key.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when there is one of that id, else when the database fails.
    pub fn create_key(&self, key: &KeyRecord) -> Result<(), StoreError> {
        let json = |source| StoreError::Json { what: "the list of models", source };
        let models = serde_json::to_string(&key.models).map_err(json)?;
        let inserted = self.connection().execute(
            "INSERT INTO keys (key_id, hash, old_hash, old_valid_until, name, org, team, app, use_case, user, \
             models, budget_nanos, budget_period, created_at, expires_at, revoked_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                key.key_id,
                key.hash.0,
                key.old.map(|(hash, _)| hash.0),
                key.old.map(|(_, until)| signed(until)),
                key.name,
                key.org,
                key.team,
                key.app,
                key.use_case,
                key.user,
                models,
                key.budget.as_ref().map(|budget| signed(budget.limit.0)),
                key.budget.as_ref().map(|budget| budget.period.as_str()),
                signed(key.created_at),
                key.expires_at.map(signed),
                key.revoked_at.map(signed),
            ],
        );
        match inserted {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(StoreError::Duplicate { key_id: key.key_id.clone() })
            }
            other => Ok(other.map(drop)?),
        }
    }

    /// Every key, oldest first, the revoked and expired ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(&[SELECT, " ORDER BY created_at, key_id"].concat())?;
        let keys = select.query_map([], read_key)?.collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// One key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn key(&self, key_id: &str) -> Result<Option<KeyRecord>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(&[SELECT, " WHERE key_id = ?"].concat())?;
        Ok(select.query_row([key_id], read_key).optional()?)
    }

    /// Ends a key for good. `false` when there is none, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke_key(&self, key_id: &str, at: UnixMicros) -> Result<bool, StoreError> {
        let sql = "UPDATE keys SET revoked_at = ?, old_hash = NULL, old_valid_until = NULL \
                   WHERE key_id = ? AND revoked_at IS NULL";
        Ok(self.connection().execute(sql, params![signed(at), key_id])? == 1)
    }

    /// Gives a key another secret. The one before is taken until `old_valid_until`, or not any more.
    /// `false` when there is no such key, or it was revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rotate_key(
        &self,
        key_id: &str,
        hash: KeyHash,
        old_valid_until: Option<UnixMicros>,
    ) -> Result<bool, StoreError> {
        // On the right-hand side `hash` is still the one before.
        let sql = "UPDATE keys SET old_hash = iif(?2 IS NULL, NULL, hash), old_valid_until = ?2, hash = ?1 \
                   WHERE key_id = ?3 AND revoked_at IS NULL";
        let parameters = params![hash.0, old_valid_until.map(signed), key_id];
        Ok(self.connection().execute(sql, parameters)? == 1)
    }

    /// A number that changes with every change of a key, by whatever process. One small read: ask it
    /// before every use of what was read from [`Store::keys`], or a few times a second.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revision(&self) -> Result<u64, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached("SELECT keys FROM revision")?;
        Ok(unsigned(select.query_row([], |row| row.get(0))?))
    }
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let old_hash: Option<[u8; 32]> = row.get(2)?;
    let old_until: Option<i64> = row.get(3)?;
    let models: String = row.get(10)?;
    let limit: Option<i64> = row.get(11)?;
    let period: Option<String> = row.get(12)?;
    let time = |at: i64| unsigned(at);
    Ok(KeyRecord {
        key_id: row.get(0)?,
        hash: KeyHash(row.get(1)?),
        old: old_hash.zip(old_until).map(|(hash, until)| (KeyHash(hash), time(until))),
        name: row.get(4)?,
        org: row.get(5)?,
        team: row.get(6)?,
        app: row.get(7)?,
        use_case: row.get(8)?,
        user: row.get(9)?,
        models: serde_json::from_str(&models).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(10, rusqlite::types::Type::Text, Box::new(error))
        })?,
        budget: limit
            .zip(period)
            .map(|(limit, period)| KeyBudget { limit: Nanodollars(unsigned(limit)), period }),
        created_at: time(row.get(13)?),
        expires_at: row.get::<_, Option<i64>>(14)?.map(time),
        revoked_at: row.get::<_, Option<i64>>(15)?.map(time),
    })
}

// === impl KeyHash ===

impl fmt::Debug for KeyHash {
    /// A hash is no secret, but nobody needs it in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyBudget, KeyHash, KeyRecord};
    use crate::error::StoreError;
    use crate::store::Store;
    use gatehouse_core::money::Nanodollars;

    fn key(key_id: &str) -> KeyRecord {
        KeyRecord {
            key_id: key_id.to_owned(),
            hash: KeyHash([1; 32]),
            old: None,
            name: "o'hara\"; DROP TABLE keys".to_owned(),
            org: "acme".to_owned(),
            team: "support".to_owned(),
            app: String::new(),
            use_case: String::new(),
            user: String::new(),
            models: vec!["fast".to_owned(), "openai/*".to_owned()],
            budget: Some(KeyBudget { limit: Nanodollars(20_000_000_000), period: "month".to_owned() }),
            created_at: 17,
            expires_at: Some(99),
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let plain = KeyRecord { budget: None, expires_at: None, models: vec![], ..key("ghk_b") };
        store.create_key(&key("ghk_a")).unwrap();
        store.create_key(&plain).unwrap();
        assert!(matches!(store.create_key(&plain), Err(StoreError::Duplicate { .. })));
        assert_eq!(store.keys().unwrap(), [key("ghk_a"), plain]);
        assert_eq!(store.key("ghk_a").unwrap(), Some(key("ghk_a")));
        assert_eq!(store.key("' OR 1=1").unwrap(), None);
    }

    #[test]
    fn a_rotated_key_keeps_its_old_secret_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create_key(&key("k")).unwrap();
        assert!(store.rotate_key("k", KeyHash([2; 32]), Some(50)).unwrap());
        let rotated = store.key("k").unwrap().unwrap();
        assert_eq!((rotated.hash, rotated.old), (KeyHash([2; 32]), Some((KeyHash([1; 32]), 50))));
        assert!(store.rotate_key("k", KeyHash([3; 32]), None).unwrap());
        assert_eq!(store.key("k").unwrap().unwrap().old, None);
        assert!(store.revoke_key("k", 60).unwrap());
        assert!(
            !store.revoke_key("k", 61).unwrap() && !store.rotate_key("k", KeyHash([4; 32]), None).unwrap()
        );
        assert_eq!(store.key("k").unwrap().unwrap().revoked_at, Some(60));
        assert!(!store.revoke_key("nobody", 1).unwrap());
    }

    #[test]
    fn a_change_by_another_process_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
        let before = one.revision().unwrap();
        two.create_key(&key("k")).unwrap();
        let created = one.revision().unwrap();
        two.revoke_key("k", 5).unwrap();
        assert!(before < created && created < one.revision().unwrap());
        assert_eq!(one.revision().unwrap(), two.revision().unwrap());
        two.set_setting("a", "b").unwrap();
        two.revoke_key("k", 6).unwrap();
        assert_eq!(one.revision().unwrap(), two.revision().unwrap());
    }
}
