-- The second factor of a user, which a code has confirmed, and one of their recovery codes.
INSERT INTO second_factor (username, secret, confirmed_at, last_step)
VALUES ('ann', 'v1:sealed', 1700000000000000, 56666666);
INSERT INTO recovery_code (username, hash) VALUES ('ann', 'the hash of a code');
