-- Databases that the integrations API set up. No row holds a credential: `body` says where the system account's secret lies.
CREATE TABLE integrations (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    place   TEXT    NOT NULL,                        -- host:port/database, folded
    status  TEXT    NOT NULL,
    body    TEXT    NOT NULL,                        -- JSON
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX integrations_by_place ON integrations (place);
