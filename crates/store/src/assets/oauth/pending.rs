//! What is good for once.

use sqlx::query;

use super::{
    super::database::{bigint, in_transaction},
    OauthStore,
};
use crate::StoreError;

/// Something that is good for once, such as an assertion of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    /// SHA-256 of what is shown, in hexadecimal digits.
    pub hash: String,
    pub kind: String,
    pub user: Option<String>,
    pub client: Option<String>,
    pub expires_at: u64,
    pub used_at: Option<u64>,
    pub document: String,
}

impl OauthStore {
    /// Keeps something; `false` where it is there already.
    pub async fn put_passing(&self, new: &Passing) -> Result<bool, StoreError> {
        let put = self.put_passing_now(new).await;
        put.map_err(|cause| self.database.failed("write to", cause))
    }

    async fn put_passing_now(&self, new: &Passing) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let put = query(
                "INSERT INTO oauth_pending (hash, kind, username, client, expires_at, used_at, document) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING",
            )
            .bind(&new.hash)
            .bind(&new.kind)
            .bind(&new.user)
            .bind(&new.client)
            .bind(bigint(new.expires_at))
            .bind(new.used_at.map(bigint))
            .bind(&new.document)
            .execute(&mut *transaction)
            .await?;
            put.rows_affected() > 0
        })
    }
}
