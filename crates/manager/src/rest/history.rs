//! What was: versions of an asset, revisions of everything, the audit log.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    answer::{Items, Problem, time},
    assets::find_kind,
    extract::{Path, Query},
    route::{Right, Route, get, post},
};
use crate::{ChangeError, Condition, Edit, Manager, Sealed, Who, Write, kind};

pub(super) const ROUTES: &[Route] = &[
    get("/revisions", "listRevisions", "Revisions of everything, newest first.", Right::User, || {
        routing::get(revisions)
    })
    .query::<Page>()
    .answers::<Items<RevisionView>>(200),
    post(
        "/revisions/{revision}/restore",
        "restoreRevision",
        "Makes everything, or one asset, as a revision left it. That is a revision like any other.",
        Right::Change,
        || routing::post(restore),
    )
    .query::<RestoreOptions>()
    .answers::<Restored>(200),
    get(
        "/{kind}/{name}/history",
        "get{Kind}History",
        "The versions of {a kind}, newest first.",
        Right::User,
        || routing::get(history),
    )
    .answers::<Items<VersionView>>(200),
];

/// An asset as a revision left it.
#[derive(Serialize, JsonSchema)]
struct VersionView {
    revision: u64,
    name: String,
    at: String,
    author: String,
    reason: Option<String>,
    /// Its document; null where it was deleted.
    spec: Option<Value>,
}

/// A revision of everything.
#[derive(Serialize, JsonSchema)]
struct RevisionView {
    revision: u64,
    at: String,
    author: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many assets it changed.
    assets: u64,
}

/// What came of restoring.
#[derive(Serialize, JsonSchema)]
struct Restored {
    revision: u64,
    /// Whether anything is different from before.
    different: bool,
    warnings: Vec<Diagnostic>,
}

/// Longest page.
const LONGEST: u32 = 1_000;

async fn history(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((list, name)): Path<(String, String)>,
) -> Result<Json<Items<VersionView>>, Problem> {
    let kind = find_kind(&list)?;
    // An asset that was deleted is found by its id.
    let assets = manager.assets();
    let held = assets.get(kind, &name);
    // Whether a deleted one was there for them is not known any more.
    if !held.map_or(who.sees_everything(), |held| who.sees(&assets, held)) {
        return Err(ChangeError::NotFound { kind: kind.name, name }.into());
    }
    let id = held.map_or(name.clone(), |held| held.id.clone());
    let versions = manager.store.history(kind.name, &id).await?;
    if versions.is_empty() {
        let detail = format!("there is no {} `{name}`; one that was deleted is found by its id", kind.name);
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let items = versions.into_iter().map(|version| VersionView {
        revision: version.revision,
        name: version.name,
        at: time(version.changed_at),
        author: version.author,
        reason: version.reason,
        spec: version.document.and_then(|text| serde_json::from_str(&text).ok()),
    });
    Ok(Json(Items { items: items.collect() }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Page {
    /// Only those before this one.
    before: Option<u64>,
    /// Longest page. Default 100, at most 1000.
    limit: Option<u32>,
}

async fn revisions(
    State(manager): State<Arc<Manager>>,
    Query(page): Query<Page>,
) -> Result<Json<Items<RevisionView>>, Problem> {
    let most = page.limit.unwrap_or(100).clamp(1, LONGEST);
    let revisions = manager.store.revisions(page.before, most).await?;
    let items = revisions.into_iter().map(|revision| RevisionView {
        revision: revision.revision,
        at: time(revision.at),
        author: revision.author,
        reason: revision.reason,
        assets: revision.assets,
    });
    Ok(Json(Items { items: items.collect() }))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RestoreOptions {
    /// Only say whether anything would change, and what is wrong.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the history.
    reason: Option<String>,
    /// Only this asset: its list, as in `apis`.
    kind: Option<String>,
    /// And its name or id.
    name: Option<String>,
}

/// Makes everything, or one asset, as a revision left it. That is a revision like any other.
async fn restore(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(revision): Path<u64>,
    Query(options): Query<RestoreOptions>,
) -> Result<Json<Restored>, Problem> {
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
    if only.is_none() && !who.sees_everything() {
        let detail = "only those for whom every asset is there restore everything; say `kind` and `name`";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
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
    let crate::Changed { revision, different, warnings, .. } = changed;
    Ok(Json(Restored { revision, different, warnings }))
}
