-- Which store this is: a random number, and another one when everything in it was replaced. Revisions of two stores
-- cannot be compared.
ALTER TABLE head ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

-- What each node serves, as it says itself every few seconds.
CREATE TABLE node (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    -- The newest revision that it could not serve, and why.
    refused BIGINT,
    problem TEXT,
    seen_at BIGINT NOT NULL
);
