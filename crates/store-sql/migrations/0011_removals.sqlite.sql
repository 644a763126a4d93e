-- What was taken from targets lately: what the budgets count on.
CREATE TABLE removals (
    target TEXT    NOT NULL,
    key    TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    leaver INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;

-- Marks of what Axon made, or found as the map asks for it: what else is taken away waits for a person.
CREATE TABLE made (
    target TEXT    NOT NULL,
    mark   INTEGER NOT NULL,
    PRIMARY KEY (target, mark)
) STRICT, WITHOUT ROWID;
