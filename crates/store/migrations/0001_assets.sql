-- What was committed last. Whoever changes anything locks this row first, so that commits come one after the other.
CREATE TABLE head (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    revision BIGINT NOT NULL,
    audit BIGINT NOT NULL,
    audit_hash TEXT NOT NULL
);
INSERT INTO head (only_row, revision, audit, audit_hash) VALUES (1, 0, 0, '');

-- Times are microseconds since 1970.
CREATE TABLE revision (
    revision BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    author TEXT NOT NULL,
    reason TEXT
);

CREATE TABLE asset (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, id),
    UNIQUE (kind, name)
);

-- Every version of every asset; without a document where it was deleted.
CREATE TABLE asset_version (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    document TEXT,
    PRIMARY KEY (kind, id, revision)
);
CREATE INDEX asset_version_by_revision ON asset_version (revision);

CREATE TABLE audit (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    revision BIGINT,
    event_type TEXT NOT NULL,
    object_type TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    message TEXT NOT NULL,
    username TEXT NOT NULL,
    source_machine TEXT NOT NULL,
    client_ip TEXT NOT NULL,
    payload TEXT,
    hash TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);

-- API definitions as they came, by the SHA-256 of their bytes.
CREATE TABLE document (
    hash TEXT PRIMARY KEY,
    content BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- How users prove who they are. Apart from the assets: nobody gets an old password back with an old revision.
CREATE TABLE credential (
    username TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Access tokens of users, for programs. Only hashes are kept.
CREATE TABLE token (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    -- Names of privileges, each on a line; those of the user where there are none.
    privileges TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);
CREATE INDEX token_by_user ON token (username);
