-- Requests that are done once however often they are sent, by the SHA-256 of the user and the key that they gave.
CREATE TABLE request_key (
    hash TEXT PRIMARY KEY,
    -- SHA-256 of the request.
    request TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    -- What was answered; nothing while it is being done.
    status BIGINT,
    headers TEXT,
    body BYTEA
);
CREATE INDEX request_key_by_time ON request_key (begun_at);
