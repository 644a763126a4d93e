-- Most connectors send the userName as an address, too. Then this says so, and the address has no row of its own: one write less
-- for each of two indexes. Users from before keep their rows until their addresses change; a look-up reads both.
ALTER TABLE users ADD COLUMN name_is_address INTEGER NOT NULL DEFAULT 0;
