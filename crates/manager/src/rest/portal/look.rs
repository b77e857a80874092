//! How the portal looks: its name, logo, colours, texts and pages.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header::HOST, uri::Authority},
    routing,
};
use model::portal::SignUp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    not_found,
    oauth_client::{PortalOauthView, offered},
    portal,
};
use crate::{
    Manager,
    rest::{
        answer::Problem,
        extract::Path,
        login::Visitor,
        route::{Right, Route, get},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal",
        "getPortalLook",
        "How the developer portal looks, and who is signed in.",
        Right::Visitor,
        || routing::get(show),
    )
    .answers::<PortalView>(200),
    get("/portal/pages/{name}", "getPortalPage", "A page of the developer portal.", Right::Visitor, || {
        routing::get(page)
    })
    .answers::<PortalPageView>(200),
];

/// How the developer portal looks, and what can be done there.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PortalView {
    title: String,
    /// A `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<String>,
    /// By what they are for, each as in `#1f6feb`.
    colors: BTreeMap<String, String>,
    /// By where they stand, in Markdown.
    texts: BTreeMap<String, String>,
    /// Pages for the menu.
    pages: Vec<PortalPageLink>,
    /// Where consumers reach the gateway. Missing when it takes no requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_url: Option<String>,
    sign_up: SignUp,
    /// Requests can be sent from the portal.
    try_it: bool,
    /// APIs can be rated and commented on.
    feedback: bool,
    /// Consumers make OAuth clients for their applications. Missing where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth: Option<PortalOauthView>,
    /// Who is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Only the portal is there for them.
    portal_only: bool,
}

#[derive(Serialize, JsonSchema)]
struct PortalPageLink {
    /// Its place: `GET /portal/pages/{slug}`.
    slug: String,
    title: String,
}

/// A page of the portal.
#[derive(Serialize, JsonSchema)]
struct PortalPageView {
    slug: String,
    title: String,
    markdown: String,
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    headers: HeaderMap,
) -> Json<PortalView> {
    let doc = portal(&manager.assets());
    let oauth = offered(&manager, &doc);
    let gateway_url = doc.gateway_url.or_else(|| {
        let authority = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        let host = authority.as_ref().map_or("", Authority::host);
        manager.node()?.url_for_clients(host)
    });
    let pages = doc.pages.into_iter().map(|page| PortalPageLink { slug: page.slug, title: page.title });
    Json(PortalView {
        title: doc.title.unwrap_or_else(|| "Developer portal".to_owned()),
        logo: doc.logo,
        colors: doc.colors,
        texts: doc.texts,
        pages: pages.collect(),
        gateway_url,
        sign_up: doc.sign_up,
        try_it: doc.try_it,
        feedback: doc.feedback,
        oauth,
        portal_only: who.as_ref().is_some_and(crate::Who::is_portal_only),
        user: who.map(|who| who.user),
    })
}

async fn page(
    State(manager): State<Arc<Manager>>,
    Path(slug): Path<String>,
) -> Result<Json<PortalPageView>, Problem> {
    let pages = portal(&manager.assets()).pages;
    let found = pages.into_iter().find(|page| page.slug == slug);
    let found = found.ok_or_else(|| not_found("page", &slug))?;
    Ok(Json(PortalPageView { slug: found.slug, title: found.title, markdown: found.markdown }))
}
