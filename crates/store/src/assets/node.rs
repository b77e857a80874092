//! What each node serves, as it says itself.

use serde::Serialize;
use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// A node, as it was when it was heard of last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Stays when the node is started again.
    pub id: String,
    /// Name of its machine.
    pub name: String,
    /// Where its admin API listens.
    pub address: String,
    pub version: String,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub started_at: u64,
    /// The revision that it serves.
    pub revision: u64,
    /// The newest revision that it could not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<u64>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The master keys that it has; the first one encrypts.
    pub master_keys: Vec<String>,
    /// When it was heard of last.
    #[serde(skip)]
    pub seen_at: u64,
}

type Row = (String, String, String, String, i64, i64, Option<i64>, Option<String>, String, i64);

pub(super) async fn list(database: &Database) -> Result<Vec<Node>, StoreError> {
    let rows = reading!(database, "read nodes in", |pool| {
        query_as::<_, Row>(
            "SELECT id, name, address, version, started_at, revision, refused, problem, master_keys, seen_at FROM node \
             ORDER BY name, id",
        )
        .fetch_all(pool)
    })?;
    let nodes = rows.into_iter().map(
        |(id, name, address, version, started_at, revision, refused, problem, master_keys, seen_at)| Node {
            id,
            name,
            address,
            version,
            started_at: unsigned(started_at),
            revision: unsigned(revision),
            refused: refused.map(unsigned),
            problem,
            master_keys: master_keys.split_terminator(',').map(str::to_owned).collect(),
            seen_at: unsigned(seen_at),
        },
    );
    Ok(nodes.collect())
}

pub(super) async fn put(database: &Database, node: &Node, forget_before: u64) -> Result<(), StoreError> {
    put_now(database, node, bigint(forget_before)).await.map_err(|cause| database.failed("write to", cause))
}

async fn put_now(database: &Database, node: &Node, forget_before: i64) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query(
            "INSERT INTO node (id, name, address, version, started_at, revision, refused, problem, \
             master_keys, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             address = excluded.address, version = excluded.version, started_at = excluded.started_at, \
             revision = excluded.revision, refused = excluded.refused, problem = excluded.problem, master_keys = excluded.master_keys, \
             seen_at = excluded.seen_at",
        )
        .bind(&node.id)
        .bind(&node.name)
        .bind(&node.address)
        .bind(&node.version)
        .bind(bigint(node.started_at))
        .bind(bigint(node.revision))
        .bind(node.refused.map(bigint))
        .bind(&node.problem)
        .bind(node.master_keys.join(","))
        .bind(bigint(node.seen_at))
        .execute(&mut *transaction)
        .await?;
        query("DELETE FROM node WHERE seen_at < $1").bind(forget_before).execute(&mut *transaction).await?;
    })
}

pub(super) async fn delete(database: &Database, id: &str) -> Result<(), StoreError> {
    delete_now(database, id).await.map_err(|cause| database.failed("write to", cause))
}

async fn delete_now(database: &Database, id: &str) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM node WHERE id = $1").bind(id).execute(&mut *transaction).await?;
    })
}
