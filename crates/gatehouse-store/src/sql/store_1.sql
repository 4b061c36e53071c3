-- Keys and settings: what cannot be rebuilt from the audit log.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    key_id          TEXT NOT NULL PRIMARY KEY,   -- the public part of the caller key
    hash            BLOB NOT NULL,               -- HMAC-SHA-256 of the secret; the pepper is elsewhere
    old_hash        BLOB,                        -- of the secret before a rotation
    old_valid_until INTEGER,                     -- microseconds since 1970, as all times here
    name            TEXT NOT NULL,
    org             TEXT NOT NULL,
    team            TEXT NOT NULL,
    app             TEXT NOT NULL,
    use_case        TEXT NOT NULL,
    user            TEXT NOT NULL,
    models          TEXT NOT NULL,               -- a JSON list of patterns; empty: every model
    budget_nanos    INTEGER,
    budget_period   TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;

-- One row: counts the changes of keys, so that every process notices those of another.
CREATE TABLE revision (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    keys INTEGER NOT NULL
) STRICT;
INSERT INTO revision VALUES (1, 0);

CREATE TRIGGER keys_inserted AFTER INSERT ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
CREATE TRIGGER keys_updated  AFTER UPDATE ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
CREATE TRIGGER keys_deleted  AFTER DELETE ON keys BEGIN UPDATE revision SET keys = keys + 1; END;
