//! The life cycle of APIs: from state to state by name, and new versions.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing,
};
use model::{ApiDoc, LifecycleAction, LifecycleState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    answer::{Problem, asset, tagged, time},
    assets::{Options, find, find_kind, if_match},
    extract::{Bytes, Path, Query},
    route::{Content, Right, Route, get, post},
};
use crate::{Assets, Changed, Condition, Edit, Held, Kind, Manager, Who, Write};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/apis/{name}/lifecycle",
        "getApiLifecycle",
        "The state of an API, what can be done now, and how it came to be so.",
        Right::User,
        || routing::get(show),
    )
    .answers::<LifecycleView>(200),
    post(
        "/apis/{name}/lifecycle",
        "changeApiLifecycle",
        "Takes an API from state to state.",
        Right::Change,
        || routing::post(change),
    )
    .query::<Options>()
    .takes::<Wanted>()
    .answers_content(200, Content::AnyJson),
    post(
        "/apis/{name}/versions",
        "createApiVersion",
        "Makes a version of an API from one that is there, for the same applications. It is not served until it is published.",
        Right::Change,
        || routing::post(new_version),
    )
    .query::<Options>()
    .takes::<NewVersion>()
    .answers_content(201, Content::AnyJson),
];

/// Where an API is in its life.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LifecycleView {
    state: LifecycleState,
    /// It is served by this state, and not inactive.
    served: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retire_at: Option<String>,
    /// What can be done now.
    actions: Vec<ActionView>,
    /// Newest first.
    history: Vec<StepView>,
}

/// What can be done with an API.
#[derive(Serialize, JsonSchema)]
struct ActionView {
    action: LifecycleAction,
    /// What it leads to.
    state: LifecycleState,
}

/// A state that an API came to.
#[derive(Serialize, JsonSchema)]
struct StepView {
    state: LifecycleState,
    revision: u64,
    at: String,
    author: String,
    reason: Option<String>,
}

/// What is to be done with an API.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    action: LifecycleAction,
    /// With `deprecate`: when it will be retired, as in `2027-12-31T00:00:00Z`.
    retire_at: Option<String>,
    /// With `deprecate`: URL of a page that tells callers what to do.
    information: Option<String>,
    /// With `publish`: deprecate the versions of the API that are published and were not made later. Default: false.
    #[serde(default)]
    deprecate_older: bool,
}

/// A version that is to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewVersion {
    /// What it is called.
    version: String,
    /// Path that it is found under. Default: that of the API, with its version exchanged where it is one of the
    /// segments, and put at the end where it is not.
    base_path: Option<String>,
}

fn body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body: {error}")))
}

fn api_of(held: &Held) -> Result<&ApiDoc, Problem> {
    held.parsed.typed.downcast_ref().ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("`{}` is no API", held.parsed.name))
    })
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<LifecycleView>, Problem> {
    let kind = find_kind("apis")?;
    let assets = manager.assets();
    let held = find(&assets, &who, kind, &name)?;
    let api = api_of(held)?;
    let mut history: Vec<StepView> = Vec::new();
    // Oldest first, so that a state is told where it began.
    for version in manager.store.history(kind.name, &held.id).await?.into_iter().rev() {
        let Some(document) = &version.document else { continue };
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let state = serde_json::from_value(document["lifecycle"]["state"].clone()).unwrap_or_default();
        if history.last().is_none_or(|last| last.state != state) {
            history.push(StepView {
                state,
                revision: version.revision,
                at: time(version.changed_at),
                author: version.author,
                reason: version.reason,
            });
        }
    }
    history.reverse();
    let actions = api.lifecycle.state.actions().map(|(action, state)| ActionView { action, state });
    Ok(Json(LifecycleView {
        state: api.lifecycle.state,
        served: api.is_served(),
        deprecated_at: api.lifecycle.deprecated_at.clone(),
        retire_at: api.lifecycle.retire_at.clone(),
        actions: actions.collect(),
        history,
    }))
}

async fn change(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    sent: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let wanted: Wanted = body(&sent)?;
    let assets = manager.assets();
    let held = find(&assets, &who, kind, &name)?;
    let api = api_of(held)?;
    let from = api.lifecycle.state;
    let Some(to) = from.after(wanted.action) else {
        let possible: Vec<_> = from.actions().map(|(action, _)| action.name()).collect();
        let possible = if possible.is_empty() { "nothing".to_owned() } else { possible.join(", ") };
        let detail = format!(
            "`{}` is {}, and cannot {}; possible is {possible}",
            held.parsed.name,
            from.name(),
            wanted.action.name()
        );
        return Err(Problem::new(StatusCode::CONFLICT, "transition_not_possible", detail));
    };
    if to != LifecycleState::Deprecated && (wanted.retire_at.is_some() || wanted.information.is_some()) {
        let detail = "`retireAt` and `information` belong to `deprecate`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_body", detail));
    }
    if wanted.deprecate_older && to != LifecycleState::Published {
        let detail = "`deprecateOlder` belongs to `publish`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_body", detail));
    }
    let now = now(&manager);
    let lifecycle = match to {
        LifecycleState::Deprecated => deprecated(&now, wanted.retire_at, wanted.information),
        // How it went is worth knowing.
        LifecycleState::Retired => json!({ "state": to }),
        _ => json!({ "state": to, "deprecatedAt": null, "retireAt": null, "information": null }),
    };
    let condition = if_match(&headers)?.unwrap_or(Condition::At(held.revision));
    let mut edits = vec![Edit {
        kind,
        name: Some(held.parsed.name.clone()),
        condition,
        write: Write::Merge(json!({ "lifecycle": lifecycle })),
    }];
    if wanted.deprecate_older {
        edits.extend(older(&assets, &who, kind, held, api).map(|other| Edit {
            kind,
            name: Some(other.parsed.name.clone()),
            condition: Condition::At(other.revision),
            write: Write::Merge(json!({ "lifecycle": deprecated(&now, None, None) })),
        }));
    }
    run(&manager, &who, &edits, &options, StatusCode::OK).await
}

fn deprecated(now: &str, retire_at: Option<String>, information: Option<String>) -> Value {
    json!({
        "state": LifecycleState::Deprecated,
        "deprecatedAt": now,
        "retireAt": retire_at,
        "information": information,
    })
}

/// The time in whole seconds.
fn now(manager: &Manager) -> String {
    time(manager.now() / 1_000_000 * 1_000_000)
}

/// Published versions of an API that were not made later.
fn older<'a>(
    assets: &'a Assets,
    who: &'a Who,
    kind: &'static Kind,
    held: &'a Held,
    api: &'a ApiDoc,
) -> impl Iterator<Item = &'a Arc<Held>> {
    assets.list(kind).filter(move |other| {
        other.id != held.id
            && other.created_at <= held.created_at
            && who.sees(assets, other)
            && other.parsed.typed.downcast_ref::<ApiDoc>().is_some_and(|other| {
                other.name == api.name && other.lifecycle.state == LifecycleState::Published
            })
    })
}

async fn new_version(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    sent: Bytes,
) -> Result<Response, Problem> {
    let kind = find_kind("apis")?;
    let wanted: NewVersion = body(&sent)?;
    let assets = manager.assets();
    let held = find(&assets, &who, kind, &name)?;
    let api = api_of(held)?;
    let mut document = held.parsed.document.clone();
    document["version"] = wanted.version.as_str().into();
    document["lifecycle"] = json!({ "state": LifecycleState::Created });
    if let Some(document) = document.as_object_mut() {
        document.shift_remove("inactive");
    }
    let base_path = wanted.base_path.or_else(|| {
        let version = api.version.as_deref().unwrap_or(FIRST);
        api.base_path.as_deref().map(|path| path_of(path, version, &wanted.version))
    });
    if let Some(base_path) = base_path {
        document["basePath"] = base_path.into();
    }
    let edit = Edit { kind, name: None, condition: Condition::Absent, write: Write::Put(document) };
    run(&manager, &who, &[edit], &options, StatusCode::CREATED).await
}

/// The version of an API that says none.
const FIRST: &str = "1.0";

/// The base path of another version.
fn path_of(path: &str, version: &str, wanted: &str) -> String {
    let is_version = |segment: &&str| *segment == version || segment.strip_prefix('v') == Some(version);
    let segments: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let Some(place) = segments.iter().rposition(is_version) else {
        return format!("{}/{wanted}", path.trim_end_matches('/'));
    };
    let prefix = if segments[place] == version { "" } else { "v" };
    let with = format!("{prefix}{wanted}");
    let exchanged = segments.iter().enumerate();
    exchanged.map(|(at, segment)| if at == place { &*with } else { *segment }).collect::<Vec<_>>().join("/")
}

/// Makes the change, and answers with the API, which is the first of what changes.
async fn run(
    manager: &Manager,
    who: &Who,
    edits: &[Edit],
    options: &Options,
    status: StatusCode,
) -> Result<Response, Problem> {
    let Changed { assets, warnings, .. } =
        manager.change(who, edits, options.reason.as_deref(), options.dry_run).await?;
    let Some(held) = assets.into_iter().next().flatten() else {
        return Err(crate::ChangeError::Busy.into());
    };
    let mut body = asset(&held);
    if !warnings.is_empty() {
        body["warnings"] = serde_json::to_value(warnings).unwrap_or_default();
    }
    Ok(tagged(if options.dry_run { StatusCode::OK } else { status }, &held, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_another_version() {
        for (path, version, wanted, expected) in [
            ("/orders/1.0", "1.0", "2.0", "/orders/2.0"),
            ("/1.0/orders/1.0/", "1.0", "2.0", "/1.0/orders/2.0"),
            ("/v1/orders", "1", "2", "/v2/orders"),
            ("/orders", "1.0", "2.0", "/orders/2.0"),
            ("/orders1.0", "1.0", "2.0", "/orders1.0/2.0"),
            ("/", "1.0", "2.0", "/2.0"),
        ] {
            assert_eq!(path_of(path, version, wanted), expected, "{path}");
        }
    }
}
