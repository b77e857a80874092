//! The page on which users give their password.

use std::net::SocketAddr;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::Response,
};

use crate::{
    AuthorizationServer, LogIn, ServerError,
    form::Form,
    login::{self, BROWSER, csrf},
    pages::{CodePage, LoginPage, MessagePage, Texts, show, style},
    secret,
};

/// What the page is for.
pub struct SignIn<'a> {
    pub server: &'a AuthorizationServer,
    pub headers: &'a HeaderMap,
    pub texts: &'static Texts,
    /// What users go on to.
    pub client: &'a str,
    /// Where the form is sent to.
    pub action: &'a str,
    /// Who the user may be.
    pub hint: &'a str,
    /// Where the browser may go afterwards.
    pub target: Option<&'a str>,
}

impl SignIn<'_> {
    pub fn page(&self, status: StatusCode, problem: Option<&str>, user: &str) -> Response {
        let cookies = self.server.cookies();
        let kept = cookies.read(self.headers, BROWSER).map(str::to_owned);
        let new = kept.is_none();
        let Some(browser) = kept.or_else(|| secret::random().ok()) else {
            return told(self.texts, self.texts.away);
        };
        let page = LoginPage {
            texts: self.texts,
            style: style(),
            client: self.client,
            action: self.action,
            csrf: &csrf(&browser),
            user: if user.is_empty() { self.hint } else { user },
            problem,
        };
        let mut response = show(status, &page, self.target);
        if let Some(cookie) = cookies.write(BROWSER, &browser).filter(|_| new) {
            response.headers_mut().append(axum::http::header::SET_COOKIE, cookie);
        }
        response
    }

    /// The page that asks for a code; `ticket` stands for the password that was right.
    fn code_page(&self, status: StatusCode, problem: Option<&str>, browser: &str, ticket: &str) -> Response {
        let page = CodePage {
            texts: self.texts,
            style: style(),
            client: self.client,
            action: self.action,
            csrf: &csrf(browser),
            ticket,
            problem,
        };
        show(status, &page, self.target)
    }

    /// What the browser keeps from now on; or the page again, with what was wrong.
    pub async fn attempt(&self, from: SocketAddr, form: &Form) -> Result<Vec<HeaderValue>, Box<Response>> {
        let ticket = form.get("step");
        let user = form.get("username").unwrap_or_default();
        let refused = |status, problem| Err(Box::new(self.page(status, Some(problem), user)));
        let browser = self.server.cookies().read(self.headers, BROWSER);
        let is_ours =
            browser.zip(form.get("csrf")).is_some_and(|(kept, sent)| secret::same(&csrf(kept), sent));
        if !is_ours {
            return refused(StatusCode::BAD_REQUEST, self.texts.begin_again);
        }
        let away = |error: ServerError| {
            tracing::error!(%error, "nobody can be logged in");
            Box::new(self.page(StatusCode::SERVICE_UNAVAILABLE, Some(self.texts.away), user))
        };
        let address = self.server.address(from, self.headers);
        let browser = browser.unwrap_or_default();
        let step = match ticket {
            Some(ticket) => match self.server.second_step(browser, ticket).await.map_err(away)? {
                Some(step) => Some(step),
                None => return refused(StatusCode::BAD_REQUEST, self.texts.begin_again),
            },
            None => None,
        };
        let found = match &step {
            Some(step) => {
                let code = form.get("code").unwrap_or_default();
                self.server.house.check_code(&step.user, code, address).await
            }
            None => {
                let password = form.get("password").unwrap_or_default();
                self.server.house.log_in(user, password, address).await
            }
        };
        let person = match found.map_err(|error| away(error.into()))? {
            LogIn::Known(person) => person,
            LogIn::CodeNeeded => {
                let ticket = self.server.begin_second_step(browser, user).await.map_err(away)?;
                return Err(Box::new(self.code_page(StatusCode::OK, None, browser, &ticket)));
            }
            LogIn::CodeWrong => {
                let problem = Some(self.texts.code_wrong);
                let ticket = ticket.unwrap_or_default();
                return Err(Box::new(self.code_page(StatusCode::UNAUTHORIZED, problem, browser, ticket)));
            }
            LogIn::MustSetUpSecondFactor => {
                return refused(StatusCode::FORBIDDEN, self.texts.must_set_up_second_factor);
            }
            LogIn::Wrong => return refused(StatusCode::UNAUTHORIZED, self.texts.wrong),
            LogIn::Wait => return refused(StatusCode::TOO_MANY_REQUESTS, self.texts.wait),
            LogIn::Away => return refused(StatusCode::SERVICE_UNAVAILABLE, self.texts.away),
            LogIn::MustChangePassword => return refused(StatusCode::FORBIDDEN, self.texts.must_change),
        };
        if let Some(step) = &step
            && !self.server.end_second_step(step).await.map_err(away)?
        {
            return refused(StatusCode::BAD_REQUEST, self.texts.begin_again);
        }
        // Whoever was logged in with this browser before is not any more.
        self.server.end_login(self.headers).await.map_err(away)?;
        let login = self.server.begin_login(&person).await.map_err(away)?;
        let cookies = self.server.cookies();
        Ok([cookies.write(login::LOGIN, &login.cookie), cookies.write(BROWSER, "")]
            .into_iter()
            .flatten()
            .collect())
    }
}

/// The user is told; the browser goes nowhere.
pub fn told(texts: &Texts, text: &str) -> Response {
    let page = MessagePage { texts, style: style(), title: texts.cannot_go_on, text };
    show(StatusCode::BAD_REQUEST, &page, None)
}
