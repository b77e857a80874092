//! How users prove who they are, and how often somebody failed to.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// How a user proves who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// As in `$argon2id$…`.
    pub password_hash: String,
    /// Microseconds since 1970.
    pub changed_at: u64,
    /// It has to be changed before anything else is done with it.
    pub temporary: bool,
}

/// Wrong passwords of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFailures {
    pub user: String,
    /// When the first of them came, in microseconds since 1970.
    pub since: u64,
    pub failures: u64,
}

pub(super) async fn get(database: &Database, user: &str) -> Result<Option<Credential>, StoreError> {
    let found = reading!(database, "read a credential in", |pool| {
        query_as::<_, (String, i64, i64)>(
            "SELECT password_hash, changed_at, temporary FROM credential WHERE username = $1",
        )
        .bind(user)
        .fetch_optional(pool)
    })?;
    Ok(found.map(|(password_hash, changed_at, temporary)| Credential {
        password_hash,
        changed_at: unsigned(changed_at),
        temporary: temporary != 0,
    }))
}

pub(super) async fn set(
    database: &Database,
    user: &str,
    credential: &Credential,
    keep_session: Option<&str>,
) -> Result<(), StoreError> {
    let set = set_now(database, user, credential, keep_session.unwrap_or_default()).await;
    set.map_err(|cause| database.failed("write a credential to", cause))
}

async fn set_now(
    database: &Database,
    user: &str,
    credential: &Credential,
    keep_session: &str,
) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM credential WHERE username = $1").bind(user).execute(&mut *transaction).await?;
        query(
            "INSERT INTO credential (username, password_hash, changed_at, temporary) VALUES ($1, $2, $3, $4)",
        )
        .bind(user)
        .bind(&credential.password_hash)
        .bind(bigint(credential.changed_at))
        .bind(i64::from(credential.temporary))
        .execute(&mut *transaction)
        .await?;
        // Whoever knew the old password is out.
        query("DELETE FROM session WHERE username = $1 AND hash <> $2")
            .bind(user)
            .bind(keep_session)
            .execute(&mut *transaction)
            .await?;
        query("DELETE FROM oauth_pending WHERE username = $1 AND kind IN ('login', 'second step')")
            .bind(user)
            .execute(&mut *transaction)
            .await?;
        query("DELETE FROM login_failure WHERE username = $1").bind(user).execute(&mut *transaction).await?;
    })
}

/// What is counted for a name since some time.
pub(super) async fn failures(
    database: &Database,
    user: &str,
    since: u64,
) -> Result<Option<LoginFailures>, StoreError> {
    let found = reading!(database, "read failed logins in", |pool| {
        query_as::<_, (String, i64, i64)>(
            "SELECT username, since, failures FROM login_failure WHERE username = $1 AND since > $2",
        )
        .bind(user)
        .bind(bigint(since))
        .fetch_optional(pool)
    })?;
    Ok(found.map(login_failures))
}

/// Names with at least so many failures since some time.
pub(super) async fn failed(
    database: &Database,
    least: u64,
    since: u64,
) -> Result<Vec<LoginFailures>, StoreError> {
    let found = reading!(database, "read failed logins in", |pool| {
        query_as::<_, (String, i64, i64)>(
            "SELECT username, since, failures FROM login_failure WHERE failures >= $1 AND since > $2 ORDER BY username",
        )
        .bind(bigint(least))
        .bind(bigint(since))
        .fetch_all(pool)
    })?;
    Ok(found.into_iter().map(login_failures).collect())
}

fn login_failures((user, since, failures): (String, i64, i64)) -> LoginFailures {
    LoginFailures { user, since: unsigned(since), failures: unsigned(failures) }
}

/// Counts one more. What began before `since` is over, for all names.
pub(super) async fn count_failure(
    database: &Database,
    user: &str,
    at: u64,
    since: u64,
) -> Result<(), StoreError> {
    let counted = count_failure_now(database, user, bigint(at), bigint(since)).await;
    counted.map_err(|cause| database.failed("write a failed login to", cause))
}

async fn count_failure_now(database: &Database, user: &str, at: i64, since: i64) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM login_failure WHERE since <= $1").bind(since).execute(&mut *transaction).await?;
        query(
            "INSERT INTO login_failure (username, since, failures) VALUES ($1, $2, 1) \
             ON CONFLICT (username) DO UPDATE SET failures = login_failure.failures + 1",
        )
        .bind(user)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    })
}

/// Whether anything was counted.
pub(super) async fn forgive(database: &Database, user: &str) -> Result<bool, StoreError> {
    let forgiven = forgive_now(database, user).await;
    forgiven.map_err(|cause| database.failed("forget failed logins in", cause))
}

async fn forgive_now(database: &Database, user: &str) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let gone = query("DELETE FROM login_failure WHERE username = $1").bind(user);
        gone.execute(&mut *transaction).await?.rows_affected() > 0
    })
}
