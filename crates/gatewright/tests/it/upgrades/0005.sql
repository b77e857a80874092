-- A token of the internal authorization server, and the count of what became of tokens.
INSERT INTO oauth_feed (only_row, number) VALUES (1, 1);
INSERT INTO oauth_token (hash, id, kind, family, client, application, username, scope, issued_at, expires_at, number, document) VALUES
    ('14f95c33ed545e28af398a33a54ae9eddd75ec99caccf178617b973677d999d5', 'id-at', 'access', 'id-family', 'shop-client', 'shop', NULL, 'read', 1700000000000000, NULL, 1, '{}');
