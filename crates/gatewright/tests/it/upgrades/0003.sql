-- A store has a number since then, and nodes tell of themselves.
UPDATE head SET epoch = 4711;
INSERT INTO node (id, name, address, version, started_at, revision, refused, problem, seen_at) VALUES
    ('id-node', 'gateway-1', '127.0.0.1:9072', '0.1.0', 1700000000000000, 3, NULL, NULL, 1700000000000000);
