-- A projection of the audit log: all of it may be deleted and is built again. A later version drops these
-- tables and creates its own; the empty cursors make the projector start from the first segment.

-- How far each shard's log has been read.
CREATE TABLE cursors (
    shard      TEXT NOT NULL PRIMARY KEY,
    segment    INTEGER NOT NULL,
    position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each call that has ended. Texts that are unknown are empty. An id begins with the time at
-- which it was made, so this one tree, filled at its end, is in the order of time as well.
CREATE TABLE calls (
    call              BLOB NOT NULL PRIMARY KEY, -- the sixteen bytes of its id, a UUIDv7
    at                INTEGER NOT NULL,          -- when it was accepted, microseconds since 1970
    ending            TEXT NOT NULL,             -- settled, denied, failed, aborted
    status            INTEGER NOT NULL,
    error             TEXT NOT NULL,
    key               TEXT NOT NULL,
    org               TEXT NOT NULL,
    team              TEXT NOT NULL,
    app               TEXT NOT NULL,
    use_case          TEXT NOT NULL,
    user              TEXT NOT NULL,
    run               TEXT NOT NULL,
    model             TEXT NOT NULL,
    provider          TEXT NOT NULL,
    served            TEXT NOT NULL,
    operation         TEXT NOT NULL,
    surface           TEXT NOT NULL,
    stream            INTEGER NOT NULL,
    input_tokens      INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    usage_source      TEXT NOT NULL,
    cost_nanos        INTEGER,                   -- NULL: no price is known, which is not zero
    cost_status       TEXT NOT NULL,
    total_us          INTEGER NOT NULL,
    ttft_us           INTEGER NOT NULL,
    tags              TEXT,                      -- a JSON object of texts
    shard             TEXT NOT NULL,
    segment           INTEGER NOT NULL,          -- where the last leaf stands
    position          INTEGER NOT NULL,
    admitted_segment  INTEGER,                   -- where the first leaf stands, if there is one
    admitted_position INTEGER
) STRICT, WITHOUT ROWID;

-- Calls that were admitted and have no end yet.
CREATE TABLE open_calls (
    call           BLOB NOT NULL PRIMARY KEY,
    shard          TEXT NOT NULL,
    at             INTEGER NOT NULL,
    key            TEXT NOT NULL,
    reserved_nanos INTEGER NOT NULL,
    segment        INTEGER NOT NULL,
    position       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each key has spent in each hour, so that budgets are known at once when the gateway starts.
CREATE TABLE spent (
    key   TEXT NOT NULL,
    hour  INTEGER NOT NULL,                      -- hours since 1970
    nanos INTEGER NOT NULL,
    PRIMARY KEY (key, hour)
) STRICT, WITHOUT ROWID;
