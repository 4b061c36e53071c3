-- The second shape of the index: names are written once, each list of calls has an index that serves it, and sums
-- are kept ready. What the first held is built again from the log.
DROP TABLE cursors;
DROP TABLE calls;
DROP TABLE open_calls;
DROP TABLE spent;

-- How far each shard's log has been read.
CREATE TABLE cursors (
    shard      TEXT NOT NULL PRIMARY KEY,
    segment    INTEGER NOT NULL,
    position   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What kinds of calls there are: on whose account, for which model, served by whom, and how it went. There are few.
-- Texts that are unknown are empty.
CREATE TABLE kinds (
    kind       INTEGER NOT NULL PRIMARY KEY,
    org        TEXT NOT NULL,
    team       TEXT NOT NULL,
    app        TEXT NOT NULL,
    use_case   TEXT NOT NULL,
    key        TEXT NOT NULL,
    model      TEXT NOT NULL,                    -- as the caller named it
    provider   TEXT NOT NULL,
    served     TEXT NOT NULL,                    -- the provider's name of the model
    operation  TEXT NOT NULL,
    surface    TEXT NOT NULL,
    stream     INTEGER NOT NULL,
    ending     TEXT NOT NULL,                    -- settled, denied, failed, aborted
    status     INTEGER NOT NULL,
    error      TEXT NOT NULL,
    guards     TEXT NOT NULL,                    -- ',pii=redact,injection=allow,' or empty
    UNIQUE (org, team, app, use_case, key, model, provider, served, operation, surface, stream, ending, status,
            error, guards)
) STRICT;

-- Which end users made which kinds of calls. There may be many.
CREATE TABLE callers (
    caller     INTEGER NOT NULL PRIMARY KEY,
    user       TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    UNIQUE (user, kind)
) STRICT;

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
    tags              TEXT,                      -- a JSON object of texts
    shard             TEXT NOT NULL,
    segment           INTEGER NOT NULL,          -- where the last leaf stands
    position          INTEGER NOT NULL,
    admitted_segment  INTEGER,                   -- where the first leaf stands, if there is one
    admitted_position INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_kind ON calls (kind, call);
CREATE INDEX calls_by_caller ON calls (caller, call);
CREATE INDEX calls_by_run ON calls (run, call) WHERE run != '';

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

-- The sums of all calls that were accepted in one minute, hour or day.
CREATE TABLE sums (
    grain             INTEGER NOT NULL,          -- 1 minute, 2 hour, 3 day: by kind; 4 hour, 5 day: by caller
    start             INTEGER NOT NULL,          -- its begin, microseconds since 1970
    who               INTEGER NOT NULL,          -- the kind or the caller
    calls             INTEGER NOT NULL,
    input_tokens      INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    output_tokens     INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    cost_nanos        INTEGER NOT NULL,          -- the known costs
    unpriced          INTEGER NOT NULL,          -- calls without a known price
    estimated         INTEGER NOT NULL,          -- calls whose cost is an estimate
    PRIMARY KEY (grain, start, who)
) STRICT, WITHOUT ROWID;

-- For people who bring their own tools: see docs/how-to/query-the-record.md.
CREATE VIEW records AS
SELECT substr(lower(hex(call)), 1, 8) || '-' || substr(lower(hex(call)), 9, 4) || '-' || substr(lower(hex(call)), 13, 4)
           || '-' || substr(lower(hex(call)), 17, 4) || '-' || substr(lower(hex(call)), 21) AS record,
       strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') AS time, at, ending AS outcome, status, error,
       org, team, app, use_case, user, key, run, model, provider, served, operation, surface, stream,
       trim(guards, ',') AS guards, input_tokens, cached_tokens, output_tokens, reasoning_tokens, usage_source,
       cost_nanos, cost_nanos / 1e9 AS cost_usd, cost_status, total_us, ttft_us, tags
FROM calls JOIN kinds USING (kind) JOIN callers USING (caller);

CREATE VIEW usage_minutes AS
SELECT strftime('%Y-%m-%dT%H:%MZ', start / 1000000, 'unixepoch') AS minute, org, team, app, use_case, key, model,
       provider, served, operation, surface, stream, ending AS outcome, status, error, calls, input_tokens, cached_tokens, output_tokens,
       reasoning_tokens, cost_nanos, cost_nanos / 1e9 AS cost_usd, unpriced, estimated
FROM sums JOIN kinds ON kind = who WHERE grain = 1;

CREATE VIEW usage_hours AS
SELECT strftime('%Y-%m-%dT%HZ', start / 1000000, 'unixepoch') AS hour, org, team, app, use_case, user, key, model,
       provider, served, operation, surface, stream, ending AS outcome, status, error, calls, input_tokens, cached_tokens, output_tokens,
       reasoning_tokens, cost_nanos, cost_nanos / 1e9 AS cost_usd, unpriced, estimated
FROM sums JOIN callers ON caller = who JOIN kinds USING (kind) WHERE grain = 4;

CREATE VIEW usage_days AS
SELECT strftime('%Y-%m-%d', start / 1000000, 'unixepoch') AS day, org, team, app, use_case, user, key, model,
       provider, served, operation, surface, stream, ending AS outcome, status, error, calls, input_tokens, cached_tokens, output_tokens,
       reasoning_tokens, cost_nanos, cost_nanos / 1e9 AS cost_usd, unpriced, estimated
FROM sums JOIN callers ON caller = who JOIN kinds USING (kind) WHERE grain = 5;
