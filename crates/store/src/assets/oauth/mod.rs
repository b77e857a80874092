//! What the internal authorization server keeps: tokens, keys that sign them, and what is good for once. Whatever a client or a browser has is here as a hash only.

mod batch;
mod consent;
mod initial_token;
mod pending;
mod token;

use std::sync::Arc;

use sqlx::{query, query_as};
use tokio::sync::watch;

pub use consent::Consent;
pub use initial_token::InitialToken;
pub use pending::Passing;
pub use token::{OauthToken, TokenFilter, TokenOwner};

use super::{
    database::{Database, bigint, in_transaction, reading, unsigned},
    feed::Feed,
};
use crate::StoreError;

/// A key that tokens are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthKey {
    pub id: String,
    /// As in RFC 7518.
    pub algorithm: String,
    /// JSON.
    pub public_jwk: String,
    /// The private part, encrypted.
    pub sealed: String,
    /// Microseconds since 1970, as all times here.
    pub created_at: u64,
    pub retired_at: Option<u64>,
}

/// The part of a store that belongs to the internal authorization server.
#[derive(Clone)]
pub struct OauthStore {
    database: Database,
    feed: Feed,
    /// Tokens that wait to be written.
    queue: Arc<batch::Queue>,
}

type KeyRow = (String, String, String, String, i64, Option<i64>);

impl OauthStore {
    pub(super) fn new(database: Database, feed: Feed) -> Self {
        Self { database, feed, queue: Arc::default() }
    }

    /// Changes when something may have become of tokens, here or elsewhere.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.feed.tokens.subscribe()
    }

    /// Another one when everything in the store was replaced.
    pub fn epoch(&self) -> u64 {
        self.feed.head.borrow().epoch
    }

    /// Says that tokens have changed.
    async fn announce(&self) {
        self.feed.tokens.send_modify(|times| *times += 1);
        let Database::Postgres(pool) = &self.database else { return };
        let told = query("SELECT pg_notify($1, '')").bind(super::feed::TOKENS).execute(pool).await;
        if let Err(error) = told {
            tracing::warn!(%error, "other nodes could not be told about tokens");
        }
    }

    /// Keys that tokens are signed with, oldest first.
    pub async fn keys(&self) -> Result<Vec<OauthKey>, StoreError> {
        let rows = reading!(&self.database, "read keys in", |pool| {
            query_as::<_, KeyRow>(
                "SELECT id, algorithm, public_jwk, sealed, created_at, retired_at FROM oauth_key \
                 ORDER BY created_at, id",
            )
            .fetch_all(pool)
        })?;
        let key = |(id, algorithm, public_jwk, sealed, created_at, retired_at): KeyRow| OauthKey {
            id,
            algorithm,
            public_jwk,
            sealed,
            created_at: unsigned(created_at),
            retired_at: retired_at.map(unsigned),
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// Adds a key, which takes over from the others of its algorithm, and forgets keys that were retired before a time.
    /// With `only_first`, nothing happens where there is such a key already, which another node has made.
    pub async fn put_key(
        &self,
        key: &OauthKey,
        forget_before: u64,
        only_first: bool,
    ) -> Result<(), StoreError> {
        let put = self.put_key_now(key, forget_before, only_first).await;
        put.map_err(|cause| self.database.failed("write a key to", cause))?;
        self.announce().await;
        Ok(())
    }

    async fn put_key_now(&self, key: &OauthKey, forget: u64, only_first: bool) -> Result<(), sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            token::next_number!(transaction);
            let live: Vec<(String,)> =
                query_as("SELECT id FROM oauth_key WHERE algorithm = $1 AND retired_at IS NULL")
                    .bind(&key.algorithm)
                    .fetch_all(&mut *transaction)
                    .await?;
            if only_first && !live.is_empty() {
                return Ok(());
            }
            query("UPDATE oauth_key SET retired_at = $1 WHERE algorithm = $2 AND retired_at IS NULL")
                .bind(bigint(key.created_at))
                .bind(&key.algorithm)
                .execute(&mut *transaction)
                .await?;
            query("DELETE FROM oauth_key WHERE retired_at < $1")
                .bind(bigint(forget))
                .execute(&mut *transaction)
                .await?;
            query(
                "INSERT INTO oauth_key (id, algorithm, public_jwk, sealed, created_at, retired_at) \
                 VALUES ($1, $2, $3, $4, $5, NULL)",
            )
            .bind(&key.id)
            .bind(&key.algorithm)
            .bind(&key.public_jwk)
            .bind(&key.sealed)
            .bind(bigint(key.created_at))
            .execute(&mut *transaction)
            .await?;
        })
    }
}
