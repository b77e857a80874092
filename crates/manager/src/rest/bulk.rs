//! The same done with many assets, as one revision.

use std::{collections::HashSet, sync::Arc};

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::{ApiDoc, Diagnostic, Diagnostics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    answer::Problem,
    assets::find_kind,
    extract::{Bytes, Query},
    route::{Right, Route, post},
    search::Search,
};
use crate::{Assets, ChangeError, Changed, Condition, Edit, Held, Kind, Manager, Who, Write};

pub(super) const ROUTES: &[Route] = &[post(
    "/bulk",
    "changeInBulk",
    "Does the same with many assets of a kind, as one revision: all of them, or with `partial` those with which it can be done.",
    Right::Change,
    || routing::post(bulk),
)
.query::<Options>()
.takes::<Bulk>()
.answers::<Done>(200)];

/// Most assets of one request.
const MOST: usize = 10_000;
/// How often it is tried again without what was refused.
const ROUNDS: usize = 4;

/// What every change may say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    /// Only say what would change, and what is wrong.
    #[serde(default)]
    dry_run: bool,
    /// Leave out what cannot be done, and say why. Default: nothing is done when not all can be.
    #[serde(default)]
    partial: bool,
    /// Why, for the history.
    reason: Option<String>,
}

/// What is to be done, and with what.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Bulk {
    /// The list that the assets are in, as in `apis`.
    list: String,
    /// Names or ids of assets.
    #[serde(default)]
    names: Vec<String>,
    /// Instead of names: all assets that this finds.
    matching: Option<Matching>,
    action: Action,
}

/// Which assets are meant, as in a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BulkMatching")]
struct Matching {
    /// Words that all have to be somewhere in the asset, whatever the case.
    q: Option<String>,
    /// `tags=pets` for each key of the document; several with commas.
    filter: Option<String>,
}

/// What is done with each.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BulkAction")]
enum Action {
    /// Serve APIs, apply global policies, let applications and users in.
    Activate,
    /// The opposite.
    Deactivate,
    Delete,
    /// Give APIs tags, beside those that they have.
    AddTags {
        tags: Vec<String>,
    },
    /// Take tags from APIs.
    RemoveTags {
        tags: Vec<String>,
    },
    /// Say who answers for APIs or applications; null is nobody.
    SetOwner {
        owner: Option<String>,
    },
    /// Assign APIs, applications or plans to teams, and to no others.
    SetTeams {
        teams: Vec<String>,
    },
    /// Change keys of documents (RFC 7396).
    Patch {
        patch: Value,
    },
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkDone")]
struct Done {
    revision: u64,
    /// Whether anything is different from before.
    different: bool,
    items: Vec<Item>,
    warnings: Vec<Diagnostic>,
}

/// What came of it for one asset.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkItem")]
struct Item {
    name: String,
    result: Outcome,
    /// Why it was refused, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "BulkOutcome")]
enum Outcome {
    Changed,
    /// It is as it should be already.
    Unchanged,
    Refused,
}

impl Item {
    fn refused(name: &str, problem: &Problem) -> Self {
        let (code, detail) = (Some(problem.code()), Some(problem.text()));
        Self { name: name.to_owned(), result: Outcome::Refused, code, detail }
    }

    fn of(name: String, action: Option<&'static str>) -> Self {
        let result = if action.is_some() { Outcome::Changed } else { Outcome::Unchanged };
        Self { name, result, code: None, detail: None }
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_body", detail)
}

async fn bulk(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Done>, Problem> {
    let bulk: Bulk = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body: {error}")))?;
    let kind = find_kind(&bulk.list)?;
    let assets = manager.assets();
    let names = names(&bulk, kind, &assets, &who)?;
    let mut refused = Vec::new();
    let mut edits = Vec::new();
    for name in &names {
        let held = assets.get(kind, name).filter(|held| who.sees(&assets, held));
        match held {
            Some(held) => edits.push(edit(&bulk.action, kind, held)?),
            None => {
                let missing = ChangeError::NotFound { kind: kind.name, name: name.clone() };
                refused.push(Item::refused(name, &missing.into()));
            }
        }
    }
    let mut looked_over = manager.look_over(&who, &edits).into_iter();
    edits.retain(|edit| match looked_over.next() {
        Some(Err(error)) => {
            refused.push(Item::refused(edit.name.as_deref().unwrap_or_default(), &error.into()));
            false
        }
        _ => true,
    });
    for _ in 0..ROUNDS {
        if !options.partial && !refused.is_empty() {
            return Err(not_all(kind, refused));
        }
        let changed = manager.change(&who, &edits, options.reason.as_deref(), options.dry_run).await;
        let problems = match changed {
            Ok(changed) => return Ok(Json(done(&edits, changed, refused))),
            Err(ChangeError::Invalid(problems)) => problems,
            Err(error) => return Err(error.into()),
        };
        let (with, without) = (edits.len(), refused.len());
        if options.partial {
            edits.retain(|edit| {
                let name = edit.name.as_deref().unwrap_or_default();
                let called = format!("{} {name}", kind.name);
                let own = problems
                    .0
                    .iter()
                    .filter(|problem| problem.is_error() && problem.file.as_deref() == Some(called.as_str()));
                let own = Diagnostics(own.cloned().collect());
                if !own.is_empty() {
                    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", own.to_string());
                    refused.push(Item::refused(name, &problem));
                }
                own.is_empty()
            });
        }
        // Whose fault it is cannot be told, or all are to be changed.
        if edits.len() == with || refused.len() == without {
            return Err(ChangeError::Invalid(problems).into());
        }
    }
    Err(ChangeError::Busy.into())
}

/// The assets that are meant, each once.
fn names(bulk: &Bulk, kind: &'static Kind, assets: &Assets, who: &Who) -> Result<Vec<String>, Problem> {
    let names = match (&bulk.matching, bulk.names.is_empty()) {
        (None, false) => {
            let mut seen = HashSet::new();
            let own = bulk.names.iter().map(|name| {
                // The same one may be meant by its name and by its id.
                assets.get(kind, name).map_or_else(|| name.clone(), |held| held.parsed.name.clone())
            });
            own.filter(|name| seen.insert(name.clone())).collect()
        }
        (Some(matching), true) => {
            let search = Search::new(matching.q.as_deref(), matching.filter.as_deref()).map_err(bad)?;
            let found = assets.list(kind).filter(|held| search.finds(held) && who.sees(assets, held));
            found.map(|held| held.parsed.name.clone()).collect::<Vec<_>>()
        }
        _ => return Err(bad("expected either `names`, with at least one, or `matching`")),
    };
    if names.len() > MOST {
        return Err(bad(format!("found {} assets, expected {MOST} at most", names.len())));
    }
    Ok(names)
}

fn edit(action: &Action, kind: &'static Kind, held: &Held) -> Result<Edit, Problem> {
    let write = match action {
        Action::Delete => Write::Delete,
        Action::Patch { patch } => Write::Merge(patch.clone()),
        Action::Activate => Write::Merge(json!({ switch(kind)?: null })),
        Action::Deactivate => Write::Merge(json!({ switch(kind)?: true })),
        Action::AddTags { tags } => {
            let mut all = tags_of(held)?;
            all.extend(tags.iter().filter(|tag| !all.contains(tag)).cloned().collect::<Vec<_>>());
            Write::Merge(json!({ "tags": all }))
        }
        Action::RemoveTags { tags } => {
            let mut all = tags_of(held)?;
            all.retain(|tag| !tags.contains(tag));
            Write::Merge(json!({ "tags": all }))
        }
        Action::SetOwner { owner } => {
            has_owner(kind)?;
            Write::Merge(json!({ "owner": owner }))
        }
        Action::SetTeams { teams } => {
            if kind.name != "plan" {
                has_owner(kind)?;
            }
            Write::Merge(json!({ "teams": teams }))
        }
    };
    Ok(Edit { kind, name: Some(held.parsed.name.clone()), condition: Condition::At(held.revision), write })
}

/// The key that switches an asset off.
fn switch(kind: &Kind) -> Result<&'static str, Problem> {
    match kind.name {
        "api" => Ok("inactive"),
        "policy" => Ok("disabled"),
        "application" => Ok("suspended"),
        "user" => Ok("locked"),
        name => Err(bad(format!("found `{}`; a {name} cannot be switched on and off", kind.list))),
    }
}

fn has_owner(kind: &Kind) -> Result<(), Problem> {
    match kind.name {
        "api" | "application" => Ok(()),
        name => Err(bad(format!("found `{}`; a {name} belongs to nobody", kind.list))),
    }
}

fn tags_of(held: &Held) -> Result<Vec<String>, Problem> {
    let api = held.parsed.typed.downcast_ref::<ApiDoc>();
    api.map(|api| api.tags.clone())
        .ok_or_else(|| bad(format!("found `{}`; only APIs have tags", held.kind.list)))
}

/// Why nothing was done, for each asset.
fn not_all(kind: &Kind, refused: Vec<Item>) -> Problem {
    let errors = refused.into_iter().map(|item| {
        let called = format!("{} {}", kind.name, item.name);
        Diagnostic::error("", item.detail.unwrap_or_default()).in_file(called, None)
    });
    let detail = "It cannot be done with all of them, so nothing was changed; with `partial=true` it is done with the others.";
    Problem::new(StatusCode::CONFLICT, "bulk_refused", detail).with_errors(Diagnostics(errors.collect()))
}

fn done(edits: &[Edit], changed: Changed, refused: Vec<Item>) -> Done {
    let Changed { revision, different, actions, warnings, .. } = changed;
    let names = edits.iter().map(|edit| edit.name.clone().unwrap_or_default());
    let items = names.zip(actions).map(|(name, action)| Item::of(name, action)).chain(refused);
    let mut items: Vec<Item> = items.collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Done { revision, different, items, warnings }
}
