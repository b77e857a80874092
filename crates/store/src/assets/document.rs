//! API definitions, byte for byte. The same document is kept once, whoever uses it and in however many versions.

use sha2::{Digest, Sha256};
use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading};
use crate::StoreError;

pub(super) async fn put(database: &Database, content: &[u8], at: u64) -> Result<String, StoreError> {
    let hash = format!("{:x}", Sha256::digest(content));
    match put_now(database, &hash, content, bigint(at)).await {
        Ok(()) => Ok(hash),
        Err(cause) => Err(database.failed("write a document to", cause)),
    }
}

async fn put_now(database: &Database, hash: &str, content: &[u8], at: i64) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("INSERT INTO document (hash, content, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(hash)
            .bind(content)
            .bind(at)
            .execute(&mut *transaction)
            .await?;
    })
}

pub(super) async fn get(database: &Database, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let found = reading!(database, "read a document in", |pool| {
        query_as::<_, (Vec<u8>,)>("SELECT content FROM document WHERE hash = $1")
            .bind(hash)
            .fetch_optional(pool)
    })?;
    Ok(found.map(|(content,)| content))
}
