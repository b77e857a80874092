//! Devices without a browser (RFC 8628): where they begin, and the page on which users type what they show.

use std::net::SocketAddr;

use axum::{
    Json,
    body::Bytes,
    extract::{ConnectInfo, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use form_urlencoded::Serializer;
use model::oauth_client::GrantType;

use super::{
    DEVICE, Server, authenticate,
    caller::Caller,
    consenting::Consenting,
    form, respond, see,
    sign_in::{SignIn, told},
};
use crate::{
    AuthorizationServer, ServerError,
    error::{OauthError, not_stored},
    form::Form,
    login::{Login, csrf},
    pages::{DevicePage, MessagePage, Texts, show, style},
    secret,
};

pub async fn authorize(State(server): Server, caller: Caller, body: Bytes) -> Response {
    respond(begin(&server, &caller, &body).await)
}

async fn begin(server: &AuthorizationServer, caller: &Caller, body: &[u8]) -> Result<Response, OauthError> {
    let form = form(&caller.headers, body)?;
    let client = authenticate::any_client(server, caller, &form).await?;
    let grant = GrantType::DeviceCode;
    if !server.settings().grants.contains(&grant) || !client.may(grant) {
        return Err(OauthError::new("unauthorized_client", "the client may not take this way to a token"));
    }
    let page = format!("{}{DEVICE}", server.issuer());
    let codes = server.device(&client, &form, &page).await?;
    Ok(not_stored(Json(codes).into_response()))
}

pub async fn page(State(server): Server, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let step = Step::new(&server, &headers, query.as_deref());
    step.show().await.unwrap_or_else(|error| step.away(&error))
}

pub async fn submit(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let step = Step::new(&server, &headers, query.as_deref());
    let Ok(form) = form(&headers, &body) else { return told(step.texts, "expected the form of the page") };
    match form.get("username").is_some() || form.get("step").is_some() {
        true => step.log_in(from, &form).await,
        false => step.decide(&form).await.unwrap_or_else(|error| step.away(&error)),
    }
}

/// One step on the way to an answer.
struct Step<'a> {
    server: &'a AuthorizationServer,
    headers: &'a HeaderMap,
    texts: &'static Texts,
    code: String,
    /// Where forms are sent to.
    action: String,
}

impl<'a> Step<'a> {
    fn new(server: &'a AuthorizationServer, headers: &'a HeaderMap, query: Option<&str>) -> Self {
        let form = Form::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
        let code = form.get("user_code").unwrap_or_default().to_owned();
        let mut query = Serializer::new(String::new());
        query.append_pair("user_code", &code);
        let action = format!(".{DEVICE}?{}", query.finish());
        Self { server, headers, texts: Texts::of(None, headers), code, action }
    }

    async fn show(&self) -> Result<Response, ServerError> {
        // Who is not logged in learns nothing of any code.
        let Some(login) = self.server.login(self.headers).await? else {
            return Ok(self.sign_in().page(StatusCode::OK, None, ""));
        };
        self.ask(&login, None).await
    }

    /// Asks for the code, or what the device with that code may do.
    async fn ask(&self, login: &Login, form: Option<&Form>) -> Result<Response, ServerError> {
        let form_page = |problem: Option<&str>| {
            let page =
                DevicePage { texts: self.texts, style: style(), action: &format!(".{DEVICE}"), problem };
            show(StatusCode::OK, &page, None)
        };
        if self.code.is_empty() {
            return Ok(form_page(None));
        }
        let unknown = || Ok(form_page(Some(self.texts.device_unknown)));
        let Some(waiting) = self.server.waiting(&self.code, login).await? else { return unknown() };
        let Some(client) = self.server.client(waiting.client()) else { return unknown() };
        let asking = Consenting {
            server: self.server,
            texts: self.texts,
            client: &client,
            scope: waiting.scope(),
            login,
            action: &self.action,
            target: None,
        };
        let is_ours =
            |form: &Form| form.get("csrf").is_some_and(|sent| secret::same(&csrf(&login.cookie), sent));
        let decision = form.filter(|form| is_ours(form)).and_then(|form| form.get("decision"));
        let allows = match decision {
            Some("allow") => true,
            Some("deny") => false,
            _ => return Ok(asking.show()),
        };
        if !self.server.answer_device(&waiting, login, allows).await? {
            return unknown();
        }
        if allows {
            // So that users find it among what they have allowed.
            asking.allow().await?;
        }
        let title = if allows { self.texts.device_done } else { self.texts.device_denied };
        let page = MessagePage { texts: self.texts, style: style(), title, text: self.texts.may_close };
        Ok(show(StatusCode::OK, &page, None))
    }

    async fn decide(&self, form: &Form) -> Result<Response, ServerError> {
        match self.server.login(self.headers).await? {
            Some(login) => self.ask(&login, Some(form)).await,
            None => Ok(see(self.server, &self.action[1..])),
        }
    }

    async fn log_in(&self, from: SocketAddr, form: &Form) -> Response {
        match self.sign_in().attempt(from, form).await {
            Ok(cookies) => {
                let mut response = see(self.server, &self.action[1..]);
                for cookie in cookies {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                response
            }
            Err(page) => *page,
        }
    }

    fn sign_in(&self) -> SignIn<'_> {
        SignIn {
            server: self.server,
            headers: self.headers,
            texts: self.texts,
            client: self.texts.connect_device,
            action: &self.action,
            hint: "",
            target: None,
        }
    }

    fn away(&self, error: &ServerError) -> Response {
        tracing::error!(%error, "a device cannot be connected");
        told(self.texts, self.texts.away)
    }
}
