-- What the configured file said when it was found to be the version in force: one row, so that it does not come back later.
CREATE TABLE file_map (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
