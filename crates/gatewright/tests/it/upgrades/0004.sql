-- A secret, encrypted under a data key, which is encrypted under the master key 0a0a…
INSERT INTO data_key (id, master, wrapped, created_at) VALUES ('id-dk', '4575313c5816',
    'bm9uY2Utbm8tb25lBQM0JfyavMyijgxiw6fNX3GYmtv2zl7nVdkJFreJI0De042ajdof2tORKVLgc3Sd', 1700000000000000);
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document, sealed) VALUES ('secret', 'id-sec', 'payment', 3, 1700000000000000, 1700000000000000,
    '{"name":"payment"}',
    'v1:id-dk:bm9uY2Utbm8tdHdvYbCrHyOUDQ3I0x5TzqplmIP2bEA3JlDC1NztJG9aaw==');
INSERT INTO asset_version (kind, id, revision, name, created_at, document, sealed) VALUES ('secret', 'id-sec', 3, 'payment', 1700000000000000,
    '{"name":"payment"}',
    'v1:id-dk:bm9uY2Utbm8tdHdvYbCrHyOUDQ3I0x5TzqplmIP2bEA3JlDC1NztJG9aaw==');
