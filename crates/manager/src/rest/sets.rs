//! Whole sets of documents: what applying them would do, applying them, and getting them out again.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::Problem;
use crate::{Assets, ChangeError, Changed, Condition, Edit, KINDS, Manager, Privilege, Who, Write};

/// What applying may say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    /// Delete what is not in the set, of the kinds that are in it.
    #[serde(default)]
    prune: bool,
    reason: Option<String>,
}

pub(super) async fn plan(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    run(&manager, &who, &options, &body, true).await
}

pub(super) async fn apply(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    run(&manager, &who, &options, &body, false).await
}

async fn run(
    manager: &Manager,
    who: &Who,
    options: &Options,
    body: &Bytes,
    dry_run: bool,
) -> Result<Json<Value>, Problem> {
    let set: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body is no JSON: {error}"))
    })?;
    let before = manager.assets();
    let edits = edits(&before, set, options.prune)?;
    let Changed { revision, different, warnings, actions, .. } =
        manager.change(who, &edits, options.reason.as_deref(), dry_run).await?;
    let after = if dry_run { None } else { Some(manager.assets()) };
    let changes = edits.iter().zip(actions).filter_map(|(edit, action)| {
        Some(json!({ "kind": edit.kind.name, "name": edit.name.as_deref()?, "action": action? }))
    });
    let changes = changes.collect::<Vec<_>>();
    let revision = after.map_or(revision, |after| after.revision);
    Ok(Json(
        json!({ "revision": revision, "different": different, "changes": changes, "warnings": warnings }),
    ))
}

/// A set is a configuration: its lists are the assets.
fn edits(before: &Assets, set: Value, prune: bool) -> Result<Vec<Edit>, Problem> {
    let Value::Object(mut set) = set else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_set",
            "expected an object with lists such as `apis`",
        ));
    };
    let mut edits = Vec::new();
    let mut problems = model::Diagnostics::default();
    for kind in &KINDS {
        let Some(list) = set.shift_remove(kind.list) else { continue };
        let Value::Array(list) = list else {
            problems.push(model::Diagnostic::error(kind.list, "expected a list"));
            continue;
        };
        let mut named = HashSet::new();
        for (index, document) in list.into_iter().enumerate() {
            match kind.parse(document.clone()) {
                Ok(parsed) if !named.insert(parsed.name.clone()) => {
                    let message =
                        format!("found `{}` a second time, expected a name of its own", parsed.name);
                    problems.push(model::Diagnostic::error(format!("{}[{index}].name", kind.list), message));
                }
                Ok(parsed) => edits.push(Edit {
                    kind,
                    name: Some(parsed.name),
                    condition: Condition::Any,
                    write: Write::Put(document),
                }),
                Err(found) => {
                    problems
                        .0
                        .extend(found.0.into_iter().map(|d| d.under(&format!("{}[{index}]", kind.list))));
                }
            }
        }
        if prune {
            let gone = before.list(kind).filter(|held| !named.contains(&held.parsed.name));
            edits.extend(gone.map(|held| Edit {
                kind,
                name: Some(held.parsed.name.clone()),
                condition: Condition::At(held.revision),
                write: Write::Delete,
            }));
        }
    }
    for key in set.keys() {
        let known: Vec<_> = KINDS.iter().map(|kind| kind.list).collect();
        let problem = model::Diagnostic::error(key, "is no list of assets");
        problems.push(problem.help(format!("lists of assets are {}", known.join(", "))));
    }
    if problems.is_empty() { Ok(edits) } else { Err(ChangeError::Invalid(problems).into()) }
}

/// Everything, as a configuration that `apply` takes again.
pub(super) async fn export(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Value>, Problem> {
    if !who.may(Privilege::ExportAssets) {
        return Err(ChangeError::Forbidden(Privilege::ExportAssets.name()).into());
    }
    let assets = manager.assets();
    let lists = KINDS.iter().filter_map(|kind| {
        let documents: Vec<Value> = assets.list(kind).map(|held| held.parsed.document.clone()).collect();
        (!documents.is_empty()).then(|| (kind.list.to_owned(), documents.into()))
    });
    Ok(Json(Value::Object(lists.collect::<Map<String, Value>>())))
}
