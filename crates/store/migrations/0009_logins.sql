-- Logins that went to a provider elsewhere and have not come back, by the SHA-256 of their state.
CREATE TABLE login (
    hash TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX login_by_end ON login (expires_at);
-- Whose user somebody is who was let in by a provider elsewhere, and in which groups. None: a user by password.
ALTER TABLE session ADD COLUMN origin TEXT;
