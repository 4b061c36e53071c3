-- Keys of the administration side, each with a role.
CREATE TABLE admins (
    key_id          TEXT NOT NULL PRIMARY KEY,   -- the public part
    hash            BLOB NOT NULL,               -- as in keys
    old_hash        BLOB,
    old_valid_until INTEGER,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    org             TEXT NOT NULL,               -- empty: every one
    team            TEXT NOT NULL,               -- empty: every one
    content         INTEGER NOT NULL,            -- whether what was said may be read
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;

-- The one administrator key that there could be before is an owner's.
INSERT INTO admins (key_id, hash, name, role, org, team, content, created_at)
    SELECT 'administrator', unhex(value), 'the first administrator key', 'owner', '', '', 1,
        CAST(unixepoch() AS INTEGER) * 1000000
    FROM settings WHERE name = 'admin_key_hash' AND length(unhex(value)) = 32;
DELETE FROM settings WHERE name = 'admin_key_hash';
