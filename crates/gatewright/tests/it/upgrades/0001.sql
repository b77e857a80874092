-- What a version of Gatewright with the tables of migration 1 has written in three revisions: the first start, a set that
-- was applied, and a change of an API while an application was deleted. Hashes of the audit log were computed apart from it.
INSERT INTO revision (revision, at, author, reason) VALUES (1, 1700000000000000, 'Administrator', 'first start');
INSERT INTO revision (revision, at, author, reason) VALUES (2, 1700000060000000, 'Administrator', 'the pets');
INSERT INTO revision (revision, at, author, reason) VALUES (3, 1700000120000000, 'Administrator', NULL);
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('group', 'id-g1', 'Administrators', 1, 1700000000000000, 1700000000000000,
    '{"name":"Administrators"}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('group', 'id-g2', 'API-Gateway-Administrators', 1, 1700000000000000, 1700000000000000,
    '{"name":"API-Gateway-Administrators"}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('group', 'id-g3', 'API-Gateway-Providers', 1, 1700000000000000, 1700000000000000,
    '{"name":"API-Gateway-Providers"}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('user', 'id-u1', 'Administrator', 1, 1700000000000000, 1700000000000000,
    '{"name":"Administrator","groups":["Administrators"]}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('upstream', 'id-up', 'native', 2, 1700000060000000, 1700000060000000,
    '{"name":"native","endpoints":[{"url":"http://127.0.0.1:1"}]}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('alias', 'id-al', 'greeting', 2, 1700000060000000, 1700000060000000,
    '{"name":"greeting","value":"hello"}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('policyTemplate', 'id-t', 'basics', 2, 1700000060000000, 1700000060000000,
    '{"name":"basics","policies":[{"type":"customHeaders","config":{"headers":{"x-greeting":"${greeting}"}}}]}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('policy', 'id-p', 'limits', 2, 1700000060000000, 1700000060000000,
    '{"name":"limits","type":"rateLimit","config":{"limit":1000,"window":"1m"}}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('api', 'id-api', 'Pets:2', 3, 1700000060000000, 1700000120000000,
    '{"name":"Pets","version":"2","definition":"document:57d5bfc145bd57dc612d2be3e35ec2e8449c8a892e3a1c0d2f52f49091c6e5ad","upstream":"native","tags":["animals"],"policies":[{"type":"apiKey"}],"description":"All about pets.","templates":["basics"]}');
INSERT INTO asset (kind, id, name, revision, created_at, changed_at, document) VALUES ('application', 'id-app', 'shop', 2, 1700000060000000, 1700000060000000,
    '{"name":"shop","owner":"ann","apiKeys":[{"hash":"sha256:c338c606a276a3166e01d913b4c17adceebae6a569cae8bb567bb01b953f8a0c"}],"apis":["Pets"]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('group', 'id-g1', 1, 'Administrators', 1700000000000000,
    '{"name":"Administrators"}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('group', 'id-g2', 1, 'API-Gateway-Administrators', 1700000000000000,
    '{"name":"API-Gateway-Administrators"}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('group', 'id-g3', 1, 'API-Gateway-Providers', 1700000000000000,
    '{"name":"API-Gateway-Providers"}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('user', 'id-u1', 1, 'Administrator', 1700000000000000,
    '{"name":"Administrator","groups":["Administrators"]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('upstream', 'id-up', 2, 'native', 1700000060000000,
    '{"name":"native","endpoints":[{"url":"http://127.0.0.1:1"}]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('alias', 'id-al', 2, 'greeting', 1700000060000000,
    '{"name":"greeting","value":"hello"}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('policyTemplate', 'id-t', 2, 'basics', 1700000060000000,
    '{"name":"basics","policies":[{"type":"customHeaders","config":{"headers":{"x-greeting":"${greeting}"}}}]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('policy', 'id-p', 2, 'limits', 1700000060000000,
    '{"name":"limits","type":"rateLimit","config":{"limit":1000,"window":"1m"}}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('api', 'id-api', 2, 'Pets:2', 1700000060000000,
    '{"name":"Pets","version":"2","definition":"document:57d5bfc145bd57dc612d2be3e35ec2e8449c8a892e3a1c0d2f52f49091c6e5ad","upstream":"native","tags":["animals"],"policies":[{"type":"apiKey"}]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('application', 'id-app', 2, 'shop', 1700000060000000,
    '{"name":"shop","owner":"ann","apiKeys":[{"hash":"sha256:c338c606a276a3166e01d913b4c17adceebae6a569cae8bb567bb01b953f8a0c"}],"apis":["Pets"]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('application', 'id-gone', 2, 'gone', 1700000060000000,
    '{"name":"gone"}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('api', 'id-api', 3, 'Pets:2', 1700000060000000,
    '{"name":"Pets","version":"2","definition":"document:57d5bfc145bd57dc612d2be3e35ec2e8449c8a892e3a1c0d2f52f49091c6e5ad","upstream":"native","tags":["animals"],"policies":[{"type":"apiKey"}],"description":"All about pets.","templates":["basics"]}');
INSERT INTO asset_version (kind, id, revision, name, created_at, document) VALUES ('application', 'id-gone', 3, 'gone', 1700000060000000,
    NULL);
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (1, 1700000000000000, 1, 'Configuration', 'group', 'create', 'Administrators', 'group Administrators was created', 'Administrator', 'gateway-1', '',
    '5a2fe6d4b1699315c1d44509580cd18a453c2f9198aa9131d912db045dd620c6');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (2, 1700000000000000, 1, 'Configuration', 'group', 'create', 'API-Gateway-Administrators', 'group API-Gateway-Administrators was created', 'Administrator', 'gateway-1', '',
    'c758872bd02160766104a69f21b5331643f4708ff8298c2eed360091461a34b1');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (3, 1700000000000000, 1, 'Configuration', 'group', 'create', 'API-Gateway-Providers', 'group API-Gateway-Providers was created', 'Administrator', 'gateway-1', '',
    'f6dca6840330db3fc57cc7b7b2c2c1e87ae73e6681257c262e6122ebb3d30e68');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (4, 1700000000000000, 1, 'Configuration', 'user', 'create', 'Administrator', 'user Administrator was created', 'Administrator', 'gateway-1', '',
    '336a01ea317509699d6a516539a1c095aed74dd48b0157189b1b26f8dff9ae1c');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (5, 1700000030000000, NULL, 'Access management', 'user', 'login', 'Administrator', 'the password was wrong', 'Administrator', 'gateway-1', '127.0.0.1',
    '3856a4f690cf27aa3b1cfa46f920830451d786d85a5de928049765ecb364e86a');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (6, 1700000060000000, 2, 'Configuration', 'upstream', 'create', 'native', 'upstream native was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '57856074e22b786edb0705f617ecf19ecab3edc010f08b2747907d96e80cca99');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (7, 1700000060000000, 2, 'Configuration', 'alias', 'create', 'greeting', 'alias greeting was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '3b5fc1ce5f873fc9326bf98d0591c02a12e119fb10be6ede532450218970487e');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (8, 1700000060000000, 2, 'Configuration', 'policyTemplate', 'create', 'basics', 'policyTemplate basics was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '74de8301c355fc6d653aa95b4d029947e26788e31cdd456e1bac234bed925bab');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (9, 1700000060000000, 2, 'Configuration', 'policy', 'create', 'limits', 'policy limits was created', 'Administrator', 'gateway-1', '127.0.0.1',
    'e7a2a8ef71aa5908e109fe85362a1598b7c2ef1570a13bcfeceb847ed895c477');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (10, 1700000060000000, 2, 'Configuration', 'api', 'create', 'Pets:2', 'api Pets:2 was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '94811c9cf950caa3d75a6b4e006031ef5733195457eb185ab83417fd235faa68');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (11, 1700000060000000, 2, 'Configuration', 'application', 'create', 'shop', 'application shop was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '923f8a2c4ba8defd6cd261f907c748fcb247b0445873cc96cc908c71e994af5e');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (12, 1700000060000000, 2, 'Configuration', 'application', 'create', 'gone', 'application gone was created', 'Administrator', 'gateway-1', '127.0.0.1',
    '743537812404d607349d04b09a51b3ee4e7c60c71c17a3ca3ac0e9546f0c5ade');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (13, 1700000120000000, 3, 'Configuration', 'api', 'update', 'Pets:2', 'api Pets:2 was updated', 'Administrator', 'gateway-1', '127.0.0.1',
    '2ec629846850f4491606651e049da187892579623cdf6bc2f8d2c84b29290b1c');
INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, source_machine, client_ip, hash) VALUES
    (14, 1700000120000000, 3, 'Configuration', 'application', 'delete', 'gone', 'application gone was deleted', 'Administrator', 'gateway-1', '127.0.0.1',
    '999d06b3b26eb9e39dfc412615f74e7bab9b20607dabaedd497a87aa2a1f0211');
UPDATE head SET revision = 3, audit = 14, audit_hash = '999d06b3b26eb9e39dfc412615f74e7bab9b20607dabaedd497a87aa2a1f0211';
INSERT INTO document (hash, content, created_at) VALUES ('57d5bfc145bd57dc612d2be3e35ec2e8449c8a892e3a1c0d2f52f49091c6e5ad',
    '{"openapi":"3.1.0","info":{"title":"Pets","version":"2"},"paths":{"/pets/{id}":{"get":{"responses":{"200":{"description":"ok"}}}}}}', 1700000000000000);
INSERT INTO credential (username, password_hash, changed_at) VALUES ('Administrator',
    '$argon2id$v=19$m=64,t=1,p=1$c29tZS1zYWx0LTEyMw$Z89NTPS/6ujZFB41o2RM6zNuwGClxqmoVIxTuk+Xchg', 1700000000000000);
INSERT INTO token (id, username, name, hash, privileges, created_at, expires_at) VALUES ('id-tok', 'Administrator', 'ci',
    '9afea9afb10e1f8a95693d73f76570eefa33d97d6e7568e072a1395546453703', NULL, 1700000000000000, NULL);
