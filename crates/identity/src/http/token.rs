//! The token endpoint (RFC 6749, 3.2).

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use model::{authorization_server::AssertionFormat, oauth_client::GrantType};
use store::assets::TokenOwner;

use super::{Server, authenticate, caller::Caller, form, proof, respond};
use crate::{
    AuthorizationServer, LogIn,
    binding::Binding,
    clients::Client,
    error::{OauthError, not_stored},
    form::Form,
    issue::{Grant, Issued, LoggedIn, scopes},
    secret,
};

pub async fn token(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    caller: Caller,
    body: Bytes,
) -> Response {
    respond(answer(&server, from, &caller, &body).await)
}

async fn answer(
    server: &AuthorizationServer,
    from: SocketAddr,
    caller: &Caller,
    body: &[u8],
) -> Result<Response, OauthError> {
    let form = form(&caller.headers, body)?;
    let client = authenticate::any_client(server, caller, &form).await?;
    let named = form.needs("grant_type")?;
    let known = GrantType::ALL.into_iter().find(|grant| grant.wire_name() == named);
    let grant = known.filter(|grant| server.settings().grants.contains(grant)).ok_or_else(|| {
        OauthError::new("unsupported_grant_type", "this way to a token does not exist here")
    })?;
    if !client.may(grant) {
        return Err(OauthError::new("unauthorized_client", "the client may not take this way to a token"));
    }
    let binding = proof::binding(server, caller, &client).await?;
    let binding = binding.as_ref();
    let issued = match grant {
        GrantType::AuthorizationCode => server.redeem(&client, &form, binding).await?,
        GrantType::ClientCredentials => client_credentials(server, &client, &form, binding).await?,
        GrantType::Password => {
            password(server, &client, &form, binding, server.address(from, &caller.headers)).await?
        }
        GrantType::RefreshToken => refresh(server, &client, &form, binding).await?,
        GrantType::DeviceCode => server.poll(&client, &form, binding).await?,
        GrantType::TokenExchange => server.exchange(&client, &form, binding).await?,
        GrantType::JwtBearer => server.assert(AssertionFormat::Jwt, &client, &form, binding).await?,
        GrantType::Saml2Bearer => server.assert(AssertionFormat::Saml2, &client, &form, binding).await?,
    };
    Ok(not_stored(Json(issued).into_response()))
}

async fn client_credentials(
    server: &AuthorizationServer,
    client: &Client,
    form: &Form,
    binding: Option<&Binding>,
) -> Result<Issued, OauthError> {
    let scope = scopes(client, form.get("scope"))?;
    let grant = Grant {
        client,
        user: None,
        scope: &scope,
        family: secret::id()?,
        may_refresh: false,
        bound_to: binding,
        not_after: None,
    };
    server.issue(grant).await
}

async fn password(
    server: &AuthorizationServer,
    client: &Client,
    form: &Form,
    binding: Option<&Binding>,
    from: IpAddr,
) -> Result<Issued, OauthError> {
    let (user, password) = (form.needs("username")?, form.needs("password")?);
    let scope = scopes(client, form.get("scope"))?;
    let wrong = || OauthError::invalid_grant("the user or the password is wrong");
    let person = match server.house.log_in(user, password, from).await? {
        LogIn::Known(person) => person,
        LogIn::Wrong => return Err(wrong()),
        LogIn::Wait => return Err(OauthError::invalid_grant("too many passwords were wrong; wait a while")),
        LogIn::Away => {
            return Err(OauthError::new("server_error", "nobody can be asked about users; try again later"));
        }
        LogIn::MustChangePassword => {
            return Err(OauthError::invalid_grant("the password has to be changed first"));
        }
        LogIn::CodeNeeded | LogIn::CodeWrong => {
            return Err(OauthError::invalid_grant(
                "the user has a second factor, which cannot be asked for in this way; take the authorization code",
            ));
        }
        LogIn::MustSetUpSecondFactor => {
            return Err(OauthError::invalid_grant("the user has to set up a second factor first"));
        }
    };
    let user = LoggedIn { person: &person, at: Some(server.house.now() / 1_000_000), nonce: None };
    let grant = Grant {
        client,
        user: Some(user),
        scope: &scope,
        family: secret::id()?,
        may_refresh: true,
        bound_to: binding,
        not_after: None,
    };
    server.issue(grant).await
}

/// Each refresh token is good for once. Whoever shows one again has stolen it, or was stolen from: then all tokens that
/// came from the same authorization end.
async fn refresh(
    server: &AuthorizationServer,
    client: &Client,
    form: &Form,
    binding: Option<&Binding>,
) -> Result<Issued, OauthError> {
    let wrong = || OauthError::invalid_grant("the refresh token is not known, or is over");
    let hash = secret::hash(form.needs("refresh_token")?);
    let token = server.store.token(&hash).await?.filter(|token| token.kind == "refresh").ok_or_else(wrong)?;
    if token.client != client.doc.id {
        return Err(wrong());
    }
    let now = server.house.now();
    if token.revoked_at.is_some() || token.expires_at.is_some_and(|at| at <= now) {
        return Err(wrong());
    }
    match Binding::of(&token).filter(|bound| binding != Some(bound)) {
        None => {}
        Some(Binding::Key(_)) => {
            return Err(OauthError::new("invalid_dpop_proof", "the refresh token is bound to another key"));
        }
        Some(Binding::Certificate(_)) => {
            return Err(OauthError::invalid_grant("the refresh token is bound to another certificate"));
        }
    }
    if token.used_at.is_some() {
        server.stolen(&token.family, &client.doc.id).await?;
        return Err(wrong());
    }
    // The user may be gone, or somebody else of that name.
    let person = token.user.as_deref().and_then(|user| server.house.person(user));
    let Some(person) = person.filter(|person| token.document_subject().as_deref() == Some(&*person.id))
    else {
        server.revoke(TokenOwner::Family(&token.family)).await?;
        return Err(wrong());
    };
    let whole: Vec<String> = token.scope.split_ascii_whitespace().map(str::to_owned).collect();
    let scope = match form.get("scope") {
        None => whole.clone(),
        Some(text) => {
            let asked: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
            if asked.iter().any(|scope| !whole.contains(scope)) {
                return Err(OauthError::new("invalid_scope", "a scope was not granted before"));
            }
            asked
        }
    };
    let user = LoggedIn { person: &person, at: token.document_login(), nonce: None };
    let grant = Grant {
        client,
        user: Some(user),
        scope: &scope,
        family: token.family.clone(),
        may_refresh: true,
        bound_to: binding,
        not_after: None,
    };
    match server.issue_from(grant, Some(&token)).await? {
        Some(issued) => Ok(issued),
        None => {
            server.stolen(&token.family, &client.doc.id).await?;
            Err(wrong())
        }
    }
}
