-- Somebody was logged in, and somebody else guessed.
INSERT INTO session (hash, username, created_at, seen_at) VALUES ('1e2952b478968fb69e105423445683880726a3929232c26772e629d7ecf762cd', 'Administrator', 1700000000000000, 1700000000000000);
INSERT INTO login_failure (username, since, failures) VALUES ('mallory', 1700000000000000, 3);
