//! The audit log: each record carries a hash of itself and of all before it, so that what was changed afterwards shows.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::query_as;

use super::database::{Database, bigint, in_transaction, reading, unsigned};
use crate::StoreError;

/// Something that happened, to be written down.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditEntry<'a> {
    /// Such as `Access management`.
    pub event_type: &'a str,
    /// Kind of the object, such as `API`.
    pub object_type: &'a str,
    /// Such as `create`.
    pub action: &'a str,
    /// Name of the object.
    pub object: &'a str,
    /// What happened, for people.
    pub message: &'a str,
    pub user: &'a str,
    /// Host name of the node that did it.
    pub source_machine: &'a str,
    pub client_ip: &'a str,
    /// What was sent, without secrets.
    pub payload: Option<&'a str>,
}

/// Something that happened, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// Counts from one, without gaps.
    pub id: u64,
    /// Microseconds since 1970.
    #[serde(skip)]
    pub at: u64,
    /// The revision that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    pub event_type: String,
    pub object_type: String,
    pub action: String,
    pub object: String,
    pub message: String,
    pub user: String,
    pub source_machine: String,
    #[serde(rename = "clientIPAddress")]
    pub client_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// The first record that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tampered {
    pub id: u64,
    pub what: &'static str,
}

/// Which records are wanted, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only those before this one.
    pub before: Option<u64>,
    pub from: Option<u64>,
    pub to: Option<u64>,
    pub event_type: Option<String>,
    pub object_type: Option<String>,
    pub action: Option<String>,
    pub user: Option<String>,
    /// Something in the object, the message or the payload, whatever the case.
    pub text: Option<String>,
    pub most: u32,
}

type Row = (
    i64,
    i64,
    Option<i64>,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    Option<String>,
    String,
);

/// The end of the log.
pub(super) struct Chain {
    pub(super) number: i64,
    pub(super) hash: String,
}

impl Chain {
    /// The next record's hash.
    pub(super) fn advance(&mut self, at: i64, revision: Option<i64>, entry: &AuditEntry<'_>) {
        self.number += 1;
        let mut hasher = Sha256::new();
        let mut add = |text: &[u8]| {
            // With its length, so that no two records read the same.
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        };
        add(self.hash.as_bytes());
        add(&self.number.to_be_bytes());
        add(&at.to_be_bytes());
        add(&revision.unwrap_or(-1).to_be_bytes());
        let texts = [
            entry.event_type,
            entry.object_type,
            entry.action,
            entry.object,
            entry.message,
            entry.user,
            entry.source_machine,
            entry.client_ip,
        ];
        texts.iter().for_each(|text| add(text.as_bytes()));
        match entry.payload {
            Some(payload) => add(payload.as_bytes()),
            None => hasher.update([0xff]),
        }
        self.hash = format!("{:x}", hasher.finalize());
    }
}

/// Writes a record in a transaction that holds the head.
macro_rules! insert {
    ($transaction:ident, $chain:ident, $at:expr, $revision:expr, $entry:expr) => {{
        $chain.advance($at, $revision, $entry);
        sqlx::query(
            "INSERT INTO audit (number, at, revision, event_type, object_type, action, object, message, username, \
             source_machine, client_ip, payload, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind($chain.number)
        .bind($at)
        .bind($revision)
        .bind($entry.event_type)
        .bind($entry.object_type)
        .bind($entry.action)
        .bind($entry.object)
        .bind($entry.message)
        .bind($entry.user)
        .bind($entry.source_machine)
        .bind($entry.client_ip)
        .bind($entry.payload)
        .bind(&$chain.hash)
        .execute(&mut *$transaction)
        .await?;
    }};
}

/// Says in a transaction that holds the head where the log ends.
macro_rules! seal {
    ($transaction:ident, $chain:ident) => {
        sqlx::query("UPDATE head SET audit = $1, audit_hash = $2 WHERE only_row = 1")
            .bind($chain.number)
            .bind(&$chain.hash)
            .execute(&mut *$transaction)
            .await?;
    };
}

pub(super) use {insert, seal};

pub(super) async fn append(
    database: &Database,
    at: u64,
    entries: &[AuditEntry<'_>],
) -> Result<(), StoreError> {
    append_now(database, bigint(at), entries).await.map_err(|cause| database.failed("write to", cause))
}

async fn append_now(database: &Database, at: i64, entries: &[AuditEntry<'_>]) -> Result<(), sqlx::Error> {
    in_transaction!(database, |transaction| {
        let (number, hash): (i64, String) =
            query_as("UPDATE head SET audit = audit WHERE only_row = 1 RETURNING audit, audit_hash")
                .fetch_one(&mut *transaction)
                .await?;
        let mut chain = Chain { number, hash };
        for entry in entries {
            insert!(transaction, chain, at, None::<i64>, entry);
        }
        seal!(transaction, chain);
    })
}

pub(super) async fn list(database: &Database, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
    let text = match filter.text.as_deref().unwrap_or("") {
        "" => String::new(),
        // What stands for anything stands for itself.
        text => format!("%{}%", text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_")),
    };
    let rows = reading!(database, "read the audit log of", |pool| {
        query_as::<_, Row>(
            "SELECT number, at, revision, event_type, object_type, action, object, message, username, source_machine, \
             client_ip, payload, hash FROM audit WHERE number < $1 AND at >= $2 AND at < $3 \
             AND ($4 = '' OR event_type = $4) AND ($5 = '' OR object_type = $5) AND ($6 = '' OR username = $6) \
             AND ($7 = '' OR action = $7) AND ($8 = '' OR LOWER(object) LIKE $8 ESCAPE '!' \
             OR LOWER(message) LIKE $8 ESCAPE '!' OR LOWER(COALESCE(payload, '')) LIKE $8 ESCAPE '!') \
             ORDER BY number DESC LIMIT $9",
        )
        .bind(filter.before.map_or(i64::MAX, bigint))
        .bind(filter.from.map_or(0, bigint))
        .bind(filter.to.map_or(i64::MAX, bigint))
        .bind(filter.event_type.as_deref().unwrap_or(""))
        .bind(filter.object_type.as_deref().unwrap_or(""))
        .bind(filter.user.as_deref().unwrap_or(""))
        .bind(filter.action.as_deref().unwrap_or(""))
        .bind(&text)
        .bind(i64::from(filter.most))
        .fetch_all(pool)
    })?;
    Ok(rows.into_iter().map(|row| record(row).0).collect())
}

fn record(row: Row) -> (AuditRecord, String) {
    let (
        id,
        at,
        revision,
        event_type,
        object_type,
        action,
        object,
        message,
        user,
        source_machine,
        client_ip,
        payload,
        hash,
    ) = row;
    let record = AuditRecord {
        id: unsigned(id),
        at: unsigned(at),
        revision: revision.map(unsigned),
        event_type,
        object_type,
        action,
        object,
        message,
        user,
        source_machine,
        client_ip,
        payload,
    };
    (record, hash)
}

/// Records that are looked at together.
const PAGE: i64 = 1_000;

pub(super) async fn verify(database: &Database) -> Result<Result<u64, Tampered>, StoreError> {
    let (last, sealed) = reading!(database, "read the audit log of", |pool| {
        query_as::<_, (i64, String)>("SELECT audit, audit_hash FROM head").fetch_one(pool)
    })?;
    let mut chain = Chain { number: 0, hash: String::new() };
    while chain.number < last {
        let rows = reading!(database, "read the audit log of", |pool| {
            query_as::<_, Row>(
                "SELECT number, at, revision, event_type, object_type, action, object, message, username, \
                 source_machine, client_ip, payload, hash FROM audit WHERE number > $1 AND number <= $2 \
                 ORDER BY number LIMIT $3",
            )
            .bind(chain.number)
            .bind(last)
            .bind(PAGE)
            .fetch_all(pool)
        })?;
        let missing = Tampered { id: unsigned(chain.number + 1), what: "is missing" };
        if rows.is_empty() {
            return Ok(Err(missing));
        }
        for row in rows {
            let (number, at, revision) = (row.0, row.1, row.2);
            let (record, hash) = record(row);
            if number != chain.number + 1 {
                return Ok(Err(Tampered { id: unsigned(chain.number + 1), what: "is missing" }));
            }
            let entry = AuditEntry {
                event_type: &record.event_type,
                object_type: &record.object_type,
                action: &record.action,
                object: &record.object,
                message: &record.message,
                user: &record.user,
                source_machine: &record.source_machine,
                client_ip: &record.client_ip,
                payload: record.payload.as_deref(),
            };
            chain.advance(at, revision, &entry);
            if chain.hash != hash {
                return Ok(Err(Tampered { id: record.id, what: "was changed" }));
            }
        }
    }
    if chain.hash != sealed {
        return Ok(Err(Tampered { id: unsigned(last), what: "is not what the log ended with" }));
    }
    Ok(Ok(unsigned(last)))
}
