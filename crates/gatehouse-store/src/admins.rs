//! Keys of the administration side, kept as caller keys are: the public part, and an HMAC of the secret.

use gatehouse_core::record::UnixMicros;
use rusqlite::{ErrorCode, OptionalExtension, Row, params};

use crate::database::{signed, unsigned};
use crate::error::StoreError;
use crate::keys::KeyHash;
use crate::store::Store;

/// An administration key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRecord {
    /// The public part.
    pub key_id: String,
    /// Of the secret that is valid.
    pub hash: KeyHash,
    /// Of the secret before a rotation, and until when it is still taken.
    pub old: Option<(KeyHash, UnixMicros)>,
    /// What its owner calls it.
    pub name: String,
    /// The role, by its name.
    pub role: String,
    /// The organisation that it is bound to; empty: every one.
    pub org: String,
    /// The team, likewise.
    pub team: String,
    /// Whether it may read what was said.
    pub content: bool,
    /// When it was made.
    pub created_at: UnixMicros,
    /// When its time is over.
    pub expires_at: Option<UnixMicros>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMicros>,
}

const SELECT: &str = "SELECT key_id, hash, old_hash, old_valid_until, name, role, org, team, content, created_at, \
                      expires_at, revoked_at FROM admins";

// === impl Store ===

impl Store {
    /// Keeps a new administration key.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when there is one of that id, else when the database fails.
    pub fn create_admin(&self, key: &AdminRecord) -> Result<(), StoreError> {
        let inserted = self.connection().execute(
            "INSERT INTO admins (key_id, hash, old_hash, old_valid_until, name, role, org, team, content, created_at, \
             expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                key.key_id,
                key.hash.0,
                key.old.map(|(hash, _)| hash.0),
                key.old.map(|(_, until)| signed(until)),
                key.name,
                key.role,
                key.org,
                key.team,
                key.content,
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

    /// Every administration key, oldest first, the revoked and expired ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub fn admins(&self) -> Result<Vec<AdminRecord>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(&[SELECT, " ORDER BY created_at, key_id"].concat())?;
        Ok(select.query_map([], read_admin)?.collect::<Result<_, _>>()?)
    }

    /// One administration key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn admin(&self, key_id: &str) -> Result<Option<AdminRecord>, StoreError> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(&[SELECT, " WHERE key_id = ?"].concat())?;
        Ok(select.query_row([key_id], read_admin).optional()?)
    }

    /// Ends an administration key for good. `false` when there is none, or it was revoked before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke_admin(&self, key_id: &str, at: UnixMicros) -> Result<bool, StoreError> {
        let sql = "UPDATE admins SET revoked_at = ?, old_hash = NULL, old_valid_until = NULL \
                   WHERE key_id = ? AND revoked_at IS NULL";
        Ok(self.connection().execute(sql, params![signed(at), key_id])? == 1)
    }

    /// Gives an administration key another secret, as [`Store::rotate_key`] does.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rotate_admin(
        &self,
        key_id: &str,
        hash: KeyHash,
        old_valid_until: Option<UnixMicros>,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE admins SET old_hash = iif(?2 IS NULL, NULL, hash), old_valid_until = ?2, hash = ?1 \
                   WHERE key_id = ?3 AND revoked_at IS NULL";
        let parameters = params![hash.0, old_valid_until.map(signed), key_id];
        Ok(self.connection().execute(sql, parameters)? == 1)
    }
}

fn read_admin(row: &Row<'_>) -> rusqlite::Result<AdminRecord> {
    let old_hash: Option<[u8; 32]> = row.get(2)?;
    let old_until: Option<i64> = row.get(3)?;
    Ok(AdminRecord {
        key_id: row.get(0)?,
        hash: KeyHash(row.get(1)?),
        old: old_hash.zip(old_until).map(|(hash, until)| (KeyHash(hash), unsigned(until))),
        name: row.get(4)?,
        role: row.get(5)?,
        org: row.get(6)?,
        team: row.get(7)?,
        content: row.get(8)?,
        created_at: unsigned(row.get(9)?),
        expires_at: row.get::<_, Option<i64>>(10)?.map(unsigned),
        revoked_at: row.get::<_, Option<i64>>(11)?.map(unsigned),
    })
}

#[cfg(test)]
mod tests {
    use super::AdminRecord;
    use crate::database::{self, Safety};
    use crate::error::StoreError;
    use crate::keys::KeyHash;
    use crate::store::{STORE_FILE, Store};

    fn admin(key_id: &str) -> AdminRecord {
        AdminRecord {
            key_id: key_id.to_owned(),
            hash: KeyHash([1; 32]),
            old: None,
            name: "o'hara\"; DROP TABLE admins".to_owned(),
            role: "viewer".to_owned(),
            org: String::new(),
            team: "support".to_owned(),
            content: true,
            created_at: 17,
            expires_at: Some(99),
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.create_admin(&admin("gha_a")).unwrap();
        assert!(matches!(store.create_admin(&admin("gha_a")), Err(StoreError::Duplicate { .. })));
        assert_eq!(store.admins().unwrap(), [admin("gha_a")]);
        assert!(store.rotate_admin("gha_a", KeyHash([2; 32]), Some(50)).unwrap());
        let rotated = store.admin("gha_a").unwrap().unwrap();
        assert_eq!((rotated.hash, rotated.old), (KeyHash([2; 32]), Some((KeyHash([1; 32]), 50))));
        assert!(store.revoke_admin("gha_a", 60).unwrap());
        assert!(!store.revoke_admin("gha_a", 61).unwrap());
        assert!(!store.rotate_admin("gha_a", KeyHash([3; 32]), None).unwrap());
        let revoked = store.admin("gha_a").unwrap().unwrap();
        assert_eq!((revoked.old, revoked.revoked_at), (None, Some(60)));
    }

    #[test]
    fn the_administrator_key_of_an_earlier_version_becomes_an_owners() {
        let dir = tempfile::tempdir().unwrap();
        let before = [include_str!("sql/store_1.sql"), include_str!("sql/store_2.sql")];
        let old = database::open(&dir.path().join(STORE_FILE), Safety::Full, &before).unwrap();
        old.execute("INSERT INTO settings VALUES ('admin_key_hash', ?)", ["ab".repeat(32)]).unwrap();
        drop(old);
        let store = Store::open(dir.path()).unwrap();
        let owner = store.admin("administrator").unwrap().unwrap();
        assert_eq!((owner.hash, owner.role.as_str()), (KeyHash([0xab; 32]), "owner"));
        assert_eq!(store.setting("admin_key_hash").unwrap(), None);
    }
}
