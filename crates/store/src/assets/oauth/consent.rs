//! What users allow clients.

use sqlx::{query, query_as};

use super::{
    super::database::{bigint, in_transaction, reading, unsigned},
    OauthStore,
};
use crate::StoreError;

/// What a user allows a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Id of the user.
    pub user: String,
    pub client: String,
    /// Scopes, with spaces between them.
    pub scope: String,
    pub granted_at: u64,
}

type Row = (String, String, String, i64);

fn consent((user, client, scope, granted_at): Row) -> Consent {
    Consent { user, client, scope, granted_at: unsigned(granted_at) }
}

impl OauthStore {
    /// What a user, by the id, allows a client.
    pub async fn consent(&self, user: &str, client: &str) -> Result<Option<Consent>, StoreError> {
        let found = reading!(&self.database, "read consents in", |pool| {
            query_as::<_, Row>(
                "SELECT user_id, client, scope, granted_at FROM oauth_consent WHERE user_id = $1 AND client = $2",
            )
            .bind(user)
            .bind(client)
            .fetch_optional(pool)
        })?;
        Ok(found.map(consent))
    }

    /// What a user allows clients whose ids come after one, in their order.
    pub async fn consents(&self, user: &str, after: &str, most: u32) -> Result<Vec<Consent>, StoreError> {
        let rows = reading!(&self.database, "read consents in", |pool| {
            query_as::<_, Row>(
                "SELECT user_id, client, scope, granted_at FROM oauth_consent \
                 WHERE user_id = $1 AND client > $2 ORDER BY client LIMIT $3",
            )
            .bind(user)
            .bind(after)
            .bind(i64::from(most))
            .fetch_all(pool)
        })?;
        Ok(rows.into_iter().map(consent).collect())
    }

    /// Writes down what a user allows, instead of what was there.
    pub async fn put_consent(&self, new: &Consent) -> Result<(), StoreError> {
        let put = self.put_consent_now(new).await;
        put.map_err(|cause| self.database.failed("write a consent to", cause))
    }

    async fn put_consent_now(&self, new: &Consent) -> Result<(), sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            query(
                "INSERT INTO oauth_consent (user_id, client, scope, granted_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (user_id, client) DO UPDATE SET scope = excluded.scope, \
                 granted_at = excluded.granted_at",
            )
            .bind(&new.user)
            .bind(&new.client)
            .bind(&new.scope)
            .bind(bigint(new.granted_at))
            .execute(&mut *transaction)
            .await?;
        })
    }

    /// Forgets what a user, by id and name, allows a client, and codes that stand for it; `false` where there is nothing.
    pub async fn delete_consent(&self, user: &str, name: &str, client: &str) -> Result<bool, StoreError> {
        let deleted = self.delete_consent_now(user, name, client).await;
        deleted.map_err(|cause| self.database.failed("delete a consent in", cause))
    }

    async fn delete_consent_now(&self, user: &str, name: &str, client: &str) -> Result<bool, sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            query("DELETE FROM oauth_pending WHERE username = $1 AND client = $2")
                .bind(name)
                .bind(client)
                .execute(&mut *transaction)
                .await?;
            let deleted = query("DELETE FROM oauth_consent WHERE user_id = $1 AND client = $2")
                .bind(user)
                .bind(client)
                .execute(&mut *transaction)
                .await?;
            deleted.rows_affected() > 0
        })
    }

    /// Forgets what anybody allows a client that is gone, and codes that stand for it.
    pub async fn forget_client(&self, client: &str) -> Result<(), StoreError> {
        let forgotten = self.forget_client_now(client).await;
        forgotten.map_err(|cause| self.database.failed("delete consents in", cause))
    }

    async fn forget_client_now(&self, client: &str) -> Result<(), sqlx::Error> {
        in_transaction!(&self.database, |transaction| {
            for statement in
                ["DELETE FROM oauth_pending WHERE client = $1", "DELETE FROM oauth_consent WHERE client = $1"]
            {
                query(statement).bind(client).execute(&mut *transaction).await?;
            }
        })
    }
}
