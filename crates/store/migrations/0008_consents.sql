-- What users allow clients of the internal authorization server. Users by their ids: somebody else who gets the name of
-- a deleted user has allowed nothing.
CREATE TABLE oauth_consent (
    user_id TEXT NOT NULL,
    client TEXT NOT NULL,
    scope TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client)
);
CREATE INDEX oauth_consent_by_client ON oauth_consent (client);
-- Logins at the authorization server, which end with a new password.
CREATE INDEX oauth_pending_by_user ON oauth_pending (username, kind);
