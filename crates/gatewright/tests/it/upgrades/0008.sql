-- What a user allowed a client of the internal authorization server.
INSERT INTO oauth_consent (user_id, client, scope, granted_at) VALUES ('id-u1', 'shop-client', 'read', 1700000000000000);
