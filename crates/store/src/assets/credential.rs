//! How users prove who they are.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading};
use crate::StoreError;

pub(super) async fn password_hash(database: &Database, user: &str) -> Result<Option<String>, StoreError> {
    let found = reading!(database, "read a credential in", |pool| {
        query_as::<_, (String,)>("SELECT password_hash FROM credential WHERE username = $1")
            .bind(user)
            .fetch_optional(pool)
    })?;
    Ok(found.map(|(hash,)| hash))
}

pub(super) async fn set_password_hash(
    database: &Database,
    user: &str,
    hash: Option<&str>,
    at: u64,
) -> Result<(), StoreError> {
    set_now(database, user, hash, bigint(at)).await.map_err(|cause| database.failed("write to", cause))
}

async fn set_now(database: &Database, user: &str, hash: Option<&str>, at: i64) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM credential WHERE username = $1").bind(user).execute(&mut *transaction).await?;
        if let Some(hash) = hash {
            query("INSERT INTO credential (username, password_hash, changed_at) VALUES ($1, $2, $3)")
                .bind(user)
                .bind(hash)
                .bind(at)
                .execute(&mut *transaction)
                .await?;
        }
    })
}
