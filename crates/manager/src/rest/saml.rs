//! Logging in with an identity provider elsewhere, by SAML 2.0: a browser is sent there and comes back with a form. Whoever sends
//! that form is another site, so that it comes without the cookie of the browser that began (`SameSite`). What it says is
//! verified and kept for a moment, and the browser is led on to an address of ours, where its cookie shows that it is the
//! one that asked.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Items, Problem},
    elsewhere::{
        BeginQuery, COOKIE, HOME, LoginProviderView, PATIENCE, failed, in_time, log_in, page, redirect,
        refused, set_cookie, views, welcome,
    },
    extract::{Bytes, Path, Query},
    login,
    route::{Content, Right, Route, get, post},
};
use crate::{
    ChangeError, Manager,
    access::{
        hash_of_secret,
        provider::{LoginFailure, LoginUser, SamlProvider, Terms},
        random_text,
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/login/saml",
        "listSamlProviders",
        "Identity providers elsewhere with which one can log in, by SAML 2.0.",
        Right::Anyone,
        || {
            routing::get(|State(manager): State<Arc<Manager>>| async move {
                views(manager.access.saml_providers())
            })
        },
    )
    .answers::<Items<LoginProviderView>>(200),
    get(
        "/login/saml/{name}",
        "beginSamlLogin",
        "Sends a browser to an identity provider, to log in there.",
        Right::Anyone,
        || routing::get(begin),
    )
    .query::<BeginQuery>()
    .answers_content(303, Content::Nothing),
    get(
        "/login/saml/{name}/metadata",
        "getSamlMetadata",
        "What the gateway says of itself to an identity provider: metadata of SAML 2.0.",
        Right::Anyone,
        || routing::get(metadata),
    )
    .answers_content(200, Content::Bytes(METADATA)),
    post(
        "/login/saml/{name}/acs",
        "answerSamlLogin",
        "Where an identity provider has browsers bring its responses to (HTTP-POST).",
        Right::Anyone,
        || routing::post(answer).layer(DefaultBodyLimit::max(LARGEST)),
    )
    .takes_content(Content::Bytes("application/x-www-form-urlencoded"))
    .answers_content(303, Content::Nothing),
    get(
        "/login/saml/{name}/finish",
        "finishSamlLogin",
        "Where a browser is led on to with a response. The session is kept in a cookie.",
        Right::Anyone,
        || routing::get(finish),
    )
    .query::<FinishQuery>()
    .answers_content(303, Content::Nothing),
];

const PATH: &str = "/api/v1/login/saml";
const METADATA: &str = "application/samlmetadata+xml";
/// Largest form: a response in base64, of which each character may take three.
const LARGEST: usize = 1 << 20;
/// How long a browser may take from one address of ours to the next, in microseconds.
const LEAP: u64 = 60_000_000;
/// Longest text that an identity provider has to send back (SAML 2.0 Bindings, 3.4.3).
const LONGEST_STATE: usize = 80;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FinishQuery {
    ticket: String,
}

/// What is kept while a browser is elsewhere, by the id of the request.
#[derive(Serialize, Deserialize)]
struct Pending {
    provider: String,
    /// SHA-256 of what the browser keeps.
    browser: String,
    to: String,
}

/// What is kept of a response while a browser is led on.
#[derive(Serialize, Deserialize)]
struct Ticket {
    provider: String,
    user: String,
    groups: Vec<String>,
    /// The request that it answers, or what the browser was given with the answer.
    of: Of,
    to: String,
}

#[derive(Serialize, Deserialize)]
enum Of {
    Request(String),
    /// SHA-256.
    Browser(String),
}

fn hash_of_request(id: &str) -> String {
    hash_of_secret(&format!("SAML request\n{id}"))
}

fn unknown_provider() -> LoginFailure {
    LoginFailure::new("login_provider_unknown", "there is no such provider")
}

fn terms(provider: &dyn SamlProvider) -> Terms<'_> {
    provider.settings().into()
}

async fn begin(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<BeginQuery>,
) -> Result<Response, Problem> {
    let to = page(query.to.as_deref());
    let Some(provider) = manager.access.saml_provider(&name) else {
        return Ok(failed(&to, &unknown_provider()));
    };
    if !manager.pace.may_begin_login(from.ip(), manager.now()) {
        return Ok(login::wait());
    }
    let random = || random_text().ok_or(ChangeError::Busy);
    // An id begins with no digit (XML Schema, NCName).
    let (id, browser) = (format!("_{}", random()?), random()?);
    // Where to say what was wrong, should the answer not tell what it is an answer to.
    let state = Some(to.as_str()).filter(|to| to.len() <= LONGEST_STATE);
    let place = match in_time(terms(provider).timeout, provider.begin(&id, state)).await {
        Ok(place) => place,
        Err(failure) => {
            tracing::warn!(provider = %name, detail = %failure.detail, "nobody can log in with a provider");
            return Ok(failed(&to, &failure));
        }
    };
    let pending = Pending { provider: name, browser: hash_of_secret(&browser), to };
    keep(&manager, &hash_of_request(&id), &pending, PATIENCE).await?;
    let mut response = redirect(&place);
    set_cookie(&manager, terms(provider), PATH, &mut response, &format!("{COOKIE}={browser}; Max-Age=600"));
    Ok(response)
}

async fn keep(manager: &Manager, hash: &str, kept: &impl Serialize, patience: u64) -> Result<(), Problem> {
    let document = serde_json::to_string(kept).unwrap_or_default();
    let now = manager.now();
    Ok(manager.store.begin_login(hash, &document, now, now.saturating_add(patience)).await?)
}

async fn metadata(
    State(manager): State<Arc<Manager>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let provider = manager.access.saml_provider(&name).ok_or_else(|| {
        let detail = "There is no such provider in `settings.manager.saml`.";
        Problem::new(StatusCode::NOT_FOUND, "login_provider_unknown", detail)
    })?;
    Ok(([(CONTENT_TYPE, METADATA)], provider.metadata()).into_response())
}

async fn answer(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    body: Result<Bytes, Problem>,
) -> Result<Response, Problem> {
    let Some(provider) = manager.access.saml_provider(&name) else {
        return Ok(failed(HOME, &unknown_provider()));
    };
    if !manager.pace.may_answer_login(from.ip(), manager.now()) {
        return Ok(login::wait());
    }
    let (mut response, mut state) = (None, None);
    let body = body.as_deref().unwrap_or_default();
    for (key, value) in form_urlencoded::parse(body) {
        match &*key {
            "SAMLResponse" => response = Some(value),
            "RelayState" => state = Some(value),
            _ => {}
        }
    }
    let to = page(state.as_deref());
    let Some(response) = response else {
        let problem = "the form has no `SAMLResponse`, or is larger than 1 MiB";
        let failure = LoginFailure::new("login_response_malformed", problem);
        return Ok(refused(&manager, &name, from, &to, &failure).await);
    };
    match take_in(&manager, provider, &response, &to).await? {
        Ok((ticket, browser)) => {
            let mut response = redirect(&format!("{PATH}/{name}/finish?ticket={ticket}"));
            if let Some(browser) = browser {
                let cookie = format!("{COOKIE}={browser}; Max-Age=60");
                set_cookie(&manager, terms(provider), PATH, &mut response, &cookie);
            }
            Ok(response)
        }
        Err(failure) => Ok(refused(&manager, &name, from, &to, &failure).await),
    }
}

/// What a browser is led on with, and what it has to keep for that, where it keeps nothing yet.
async fn take_in(
    manager: &Manager,
    provider: &dyn SamlProvider,
    response: &str,
    to: &str,
) -> Result<Result<(String, Option<String>), LoginFailure>, Problem> {
    let login = match in_time(terms(provider).timeout, provider.read(response)).await {
        Ok(login) => login,
        Err(failure) => return Ok(Err(failure)),
    };
    let settings = provider.settings();
    if login.in_response_to.is_none() && !settings.allow_unsolicited {
        let detail = "nobody asked for it (no `InResponseTo`), and `allowUnsolicited` is off";
        return Ok(Err(LoginFailure::new("login_unsolicited", detail)));
    }
    let used = hash_of_secret(&format!("SAML assertion\n{}", login.id));
    if !manager.store.use_login(&used, manager.now(), login.until).await? {
        let failure = LoginFailure::new("login_response_replayed", "the assertion was brought before");
        return Ok(Err(failure));
    }
    let random = || random_text().ok_or(ChangeError::Busy);
    let ticket = random()?;
    let (of, browser) = match login.in_response_to {
        Some(request) => (Of::Request(request), None),
        None => {
            let browser = random()?;
            (Of::Browser(hash_of_secret(&browser)), Some(browser))
        }
    };
    let LoginUser { name, groups } = login.user;
    let kept = Ticket { provider: settings.name.clone(), user: name, groups, of, to: to.to_owned() };
    keep(manager, &hash_of_secret(&ticket), &kept, LEAP).await?;
    Ok(Ok((ticket, browser)))
}

async fn finish(
    State(manager): State<Arc<Manager>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    Query(query): Query<FinishQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(provider) = manager.access.saml_provider(&name) else {
        return Ok(failed(HOME, &unknown_provider()));
    };
    let terms = terms(provider);
    let mut response = match come_back(&manager, &name, &query.ticket, &headers).await? {
        Some((user, to)) => match log_in(&manager, terms, user, from).await? {
            Ok(secret) => welcome(&manager, terms, &to, &secret),
            Err(failure) => refused(&manager, &name, from, &to, &failure).await,
        },
        None => {
            let detail = "the request or the response is not known, is used up, or belongs to another browser or provider";
            let failure = LoginFailure::new("login_state_unknown", detail);
            refused(&manager, &name, from, HOME, &failure).await
        }
    };
    set_cookie(&manager, terms, PATH, &mut response, &format!("{COOKIE}=; Max-Age=0"));
    Ok(response)
}

/// Whom a response lets in that is for this browser, and where they go. It is good for once, whatever comes of it.
async fn come_back(
    manager: &Manager,
    provider: &str,
    ticket: &str,
    headers: &HeaderMap,
) -> Result<Option<(LoginUser, String)>, Problem> {
    // Without the cookie nothing is taken out: nobody ends the logins of others.
    let Some(browser) = login::cookie(headers, COOKIE).map(hash_of_secret) else { return Ok(None) };
    let Some(ticket) = taken::<Ticket>(manager, &hash_of_secret(ticket)).await? else { return Ok(None) };
    if ticket.provider != provider {
        return Ok(None);
    }
    let user = LoginUser { name: ticket.user, groups: ticket.groups };
    let to = match ticket.of {
        Of::Browser(given) => Some(ticket.to).filter(|_| given == browser),
        Of::Request(id) => {
            let pending = taken::<Pending>(manager, &hash_of_request(&id)).await?;
            pending
                .filter(|found| found.provider == provider && found.browser == browser)
                .map(|found| found.to)
        }
    };
    Ok(to.map(|to| (user, to)))
}

async fn taken<T: for<'t> Deserialize<'t>>(manager: &Manager, hash: &str) -> Result<Option<T>, Problem> {
    let document = manager.store.take_login(hash, manager.now()).await?;
    Ok(document.and_then(|document| serde_json::from_str(&document).ok()))
}
