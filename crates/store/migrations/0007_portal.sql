-- What consumers say of APIs in the developer portal. APIs by their ids.
CREATE TABLE portal_rating (
    api TEXT NOT NULL,
    username TEXT NOT NULL,
    stars BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (api, username)
);
CREATE INDEX portal_rating_by_user ON portal_rating (username);

CREATE TABLE portal_comment (
    id TEXT PRIMARY KEY,
    api TEXT NOT NULL,
    username TEXT NOT NULL,
    at BIGINT NOT NULL,
    content TEXT NOT NULL
);
CREATE INDEX portal_comment_by_api ON portal_comment (api, at);

-- People who have asked to sign up, until somebody decides.
CREATE TABLE sign_up (
    username TEXT PRIMARY KEY,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    message TEXT,
    password_hash TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- When API keys were used last, by the SHA-256 of the key, to the minute.
CREATE TABLE key_use (
    hash TEXT PRIMARY KEY,
    used_at BIGINT NOT NULL
);
