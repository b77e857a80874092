//! Tokens that clients give back (RFC 7009).

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use store::assets::TokenOwner;

use super::{Server, authenticate, caller::Caller, form, respond};
use crate::{
    AuthorizationServer,
    error::{OauthError, not_stored},
    secret,
};

pub async fn revoke(State(server): Server, caller: Caller, body: Bytes) -> Response {
    respond(answer(&server, &caller, &body).await)
}

async fn answer(server: &AuthorizationServer, caller: &Caller, body: &[u8]) -> Result<Response, OauthError> {
    let form = form(&caller.headers, body)?;
    let client = authenticate::any_client(server, caller, &form).await?;
    let found = server.store.token(&secret::hash(form.needs("token")?)).await?;
    if let Some(token) = found {
        if token.client != client.doc.id {
            return Err(OauthError::new("unauthorized_client", "the token is another client's"));
        }
        // RFC 7009, 2.1: with a refresh token end the access tokens that came with it.
        let owner = match token.kind.as_str() {
            "refresh" => TokenOwner::Family(&token.family),
            _ => TokenOwner::Id(&token.id),
        };
        server.revoke(owner).await?;
    }
    // A token that is not known is as good as revoked.
    Ok(not_stored(StatusCode::OK.into_response()))
}
