//! The audit log: listed, downloaded, verified.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing,
};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::{AuditFilter, AuditRecord};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    answer::{Items, Problem, time},
    extract::Query,
    route::{Content, Right, Route, get, post},
    zip::Zip,
};
use crate::{Manager, Privilege};

const VIEW: Right = Right::Privilege(&[Privilege::ViewAdministration]);

pub(super) const ROUTES: &[Route] = &[
    get("/audit", "listAuditRecords", "The audit log, newest first.", VIEW, || routing::get(audit))
        .query::<AuditQuery>()
        .answers::<Items<AuditView>>(200),
    get(
        "/audit/download",
        "downloadAuditRecords",
        "The audit log, newest first, as a zip of text files of 10,000 records each.",
        VIEW,
        || routing::get(download),
    )
    .query::<AuditQuery>()
    .answers_content(200, Content::Bytes("application/zip")),
    post("/audit/verify", "verifyAudit", "Looks whether the audit log is as it was written.", VIEW, || {
        routing::post(verify)
    })
    .answers::<Verified>(200)
    .changes_nothing(),
];

/// Longest page.
const LONGEST: u32 = 1_000;
/// Records in a file of a download.
const RECORDS: u32 = 10_000;

/// Something that happened.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AuditView {
    /// Counts from one, without gaps.
    id: u64,
    event_type: String,
    creation_date: String,
    object_type: String,
    action: String,
    object: String,
    message: String,
    user: String,
    source_machine: String,
    #[serde(rename = "clientIPAddress")]
    client_ip: String,
    /// The revision that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

/// Whether the audit log is as it was written.
#[derive(Default, Serialize, JsonSchema)]
struct Verified {
    intact: bool,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    /// The first that is not as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AuditQuery {
    /// Only those before this one.
    before: Option<u64>,
    /// Most records. Of a page: default 100, at most 1000. Of a download: default all.
    limit: Option<u32>,
    /// As in `Configuration`.
    event_type: Option<String>,
    object_type: Option<String>,
    /// As in `create`.
    action: Option<String>,
    user: Option<String>,
    /// RFC 3339 time, as in `2026-01-15T10:00:00Z`.
    from: Option<String>,
    /// Before this time.
    to: Option<String>,
    /// Something in the object, the message or the payload, whatever the case.
    text: Option<String>,
}

impl AuditQuery {
    fn filter(self) -> Result<AuditFilter, Problem> {
        Ok(AuditFilter {
            before: self.before,
            from: self.from.map(|from| micros("from", &from)).transpose()?,
            to: self.to.map(|to| micros("to", &to)).transpose()?,
            event_type: self.event_type,
            object_type: self.object_type,
            action: self.action,
            user: self.user,
            text: self.text,
            most: 0,
        })
    }
}

/// Microseconds since 1970; what was before is as good as 1970.
fn micros(key: &str, text: &str) -> Result<u64, Problem> {
    // A plus in a query stands for a space.
    let time = OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).map_err(|_| {
        let detail = format!("found {key}={text}, expected a time such as 2026-01-15T10:00:00Z");
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail)
    })?;
    Ok(u64::try_from(time.unix_timestamp_nanos() / 1_000).unwrap_or_default())
}

async fn audit(
    State(manager): State<Arc<Manager>>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Items<AuditView>>, Problem> {
    let most = query.limit.unwrap_or(100).clamp(1, LONGEST);
    let records = manager.store.audit(&AuditFilter { most, ..query.filter()? }).await?;
    let items = records.into_iter().map(|record| AuditView {
        id: record.id,
        event_type: record.event_type,
        creation_date: time(record.at),
        object_type: record.object_type,
        action: record.action,
        object: record.object,
        message: record.message,
        user: record.user,
        source_machine: record.source_machine,
        client_ip: record.client_ip,
        revision: record.revision,
        payload: record.payload,
    });
    Ok(Json(Items { items: items.collect() }))
}

/// A download that goes on.
struct Download {
    manager: Arc<Manager>,
    filter: AuditFilter,
    left: u32,
    zip: Zip,
    files: usize,
    ended: bool,
}

impl Download {
    /// The next piece: a file, or the end of the archive.
    async fn next(&mut self) -> Result<Option<Bytes>, std::io::Error> {
        if self.ended {
            return Ok(None);
        }
        self.filter.most = self.left.min(RECORDS);
        let records = if self.left == 0 {
            Vec::new()
        } else {
            // A reader that gets no end knows that something went wrong.
            self.manager.store.audit(&self.filter).await.map_err(std::io::Error::other)?
        };
        self.left -= u32::try_from(records.len()).unwrap_or(self.left).min(self.left);
        self.filter.before = records.last().map(|record| record.id);
        if records.is_empty() && self.files > 0 {
            self.ended = true;
            return Ok(Some(self.zip.end().into()));
        }
        self.files += 1;
        let file = self.zip.file(&format!("auditlogs_{}.txt", self.files), text_of(&records).as_bytes())?;
        if records.is_empty() {
            self.left = 0;
        }
        Ok(Some(file.into()))
    }
}

async fn download(
    State(manager): State<Arc<Manager>>,
    Query(query): Query<AuditQuery>,
) -> Result<Response, Problem> {
    let left = query.limit.unwrap_or(u32::MAX);
    let filter = query.filter()?;
    let name = format!("attachment; filename=\"auditlogs_{}.zip\"", manager.now() / 1_000);
    let download = Download { manager, filter, left, zip: Zip::default(), files: 0, ended: false };
    let pieces = stream::try_unfold(download, |mut download| async move {
        let piece = download.next().await.inspect_err(|error| {
            tracing::error!(%error, "a download of the audit log was broken off");
        })?;
        Ok::<_, std::io::Error>(piece.map(|piece| (piece, download)))
    });
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// A line for each record, with tabs between the columns. What somebody else wrote cannot make columns or lines.
fn text_of(records: &[AuditRecord]) -> String {
    let mut text = String::from(
        "id\teventType\tcreationDate\tobjectType\taction\tobject\tmessage\tuser\tsourceMachine\tclientIPAddress\tpayload\n",
    );
    for record in records {
        text.push_str(&record.id.to_string());
        let created = time(record.at);
        let columns = [
            &record.event_type,
            &created,
            &record.object_type,
            &record.action,
            &record.object,
            &record.message,
            &record.user,
            &record.source_machine,
            &record.client_ip,
        ];
        for column in columns.into_iter().map(String::as_str).chain([record.payload.as_deref().unwrap_or("")])
        {
            text.push('\t');
            for char in column.chars() {
                match char {
                    '\\' => text.push_str("\\\\"),
                    char if char.is_control() => text.extend(char.escape_default()),
                    char => text.push(char),
                }
            }
        }
        text.push('\n');
    }
    text
}

async fn verify(State(manager): State<Arc<Manager>>) -> Result<Json<Verified>, Problem> {
    Ok(Json(match manager.store.verify_audit().await? {
        Ok(records) => Verified { intact: true, records: Some(records), ..Verified::default() },
        Err(tampered) => {
            Verified { id: Some(tampered.id), problem: Some(tampered.what), ..Verified::default() }
        }
    }))
}
