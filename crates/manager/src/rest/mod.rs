//! The admin REST API, `/api/v1`: the same for every kind of asset. Its routes are tables, a part of them in each file.

mod analytics;
mod answer;
mod api_applications;
mod app_keys;
mod archive;
mod assets;
mod audit;
mod bulk;
mod client_secrets;
mod definition;
mod docs;
mod elsewhere;
mod everywhere;
mod extract;
mod fields;
mod gateway;
mod history;
mod icon;
mod initial_tokens;
mod keys;
mod lifecycle;
mod list;
mod login;
mod nodes;
mod oauth;
mod oidc;
mod once;
mod openapi;
mod password_reset;
mod portal;
mod route;
mod saml;
mod search;
mod second_factor;
mod session;
mod sets;
mod settings;
mod tokens;
mod trial;
mod uploaded;
mod words;
mod zip;

use std::sync::Arc;

use axum::{
    Extension, Json, Router, middleware,
    routing::{self, MethodRouter},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{KINDS, Manager, PolicyType, Who};
use answer::Items;
use route::{Again, Content, Right, Route, get};

pub use nodes::NodeView;
pub use openapi::openapi;

/// Largest request.
const LARGEST: usize = 64 << 20;

/// All routes. Where two could be meant, the one that is more exact is.
pub(crate) const ROUTES: &[&[Route]] = &[
    OWN,
    session::ROUTES,
    password_reset::ROUTES,
    second_factor::ROUTES,
    oidc::ROUTES,
    saml::ROUTES,
    tokens::ROUTES,
    sets::ROUTES,
    bulk::ROUTES,
    history::ROUTES,
    audit::ROUTES,
    archive::ROUTES,
    nodes::ROUTES,
    keys::ROUTES,
    app_keys::ROUTES,
    client_secrets::ROUTES,
    analytics::ROUTES,
    oauth::ROUTES,
    initial_tokens::ROUTES,
    definition::ROUTES,
    api_applications::ROUTES,
    icon::ROUTES,
    lifecycle::ROUTES,
    gateway::ROUTES,
    settings::ROUTES,
    trial::ROUTES,
    list::ROUTES,
    assets::ROUTES,
];

/// Those of the portal, too.
pub(crate) fn all_routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().chain(portal::ROUTES).flat_map(|routes| routes.iter())
}

const OWN: &[Route] = &[
    get("/openapi.json", "getOpenapi", "This API, as an OpenAPI document.", Right::Anyone, || {
        routing::get(|| async { Json(openapi()) })
    })
    .answers_content(200, Content::AnyJson),
    get("/whoami", "whoAmI", "Who asks, and what they may do.", Right::Consumer, || routing::get(whoami))
        .answers::<WhoView>(200),
    get(
        "/kinds",
        "listKinds",
        "Kinds of assets, with the JSON Schemas of their documents.",
        Right::User,
        || routing::get(kinds),
    )
    .answers::<Vec<KindView>>(200),
    get(
        "/policyTypes",
        "listPolicyTypes",
        "What policies there are: where they run, what they take, an example.",
        Right::User,
        || routing::get(policy_types),
    )
    .answers::<Items<PolicyType>>(200),
];

/// Everything under `/api/v1`. It is served with `ConnectInfo`, so that the audit log knows where requests came from.
pub fn router(manager: Arc<Manager>) -> Router {
    let mut routes = Router::new();
    for route in all_routes() {
        let asked = middleware::from_fn_with_state((Arc::clone(&manager), route.right), login::authorize);
        routes = routes.route(route.path, around(route, &manager).layer(asked));
    }
    let routes = routes.layer(axum::extract::DefaultBodyLimit::max(LARGEST)).with_state(manager);
    let routes = routes.fallback(|| async { answer::no_such_route() });
    let routes = routes.method_not_allowed_fallback(|| async { answer::no_such_method() });
    Router::new().nest("/api/v1", routes).merge(docs::router())
}

/// A route with what every change can be asked for.
fn around(route: &Route, manager: &Arc<Manager>) -> MethodRouter<Arc<Manager>> {
    let mut handler = (route.handler)();
    if route.right == Right::Change {
        handler = handler.layer(middleware::from_fn_with_state(Arc::clone(manager), everywhere::everywhere));
    }
    if route.again() != Again::Done {
        let state = (Arc::clone(manager), route.again());
        handler = handler.layer(middleware::from_fn_with_state(state, once::once));
    }
    handler
}

/// Who asks.
#[derive(Serialize, JsonSchema)]
struct WhoView {
    user: String,
    privileges: Vec<&'static str>,
}

async fn whoami(Extension(who): Extension<Who>) -> Json<WhoView> {
    let privileges = who.privileges().iter().map(|privilege| privilege.name()).collect();
    Json(WhoView { user: who.user, privileges })
}

/// A kind of asset.
#[derive(Serialize, JsonSchema)]
struct KindView {
    kind: &'static str,
    /// The key of its list in a configuration, and its place in this API.
    list: &'static str,
    /// What is needed to change one.
    privilege: &'static str,
    /// JSON Schema of its documents.
    schema: Value,
}

async fn kinds() -> Json<Vec<KindView>> {
    let kinds = KINDS.iter().map(|kind| KindView {
        kind: kind.name,
        list: kind.list,
        privilege: kind.privilege.name(),
        schema: kind.schema(),
    });
    Json(kinds.collect())
}

async fn policy_types(
    axum::extract::State(manager): axum::extract::State<Arc<Manager>>,
) -> Json<Items<PolicyType>> {
    Json(Items { items: manager.node().map(|node| node.policy_types()).unwrap_or_default() })
}
