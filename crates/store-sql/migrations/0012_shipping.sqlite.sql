-- How far each sink outside has the journal, and what hindered the last attempt.
CREATE TABLE shipping (
    sink          TEXT    NOT NULL PRIMARY KEY,
    position      INTEGER NOT NULL,
    at            INTEGER,
    trouble       TEXT,
    trouble_since INTEGER
) STRICT, WITHOUT ROWID;
