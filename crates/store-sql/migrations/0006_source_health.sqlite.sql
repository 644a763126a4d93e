-- How the calls of each source go: counts by hour (hours since 1970), and the latest of what happened.
CREATE TABLE source_calls (
    source           TEXT    NOT NULL,
    hour             INTEGER NOT NULL,
    calls            INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    reference_failed INTEGER NOT NULL,
    PRIMARY KEY (source, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE source_health (
    source    TEXT    NOT NULL PRIMARY KEY,
    last_push INTEGER,
    accepted  INTEGER,
    refused   INTEGER,
    failed_at INTEGER,
    failure   TEXT
) STRICT, WITHOUT ROWID;
