-- Files and batches of tenants at providers: whose they are, and what has to be settled.

CREATE TABLE things (
    number     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,  -- in the order in which they came
    id         TEXT NOT NULL UNIQUE,                        -- as callers have it: sealed for the tenant
    kind       TEXT NOT NULL,                               -- file or batch
    tenant     TEXT NOT NULL,
    provider   TEXT NOT NULL,
    upstream   TEXT NOT NULL,                               -- the provider's id
    purpose    TEXT NOT NULL,
    created_at INTEGER NOT NULL,                            -- seconds since 1970, as all times here
    expires_at INTEGER NOT NULL,
    body       TEXT NOT NULL,                               -- what callers were last shown of it
    memo       TEXT NOT NULL,
    open       INTEGER NOT NULL,                            -- a batch that is not settled
    misses     INTEGER NOT NULL,
    settlement TEXT                                         -- the call that settles it, once that is decided
) STRICT;

CREATE INDEX things_of_tenants ON things (tenant, kind, number);
CREATE INDEX things_at_providers ON things (tenant, provider, upstream);
CREATE INDEX things_open ON things (number) WHERE open;
CREATE INDEX things_by_end ON things (expires_at);
