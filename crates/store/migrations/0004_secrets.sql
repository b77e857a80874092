-- Keys that secrets are encrypted under, each itself encrypted under a master key, which is not here.
CREATE TABLE data_key (
    id TEXT PRIMARY KEY,
    -- Which master key: the beginning of its hash.
    master TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- What of an asset is secret, encrypted. It is no part of the document, so that nothing that shows documents shows it.
ALTER TABLE asset ADD COLUMN sealed TEXT;
ALTER TABLE asset_version ADD COLUMN sealed TEXT;

-- The master keys that a node has, in the order of its settings, with commas.
ALTER TABLE node ADD COLUMN master_keys TEXT NOT NULL DEFAULT '';
