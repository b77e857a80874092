//! Requests that are done once, however often they are sent.

use sqlx::{query, query_as};

use super::database::{Database, bigint, in_transaction};
use crate::StoreError;

/// A request with a key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// SHA-256 of who asks and the key that they gave, in hexadecimal digits.
    pub hash: String,
    /// The same of the request.
    pub request: String,
}

/// What a request was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// JSON.
    pub headers: String,
    pub body: Vec<u8>,
}

/// What is known of a request that comes with a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has sent it before: it is to be done.
    Now,
    /// It is being done.
    Running,
    /// It was done.
    Done(Answered),
    /// The key was used for another request.
    Other,
}

/// Begins a request, unless its key is known. Requests before `forgotten` are forgotten, and those that began before
/// `lost` and were never answered.
pub(super) async fn begin(
    database: &Database,
    key: &RequestKey,
    at: u64,
    forgotten: u64,
    lost: u64,
) -> Result<Begun, StoreError> {
    let begun = begin_now(database, key, [at, forgotten, lost].map(bigint)).await;
    begun.map_err(|cause| database.failed("write the key of a request to", cause))
}

type Row = (String, Option<i64>, Option<String>, Option<Vec<u8>>);

async fn begin_now(
    database: &Database,
    key: &RequestKey,
    [at, forgotten, lost]: [i64; 3],
) -> Result<Begun, sqlx::Error> {
    in_transaction!(database, |transaction| {
        query("DELETE FROM request_key WHERE begun_at < $1 OR (status IS NULL AND begun_at < $2)")
            .bind(forgotten)
            .bind(lost)
            .execute(&mut *transaction)
            .await?;
        let written = query(
            "INSERT INTO request_key (hash, request, begun_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(&key.hash)
        .bind(&key.request)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        if written.rows_affected() == 1 {
            Begun::Now
        } else {
            let row =
                query_as::<_, Row>("SELECT request, status, headers, body FROM request_key WHERE hash = $1")
                    .bind(&key.hash)
                    .fetch_one(&mut *transaction)
                    .await?;
            known(key, row)
        }
    })
}

fn known(key: &RequestKey, (request, status, headers, body): Row) -> Begun {
    match status.and_then(|status| u16::try_from(status).ok()) {
        _ if request != key.request => Begun::Other,
        None => Begun::Running,
        Some(status) => Begun::Done(Answered {
            status,
            headers: headers.unwrap_or_default(),
            body: body.unwrap_or_default(),
        }),
    }
}

/// Keeps what was answered; `None` forgets the request, which may be sent again.
pub(super) async fn finish(
    database: &Database,
    hash: &str,
    answered: Option<&Answered>,
) -> Result<(), StoreError> {
    let finished = finish_now(database, hash, answered).await;
    finished.map_err(|cause| database.failed("write the key of a request to", cause))
}

async fn finish_now(database: &Database, hash: &str, answered: Option<&Answered>) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        match answered {
            Some(Answered { status, headers, body }) => {
                query("UPDATE request_key SET status = $2, headers = $3, body = $4 WHERE hash = $1")
                    .bind(hash)
                    .bind(i64::from(*status))
                    .bind(headers)
                    .bind(body)
                    .execute(&mut *transaction)
                    .await?
            }
            None => {
                query("DELETE FROM request_key WHERE hash = $1").bind(hash).execute(&mut *transaction).await?
            }
        };
    })
}
