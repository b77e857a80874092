//! Second factors of users: what makes their one-time codes, and the codes for when that is lost.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// What makes the one-time codes of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    pub user: String,
    /// Encrypted.
    pub secret: String,
    /// Since when it counts, in microseconds since 1970.
    pub confirmed_at: Option<u64>,
    /// Recovery codes that were not used.
    pub recovery_codes: u64,
}

/// A second factor that a code has confirmed.
#[derive(Debug)]
pub struct SetUp<'a> {
    pub user: &'a str,
    /// As it was when it began.
    pub secret: &'a str,
    /// The step of that code.
    pub step: u64,
    pub at: u64,
    /// SHA-256 of each, in hexadecimal digits.
    pub recovery_codes: &'a [String],
    /// The session that goes on.
    pub session: Option<&'a str>,
}

type Row = (String, String, Option<i64>, i64);

fn second_factor((user, secret, confirmed_at, recovery_codes): Row) -> SecondFactor {
    SecondFactor {
        user,
        secret,
        confirmed_at: confirmed_at.map(unsigned),
        recovery_codes: unsigned(recovery_codes),
    }
}

pub(super) async fn get(database: &Database, user: &str) -> Result<Option<SecondFactor>, StoreError> {
    let found = reading!(database, "read a second factor in", |pool| {
        query_as::<_, Row>(
            "SELECT username, secret, confirmed_at, (SELECT COUNT(*) FROM recovery_code AS code \
             WHERE code.username = second_factor.username) FROM second_factor WHERE username = $1",
        )
        .bind(user)
        .fetch_optional(pool)
    })?;
    Ok(found.map(second_factor))
}

pub(super) async fn list(database: &Database) -> Result<Vec<SecondFactor>, StoreError> {
    let found = reading!(database, "read second factors in", |pool| {
        query_as::<_, Row>(
            "SELECT username, secret, confirmed_at, (SELECT COUNT(*) FROM recovery_code AS code \
             WHERE code.username = second_factor.username) FROM second_factor \
             WHERE confirmed_at IS NOT NULL ORDER BY username",
        )
        .fetch_all(pool)
    })?;
    Ok(found.into_iter().map(second_factor).collect())
}

pub(super) async fn begin(database: &Database, user: &str, secret: &str) -> Result<bool, StoreError> {
    begin_now(database, user, secret).await.map_err(|cause| failed(database, cause))
}

async fn begin_now(database: &Database, user: &str, secret: &str) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let begun = query(
            "INSERT INTO second_factor (username, secret) VALUES ($1, $2) \
             ON CONFLICT (username) DO UPDATE SET secret = excluded.secret WHERE second_factor.confirmed_at IS NULL",
        )
        .bind(user)
        .bind(secret)
        .execute(&mut *transaction)
        .await?;
        begun.rows_affected() > 0
    })
}

pub(super) async fn confirm(database: &Database, set_up: &SetUp<'_>) -> Result<bool, StoreError> {
    confirm_now(database, set_up).await.map_err(|cause| failed(database, cause))
}

async fn confirm_now(database: &Database, set_up: &SetUp<'_>) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let confirmed = query(
            "UPDATE second_factor SET confirmed_at = $1, last_step = $2 \
             WHERE username = $3 AND secret = $4 AND confirmed_at IS NULL",
        )
        .bind(bigint(set_up.at))
        .bind(bigint(set_up.step))
        .bind(set_up.user)
        .bind(set_up.secret)
        .execute(&mut *transaction)
        .await?;
        let is_confirmed = confirmed.rows_affected() > 0;
        if is_confirmed {
            for statement in [
                "DELETE FROM recovery_code WHERE username = $1",
                "DELETE FROM oauth_pending WHERE username = $1 AND kind IN ('login', 'second step')",
            ] {
                query(statement).bind(set_up.user).execute(&mut *transaction).await?;
            }
            for hash in set_up.recovery_codes {
                query("INSERT INTO recovery_code (username, hash) VALUES ($1, $2)")
                    .bind(set_up.user)
                    .bind(hash)
                    .execute(&mut *transaction)
                    .await?;
            }
            // Whoever got in with the password alone is out.
            query("DELETE FROM session WHERE username = $1 AND hash <> $2")
                .bind(set_up.user)
                .bind(set_up.session.unwrap_or_default())
                .execute(&mut *transaction)
                .await?;
        }
        is_confirmed
    })
}

pub(super) async fn use_step(database: &Database, user: &str, step: u64) -> Result<bool, StoreError> {
    use_step_now(database, user, bigint(step)).await.map_err(|cause| failed(database, cause))
}

async fn use_step_now(database: &Database, user: &str, step: i64) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let used = query(
            "UPDATE second_factor SET last_step = $1 \
             WHERE username = $2 AND last_step < $1 AND confirmed_at IS NOT NULL",
        );
        used.bind(step).bind(user).execute(&mut *transaction).await?.rows_affected() > 0
    })
}

pub(super) async fn use_recovery_code(
    database: &Database,
    user: &str,
    hash: &str,
) -> Result<bool, StoreError> {
    use_recovery_code_now(database, user, hash).await.map_err(|cause| failed(database, cause))
}

async fn use_recovery_code_now(database: &Database, user: &str, hash: &str) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let used = query("DELETE FROM recovery_code WHERE username = $1 AND hash = $2").bind(user).bind(hash);
        used.execute(&mut *transaction).await?.rows_affected() > 0
    })
}

pub(super) async fn delete(database: &Database, user: &str) -> Result<bool, StoreError> {
    delete_now(database, user).await.map_err(|cause| failed(database, cause))
}

async fn delete_now(database: &Database, user: &str) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM recovery_code WHERE username = $1").bind(user).execute(&mut *transaction).await?;
        let deleted = query_as::<_, (Option<i64>,)>(
            "DELETE FROM second_factor WHERE username = $1 RETURNING confirmed_at",
        );
        let deleted = deleted.bind(user).fetch_optional(&mut *transaction).await?;
        deleted.is_some_and(|(confirmed_at,)| confirmed_at.is_some())
    })
}

fn failed(database: &Database, cause: sqlx::Error) -> StoreError {
    database.failed("write a second factor to", cause)
}
