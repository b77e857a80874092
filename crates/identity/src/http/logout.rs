//! Logging out (OpenID Connect RP-Initiated Logout). Who shows a token that was made for the user logs out at once;
//! otherwise the user is asked, as the request may come from anywhere.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use form_urlencoded::Serializer;

use super::{LOGOUT, Server, form, redirect};
use crate::{
    AuthorizationServer,
    error::OauthError,
    form::Form,
    login::{LOGIN, csrf},
    pages::{LogoutPage, MessagePage, Texts, show, style},
    secret,
};

pub async fn logout(
    State(server): Server,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let texts = Texts::of(None, &headers);
    let asked = match method {
        Method::POST if !body.is_empty() => form(&headers, &body),
        _ => Form::parse(query.as_deref().unwrap_or_default().as_bytes()),
    };
    let told = |error: &OauthError| {
        let page = MessagePage { texts, style: style(), title: texts.cannot_go_on, text: &error.description };
        show(StatusCode::BAD_REQUEST, &page, None)
    };
    match asked {
        Ok(asked) => answer(&server, &headers, &asked, texts).await.unwrap_or_else(|error| told(&error)),
        Err(error) => told(&error),
    }
}

async fn answer(
    server: &AuthorizationServer,
    headers: &HeaderMap,
    asked: &Form,
    texts: &'static Texts,
) -> Result<Response, OauthError> {
    let hinted = match asked.get("id_token_hint") {
        None => None,
        Some(hint) => {
            let wrong = || OauthError::invalid_request("`id_token_hint` is no ID token of this server");
            Some(server.hinted(hint).ok_or_else(wrong)?)
        }
    };
    let named = asked.get("client_id");
    if hinted.as_ref().is_some_and(|(_, client)| named.is_some_and(|named| named != client)) {
        return Err(OauthError::invalid_request("`id_token_hint` is for another client"));
    }
    let client = hinted.as_ref().map(|(_, client)| &**client).or(named).and_then(|id| server.client(id));
    let back = match asked.get("post_logout_redirect_uri") {
        None => None,
        Some(uri) => {
            let known = client
                .is_some_and(|client| client.doc.post_logout_redirect_uris.iter().any(|one| one == uri));
            if !known {
                let text = "The address to go back to is not one of the client's.";
                return Err(OauthError::invalid_request(text));
            }
            Some(uri)
        }
    };
    let login = server.login(headers).await?;
    if let Some(login) = login {
        let is_hinted = hinted.is_some_and(|(user, _)| user == login.person.id);
        let is_ours = asked.get("csrf").is_some_and(|sent| secret::same(&csrf(&login.cookie), sent));
        if !is_hinted && !is_ours {
            let fields = asked.all().filter(|(name, _)| *name != "csrf").collect::<Vec<_>>();
            let page = LogoutPage {
                texts,
                style: style(),
                user: &login.person.name,
                action: &format!(".{LOGOUT}"),
                fields: &fields,
                csrf: &csrf(&login.cookie),
            };
            return Ok(show(StatusCode::OK, &page, back));
        }
        server.end_login(headers).await?;
    }
    let mut response = match back {
        Some(uri) => {
            let mut location = uri.to_owned();
            if let Some(state) = asked.get("state") {
                let mut query = Serializer::new(String::new());
                query.append_pair("state", state);
                location.push(if uri.contains('?') { '&' } else { '?' });
                location.push_str(&query.finish());
            }
            redirect(&location)
        }
        None => {
            let page = MessagePage { texts, style: style(), title: texts.logged_out, text: texts.may_close };
            show(StatusCode::OK, &page, None)
        }
    };
    if let Some(cookie) = server.cookies().write(LOGIN, "") {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
