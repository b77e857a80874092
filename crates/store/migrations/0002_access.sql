-- A password that somebody else has set has to be changed first.
ALTER TABLE credential ADD COLUMN temporary BIGINT NOT NULL DEFAULT 0;

-- People who are logged in, by the SHA-256 of what their browser keeps.
CREATE TABLE session (
    hash TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX session_by_user ON session (username);

-- Wrong passwords, by the name that was given, whether somebody has it or not.
CREATE TABLE login_failure (
    username TEXT PRIMARY KEY,
    since BIGINT NOT NULL,
    failures BIGINT NOT NULL
);
