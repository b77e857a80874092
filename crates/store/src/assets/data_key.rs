//! Keys that secrets are encrypted under, as they are kept: encrypted themselves.

use serde::{Deserialize, Serialize};
use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// A data key, encrypted under a master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataKey {
    pub id: String,
    /// Which master key.
    pub master: String,
    pub wrapped: String,
    /// Microseconds since 1970.
    pub created_at: u64,
}

/// Oldest first.
pub(super) async fn list(database: &Database) -> Result<Vec<DataKey>, StoreError> {
    let rows = reading!(database, "read data keys in", |pool| {
        query_as::<_, (String, String, String, i64)>(
            "SELECT id, master, wrapped, created_at FROM data_key ORDER BY created_at, id",
        )
        .fetch_all(pool)
    })?;
    let keys = rows.into_iter().map(|(id, master, wrapped, created_at)| DataKey {
        id,
        master,
        wrapped,
        created_at: unsigned(created_at),
    });
    Ok(keys.collect())
}

/// Writes keys down, all or none, in the place of those of the same id.
pub(super) async fn put(database: &Database, keys: &[DataKey]) -> Result<(), StoreError> {
    put_now(database, keys).await.map_err(|cause| database.failed("write data keys to", cause))
}

async fn put_now(database: &Database, keys: &[DataKey]) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        for key in keys {
            query(
                "INSERT INTO data_key (id, master, wrapped, created_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (id) DO UPDATE SET master = excluded.master, wrapped = excluded.wrapped",
            )
            .bind(&key.id)
            .bind(&key.master)
            .bind(&key.wrapped)
            .bind(bigint(key.created_at))
            .execute(&mut *transaction)
            .await?;
        }
    })
}
