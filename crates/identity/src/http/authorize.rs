//! The authorization endpoint (RFC 6749, 3.1) with its two pages: who somebody is, and what they allow. Pages keep nothing
//! on the server: each form carries the request along in its address, and the request is checked again with each step.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{
    AUTHORIZE, CONSENT, LOGIN, Server,
    consenting::Consenting,
    form,
    par::Pushed,
    redirect, see,
    sign_in::{SignIn, told},
};
use crate::{
    AuthorizationServer, ServerError,
    authorization::{Asked, NoCode},
    error::OauthError,
    form::Form,
    login::{Login, csrf},
    pages::Texts,
    secret,
};

/// One step of a request for authorization.
struct Step<'a> {
    server: &'a AuthorizationServer,
    headers: &'a HeaderMap,
    /// What the address says.
    query: Form,
    /// What the client has pushed, which counts instead.
    pushed: Option<Pushed>,
    texts: &'static Texts,
}

/// Why a step ends early: with a response.
type Ended = Box<Response>;

pub async fn authorize(State(server): Server, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let step = match Step::new(&server, &headers, query.as_deref()).await {
        Ok(step) => step,
        Err(response) => return *response,
    };
    step.begin().await.unwrap_or_else(|response| *response)
}

/// The same with a form, which becomes a query: what the browser keeps is not sent with a form from elsewhere.
pub async fn authorize_by_form(State(server): Server, headers: HeaderMap, body: Bytes) -> Response {
    let texts = Texts::of(None, &headers);
    match form(&headers, &body) {
        Ok(form) => see(&server, &format!("{AUTHORIZE}?{}", form.query(|_, value| Some(value.to_owned())))),
        Err(error) => told(texts, &error.description),
    }
}

pub async fn log_in(
    State(server): Server,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let step = match Step::new(&server, &headers, query.as_deref()).await {
        Ok(step) => step,
        Err(response) => return *response,
    };
    step.log_in(from, &body).await.unwrap_or_else(|response| *response)
}

pub async fn consent(
    State(server): Server,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let step = match Step::new(&server, &headers, query.as_deref()).await {
        Ok(step) => step,
        Err(response) => return *response,
    };
    step.consent(&body).await.unwrap_or_else(|response| *response)
}

impl<'a> Step<'a> {
    async fn new(
        server: &'a AuthorizationServer,
        headers: &'a HeaderMap,
        query: Option<&str>,
    ) -> Result<Self, Ended> {
        let wrong = |error: OauthError| Box::new(told(Texts::of(None, headers), &error.description));
        let query = Form::parse(query.unwrap_or_default().as_bytes()).map_err(wrong)?;
        let pushed = server.pushed(&query).await.map_err(wrong)?;
        let asked = pushed.as_ref().map_or(&query, |pushed| &pushed.form);
        let texts = Texts::of(asked.get("ui_locales"), headers);
        Ok(Self { server, headers, query, pushed, texts })
    }

    fn asked(&self) -> Result<Asked, Ended> {
        let asked = Asked::of(self.server, self.pushed.as_ref().map_or(&self.query, |pushed| &pushed.form));
        let asked =
            asked.and_then(|asked| match self.pushed.is_none() && asked.client.doc.require_pushed_requests {
                true => Err(asked
                    .target
                    .no_code(OauthError::invalid_request("the client pushes its requests (RFC 9126)"))),
                false => Ok(asked),
            });
        asked.map_err(|no| {
            Box::new(match no {
                NoCode::Told(text) => told(self.texts, &text),
                NoCode::Back { location, .. } => redirect(&location),
            })
        })
    }

    async fn begin(&self) -> Result<Response, Ended> {
        let asked = self.asked()?;
        let login = self.login(&asked).await?;
        let Some(login) = login else {
            return Ok(match asked.prompt.none {
                true => redirect(&asked.target.refused("login_required", "nobody is logged in")),
                false => {
                    let action = format!(".{LOGIN}?{}", self.query());
                    self.sign_in(&asked, &action).page(StatusCode::OK, None, "")
                }
            });
        };
        if asked.prompt.consent || !self.is_allowed(&asked, &login).await? {
            return Ok(match asked.prompt.none {
                true => redirect(&asked.target.refused("consent_required", "the user has to be asked")),
                false => self.consent_page(&asked, &login),
            });
        }
        self.go_back(&asked, &login).await
    }

    /// Who is logged in, if that is enough for what the client wants.
    async fn login(&self, asked: &Asked) -> Result<Option<Login>, Ended> {
        let Some(login) = self.kept(self.server.login(self.headers).await, asked)? else { return Ok(None) };
        let age = (self.server.house.now() / 1_000_000).saturating_sub(login.at);
        let is_old = asked.max_age.is_some_and(|most| age > most);
        let hinted = asked.id_token_hint.as_deref();
        let is_other = hinted
            .is_some_and(|hint| self.server.hinted(hint).is_none_or(|(user, _)| user != login.person.id));
        // What was pushed stays as it is: it is done when the user has logged in since.
        let is_done = self.pushed.as_ref().is_some_and(|pushed| login.at >= pushed.at);
        let is_enough = !is_other && (is_done || !asked.prompt.login && !is_old);
        Ok(Some(login).filter(|_| is_enough))
    }

    /// What the store has said, or where the browser goes when it cannot say anything.
    fn kept<T>(&self, found: Result<T, ServerError>, asked: &Asked) -> Result<T, Ended> {
        found.map_err(|error| {
            let error = OauthError::from(error);
            Box::new(redirect(&asked.target.refused(error.code, &error.description)))
        })
    }

    async fn is_allowed(&self, asked: &Asked, login: &Login) -> Result<bool, Ended> {
        if asked.may_be_anybody() {
            return Ok(false);
        }
        if asked.client.doc.skip_consent {
            return Ok(true);
        }
        let found = self.server.store.consent(&login.person.id, &asked.client.doc.id).await;
        let found = self.kept(found.map_err(Into::into), asked)?;
        Ok(found.is_some_and(|consent| {
            asked.scope.iter().all(|scope| consent.scope.split(' ').any(|one| one == scope))
        }))
    }

    async fn go_back(&self, asked: &Asked, login: &Login) -> Result<Response, Ended> {
        if let Some(pushed) = &self.pushed
            && !self.kept(self.server.use_pushed(pushed).await, asked)?
        {
            return Ok(told(self.texts, self.texts.begin_again));
        }
        let code = self.kept(self.server.code(asked, login).await, asked)?;
        Ok(redirect(&asked.target.with(&[("code", &code)])))
    }

    async fn log_in(&self, from: SocketAddr, body: &[u8]) -> Result<Response, Ended> {
        let asked = self.asked()?;
        let Ok(form) = form(self.headers, body) else {
            return Ok(told(self.texts, "expected the form of the page"));
        };
        let action = format!(".{LOGIN}?{}", self.query());
        let cookies = self.sign_in(&asked, &action).attempt(from, &form).await?;
        // That the user should log in is done.
        let query = self.query.query(|name, value| match name {
            "max_age" => None,
            "prompt" => {
                let left: Vec<_> =
                    value.split(' ').filter(|word| !matches!(*word, "login" | "select_account")).collect();
                (!left.is_empty()).then(|| left.join(" "))
            }
            _ => Some(value.to_owned()),
        });
        let mut response = see(self.server, &format!("{AUTHORIZE}?{query}"));
        for cookie in cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    fn sign_in<'s>(&'s self, asked: &'s Asked, action: &'s str) -> SignIn<'s> {
        SignIn {
            server: self.server,
            headers: self.headers,
            texts: self.texts,
            client: asked.client.shown_name(),
            action,
            hint: asked.user_hint.as_deref().unwrap_or_default(),
            target: Some(&asked.target.uri),
        }
    }

    async fn consent(&self, body: &[u8]) -> Result<Response, Ended> {
        let asked = self.asked()?;
        let Some(login) = self.login(&asked).await? else {
            return Ok(see(self.server, &format!("{AUTHORIZE}?{}", self.query())));
        };
        let form = form(self.headers, body).unwrap_or_default();
        let is_ours = form.get("csrf").is_some_and(|sent| secret::same(&csrf(&login.cookie), sent));
        match form.get("decision").filter(|_| is_ours) {
            Some("allow") => {}
            Some("deny") => return Ok(redirect(&asked.target.refused("access_denied", "the user said no"))),
            _ => return Ok(self.consent_page(&asked, &login)),
        }
        let allowed = self.consenting(&asked, &login, "").allow().await;
        self.kept(allowed.map_err(Into::into), &asked)?;
        self.go_back(&asked, &login).await
    }

    fn query(&self) -> String {
        self.query.query(|_, value| Some(value.to_owned()))
    }

    fn consent_page(&self, asked: &Asked, login: &Login) -> Response {
        self.consenting(asked, login, &format!(".{CONSENT}?{}", self.query())).show()
    }

    fn consenting<'s>(&'s self, asked: &'s Asked, login: &'s Login, action: &'s str) -> Consenting<'s> {
        Consenting {
            server: self.server,
            texts: self.texts,
            client: &asked.client,
            scope: &asked.scope,
            login,
            action,
            target: Some(&asked.target.uri),
        }
    }
}
