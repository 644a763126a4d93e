-- For whom a principal was made of somebody whose clock runs, where the name came to be somebody else's since.
ALTER TABLE leavers ADD COLUMN former TEXT;

-- Who came under a name and left again while the clock of the one before runs: theirs begins when that one has ended.
CREATE TABLE leavers_next (
    target   TEXT    NOT NULL,
    name_key TEXT    NOT NULL,
    cause    INTEGER NOT NULL,         -- the record by which they left
    name     TEXT    NOT NULL,
    way      TEXT    NOT NULL,
    arrived  INTEGER NOT NULL,
    behind   TEXT    NOT NULL,         -- for whom the principal was made
    PRIMARY KEY (target, name_key, cause)
) STRICT, WITHOUT ROWID;

-- Both were kept among those for whom principals were made, under names that no target can have.
DELETE FROM principal_holders WHERE target LIKE '%#passed' OR target LIKE '%#after';
