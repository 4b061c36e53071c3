-- The third shape of the index: it knows whom calls are about, so that his name goes when he is to be forgotten, and
-- which log it was built from. What the second held is built again from the log.
DROP TABLE cursors;
DELETE FROM calls;
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
