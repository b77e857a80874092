//! What is there for a while, and most of it good for once: assertions of clients, codes, logins of browsers.

use sqlx::{query, query_as};

use super::{
    super::database::{bigint, in_transaction, reading, unsigned},
    OauthStore,
};
use crate::StoreError;

/// Something that is there for a while, by the hash of what is shown.
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

type Row = (String, String, Option<String>, Option<String>, i64, Option<i64>, String);

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

    /// What is kept of a kind under a hash, unless it has expired.
    pub async fn passing(&self, kind: &str, hash: &str, now: u64) -> Result<Option<Passing>, StoreError> {
        let found = reading!(&self.database, "read in", |pool| {
            query_as::<_, Row>(
                "SELECT hash, kind, username, client, expires_at, used_at, document FROM oauth_pending \
                 WHERE hash = $1 AND kind = $2 AND expires_at > $3",
            )
            .bind(hash)
            .bind(kind)
            .bind(bigint(now))
            .fetch_optional(pool)
        })?;
        Ok(found.map(|(hash, kind, user, client, expires_at, used_at, document)| Passing {
            hash,
            kind,
            user,
            client,
            expires_at: unsigned(expires_at),
            used_at: used_at.map(unsigned),
            document,
        }))
    }

    /// Uses something up; `false` where somebody else has, or it is gone.
    pub async fn use_passing(&self, kind: &str, hash: &str, at: u64) -> Result<bool, StoreError> {
        let used = self.use_passing_now(kind, hash, at).await;
        used.map_err(|cause| self.database.failed("write to", cause))
    }

    async fn use_passing_now(&self, kind: &str, hash: &str, at: u64) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let used = query(
                "UPDATE oauth_pending SET used_at = $1 WHERE hash = $2 AND kind = $3 AND used_at IS NULL \
                 AND expires_at > $1",
            )
            .bind(bigint(at))
            .bind(hash)
            .bind(kind)
            .execute(&mut *transaction)
            .await?;
            used.rows_affected() > 0
        })
    }

    /// Replaces what is known of something that is not used up; `false` where it is, or was changed meanwhile.
    pub async fn replace_passing(&self, old: &Passing, new: &Passing) -> Result<bool, StoreError> {
        let replaced = self.replace_passing_now(old, new).await;
        replaced.map_err(|cause| self.database.failed("write to", cause))
    }

    async fn replace_passing_now(&self, old: &Passing, new: &Passing) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let replaced = query(
                "UPDATE oauth_pending SET username = $1, document = $2 WHERE hash = $3 AND kind = $4 \
                 AND used_at IS NULL AND document = $5",
            )
            .bind(&new.user)
            .bind(&new.document)
            .bind(&old.hash)
            .bind(&old.kind)
            .bind(&old.document)
            .execute(&mut *transaction)
            .await?;
            replaced.rows_affected() > 0
        })
    }

    /// Forgets something.
    pub async fn delete_passing(&self, kind: &str, hash: &str) -> Result<(), StoreError> {
        let deleted = self.delete_passing_now(kind, hash).await;
        deleted.map_err(|cause| self.database.failed("write to", cause))
    }

    async fn delete_passing_now(&self, kind: &str, hash: &str) -> Result<(), sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            query("DELETE FROM oauth_pending WHERE hash = $1 AND kind = $2")
                .bind(hash)
                .bind(kind)
                .execute(&mut *transaction)
                .await?;
        })
    }
}
