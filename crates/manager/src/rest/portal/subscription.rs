//! Subscriptions of one's own applications: asked for, moved to another plan, given up.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::{ApiDoc, LifecycleState, SubscriptionDoc, plan::SubscriptionState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    api_of,
    catalog::plan,
    conflict, name_of, not_found,
    own::{applications, find_application, find_subscription, subscriptions},
    read, short, visible,
};
use crate::{
    Assets, Condition, Edit, Held, Manager, Who, Write, kind,
    kinds::subscription,
    rest::{
        answer::{Items, Problem, time},
        extract::{Bytes, Path},
        route::{Content, Right, Route, delete, get, post, put},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal/subscriptions",
        "listOwnSubscriptions",
        "The subscriptions of one's own applications.",
        Right::Consumer,
        || routing::get(list),
    )
    .answers::<Items<SubscriptionView>>(200),
    post(
        "/portal/subscriptions",
        "subscribe",
        "Asks for a subscription of an application to an API. Where its plan wants that, somebody has to approve it.",
        Right::Consumer,
        || routing::post(subscribe),
    )
    .takes::<NewSubscription>()
    .answers::<SubscriptionView>(201),
    put(
        "/portal/subscriptions/{name}",
        "changeOwnSubscription",
        "Moves a subscription to another plan, at once or when somebody has approved it.",
        Right::Consumer,
        || routing::put(change),
    )
    .takes::<OtherPlan>()
    .answers::<SubscriptionView>(200),
    delete(
        "/portal/subscriptions/{name}",
        "unsubscribe",
        "Gives a subscription up, at once.",
        Right::Consumer,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// A subscription of an application to an API.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionView {
    /// For paths.
    pub name: String,
    pub application: String,
    /// Name of the API, which stands for all its versions.
    pub api: String,
    pub plan: String,
    /// What consumers see instead of the plan's name.
    pub plan_title: String,
    pub state: SubscriptionState,
    /// Plan that it moves to once somebody approves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted_plan: Option<String>,
    /// What whoever decided had to say, or who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub created_at: String,
}

/// A subscription that somebody wants.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSubscription {
    /// Name of an application of one's own.
    application: String,
    /// Name of the API, without a version.
    api: String,
    /// Name of a plan that the API offers.
    plan: String,
    /// For whoever approves it, up to 1000 bytes.
    message: Option<String>,
}

/// Another plan for a subscription.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OtherPlan {
    /// Name of a plan that the API offers.
    plan: String,
    /// For whoever approves it, up to 1000 bytes.
    message: Option<String>,
}

pub(super) fn view(assets: &Assets, held: &Held, doc: &SubscriptionDoc) -> SubscriptionView {
    let title = plan(assets, &doc.plan).and_then(|plan| plan.display_name.clone());
    SubscriptionView {
        name: held.parsed.name.clone(),
        application: doc.application.clone(),
        api: doc.api.clone(),
        plan_title: title.unwrap_or_else(|| doc.plan.clone()),
        plan: doc.plan.clone(),
        state: doc.state,
        wanted_plan: doc.wanted_plan.clone(),
        message: doc.message.clone(),
        created_at: time(held.created_at),
    }
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Items<SubscriptionView>>, Problem> {
    let assets = manager.assets();
    let own = applications(&assets, &who).flat_map(|held| subscriptions(&assets, &held.parsed.name));
    Ok(Json(Items { items: own.map(|(held, doc)| view(&assets, held, doc)).collect() }))
}

/// Whether a plan has to be approved, when the API offers it to somebody.
fn approval(assets: &Assets, who: &Who, api: &str, wanted: &str) -> Result<bool, Problem> {
    let versions: Vec<_> = visible(assets, Some(who))
        .filter_map(|held| api_of(held))
        .filter(|doc| name_of(doc) == api)
        .collect();
    if versions.is_empty() {
        return Err(not_found("API", api));
    }
    let may_begin = |doc: &&&ApiDoc| {
        matches!(doc.lifecycle.state, LifecycleState::PreReleased | LifecycleState::Published)
    };
    if !versions.iter().any(|doc| may_begin(&doc)) {
        let detail = format!("`{api}` takes no new subscriptions: it is blocked, or will go");
        return Err(conflict("no_new_subscriptions", detail));
    }
    let mut offered: Vec<&str> =
        versions.iter().filter(may_begin).flat_map(|doc| &doc.plans).map(String::as_str).collect();
    if offered.is_empty() {
        let detail = format!("`{api}` offers no plans, so that there is nothing to subscribe to");
        return Err(conflict("no_plans", detail));
    }
    match plan(assets, wanted).filter(|_| offered.contains(&wanted)) {
        Some(plan) => Ok(plan.approval),
        None => {
            offered.sort_unstable();
            offered.dedup();
            let detail = format!(
                "found the plan `{wanted}`, expected one that `{api}` offers: {}",
                offered.join(", ")
            );
            Err(conflict("no_such_plan", detail))
        }
    }
}

async fn subscribe(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<(StatusCode, Json<SubscriptionView>), Problem> {
    let new: NewSubscription = read(&body)?;
    let message = short("message", new.message, 1_000)?;
    let assets = manager.assets();
    let (_, application) = find_application(&assets, &who, &new.application)?;
    let waits = approval(&assets, &who, &new.api, &new.plan)?;
    let Some(kind) = kind("subscription") else { return Err(not_found("kind", "subscription")) };
    let name = subscription::name_of(&application.name, &new.api);
    let condition = match find_subscription(&assets, &who, &name) {
        Ok((held, doc)) if doc.state == SubscriptionState::Rejected => Condition::At(held.revision),
        Ok((_, doc)) => {
            let detail = format!(
                "`{}` has a subscription to `{}`, which is {}",
                doc.application,
                doc.api,
                doc.state.name()
            );
            return Err(conflict("exists", detail));
        }
        Err(_) => Condition::Absent,
    };
    let state = if waits { SubscriptionState::Pending } else { SubscriptionState::Active };
    let doc = SubscriptionDoc {
        application: application.name.clone(),
        api: new.api,
        plan: new.plan,
        state,
        message,
        wanted_plan: None,
    };
    let edit = Edit { kind, name: Some(name.clone()), condition, write: Write::Put(json!(doc)) };
    manager.change_own(&who, &[edit], None).await?;
    let assets = manager.assets();
    let (held, doc) = find_subscription(&assets, &who, &name)?;
    Ok((StatusCode::CREATED, Json(view(&assets, held, doc))))
}

/// Whoever is kept out cannot let themselves in.
fn not_blocked(doc: &SubscriptionDoc) -> Result<(), Problem> {
    if doc.state == SubscriptionState::Blocked {
        let detail = "The subscription is blocked, and only whoever manages the API can change that.";
        return Err(conflict("blocked", detail));
    }
    Ok(())
}

async fn change(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<SubscriptionView>, Problem> {
    let new: OtherPlan = read(&body)?;
    let message = short("message", new.message, 1_000)?;
    let assets = manager.assets();
    let (held, doc) = find_subscription(&assets, &who, &name)?;
    not_blocked(doc)?;
    let waits = approval(&assets, &who, &doc.api, &new.plan)?;
    let patch = match (doc.state, waits) {
        // What is served goes on until somebody has approved the other plan.
        (SubscriptionState::Active, true) if doc.plan != new.plan => {
            json!({ "wantedPlan": new.plan, "message": message })
        }
        (SubscriptionState::Active, _) => {
            json!({ "plan": new.plan, "wantedPlan": Value::Null, "message": message })
        }
        (_, true) => {
            json!({ "plan": new.plan, "wantedPlan": Value::Null, "state": "pending", "message": message })
        }
        (_, false) => {
            json!({ "plan": new.plan, "wantedPlan": Value::Null, "state": "active", "message": message })
        }
    };
    let edit = Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        condition: Condition::At(held.revision),
        write: Write::Merge(patch),
    };
    manager.change_own(&who, &[edit], None).await?;
    let assets = manager.assets();
    let (held, doc) = find_subscription(&assets, &who, &name)?;
    Ok(Json(view(&assets, held, doc)))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let (held, doc) = find_subscription(&assets, &who, &name)?;
    not_blocked(doc)?;
    let edit = Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        condition: Condition::At(held.revision),
        write: Write::Delete,
    };
    manager.change_own(&who, &[edit], None).await?;
    Ok(StatusCode::NO_CONTENT)
}
