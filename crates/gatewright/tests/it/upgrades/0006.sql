-- A request that was done once.
INSERT INTO request_key (hash, request, begun_at, status, headers, body) VALUES ('2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683', '1f58b9145b24d108d7ac38887338b3ea3229833b9c1e418250343f907bfd1047', 1700000000000000, 201, '[]',
    '{"revision":3}');
