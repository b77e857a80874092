//! Which applications may call an API. Whoever manages the API learns the names of those of other teams, too, and may
//! take the API away from them.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::{ApiDoc, ApplicationDoc, SubscriptionDoc, plan::SubscriptionState};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    answer::{Items, Problem},
    assets::{find, find_kind},
    extract::Path,
    route::{Content, Right, Route, delete, get},
};
use crate::{Assets, Condition, Edit, Held, Manager, Privilege, Who, Write, kind, kinds::subscription};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/apis/{name}/applications",
        "listApiApplications",
        "The applications that may call an API. Of those that are not there for whoever asks, their names.",
        Right::User,
        || routing::get(list),
    )
    .answers::<Items<ApiApplication>>(200),
    delete(
        "/apis/{name}/applications/{id}",
        "removeApiApplication",
        "Takes an API away from an application, by the application's name: it may not call it any more, and its \
         subscription ends.",
        Right::Privilege(&[Privilege::ManageApis]),
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// An application that may call an API.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ApiApplication {
    name: String,
    /// It is there for whoever asks, under `/applications`. Otherwise it belongs to other teams.
    visible: bool,
    /// The application names the API in `apis`.
    named: bool,
    /// Plan of its subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// State of its subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<SubscriptionState>,
}

/// What an application has to do with an API.
struct Use<'a> {
    held: &'a Arc<Held>,
    doc: &'a ApplicationDoc,
    named: bool,
    subscription: Option<(&'a Arc<Held>, &'a SubscriptionDoc)>,
}

/// Applications and subscriptions name an API without a version, and mean all.
fn uses<'a>(assets: &'a Assets, name: &'a str) -> impl Iterator<Item = Use<'a>> {
    let applications = kind("application").into_iter().flat_map(|kind| assets.list(kind));
    applications.filter_map(move |held| {
        let doc = held.parsed.typed.downcast_ref::<ApplicationDoc>()?;
        let named = doc.apis.iter().any(|api| api == name);
        let subscription = kind("subscription")
            .and_then(|kind| assets.get(kind, &subscription::name_of(&doc.name, name)))
            .and_then(|held| Some((held, held.parsed.typed.downcast_ref::<SubscriptionDoc>()?)));
        (named || subscription.is_some()).then_some(Use { held, doc, named, subscription })
    })
}

/// The name of an API that is there for somebody, without its version.
fn name_of<'a>(assets: &'a Assets, who: &Who, api: &str) -> Result<&'a str, Problem> {
    let held = find(assets, who, find_kind("apis")?, api)?;
    let doc = held.parsed.typed.downcast_ref::<ApiDoc>();
    Ok(doc.and_then(|doc| doc.name.as_deref()).unwrap_or_default())
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(api): Path<String>,
) -> Result<Json<Items<ApiApplication>>, Problem> {
    let assets = manager.assets();
    let name = name_of(&assets, &who, &api)?;
    let items = uses(&assets, name).map(|found| ApiApplication {
        name: found.doc.name.clone(),
        visible: who.sees(&assets, found.held),
        named: found.named,
        plan: found.subscription.map(|(_, doc)| doc.plan.clone()),
        state: found.subscription.map(|(_, doc)| doc.state),
    });
    Ok(Json(Items { items: items.collect() }))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((api, application)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let name = name_of(&assets, &who, &api)?;
    let found = uses(&assets, name).find(|found| found.doc.name == application);
    let found = found.ok_or_else(|| {
        let detail = format!("no application `{application}` may call `{name}`");
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })?;
    if !sees_all_versions(&assets, &who, name) {
        let detail = format!(
            "`{application}` may call all versions of `{name}`, and some of them are managed by other teams; somebody who \
             manages the application can take it away"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "other_versions", detail));
    }
    let edit = |held: &Held, write| Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        // As it was looked at, and not as somebody changes it at this moment.
        condition: Condition::At(held.revision),
        write,
    };
    let mut edits = Vec::new();
    if let Some((held, _)) = found.subscription {
        edits.push(edit(held, Write::Delete));
    }
    if found.named {
        let rest: Vec<_> = found.doc.apis.iter().filter(|api| *api != name).collect();
        edits.push(edit(found.held, Write::Merge(json!({ "apis": rest }))));
    }
    let reason = format!("`{name}` is taken away from `{application}`");
    manager.change_own(&who, &edits, Some(&reason)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn sees_all_versions(assets: &Assets, who: &Who, name: &str) -> bool {
    let apis = kind("api").into_iter().flat_map(|kind| assets.list(kind));
    let is_version = |held: &&Arc<Held>| {
        held.parsed.typed.downcast_ref::<ApiDoc>().is_some_and(|doc| doc.name.as_deref() == Some(name))
    };
    apis.filter(is_version).all(|held| who.sees(assets, held))
}
