//! What waits for somebody's approval: people who sign up, subscriptions, and moves of subscriptions to other plans.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::plan::SubscriptionState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    conflict, not_found,
    own::subscription_of,
    portal, read, short, sign_up,
    subscription::{SubscriptionView, view},
};
use crate::{
    Condition, Edit, Manager, Privilege, Who, Write, kind,
    rest::{
        answer::{Problem, time},
        extract::{Bytes, Path},
        route::{Content, Right, Route, get, post},
    },
};

const USERS: Right = Right::Privilege(&[Privilege::ManageUsers]);
const PLANS: Right = Right::Privilege(&[Privilege::ManagePackagesAndPlans]);
const EITHER: Right = Right::Privilege(&[Privilege::ManagePackagesAndPlans, Privilege::ManageUsers]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal/approvals",
        "listApprovals",
        "What waits for approval, as far as whoever asks may decide on it.",
        EITHER,
        || routing::get(list),
    )
    .answers::<Approvals>(200),
    post(
        "/portal/signUps/{name}/decision",
        "decideSignUp",
        "Approves that somebody signs up, or refuses it.",
        USERS,
        || routing::post(decide_sign_up),
    )
    .takes::<Decision>()
    .answers_content(204, Content::Nothing),
    post(
        "/portal/subscriptions/{name}/decision",
        "decideSubscription",
        "Approves a subscription or its move to another plan, or refuses it.",
        PLANS,
        || routing::post(decide_subscription),
    )
    .takes::<Decision>()
    .answers::<SubscriptionView>(200),
];

/// What waits for approval.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Approvals {
    /// The longest waiting first. Empty for those who may not manage users.
    sign_ups: Vec<SignUpView>,
    /// By name: those that are pending, and those that move to another plan. Empty for those who may not manage plans.
    subscriptions: Vec<SubscriptionView>,
}

/// Somebody who wants to sign up.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SignUpView {
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    at: String,
}

/// What somebody has decided.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Decision {
    approve: bool,
    /// Why, up to 1000 bytes: for the audit log, and for whoever asked for a subscription.
    message: Option<String>,
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Approvals>, Problem> {
    let mut sign_ups = Vec::new();
    if who.may(Privilege::ManageUsers) {
        sign_ups = manager.store.sign_ups().await?;
    }
    let sign_ups = sign_ups.into_iter().map(|row| SignUpView {
        user: row.user,
        first_name: row.first_name,
        last_name: row.last_name,
        email: row.email,
        message: row.message,
        at: time(row.at),
    });
    let assets = manager.assets();
    let may = who.may(Privilege::ManagePackagesAndPlans);
    let all = kind("subscription").filter(|_| may).into_iter().flat_map(|kind| assets.list(kind));
    let waiting = all.filter_map(|held| {
        let doc = subscription_of(held)?;
        let waits = doc.state == SubscriptionState::Pending || doc.wanted_plan.is_some();
        waits.then(|| view(&assets, held, doc))
    });
    Ok(Json(Approvals { sign_ups: sign_ups.collect(), subscriptions: waiting.collect() }))
}

async fn decide_sign_up(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(user): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let Decision { approve, message } = read(&body)?;
    let message = short("message", message, 1_000)?;
    let row = manager.store.sign_up(&user).await?.ok_or_else(|| not_found("sign-up", &user))?;
    if approve {
        let doc = portal(&manager.assets());
        sign_up::make(&manager, &who, false, &row, &doc).await?;
    }
    manager.store.delete_sign_up(&user).await?;
    let (action, done) = if approve { ("approve", "approved") } else { ("reject", "rejected") };
    let said = message.map(|message| format!(": {message}")).unwrap_or_default();
    let text = format!("the sign-up of {user} was {done}{said}");
    manager.record(&who, "Developer portal", "sign-up", action, &user, &text).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn decide_subscription(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<SubscriptionView>, Problem> {
    let Decision { approve, message } = read(&body)?;
    let message = short("message", message, 1_000)?;
    let assets = manager.assets();
    let held = kind("subscription").and_then(|kind| assets.get(kind, &name));
    let found = held.and_then(|held| Some((held, subscription_of(held)?)));
    let (held, doc) = found.ok_or_else(|| not_found("subscription", &name))?;
    let patch = match (doc.state, &doc.wanted_plan, approve) {
        (SubscriptionState::Pending, _, true) => json!({ "state": "active", "message": message }),
        (SubscriptionState::Pending, _, false) => json!({ "state": "rejected", "message": message }),
        (_, Some(plan), true) => json!({ "plan": plan, "wantedPlan": Value::Null, "message": message }),
        (_, Some(_), false) => json!({ "wantedPlan": Value::Null, "message": message }),
        (state, None, _) => {
            let detail = format!("`{name}` is {}, and waits for nothing", state.name());
            return Err(conflict("not_waiting", detail));
        }
    };
    let edit = Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        // Of what it says now, not of what the consumer changes it to at this moment.
        condition: Condition::At(held.revision),
        write: Write::Merge(patch),
    };
    let decided = if approve { "approved" } else { "rejected" };
    let reason = message.map_or_else(|| decided.to_owned(), |message| format!("{decided}: {message}"));
    manager.change(&who, &[edit], Some(&reason), false).await?;
    let text = format!("subscription {name} was {decided}");
    let action = if approve { "approve" } else { "reject" };
    manager.record(&who, "Developer portal", "subscription", action, &name, &text).await;
    let assets = manager.assets();
    let held = kind("subscription").and_then(|kind| assets.get(kind, &name));
    let found = held.and_then(|held| Some((held, subscription_of(held)?)));
    let (held, doc) = found.ok_or_else(|| not_found("subscription", &name))?;
    Ok(Json(view(&assets, held, doc)))
}
