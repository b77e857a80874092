//! Whole sets of documents: what applying them would do, applying them, and getting them out again.

use std::{collections::HashSet, sync::Arc};

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    answer::Problem,
    extract::{Bytes, Query},
    route::{Content, Right, Route, get, post},
};
use crate::{Assets, ChangeError, Changed, Condition, Edit, Held, KINDS, Manager, Privilege, Who, Write};

pub(super) const ROUTES: &[Route] = &[
    post(
        "/plan",
        "plan",
        "What applying a set of documents would change, and what is wrong with it.",
        Right::Change,
        || routing::post(plan),
    )
    .query::<Options>()
    .takes_content(Content::Set)
    .answers::<Applied>(200)
    .changes_nothing(),
    post("/apply", "apply", "Applies a set of documents: all of them, or none.", Right::Change, || {
        routing::post(apply)
    })
    .query::<Options>()
    .takes_content(Content::Set)
    .answers::<Applied>(200),
    get(
        "/export",
        "export",
        "Everything, as a set of documents that can be applied again.",
        Right::Privilege(&[Privilege::ExportAssets]),
        || routing::get(export),
    )
    .answers_content(200, Content::Set),
];

/// What came of a set, or what would.
#[derive(Serialize, JsonSchema)]
struct Applied {
    revision: u64,
    /// Whether anything is different from before.
    different: bool,
    changes: Vec<ChangeView>,
    warnings: Vec<Diagnostic>,
}

/// What becomes of an asset.
#[derive(Serialize, JsonSchema)]
struct ChangeView {
    kind: &'static str,
    name: String,
    /// `create`, `update` or `delete`.
    action: &'static str,
    /// With `documents`: its document now, and null where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// With `documents`: what becomes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
}

/// What applying may say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Options {
    /// Delete what is not in the set, of the kinds that are in it.
    #[serde(default)]
    prune: bool,
    /// Tell the documents before and after each change.
    #[serde(default)]
    documents: bool,
    /// Why, for the history.
    reason: Option<String>,
}

async fn plan(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Applied>, Problem> {
    run(&manager, &who, &options, &body, true).await
}

async fn apply(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Applied>, Problem> {
    run(&manager, &who, &options, &body, false).await
}

async fn run(
    manager: &Manager,
    who: &Who,
    options: &Options,
    body: &Bytes,
    dry_run: bool,
) -> Result<Json<Applied>, Problem> {
    let set: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body is no JSON: {error}"))
    })?;
    let before = manager.assets();
    let edits = edits(&before, who, set, options.prune)?;
    let Changed { revision, different, warnings, actions, assets } =
        manager.change(who, &edits, options.reason.as_deref(), dry_run).await?;
    let after = if dry_run { None } else { Some(manager.assets()) };
    let document = |held: Option<&Arc<Held>>| {
        options.documents.then(|| held.map_or(Value::Null, |held| held.parsed.document.clone()))
    };
    let changes = edits.iter().zip(actions).zip(&assets).filter_map(|((edit, action), held)| {
        let name = edit.name.clone()?;
        let before = document(before.get(edit.kind, &name));
        Some(ChangeView {
            kind: edit.kind.name,
            name,
            action: action?,
            before,
            after: document(held.as_ref()),
        })
    });
    let changes = changes.collect::<Vec<_>>();
    let revision = after.map_or(revision, |after| after.revision);
    Ok(Json(Applied { revision, different, changes, warnings }))
}

/// A set is a configuration: its lists are the assets.
fn edits(before: &Assets, who: &Who, set: Value, prune: bool) -> Result<Vec<Edit>, Problem> {
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
            let gone = before.list(kind).filter(|held| who.sees(before, held));
            let gone = gone.filter(|held| !named.contains(&held.parsed.name));
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
async fn export(State(manager): State<Arc<Manager>>, Extension(who): Extension<Who>) -> Json<Value> {
    let assets = manager.assets();
    let lists = KINDS.iter().filter_map(|kind| {
        let documents: Vec<Value> = assets
            .list(kind)
            .filter(|held| who.sees(&assets, held))
            .map(|held| held.parsed.document.clone())
            .collect();
        (!documents.is_empty()).then(|| (kind.list.to_owned(), documents.into()))
    });
    Json(Value::Object(lists.collect::<Map<String, Value>>()))
}
