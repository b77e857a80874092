//! Questions about tokens (RFC 7662), which clients with a secret or a key may ask.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{Server, authenticate, caller::Caller, form, respond};
use crate::{
    AuthorizationServer, Live,
    binding::Binding,
    error::{OauthError, not_stored},
    secret,
};

pub async fn introspect(State(server): Server, caller: Caller, body: Bytes) -> Response {
    respond(answer(&server, &caller, &body).await)
}

async fn answer(server: &AuthorizationServer, caller: &Caller, body: &[u8]) -> Result<Response, OauthError> {
    let form = form(&caller.headers, body)?;
    let client = authenticate::client(server, caller, &form).await?;
    let claims = known(server, form.needs("token")?, &client.doc.id).await?;
    // Why it is not active is nobody's business.
    let answer = claims.unwrap_or_else(|| Map::from_iter([("active".to_owned(), json!(false))]));
    Ok(not_stored(Json(answer).into_response()))
}

async fn known(
    server: &AuthorizationServer,
    token: &str,
    asks: &str,
) -> Result<Option<Map<String, Value>>, OauthError> {
    let now = server.house.now();
    let Some(token) = server.store.token(&secret::hash(token)).await? else { return Ok(None) };
    let ended = token.revoked_at.is_some()
        || token.used_at.is_some()
        || token.expires_at.is_some_and(|at| at <= now)
        || server.client(&token.client).is_none();
    let subject = token.document_subject();
    let gone = token.user.as_deref().is_some_and(|user| {
        server.house.person(user).is_none_or(|person| Some(&*person.id) != subject.as_deref())
    });
    // A refresh token is for the client that has it, and for nobody else.
    if ended || gone || (token.kind == "refresh" && token.client != asks) {
        return Ok(None);
    }
    let binding = Binding::of(&token);
    let live = Live::new(
        &token.client,
        &token.scope,
        token.user.as_deref(),
        binding.as_ref(),
        token.issued_at,
        token.expires_at,
    );
    let mut claims = server.claims(&live, subject.as_deref());
    claims.insert("active".into(), true.into());
    claims.insert("jti".into(), token.id.as_str().into());
    if token.kind == "access" {
        claims.insert("token_type".into(), Binding::token_type(binding.as_ref()).into());
    }
    Ok(Some(claims))
}
