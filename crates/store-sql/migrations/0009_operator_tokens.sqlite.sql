-- Tokens of operators, and what jobs' tokens were exchanged for. Apart from those of sources: neither is looked up where the other is.

CREATE TABLE operator_tokens (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        BLOB    NOT NULL UNIQUE,
    kind      TEXT    NOT NULL,                      -- operator | service
    name      TEXT    NOT NULL,                      -- of the operator, or of the service identity in the role map
    prefix    BLOB    NOT NULL,                      -- of the hash: what it is looked up by
    hash      BLOB    NOT NULL,
    may       TEXT    NOT NULL,                      -- permissions of an operator's
    job       TEXT,                                  -- JSON: the run of a service's
    created   INTEGER NOT NULL,
    expires   INTEGER,
    revoked   INTEGER,
    last_used INTEGER
) STRICT;
CREATE INDEX operator_tokens_by_prefix ON operator_tokens (prefix);
