-- Answers that are kept for callers. What was said is in `body`, sealed: this file tells nobody what it was.
CREATE TABLE responses (
    id         BLOB    PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    previous   BLOB,
    expires_at INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;
CREATE INDEX responses_by_expiry ON responses (expires_at);

-- The items of an answer, which later requests may name instead of repeating them.
CREATE TABLE response_items (
    tenant   TEXT NOT NULL,
    item     TEXT NOT NULL,
    response BLOB NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX response_items_by_response ON response_items (response);
