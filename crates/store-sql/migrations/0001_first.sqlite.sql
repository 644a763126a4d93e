-- The directory, the journal, the tokens, the controller's state.
-- Instants are whole microseconds since 1970 UTC. Ids are the 16 bytes of a UUID. Keys are folded where case does not count.

-- "AXON": tells a store from any other SQLite file.
PRAGMA application_id = 1096306510;

CREATE TABLE users (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of creation, the order of lists
    id            BLOB    NOT NULL UNIQUE,
    source        TEXT    NOT NULL,
    user_name     TEXT    NOT NULL,
    user_name_key TEXT    NOT NULL,
    external_id   TEXT,
    display_name  TEXT,
    active        INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    modified      INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    record        INTEGER NOT NULL,                  -- the journal record that last changed it
    document      TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_by_name ON users (source, user_name_key);
CREATE INDEX users_by_source ON users (source);
CREATE INDEX users_by_external_id ON users (external_id, source) WHERE external_id IS NOT NULL;

-- One row for each address that a filter may ask for.
CREATE TABLE user_emails (
    value_key TEXT    NOT NULL,
    user      INTEGER NOT NULL REFERENCES users (seq) ON DELETE CASCADE,
    PRIMARY KEY (value_key, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_emails_by_user ON user_emails (user);

CREATE TABLE groups (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               BLOB    NOT NULL UNIQUE,
    source           TEXT    NOT NULL,
    display_name     TEXT    NOT NULL,
    display_name_key TEXT    NOT NULL,
    external_id      TEXT,
    member_count     INTEGER NOT NULL,
    parked_count     INTEGER NOT NULL,
    created          INTEGER NOT NULL,
    modified         INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    record           INTEGER NOT NULL,
    document         TEXT    NOT NULL
) STRICT;
CREATE INDEX groups_by_name ON groups (source, display_name_key);
CREATE INDEX groups_by_external_id ON groups (external_id, source) WHERE external_id IS NOT NULL;

-- Direct members that exist. `kind` is 0 for a user, 1 for a group, and says which table `member` is a seq of.
CREATE TABLE members (
    grp    INTEGER NOT NULL REFERENCES groups (seq),
    kind   INTEGER NOT NULL,
    member INTEGER NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (grp, kind, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_member ON members (member, kind);

-- Members that were named and do not exist, as they were named.
CREATE TABLE parked (
    grp   INTEGER NOT NULL REFERENCES groups (seq),
    value TEXT    NOT NULL,
    PRIMARY KEY (grp, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_by_value ON parked (value);

CREATE TABLE journal (
    seq        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    request    TEXT,
    run        BLOB,
    kind       TEXT    NOT NULL,
    facts      TEXT    NOT NULL,
    commitment BLOB,
    prev       BLOB    NOT NULL,
    hash       BLOB    NOT NULL
) STRICT;
CREATE TRIGGER journal_keeps_its_records BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_never_changes BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- What names people, apart from the journal so that it can be erased.
CREATE TABLE journal_clear (
    seq  INTEGER PRIMARY KEY,
    salt BLOB    NOT NULL,
    body TEXT    NOT NULL
) STRICT;

CREATE TABLE tokens (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB    NOT NULL UNIQUE,
    source  TEXT    NOT NULL,
    prefix  BLOB    NOT NULL,                        -- of the hash: what it is looked up by
    hash    BLOB    NOT NULL,
    label   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;
CREATE INDEX tokens_by_prefix ON tokens (prefix);

CREATE TABLE role_maps (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT    NOT NULL,
    files   TEXT    NOT NULL,                        -- [[name, text], …]
    at      INTEGER NOT NULL,
    record  INTEGER NOT NULL
) STRICT;

-- Principals that Axon made in a target.
CREATE TABLE principals (
    target TEXT NOT NULL,
    name   TEXT NOT NULL,
    PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE summaries (
    target  TEXT    NOT NULL PRIMARY KEY,
    summary TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    target     TEXT    NOT NULL PRIMARY KEY,
    holder     TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
