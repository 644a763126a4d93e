-- Who brought each version of the role map, from what, and with which words; and versions that wait for a second person.

ALTER TABLE role_maps ADD COLUMN parent TEXT;                  -- the version that it followed
ALTER TABLE role_maps ADD COLUMN way TEXT NOT NULL DEFAULT 'file';
ALTER TABLE role_maps ADD COLUMN author TEXT;                  -- JSON; not known of versions of earlier releases
ALTER TABLE role_maps ADD COLUMN comment TEXT NOT NULL DEFAULT '';
ALTER TABLE role_maps ADD COLUMN released_by TEXT;             -- JSON: the second person
CREATE INDEX role_maps_by_version ON role_maps (version);

CREATE TABLE map_proposals (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    version  TEXT    NOT NULL,
    parent   TEXT,                                   -- the version that it is to follow
    way      TEXT    NOT NULL,
    author   TEXT    NOT NULL,                       -- JSON
    comment  TEXT    NOT NULL,
    opened   INTEGER NOT NULL,
    expires  INTEGER NOT NULL,
    ended    INTEGER,
    released INTEGER,
    ended_by TEXT,                                   -- JSON
    reason   TEXT,
    record   INTEGER NOT NULL,                       -- the journal record that last changed it
    files    TEXT    NOT NULL                        -- [[name, text], …]
) STRICT;
CREATE INDEX map_proposals_by_version ON map_proposals (version);
