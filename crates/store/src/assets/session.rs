//! People who are logged in.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of what the browser keeps, in hexadecimal digits.
    pub hash: String,
    pub user: String,
    /// Who let somebody in that is no user here, as the manager writes it. `None`: a user by password.
    pub origin: Option<String>,
    /// Microseconds since 1970.
    pub created_at: u64,
    /// When something was last done in it, to the minute.
    pub seen_at: u64,
}

pub(super) async fn find(database: &Database, hash: &str) -> Result<Option<Session>, StoreError> {
    let row = reading!(database, "read a session in", |pool| {
        query_as::<_, (String, String, i64, i64, Option<String>)>(
            "SELECT hash, username, created_at, seen_at, origin FROM session WHERE hash = $1",
        )
        .bind(hash)
        .fetch_optional(pool)
    })?;
    Ok(row.map(|(hash, user, created_at, seen_at, origin)| Session {
        hash,
        user,
        origin,
        created_at: unsigned(created_at),
        seen_at: unsigned(seen_at),
    }))
}

/// Begins a session. Those that began before `oldest`, or in which nothing was done since `idle`, are over.
pub(super) async fn begin(
    database: &Database,
    session: &Session,
    oldest: u64,
    idle: u64,
) -> Result<(), StoreError> {
    let begun = begin_now(database, session, bigint(oldest), bigint(idle)).await;
    begun.map_err(|cause| database.failed("write a session to", cause))
}

async fn begin_now(
    database: &Database,
    session: &Session,
    oldest: i64,
    idle: i64,
) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM session WHERE created_at <= $1 OR seen_at <= $2")
            .bind(oldest)
            .bind(idle)
            .execute(&mut *transaction)
            .await?;
        query(
            "INSERT INTO session (hash, username, created_at, seen_at, origin) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&session.hash)
        .bind(&session.user)
        .bind(bigint(session.created_at))
        .bind(bigint(session.seen_at))
        .bind(&session.origin)
        .execute(&mut *transaction)
        .await?;
    })
}

pub(super) async fn seen(database: &Database, hash: &str, at: u64) -> Result<(), StoreError> {
    let seen = seen_now(database, hash, bigint(at)).await;
    seen.map_err(|cause| database.failed("write a session to", cause))
}

async fn seen_now(database: &Database, hash: &str, at: i64) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("UPDATE session SET seen_at = $1 WHERE hash = $2")
            .bind(at)
            .bind(hash)
            .execute(&mut *transaction)
            .await?;
    })
}

pub(super) async fn end(database: &Database, hash: &str) -> Result<(), StoreError> {
    end_now(database, hash).await.map_err(|cause| database.failed("end a session in", cause))
}

async fn end_now(database: &Database, hash: &str) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM session WHERE hash = $1").bind(hash).execute(&mut *transaction).await?;
    })
}
