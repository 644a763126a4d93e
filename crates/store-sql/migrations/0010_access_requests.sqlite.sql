-- What was asked for beside the role map.
CREATE TABLE access_requests (
    id       BLOB    NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL,
    grants   TEXT,                                   -- of a grant: [role, target, seconds]
    whom     TEXT    NOT NULL,
    asking   TEXT    NOT NULL,                       -- [at, by, reason]
    state    TEXT    NOT NULL,
    hold     BLOB,
    released TEXT,
    until    INTEGER,
    ended    TEXT,
    record   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_requests_by_record ON access_requests (record);
CREATE INDEX access_requests_by_hold ON access_requests (hold);

-- Who may answer a hold: who asked, how many persons it takes, and who answered first.
ALTER TABLE holds ADD COLUMN terms TEXT;

-- The steps that a hold is about.
CREATE TABLE hold_parts (
    hold BLOB NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (hold, part)
) STRICT, WITHOUT ROWID;
