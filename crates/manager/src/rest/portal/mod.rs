//! The developer portal, `/api/v1/portal`: what consumers see of APIs, and what they do with applications, keys and
//! subscriptions of their own. What is somebody's is decided here; changes go the way of all changes.

mod application;
mod approval;
mod catalog;
mod consent;
mod feedback;
mod key;
mod look;
mod oauth_client;
mod own;
mod profile;
mod sign_up;
mod subscription;
mod try_it;
mod usage;

use std::sync::Arc;

use axum::http::StatusCode;
use model::{ApiDoc, PortalDoc, portal::PortalVisibility};

use super::{answer::Problem, route::Route};
use crate::{Assets, Held, Privilege, Who, kind, kinds::portal::PORTAL};

pub(super) const ROUTES: &[&[Route]] = &[
    look::ROUTES,
    catalog::ROUTES,
    feedback::ROUTES,
    sign_up::ROUTES,
    profile::ROUTES,
    consent::ROUTES,
    application::ROUTES,
    key::ROUTES,
    oauth_client::ROUTES,
    subscription::ROUTES,
    usage::ROUTES,
    try_it::ROUTES,
    approval::ROUTES,
];

/// What the portal is like.
fn portal(assets: &Assets) -> PortalDoc {
    let held = kind("portal").and_then(|kind| assets.get(kind, PORTAL));
    held.and_then(|held| held.parsed.typed.downcast_ref::<PortalDoc>()).cloned().unwrap_or_default()
}

fn api_of(held: &Held) -> Option<&ApiDoc> {
    held.parsed.typed.downcast_ref::<ApiDoc>()
}

/// The name of an API, without its version.
fn name_of(doc: &ApiDoc) -> &str {
    doc.name.as_deref().unwrap_or_default()
}

/// Whether an API is there for somebody in the portal. Whoever manages it sees it as those do who it is for.
fn is_visible(assets: &Assets, who: Option<&Who>, held: &Held) -> bool {
    let Some((doc, portal)) = api_of(held).and_then(|doc| Some((doc, doc.portal.as_ref()?))) else {
        return false;
    };
    if !doc.is_served() {
        return false;
    }
    let any = |wanted: &[String], has: &[String]| wanted.iter().any(|name| has.contains(name));
    match (portal.visibility, who) {
        (PortalVisibility::Public, _) | (PortalVisibility::SignedIn, Some(_)) => true,
        (_, None) => false,
        (PortalVisibility::Restricted, Some(who)) => {
            any(&portal.groups, who.groups())
                || any(&portal.teams, who.teams())
                || (who.may(Privilege::ManageApis) && who.sees(assets, held))
        }
    }
}

/// The APIs that are there for somebody, by name and version.
fn visible<'a>(assets: &'a Assets, who: Option<&'a Who>) -> impl Iterator<Item = &'a Arc<Held>> {
    let apis = kind("api").into_iter().flat_map(|kind| assets.list(kind));
    apis.filter(move |held| is_visible(assets, who, held))
}

/// An API by its name with version, or by its id.
fn find_api<'a>(assets: &'a Assets, who: Option<&Who>, name: &str) -> Result<&'a Arc<Held>, Problem> {
    let held = kind("api").and_then(|kind| assets.get(kind, name));
    held.filter(|held| is_visible(assets, who, held)).ok_or_else(|| not_found("API", name))
}

fn not_found(what: &str, name: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} `{name}` for you"))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
}

fn conflict(code: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, detail)
}

/// A body, or what is wrong with it.
fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| bad(format!("the body: {error}")))
}

/// A text that somebody wrote, when it is not longer than that.
fn short(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    match text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) {
        Some(text) if text.len() > most || text.contains('\0') => {
            Err(bad(format!("`{field}`: expected a text of at most {most} bytes")))
        }
        text => Ok(text),
    }
}
