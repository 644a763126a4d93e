-- Who left and may still be in a target, since when; and who is out: to leave again, they have to come back first.
CREATE TABLE leavers (
    target   TEXT    NOT NULL,
    name_key TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    cause    INTEGER,                  -- the record by which they left; none of these of who is out
    way      TEXT,
    arrived  INTEGER,
    shut     INTEGER,
    why      TEXT,
    PRIMARY KEY (target, name_key)
) STRICT, WITHOUT ROWID;

-- Up to which record the journal was looked through for them.
CREATE TABLE leaver_clocks (
    target  TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    upto    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
