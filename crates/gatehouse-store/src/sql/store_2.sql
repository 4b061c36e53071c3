-- What nobody may give up, whatever its age.
CREATE TABLE holds (
    hold        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    reason      TEXT NOT NULL,
    selection   TEXT NOT NULL,                   -- a JSON object: which calls
    placed_at   INTEGER NOT NULL,                -- microseconds since 1970
    released_at INTEGER
) STRICT;
