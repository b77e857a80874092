-- What consumers said and asked for in the portal, and when a key was used.
INSERT INTO portal_rating (api, username, stars, at) VALUES ('id-api', 'ann', 5, 1700000000000000);
INSERT INTO portal_comment (id, api, username, at, content) VALUES ('id-c', 'id-api', 'ann', 1700000000000000, 'Nice animals.');
INSERT INTO sign_up (username, email, message, password_hash, at) VALUES ('zoe', 'zoe@shop.example', 'let me in', '$argon2id$v=19$m=64,t=1,p=1$c29tZS1zYWx0LTEyMw$Z89NTPS/6ujZFB41o2RM6zNuwGClxqmoVIxTuk+Xchg', 1700000000000000);
INSERT INTO key_use (hash, used_at) VALUES ('c338c606a276a3166e01d913b4c17adceebae6a569cae8bb567bb01b953f8a0c', 1700000000000000);
