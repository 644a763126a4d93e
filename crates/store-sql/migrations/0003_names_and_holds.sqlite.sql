-- Whom names belong to, and what waits for a person.

-- `kind` is 0 for a person's userName that was given up, 1 for a group's displayName that a mapping uses, 2 for a mark that
-- the group whose id is the name was renamed. No holder: the name is used, and nobody had it yet.
CREATE TABLE pins (
    kind        INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    name_key    TEXT    NOT NULL,
    external_id TEXT,
    holder      TEXT,
    cleared     INTEGER NOT NULL,
    record      INTEGER NOT NULL,                    -- the journal record that last changed it
    PRIMARY KEY (kind, source, name_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX pins_by_record ON pins (record);

CREATE TABLE holds (
    id      BLOB    NOT NULL PRIMARY KEY,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,                        -- of two with one subject only one stands
    source  TEXT,
    target  TEXT,
    what    TEXT    NOT NULL,
    why     TEXT    NOT NULL,
    binds   TEXT,                                    -- the pin that a release writes
    state   TEXT    NOT NULL,
    opened  INTEGER NOT NULL,
    expires INTEGER,
    ended   INTEGER,
    words   TEXT,                                    -- [by whom, reason]
    record  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_by_subject ON holds (subject);
CREATE INDEX holds_by_record ON holds (record);

-- For whom each principal of a target was made.
CREATE TABLE principal_holders (
    target   TEXT NOT NULL,
    name_key TEXT NOT NULL,                          -- folded as a pool may fold it
    holder   TEXT NOT NULL,
    PRIMARY KEY (target, name_key)
) STRICT, WITHOUT ROWID;
