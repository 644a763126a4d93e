-- Tokens of several kinds: bearers, secrets of OAuth clients, short-lived access tokens; what each may do; its last use.
ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'bearer';
ALTER TABLE tokens ADD COLUMN client TEXT;
ALTER TABLE tokens ADD COLUMN secret BLOB;                     -- the id of the secret that an access token was given for
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT 'write';
ALTER TABLE tokens ADD COLUMN last_used INTEGER;
