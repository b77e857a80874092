//! What waits for somebody's approval: people who sign up, subscriptions, and moves of subscriptions to other plans.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::{SubscriptionDoc, plan::SubscriptionState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    api_of, conflict, name_of, not_found,
    own::{application_of, subscription_of},
    portal, read, short, sign_up,
    subscription::{SubscriptionView, view},
};
use crate::{
    Assets, Condition, Edit, Manager, Privilege, Who, Write, kind,
    rest::{
        answer::{Problem, time},
        extract::{Bytes, Path},
        route::{Content, Right, Route, get, post},
    },
    rights::teams_of,
};

const USERS: Right = Right::Privilege(&[Privilege::ManageUsers]);
const PLANS: Right = Right::Approver(&[Privilege::ManagePackagesAndPlans]);
const EITHER: Right = Right::Approver(&[Privilege::ManagePackagesAndPlans, Privilege::ManageUsers]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal/approvals",
        "listApprovals",
        "What waits for approval, as far as whoever asks may see it.",
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
    /// By name: those that are pending, and those that move to another plan. Who may not manage plans sees those of APIs
    /// and applications of the teams that they approve for.
    subscriptions: Vec<WaitingSubscription>,
}

/// A subscription that waits for approval.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WaitingSubscription {
    #[serde(flatten)]
    view: SubscriptionView,
    /// Whoever asks may decide on it. Others see that it waits.
    may_decide: bool,
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
    let all = kind("subscription").into_iter().flat_map(|kind| assets.list(kind));
    let waiting = all.filter_map(|held| {
        let doc = subscription_of(held)?;
        let waits = doc.state == SubscriptionState::Pending || doc.wanted_plan.is_some();
        let say = if waits { Say::of(&who, &assets, doc) } else { Say::Nothing };
        (say != Say::Nothing)
            .then(|| WaitingSubscription { view: view(&assets, held, doc), may_decide: say == Say::Decides })
    });
    Ok(Json(Approvals { sign_ups: sign_ups.collect(), subscriptions: waiting.collect() }))
}

/// What somebody has to say about a subscription.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Say {
    Nothing,
    Sees,
    Decides,
}

impl Say {
    /// Teams decide about what calls their APIs. Where an API belongs to none, the team of the application does. Nobody
    /// approves what they want themselves.
    fn of(who: &Who, assets: &Assets, doc: &SubscriptionDoc) -> Self {
        if who.may(Privilege::ManagePackagesAndPlans) {
            return Self::Decides;
        }
        let apis = kind("api").into_iter().flat_map(|kind| assets.list(kind));
        let versions = apis.filter(|held| api_of(held).is_some_and(|api| name_of(api) == doc.api));
        let of_api: Vec<_> = versions.flat_map(|held| teams_of(assets, held)).collect();
        let application = kind("application").and_then(|kind| assets.get(kind, &doc.application));
        let of_application: Vec<_> =
            application.into_iter().flat_map(|held| teams_of(assets, held)).collect();
        let approves = |teams: &[&String]| teams.iter().any(|team| who.approves_for().contains(team));
        let is_own = application
            .and_then(|held| application_of(held)?.portal_user.as_ref())
            .is_some_and(|user| *user == who.user);
        let deciding = if of_api.is_empty() { &of_application } else { &of_api };
        if approves(deciding) && !is_own {
            Self::Decides
        } else if approves(&of_api) || approves(&of_application) {
            Self::Sees
        } else {
            Self::Nothing
        }
    }
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
    match Say::of(&who, &assets, doc) {
        Say::Nothing => return Err(not_found("subscription", &name)),
        Say::Sees => {
            let detail = format!(
                "`{name}` is decided on by approvers of the teams that its API belongs to, but not by whoever asked for it, \
                 and by those with the privilege `{}`",
                Privilege::ManagePackagesAndPlans.name()
            );
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
        }
        Say::Decides => {}
    }
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
    // Whether they may was looked at above, and approvers of teams need no privilege.
    manager.change_own(&who, &[edit], Some(&reason)).await?;
    let text = format!("subscription {name} was {decided}");
    let action = if approve { "approve" } else { "reject" };
    manager.record(&who, "Developer portal", "subscription", action, &name, &text).await;
    let assets = manager.assets();
    let held = kind("subscription").and_then(|kind| assets.get(kind, &name));
    let found = held.and_then(|held| Some((held, subscription_of(held)?)));
    let (held, doc) = found.ok_or_else(|| not_found("subscription", &name))?;
    Ok(Json(view(&assets, held, doc)))
}
