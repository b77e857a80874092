//! Access tokens of users, for programs.

use serde::Serialize;
use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// An access token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub id: String,
    pub user: String,
    /// What it is for.
    pub name: String,
    /// SHA-256, in hexadecimal digits.
    #[serde(skip)]
    pub hash: String,
    /// Names of privileges; those of the user where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileges: Option<Vec<String>>,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub created_at: u64,
    #[serde(skip)]
    pub expires_at: Option<u64>,
}

type Row = (String, String, String, String, Option<String>, i64, Option<i64>);

fn token((id, user, name, hash, privileges, created_at, expires_at): Row) -> Token {
    Token {
        id,
        user,
        name,
        hash,
        privileges: privileges.map(|text| text.lines().map(str::to_owned).collect()),
        created_at: unsigned(created_at),
        expires_at: expires_at.map(unsigned),
    }
}

pub(super) async fn find(database: &Database, hash: &str) -> Result<Option<Token>, StoreError> {
    let row = reading!(database, "read a token in", |pool| {
        query_as::<_, Row>(
            "SELECT id, username, name, hash, privileges, created_at, expires_at FROM token WHERE hash = $1",
        )
        .bind(hash)
        .fetch_optional(pool)
    })?;
    Ok(row.map(token))
}

pub(super) async fn of(database: &Database, user: &str) -> Result<Vec<Token>, StoreError> {
    let rows = reading!(database, "read tokens in", |pool| {
        query_as::<_, Row>(
            "SELECT id, username, name, hash, privileges, created_at, expires_at FROM token WHERE username = $1 \
             ORDER BY created_at",
        )
        .bind(user)
        .fetch_all(pool)
    })?;
    Ok(rows.into_iter().map(token).collect())
}

pub(super) async fn put(database: &Database, token: &Token) -> Result<(), StoreError> {
    put_now(database, token).await.map_err(|cause| database.failed("write a token to", cause))
}

async fn put_now(database: &Database, token: &Token) -> Result<(), sqlx::Error> {
    let privileges = token.privileges.as_ref().map(|names| names.join("\n"));
    in_transaction!(database, |transaction| {
        query(
            "INSERT INTO token (id, username, name, hash, privileges, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&token.id)
        .bind(&token.user)
        .bind(&token.name)
        .bind(&token.hash)
        .bind(&privileges)
        .bind(bigint(token.created_at))
        .bind(token.expires_at.map(bigint))
        .execute(&mut *transaction)
        .await?;
    })
}

/// Whether there was one.
pub(super) async fn delete(database: &Database, user: &str, id: &str) -> Result<bool, StoreError> {
    delete_now(database, user, id).await.map_err(|cause| database.failed("delete a token in", cause))
}

async fn delete_now(database: &Database, user: &str, id: &str) -> Result<bool, sqlx::Error> {
    in_transaction!(database, |transaction| {
        let deleted = query("DELETE FROM token WHERE username = $1 AND id = $2")
            .bind(user)
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        deleted.rows_affected() > 0
    })
}
