//! One's own applications.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    bad, conflict,
    oauth_client::{self, OwnOauthClient},
    own::{applications, find_application, subscriptions},
    portal, read, short,
    subscription::{SubscriptionView, view as subscription_view},
};
use crate::{
    Assets, Condition, Edit, Held, Manager, Who, Write, kind,
    rest::{
        answer::{Items, Problem, time},
        app_keys::{KeyView, views},
        extract::{Bytes, Path},
        route::{Content, Right, Route, delete, get, post, put},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get("/portal/applications", "listOwnApplications", "One's own applications.", Right::Consumer, || {
        routing::get(list)
    })
    .answers::<Items<OwnApplication>>(200),
    post("/portal/applications", "createOwnApplication", "Makes an application.", Right::Consumer, || {
        routing::post(create)
    })
    .takes::<NewApplication>()
    .answers::<OwnApplication>(201),
    get(
        "/portal/applications/{name}",
        "getOwnApplication",
        "An application of one's own.",
        Right::Consumer,
        || routing::get(show),
    )
    .answers::<OwnApplication>(200),
    put(
        "/portal/applications/{name}",
        "putOwnApplication",
        "Changes what an application says about itself. Its name stays.",
        Right::Consumer,
        || routing::put(change),
    )
    .takes::<NewApplication>()
    .answers::<OwnApplication>(200),
    delete(
        "/portal/applications/{name}",
        "deleteOwnApplication",
        "Deletes an application with its keys, OAuth clients and subscriptions.",
        Right::Consumer,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// An application of whoever asks.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OwnApplication {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    /// Origins of its web pages.
    origins: Vec<String>,
    /// It is recognised and refused. Whoever manages the gateway has decided so.
    suspended: bool,
    keys: Vec<KeyView>,
    /// Its clients at the internal authorization server.
    oauth_clients: Vec<OwnOauthClient>,
    subscriptions: Vec<SubscriptionView>,
    created_at: String,
}

/// What an application says about itself.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewApplication {
    /// 1 to 100 letters, digits, spaces and `.`, `_`, `-`; nobody else's application may have it.
    name: String,
    description: Option<String>,
    /// How one can be reached about it.
    contact: Option<String>,
    /// Origins of its web pages, such as `https://shop.example`, which the APIs that it may call then let in. At most 20.
    #[serde(default)]
    origins: Vec<String>,
}

impl NewApplication {
    fn check(&self) -> Result<(), Problem> {
        let plain = |c: char| c.is_alphanumeric() || " ._-".contains(c);
        if self.name.trim() != self.name || self.name.is_empty() || self.name.chars().count() > 100 {
            return Err(bad("`name`: expected 1 to 100 characters, and no space at either end"));
        }
        if let Some(odd) = self.name.chars().find(|c| !plain(*c)) {
            let odd = odd.escape_debug();
            return Err(bad(format!(
                "`name`: found `{odd}`, expected letters, digits, spaces and `.`, `_`, `-`"
            )));
        }
        if self.origins.len() > 20 || self.origins.iter().any(|origin| origin.len() > 300) {
            return Err(bad("`origins`: expected at most 20, each of at most 300 bytes"));
        }
        Ok(())
    }
}

async fn view(manager: &Manager, assets: &Assets, held: &Held) -> Result<OwnApplication, Problem> {
    let doc = super::own::application_of(held).cloned();
    let doc = doc.ok_or_else(|| super::not_found("application", &held.parsed.name))?;
    let own = subscriptions(assets, &doc.name);
    Ok(OwnApplication {
        id: held.id.clone(),
        keys: views(manager, &doc).await?,
        oauth_clients: oauth_client::views(&doc, manager.now()),
        subscriptions: own.map(|(held, doc)| subscription_view(assets, held, doc)).collect(),
        name: doc.name.clone(),
        description: doc.description,
        contact: doc.contact,
        origins: doc.origins,
        suspended: doc.suspended,
        created_at: time(held.created_at),
    })
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
) -> Result<Json<Items<OwnApplication>>, Problem> {
    let assets = manager.assets();
    let mut items = Vec::new();
    for held in applications(&assets, &who) {
        items.push(view(&manager, &assets, held).await?);
    }
    Ok(Json(Items { items }))
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<OwnApplication>, Problem> {
    let assets = manager.assets();
    let (held, _) = find_application(&assets, &who, &name)?;
    Ok(Json(view(&manager, &assets, held).await?))
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<(StatusCode, Json<OwnApplication>), Problem> {
    let new: NewApplication = read(&body)?;
    new.check()?;
    let assets = manager.assets();
    let most = portal(&assets).applications_per_user;
    if applications(&assets, &who).count() >= most as usize {
        let detail = format!("you have {most} applications, which is as many as one may have here");
        return Err(conflict("too_many_applications", detail));
    }
    let Some(kind) = kind("application") else { return Err(super::not_found("kind", "application")) };
    let document = json!({
        "name": new.name,
        "description": short("description", new.description, 2_000)?,
        "contact": short("contact", new.contact, 300)?,
        "origins": new.origins,
        "portalUser": who.user,
    });
    let name = new.name;
    let edit = Edit {
        kind,
        name: Some(name.clone()),
        condition: Condition::Absent,
        write: Write::Put(without_nulls(document)),
    };
    manager.change_own(&who, &[edit], None).await?;
    let assets = manager.assets();
    let (held, _) = find_application(&assets, &who, &name)?;
    Ok((StatusCode::CREATED, Json(view(&manager, &assets, held).await?)))
}

fn without_nulls(mut document: serde_json::Value) -> serde_json::Value {
    if let Some(document) = document.as_object_mut() {
        document.retain(|_, value| !value.is_null());
    }
    document
}

async fn change(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<OwnApplication>, Problem> {
    let new: NewApplication = read(&body)?;
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    if new.name != doc.name {
        return Err(bad(format!("`name`: found `{}`, expected `{}`: a name stays", new.name, doc.name)));
    }
    if new.origins.len() > 20 {
        return Err(bad("`origins`: expected at most 20"));
    }
    let patch = json!({
        "description": short("description", new.description, 2_000)?,
        "contact": short("contact", new.contact, 300)?,
        "origins": new.origins,
    });
    let edit = Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        condition: Condition::At(held.revision),
        write: Write::Merge(patch),
    };
    manager.change_own(&who, &[edit], None).await?;
    let assets = manager.assets();
    let (held, _) = find_application(&assets, &who, &name)?;
    Ok(Json(view(&manager, &assets, held).await?))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    let of_application = subscriptions(&assets, &doc.name).map(|(held, _)| held);
    let edits: Vec<Edit> = of_application
        .chain([held])
        .map(|held| Edit {
            kind: held.kind,
            name: Some(held.parsed.name.clone()),
            condition: Condition::At(held.revision),
            write: Write::Delete,
        })
        .collect();
    manager.change_own(&who, &edits, None).await?;
    oauth_client::forget(&manager, &doc.oauth_clients).await?;
    Ok(StatusCode::NO_CONTENT)
}
