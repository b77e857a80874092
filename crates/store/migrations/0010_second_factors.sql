-- What makes one-time codes of users (RFC 6238), encrypted. It counts when a code has confirmed it.
CREATE TABLE second_factor (
    username TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    confirmed_at BIGINT,
    -- The step of the last code that was used: that one and older ones are refused.
    last_step BIGINT NOT NULL DEFAULT 0
);

-- Codes for users who have lost theirs, each good once, by their SHA-256.
CREATE TABLE recovery_code (
    username TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (username, hash)
);
