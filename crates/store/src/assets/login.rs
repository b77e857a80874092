//! Logins that went to a provider elsewhere: each comes back once, or expires.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction};
use crate::StoreError;

/// Keeps what has to be known when somebody comes back. What has expired is forgotten.
pub(super) async fn begin(
    database: &Database,
    hash: &str,
    document: &str,
    now: u64,
    expires_at: u64,
) -> Result<(), StoreError> {
    let begun = begin_now(database, hash, document, bigint(now), bigint(expires_at)).await;
    begun.map_err(|cause| database.failed("write a login to", cause))
}

async fn begin_now(
    database: &Database,
    hash: &str,
    document: &str,
    now: i64,
    expires_at: i64,
) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM login WHERE expires_at <= $1").bind(now).execute(&mut *transaction).await?;
        query("INSERT INTO login (hash, expires_at, document) VALUES ($1, $2, $3)")
            .bind(hash)
            .bind(expires_at)
            .bind(document)
            .execute(&mut *transaction)
            .await?;
    })
}

/// Remembers that something is used up until it expires; `false` where it was before, on whatever node.
pub(super) async fn use_up(
    database: &Database,
    hash: &str,
    now: u64,
    expires_at: u64,
) -> Result<bool, StoreError> {
    let used = use_up_now(database, hash, bigint(now), bigint(expires_at)).await;
    used.map_err(|cause| database.failed("write a login to", cause))
}

async fn use_up_now(database: &Database, hash: &str, now: i64, expires_at: i64) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM login WHERE expires_at <= $1").bind(now).execute(&mut *transaction).await?;
        let used = query(
            "INSERT INTO login (hash, expires_at, document) VALUES ($1, $2, '') ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash)
        .bind(expires_at)
        .execute(&mut *transaction)
        .await?;
        used.rows_affected() > 0
    })
}

/// Takes it out: whoever comes second, on whatever node, finds nothing.
pub(super) async fn take(database: &Database, hash: &str, now: u64) -> Result<Option<String>, StoreError> {
    let taken = take_now(database, hash, bigint(now)).await;
    taken.map_err(|cause| database.failed("read a login in", cause))
}

async fn take_now(database: &Database, hash: &str, now: i64) -> Result<Option<String>, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let taken =
            query_as::<_, (String, i64)>("DELETE FROM login WHERE hash = $1 RETURNING document, expires_at")
                .bind(hash)
                .fetch_optional(&mut *transaction)
                .await?;
        taken.filter(|(_, expires_at)| *expires_at > now).map(|(document, _)| document)
    })
}
