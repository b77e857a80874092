-- An initial access token, with which one more client may register itself.
INSERT INTO oauth_initial_token (id, hash, name, author, created_at, expires_at, most_uses, uses, used_at, document)
VALUES ('i1', 'the hash of an initial access token', 'partners', 'ann', 1700000000000000, NULL, 2, 1, 1700000000000000, '{}');
