//! Initial access tokens, with which clients register themselves.

use sqlx::{query, query_as};

use super::{
    super::database::{bigint, in_transaction, reading, unsigned},
    OauthStore,
};
use crate::StoreError;

/// An initial access token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialToken {
    pub id: String,
    /// SHA-256, in hexadecimal digits.
    pub hash: String,
    /// What it is for.
    pub name: String,
    /// Who has made it.
    pub author: String,
    pub created_at: u64,
    pub expires_at: Option<u64>,
    /// How many clients may be registered with it, and were.
    pub most_uses: u64,
    pub uses: u64,
    pub used_at: Option<u64>,
    /// What those clients may be.
    pub document: String,
}

impl InitialToken {
    /// Whether one more client may be registered with it.
    pub fn is_good(&self, now: u64) -> bool {
        self.uses < self.most_uses && self.expires_at.is_none_or(|at| at > now)
    }
}

type Row = (String, String, String, String, i64, Option<i64>, i64, i64, Option<i64>, String);

fn initial_token(
    (id, hash, name, author, created_at, expires_at, most_uses, uses, used_at, document): Row,
) -> InitialToken {
    InitialToken {
        id,
        hash,
        name,
        author,
        created_at: unsigned(created_at),
        expires_at: expires_at.map(unsigned),
        most_uses: unsigned(most_uses),
        uses: unsigned(uses),
        used_at: used_at.map(unsigned),
        document,
    }
}

impl OauthStore {
    /// The token with a hash, whether it is still good or not.
    pub async fn initial_token(&self, hash: &str) -> Result<Option<InitialToken>, StoreError> {
        let found = reading!(&self.database, "read an initial access token in", |pool| {
            query_as::<_, Row>(
                "SELECT id, hash, name, author, created_at, expires_at, most_uses, uses, used_at, document \
                 FROM oauth_initial_token WHERE hash = $1",
            )
            .bind(hash)
            .fetch_optional(pool)
        })?;
        Ok(found.map(initial_token))
    }

    /// All of them, oldest first.
    pub async fn initial_tokens(&self) -> Result<Vec<InitialToken>, StoreError> {
        let rows = reading!(&self.database, "read initial access tokens in", |pool| {
            query_as::<_, Row>(
                "SELECT id, hash, name, author, created_at, expires_at, most_uses, uses, used_at, document \
                 FROM oauth_initial_token ORDER BY created_at, id",
            )
            .fetch_all(pool)
        })?;
        Ok(rows.into_iter().map(initial_token).collect())
    }

    /// Adds one, unless there are so many already.
    pub async fn put_initial_token(&self, new: &InitialToken, most: u64) -> Result<bool, StoreError> {
        let put = self.put_initial_token_now(new, most).await;
        put.map_err(|cause| self.database.failed("write an initial access token to", cause))
    }

    async fn put_initial_token_now(&self, new: &InitialToken, most: u64) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let (there,): (i64,) =
                query_as("SELECT COUNT(*) FROM oauth_initial_token").fetch_one(&mut *transaction).await?;
            let has_room = unsigned(there) < most;
            if has_room {
                query(
                    "INSERT INTO oauth_initial_token (id, hash, name, author, created_at, expires_at, most_uses, \
                     uses, used_at, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                )
                .bind(&new.id)
                .bind(&new.hash)
                .bind(&new.name)
                .bind(&new.author)
                .bind(bigint(new.created_at))
                .bind(new.expires_at.map(bigint))
                .bind(bigint(new.most_uses))
                .bind(bigint(new.uses))
                .bind(new.used_at.map(bigint))
                .bind(&new.document)
                .execute(&mut *transaction)
                .await?;
            }
            has_room
        })
    }

    /// Uses one once more; `false` where that is not possible any more.
    pub async fn use_initial_token(&self, hash: &str, at: u64) -> Result<bool, StoreError> {
        let used = self.use_initial_token_now(hash, at).await;
        used.map_err(|cause| self.database.failed("write an initial access token to", cause))
    }

    async fn use_initial_token_now(&self, hash: &str, at: u64) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let used = query(
                "UPDATE oauth_initial_token SET uses = uses + 1, used_at = $1 \
                 WHERE hash = $2 AND uses < most_uses AND (expires_at IS NULL OR expires_at > $1)",
            )
            .bind(bigint(at))
            .bind(hash)
            .execute(&mut *transaction)
            .await?;
            used.rows_affected() > 0
        })
    }

    /// Nothing came of a use.
    pub async fn give_back_initial_token(&self, hash: &str) -> Result<(), StoreError> {
        let given = self.give_back_initial_token_now(hash).await;
        given.map_err(|cause| self.database.failed("write an initial access token to", cause))
    }

    async fn give_back_initial_token_now(&self, hash: &str) -> Result<(), sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            query("UPDATE oauth_initial_token SET uses = uses - 1 WHERE hash = $1 AND uses > 0")
                .bind(hash)
                .execute(&mut *transaction)
                .await?;
        })
    }

    /// Takes one away, by its id; `false` where there is none.
    pub async fn delete_initial_token(&self, id: &str) -> Result<bool, StoreError> {
        let deleted = self.delete_initial_token_now(id).await;
        deleted.map_err(|cause| self.database.failed("delete an initial access token in", cause))
    }

    async fn delete_initial_token_now(&self, id: &str) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            let deleted = query("DELETE FROM oauth_initial_token WHERE id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            deleted.rows_affected() > 0
        })
    }
}
