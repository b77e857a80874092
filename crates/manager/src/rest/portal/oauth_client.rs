//! OAuth 2.0 clients of one's own applications, at the internal authorization server: made here, told their secret once, kept
//! as its hash. Clients that administrators made are shown and stay theirs: they may do what consumers cannot give themselves.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing,
};
use identity::{AuthorizationServer, NotIssued};
use model::{
    ApplicationDoc, PortalDoc,
    oauth_client::{ClientAuthentication, GrantType, OauthClientDoc},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{bad, conflict, own::find_application, portal, read, short};
use crate::{
    Assets, Manager, Who,
    registration::with_clients,
    rest::{
        answer::Problem,
        client_secrets::{MadeSecret, NewSecret, is_after, make, no_such_client, wanted},
        extract::{Bytes, Path},
        oauth::server,
        route::{Content, Right, Route, delete, post},
    },
    service::new_id,
};

pub(super) const ROUTES: &[Route] = &[
    post(
        "/portal/applications/{name}/oauthClients",
        "createOwnOauthClient",
        "Makes an OAuth client for an application of one's own. Its secret is told once.",
        Right::Consumer,
        || routing::post(create),
    )
    .takes::<NewOauthClient>()
    .answers::<MadeOauthClient>(201)
    .told_once(),
    post(
        "/portal/applications/{name}/oauthClients/{client}/secrets",
        "createOwnClientSecret",
        "Makes a secret for an OAuth client of one's own, which is told once. The one before ends after an overlap.",
        Right::Consumer,
        || routing::post(rotate),
    )
    .takes::<NewSecret>()
    .answers::<MadeSecret>(201)
    .told_once(),
    post(
        "/portal/applications/{name}/oauthClients/{client}/tokens",
        "createOwnToken",
        "Issues a token for an OAuth client of one's own, to try an API with. It counts for ten minutes at most.",
        Right::Consumer,
        || routing::post(token),
    )
    .takes::<NewTrialToken>()
    .answers::<TrialToken>(201)
    .told_once(),
    delete(
        "/portal/applications/{name}/oauthClients/{client}",
        "deleteOwnOauthClient",
        "Takes an OAuth client of one's own away. Its tokens are refused at once.",
        Right::Consumer,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// Clients that an application may have, when another one is made.
const MOST: usize = 5;
/// Secrets of a client that are live.
const LIVE: usize = 2;
const MOST_REDIRECT_URIS: usize = 20;
const LONGEST_NAME: usize = 100;
/// How long a token counts that is for trying.
const TRIAL: Duration = Duration::from_secs(600);
/// Ways to a token that consumers may give a client.
const GRANTS: [GrantType; 3] =
    [GrantType::ClientCredentials, GrantType::AuthorizationCode, GrantType::RefreshToken];

/// What consumers need to know to make clients.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PortalOauthView {
    /// Where clients get tokens.
    token_url: String,
    /// Where clients send users to log in.
    authorization_url: String,
    /// Ways to a token that a client may have.
    grant_types: Vec<GrantType>,
    /// Scopes that a new client may ask for.
    scopes: Vec<String>,
}

/// Missing where consumers make no clients.
pub(super) fn offered(manager: &Manager, portal: &PortalDoc) -> Option<PortalOauthView> {
    let server = server(manager).ok().filter(|_| portal.oauth_clients)?;
    Some(PortalOauthView {
        token_url: server.token_url(),
        authorization_url: server.authorization_url(),
        grant_types: open_grants(server).collect(),
        scopes: portal.oauth_scopes.clone(),
    })
}

fn open_grants(server: &AuthorizationServer) -> impl Iterator<Item = GrantType> {
    GRANTS.into_iter().filter(|grant| server.settings().grants.contains(grant))
}

/// The authorization server, where consumers may make clients.
fn open_server<'a>(manager: &'a Manager, assets: &Assets) -> Result<&'a Arc<AuthorizationServer>, Problem> {
    if !portal(assets).oauth_clients {
        let detail = "Consumers make no OAuth clients here (`oauthClients` of the portal); ask whoever runs the gateway for one.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "oauth_clients_off", detail));
    }
    server(manager)
}

/// An OAuth client of one's own application, without secrets.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnOauthClient {
    id: String,
    /// What users are told that it is called. Missing where that is the name of the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    authentication: ClientAuthentication,
    grant_types: Vec<GrantType>,
    redirect_uris: Vec<String>,
    /// Scopes that it may ask for.
    scopes: Vec<String>,
    /// Secrets that are live.
    secrets: Vec<OwnOauthSecret>,
    /// It was made here, and can be changed here. Others are changed by whoever manages the gateway.
    changeable: bool,
}

/// When a secret ends.
#[derive(Serialize, JsonSchema)]
struct OwnOauthSecret {
    /// When it is refused from.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

pub(super) fn views(doc: &ApplicationDoc, now: u64) -> Vec<OwnOauthClient> {
    doc.oauth_clients.iter().map(|client| view(client, now)).collect()
}

fn view(client: &OauthClientDoc, now: u64) -> OwnOauthClient {
    let live = client.secrets.iter().filter(|secret| is_after(secret, now));
    OwnOauthClient {
        id: client.id.clone(),
        name: client.name.clone(),
        authentication: client.authentication,
        grant_types: client.grant_types.clone(),
        redirect_uris: client.redirect_uris.clone(),
        scopes: client.scopes.clone(),
        secrets: live.map(|secret| OwnOauthSecret { expires: secret.expires.clone() }).collect(),
        changeable: client.self_service,
    }
}

/// What a new client is to be like.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NewOauthClient {
    /// What users are told that it is called: up to 100 letters, digits, spaces and `.`, `_`, `-`. Default: the name of the
    /// application.
    name: Option<String>,
    /// It can keep no secret, such as an app or a page in a browser. It gets tokens only for users who log in, with PKCE.
    public: bool,
    /// Ways to a token: some of `clientCredentials`, `authorizationCode` and `refreshToken`. Default: `clientCredentials`; for a
    /// public client `authorizationCode`.
    grant_types: Option<Vec<GrantType>>,
    /// Where browsers may be sent with an authorization code, to the letter. At most 20.
    redirect_uris: Vec<String>,
    /// Such as `90d`, after which its secret is refused. Default: never.
    expires_in: Option<model::Duration>,
}

/// A new OAuth client.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MadeOauthClient {
    #[serde(flatten)]
    view: OwnOauthClient,
    /// What the client proves with who it is. It is told this once. Missing for a public client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl NewOauthClient {
    /// The client as it is written down, without a secret. Redirect URIs and what contradicts itself are looked at where
    /// those of all clients are.
    fn document(self, server: &AuthorizationServer, scopes: Vec<String>) -> Result<OauthClientDoc, Problem> {
        let name = short("name", self.name, LONGEST_NAME)?;
        let plain = |c: char| c.is_alphanumeric() || " ._-".contains(c);
        if let Some(odd) = name.iter().flat_map(|name| name.chars()).find(|c| !plain(*c)) {
            let odd = odd.escape_debug();
            return Err(bad(format!(
                "`name`: found `{odd}`, expected letters, digits, spaces and `.`, `_`, `-`"
            )));
        }
        let usual = if self.public { GrantType::AuthorizationCode } else { GrantType::ClientCredentials };
        let mut grants = self.grant_types.unwrap_or_else(|| vec![usual]);
        grants.sort_by_key(|grant| GRANTS.iter().position(|known| known == grant));
        grants.dedup();
        if let Some(other) = grants.iter().find(|grant| open_grants(server).all(|open| open != **grant)) {
            let open: Vec<_> = open_grants(server).map(GrantType::wire_name).collect();
            return Err(bad(format!(
                "`grantTypes`: found {}, expected some of those that are open to consumers: {}",
                other.wire_name(),
                open.join(", ")
            )));
        }
        let sends_users = grants.contains(&GrantType::AuthorizationCode);
        if grants.iter().all(|grant| *grant == GrantType::RefreshToken) {
            return Err(bad(
                "`grantTypes`: expected a way to the first token: clientCredentials or authorizationCode",
            ));
        }
        if grants.contains(&GrantType::RefreshToken) && !sends_users {
            return Err(bad(
                "`grantTypes`: found refreshToken without authorizationCode, to which it belongs",
            ));
        }
        if self.redirect_uris.len() > MOST_REDIRECT_URIS || (!sends_users && !self.redirect_uris.is_empty()) {
            return Err(bad(format!(
                "`redirectUris`: expected at most {MOST_REDIRECT_URIS}, and some only with authorizationCode"
            )));
        }
        let authentication =
            if self.public { ClientAuthentication::None } else { ClientAuthentication::ClientSecret };
        let document = json!({
            "id": new_id(),
            "authentication": authentication,
            "grantTypes": grants,
            "redirectUris": self.redirect_uris,
            "scopes": scopes,
            "selfService": true,
        });
        let mut client: OauthClientDoc =
            serde_json::from_value(document).map_err(|error| bad(error.to_string()))?;
        client.name = name;
        Ok(client)
    }
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeOauthClient>), Problem> {
    let new: NewOauthClient = if body.is_empty() { NewOauthClient::default() } else { read(&body)? };
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    let server = open_server(&manager, &assets)?;
    if doc.oauth_clients.len() >= MOST {
        let detail = format!(
            "the application has {MOST} OAuth clients, which is as many as it may have: delete one of them first"
        );
        return Err(conflict("too_many_clients", detail));
    }
    let secret = NewSecret { expires_in: new.expires_in, ..NewSecret::default() };
    let mut client = new.document(server, portal(&assets).oauth_scopes)?;
    let client_secret = match client.authentication {
        ClientAuthentication::ClientSecret => Some(make(&mut client, &secret, manager.now())?.client_secret),
        _ => None,
    };
    let made = MadeOauthClient { view: view(&client, manager.now()), client_secret };
    let mut clients = doc.oauth_clients.clone();
    clients.push(client);
    manager.change_own(&who, &[with_clients(held, &clients)], Some("a new OAuth client")).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// The clients of an application, and the place of one that was made here.
fn changeable(doc: &ApplicationDoc, id: &str) -> Result<(Vec<OauthClientDoc>, usize), Problem> {
    let place = doc.oauth_clients.iter().position(|client| client.id == id);
    let place = place.ok_or_else(|| no_such_client(id))?;
    if !doc.oauth_clients[place].self_service {
        let detail = format!(
            "the OAuth client `{id}` was not made in the portal; ask whoever runs the gateway to change it"
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "not_self_service", detail));
    }
    Ok((doc.oauth_clients.clone(), place))
}

async fn rotate(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeSecret>), Problem> {
    let wanted = wanted(&body)?;
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    let (mut clients, place) = changeable(doc, &id)?;
    open_server(&manager, &assets)?;
    let now = manager.now();
    let goes_on = wanted.overlap.is_none_or(|overlap| !overlap.get().is_zero());
    let live = clients[place].secrets.iter().filter(|secret| is_after(secret, now)).count();
    if live >= LIVE && goes_on {
        let detail = format!(
            "the client has {LIVE} secrets that are live, which is as many as it may have: wait for the end of the older one, or end both with `overlap: 0s`"
        );
        return Err(conflict("too_many_secrets", detail));
    }
    let made = make(&mut clients[place], &wanted, now)?;
    manager.change_own(&who, &[with_clients(held, &clients)], Some("a new client secret")).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let (held, doc) = find_application(&assets, &who, &name)?;
    let (mut clients, place) = changeable(doc, &id)?;
    let gone = clients.remove(place);
    manager.change_own(&who, &[with_clients(held, &clients)], Some("an OAuth client was taken away")).await?;
    forget(&manager, &[gone]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the tokens of clients that are gone.
pub(super) async fn forget(manager: &Manager, clients: &[OauthClientDoc]) -> Result<(), Problem> {
    // Where the server was switched off meanwhile, their tokens open nothing.
    let Ok(server) = server(manager) else { return Ok(()) };
    for client in clients {
        server.forget_client(&client.id).await?;
    }
    Ok(())
}

/// What a token for trying is to be like.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NewTrialToken {
    /// Scopes of the client, with spaces between them. Default: none.
    scope: Option<String>,
}

/// A token for trying.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TrialToken {
    access_token: String,
    /// In seconds.
    expires_in: u64,
    scope: String,
}

async fn token(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: NewTrialToken = if body.is_empty() { NewTrialToken::default() } else { read(&body)? };
    let assets = manager.assets();
    let (_, doc) = find_application(&assets, &who, &name)?;
    changeable(doc, &id)?;
    if !portal(&assets).try_it {
        let detail = "Requests from the portal are switched off; get a token from the authorization server.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "try_off", detail));
    }
    let server = open_server(&manager, &assets)?;
    if !manager.pace.may_fetch_token(who.address, manager.now()) {
        let detail = "Too many tokens were fetched just now; use one of them, or wait a minute.";
        let mut response =
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tokens", detail).into_response();
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        return Ok(response);
    }
    let issued =
        server.own_token(&id, wanted.scope.as_deref(), TRIAL).await.map_err(|error| match error {
            NotIssued::Refused(detail) => conflict("token_refused", detail),
            NotIssued::Away => {
                let detail = "The authorization server could not issue a token; try again later.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
            }
        })?;
    let message = format!("a token of the client {id} of {name} was issued to try an API with");
    manager.record(&who, "Access management", "oauthToken", "issue", &id, &message).await;
    let token = TrialToken { access_token: issued.text, expires_in: issued.expires_in, scope: issued.scope };
    Ok((StatusCode::CREATED, Json(token)).into_response())
}
