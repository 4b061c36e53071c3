-- The third shape of the index: it knows whom calls are about, so that his name goes when he is to be forgotten, and
-- which log it was built from; and long tags do not make rows of calls long. What the second held is built again from the log.
DROP TABLE cursors;
DROP VIEW records;
DROP TABLE calls;
DELETE FROM open_calls;
DELETE FROM spent;
DELETE FROM sums;
DELETE FROM kinds;
DROP TABLE callers;

-- How far each shard's log has been read, and which log that is.
CREATE TABLE cursors (
    shard      TEXT NOT NULL PRIMARY KEY,
    segment    INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    log        TEXT NOT NULL                     -- empty before it has a key
) STRICT, WITHOUT ROWID;

-- Which end users made which kinds of calls. There may be many. When the key of a subject is destroyed, `erased:` and
-- the begin of the subject stand in place of his name: in all of his rows, so that several can be alike.
CREATE TABLE callers (
    caller     INTEGER NOT NULL PRIMARY KEY,
    user       TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    subject    TEXT NOT NULL                     -- empty when no end user was named
) STRICT;

CREATE INDEX callers_by_user ON callers (user, kind);
CREATE INDEX callers_by_subject ON callers (subject) WHERE subject != '';

-- One row for each call that has ended. An id begins with the time at which it was made, so this one tree, filled
-- at its end, is in the order of time as well.
CREATE TABLE calls (
    call              BLOB NOT NULL PRIMARY KEY, -- the sixteen bytes of its id, a UUIDv7
    at                INTEGER NOT NULL,          -- when it was accepted, microseconds since 1970
    kind              INTEGER NOT NULL,
    caller            INTEGER NOT NULL,
    run               TEXT NOT NULL,
    input_tokens      INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    usage_source      TEXT NOT NULL,
    cost_nanos        INTEGER,                   -- NULL: no price is known, which is not zero
    cost_status       TEXT NOT NULL,
    total_us          INTEGER NOT NULL,
    ttft_us           INTEGER NOT NULL,
    labels            INTEGER,                   -- the row of its tags; NULL without any
    shard             TEXT NOT NULL,
    segment           INTEGER NOT NULL,          -- where the last leaf stands
    position          INTEGER NOT NULL,
    admitted_segment  INTEGER,                   -- where the first leaf stands, if there is one
    admitted_position INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_kind ON calls (kind, call);
CREATE INDEX calls_by_caller ON calls (caller, call);
CREATE INDEX calls_by_run ON calls (run, call) WHERE run != '';

-- The tags of calls. Calls that come together share a row; the same tags may have several.
CREATE TABLE labels (
    labels     INTEGER NOT NULL PRIMARY KEY,
    tags       TEXT NOT NULL                     -- a JSON object of texts
) STRICT;

-- For people who bring their own tools: see docs/how-to/query-the-record.md.
CREATE VIEW records AS
SELECT substr(lower(hex(call)), 1, 8) || '-' || substr(lower(hex(call)), 9, 4) || '-' || substr(lower(hex(call)), 13, 4)
           || '-' || substr(lower(hex(call)), 17, 4) || '-' || substr(lower(hex(call)), 21) AS record,
       strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS time, at, ending AS outcome, status, error,
       org, team, app, use_case, user, key, run, model, provider, served, operation, surface, stream,
       trim(guards, ',') AS guards, input_tokens, cached_tokens, output_tokens, reasoning_tokens, usage_source,
       cost_nanos, cost_nanos / 1e9 AS cost_usd, cost_status, total_us, ttft_us, tags
FROM calls JOIN kinds USING (kind) JOIN callers USING (caller) LEFT JOIN labels USING (labels);
