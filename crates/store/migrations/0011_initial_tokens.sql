-- Initial access tokens, with which clients register themselves (RFC 7591, 3), by their SHA-256.
CREATE TABLE oauth_initial_token (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- None: never.
    expires_at BIGINT,
    most_uses BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    used_at BIGINT,
    -- What clients that are registered with it may be.
    document TEXT NOT NULL
);
