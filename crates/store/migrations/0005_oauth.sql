-- Counts what becomes of tokens, so that nodes can ask for what is new. Whoever changes tokens locks this row first.
CREATE TABLE oauth_feed (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    number BIGINT NOT NULL
);

-- Keys that tokens are signed with. The private part is encrypted under a data key.
CREATE TABLE oauth_key (
    id TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When another key took over. It goes on being published until the last token that it signed has expired.
    retired_at BIGINT
);

-- Access and refresh tokens, by the SHA-256 of what the client has.
CREATE TABLE oauth_token (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- All tokens that came from one authorization.
    family TEXT NOT NULL,
    client TEXT NOT NULL,
    application TEXT NOT NULL,
    username TEXT,
    scope TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    -- None: never.
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT,
    number BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX oauth_token_by_number ON oauth_token (number, hash);
CREATE INDEX oauth_token_by_family ON oauth_token (family);
CREATE INDEX oauth_token_by_time ON oauth_token (issued_at, id);
CREATE INDEX oauth_token_by_application ON oauth_token (application, issued_at, id);
CREATE INDEX oauth_token_by_client ON oauth_token (client, issued_at, id);
CREATE INDEX oauth_token_by_user ON oauth_token (username, issued_at, id);
CREATE INDEX oauth_token_by_end ON oauth_token (expires_at);

-- What is good for once, by its SHA-256, such as assertions of clients; and families that are over.
CREATE TABLE oauth_pending (
    hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    username TEXT,
    client TEXT,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    document TEXT NOT NULL
);
CREATE INDEX oauth_pending_by_end ON oauth_pending (expires_at);
