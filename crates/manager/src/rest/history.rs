//! What was: versions of an asset, revisions of everything, the audit log.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use store::assets::AuditFilter;

use super::{
    answer::{Problem, time},
    assets::find_kind,
};
use crate::{ChangeError, Condition, Edit, Manager, Privilege, Sealed, Who, Write, kind};

/// Longest page.
const LONGEST: u32 = 1_000;

pub(super) async fn history(
    State(manager): State<Arc<Manager>>,
    Path((list, name)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let kind = find_kind(&list)?;
    // An asset that was deleted is found by its id.
    let id = manager.assets().get(kind, &name).map_or(name.clone(), |held| held.id.clone());
    let versions = manager.store.history(kind.name, &id).await?;
    if versions.is_empty() {
        let detail = format!("there is no {} `{name}`; one that was deleted is found by its id", kind.name);
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let versions = versions.into_iter().map(|version| {
        let document: Option<Value> = version.document.and_then(|text| serde_json::from_str(&text).ok());
        json!({
            "revision": version.revision,
            "name": version.name,
            "at": time(version.changed_at),
            "author": version.author,
            "reason": version.reason,
            "spec": document,
        })
    });
    Ok(Json(json!({ "items": versions.collect::<Vec<_>>() })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Page {
    before: Option<u64>,
    limit: Option<u32>,
}

pub(super) async fn revisions(
    State(manager): State<Arc<Manager>>,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let most = page.limit.unwrap_or(100).clamp(1, LONGEST);
    let revisions = manager.store.revisions(page.before, most).await?;
    let items = revisions.into_iter().map(|revision| {
        let mut item = json!(revision);
        item["at"] = time(revision.at).into();
        item
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RestoreOptions {
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
    /// Only this asset: its list, as in `apis`.
    kind: Option<String>,
    /// And its name or id.
    name: Option<String>,
}

/// Makes everything, or one asset, as a revision left it. That is a revision like any other.
pub(super) async fn restore(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(revision): Path<u64>,
    Query(options): Query<RestoreOptions>,
) -> Result<Json<Value>, Problem> {
    let only = match (&options.kind, &options.name) {
        (Some(list), Some(name)) => Some((find_kind(list)?, name)),
        (None, None) => None,
        _ => {
            let detail = "`kind` and `name` belong together";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail));
        }
    };
    let now = manager.assets();
    if revision == 0 || revision > now.revision {
        let detail = format!("there is no revision {revision}; the newest is {}", now.revision);
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let then = manager.store.assets_at(revision).await?;
    let is_meant = |kind_name: &str, id: &str, name: &str| match &only {
        Some((kind, wanted)) => kind.name == kind_name && (wanted.as_str() == name || wanted.as_str() == id),
        None => true,
    };
    let mut edits = Vec::new();
    for version in &then {
        let Some(kind) = kind(&version.kind) else { continue };
        if !is_meant(kind.name, &version.id, &version.name) {
            continue;
        }
        let Some(document) = version.document.as_deref().and_then(|text| serde_json::from_str(text).ok())
        else {
            continue;
        };
        // One that was renamed since is found by its id.
        let name =
            now.get(kind, &version.id).map_or_else(|| version.name.clone(), |held| held.parsed.name.clone());
        let sealed = version.sealed.clone().map(|text| Sealed {
            id: version.id.clone(),
            name: version.name.clone(),
            text,
        });
        let write = Write::Restore { document, sealed };
        edits.push(Edit { kind, name: Some(name), condition: Condition::Any, write });
    }
    for held in now.all() {
        let was_there = then.iter().any(|version| version.kind == held.kind.name && version.id == held.id);
        if !was_there && is_meant(held.kind.name, &held.id, &held.parsed.name) {
            edits.push(Edit {
                kind: held.kind,
                name: Some(held.parsed.name.clone()),
                condition: Condition::At(held.revision),
                write: Write::Delete,
            });
        }
    }
    if edits.is_empty() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "nothing of that name is or was there"));
    }
    let reason = options.reason.unwrap_or_else(|| format!("restores revision {revision}"));
    let changed = manager.change(&who, &edits, Some(&reason), options.dry_run).await?;
    Ok(Json(
        json!({ "revision": changed.revision, "different": changed.different, "warnings": changed.warnings }),
    ))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuditQuery {
    before: Option<u64>,
    limit: Option<u32>,
    event_type: Option<String>,
    object_type: Option<String>,
    user: Option<String>,
}

pub(super) async fn audit(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Value>, Problem> {
    may_view(&who)?;
    let filter = AuditFilter {
        before: query.before,
        event_type: query.event_type,
        object_type: query.object_type,
        user: query.user,
        most: query.limit.unwrap_or(100).clamp(1, LONGEST),
        ..AuditFilter::default()
    };
    let records = manager.store.audit(&filter).await?;
    let items = records.into_iter().map(|record| {
        let mut item = json!(record);
        item["creationDate"] = time(record.at).into();
        item
    });
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}

pub(super) async fn verify(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    may_view(&who)?;
    Ok(Json(match manager.store.verify_audit().await? {
        Ok(records) => json!({ "intact": true, "records": records }),
        Err(tampered) => json!({ "intact": false, "id": tampered.id, "problem": tampered.what }),
    }))
}

fn may_view(who: &Who) -> Result<(), Problem> {
    if who.may(Privilege::ViewAdministration) {
        return Ok(());
    }
    Err(ChangeError::Forbidden(Privilege::ViewAdministration.name()).into())
}
