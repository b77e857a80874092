//! One's own profile. The password is changed where all passwords are: `PUT /users/{name}/password`.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, routing};
use model::UserDoc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{not_found, read, short};
use crate::{
    Assets, Condition, Edit, Held, Manager, Who, Write, kind,
    rest::{
        answer::Problem,
        extract::Bytes,
        route::{Right, Route, get, put},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get("/portal/profile", "getProfile", "What is known of whoever asks.", Right::Consumer, || {
        routing::get(show)
    })
    .answers::<ProfileView>(200),
    put("/portal/profile", "putProfile", "Changes one's own profile.", Right::Consumer, || {
        routing::put(change)
    })
    .takes::<NewProfile>()
    .answers::<ProfileView>(200),
];

/// What is known of a user.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProfileView {
    user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    groups: Vec<String>,
    /// Only the portal is there for them.
    portal_only: bool,
}

/// What one says of oneself; what is missing is forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewProfile {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
}

fn find<'a>(assets: &'a Assets, who: &Who) -> Result<(&'a Arc<Held>, &'a UserDoc), Problem> {
    let held = kind("user").and_then(|kind| assets.get(kind, &who.user));
    let found = held.and_then(|held| Some((held, held.parsed.typed.downcast_ref::<UserDoc>()?)));
    found.ok_or_else(|| not_found("user", &who.user))
}

fn view(doc: &UserDoc) -> Json<ProfileView> {
    Json(ProfileView {
        user: doc.name.clone(),
        first_name: doc.first_name.clone(),
        last_name: doc.last_name.clone(),
        email: doc.email.clone(),
        groups: doc.groups.clone(),
        portal_only: doc.portal_only,
    })
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<ProfileView>, Problem> {
    let assets = manager.assets();
    Ok(view(find(&assets, &who)?.1))
}

async fn change(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Json<ProfileView>, Problem> {
    let new: NewProfile = read(&body)?;
    let patch = json!({
        "firstName": short("firstName", new.first_name, 200)?,
        "lastName": short("lastName", new.last_name, 200)?,
        "email": short("email", new.email, 200)?,
    });
    let assets = manager.assets();
    let (held, _) = find(&assets, &who)?;
    let edit = Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        condition: Condition::At(held.revision),
        write: Write::Merge(patch),
    };
    manager.change_own(&who, &[edit], Some("own profile")).await?;
    let assets = manager.assets();
    Ok(view(find(&assets, &who)?.1))
}
