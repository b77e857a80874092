//! Browsers in which somebody is logged in. The browser keeps a random text, the store its hash.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use serde_json::{Value, json};
use store::assets::Passing;

use crate::{AuthorizationServer, Person, ServerError, micros, secret};

/// As the store calls it. With a new password of the user they end.
const KIND: &str = "login";

/// The same for somebody who has given their password, and a code of their second factor not yet.
const SECOND_STEP: &str = "second step";
/// How long they may take for that.
const SECOND_STEP_LASTS: u64 = 5 * 60_000_000;

/// Somebody whose password was right.
#[derive(Debug, Clone)]
pub struct SecondStep {
    pub user: String,
    hash: String,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Login {
    pub person: Person,
    /// When they gave their password, in seconds since 1970.
    pub at: u64,
    /// What the browser keeps.
    pub cookie: String,
}

impl AuthorizationServer {
    /// The login of a browser, while it lasts and the user is there.
    pub(crate) async fn login(&self, headers: &HeaderMap) -> Result<Option<Login>, ServerError> {
        let Some(cookie) = self.cookies().read(headers, LOGIN) else { return Ok(None) };
        let found = self.store.passing(KIND, &secret::hash(cookie), self.house.now()).await?;
        let Some(found) = found else { return Ok(None) };
        let said: Value = serde_json::from_str(&found.document).unwrap_or_default();
        let person = found.user.as_deref().and_then(|user| self.house.person(user));
        let person = person.filter(|person| said["sub"].as_str() == Some(&*person.id));
        Ok(person.zip(said["at"].as_u64()).map(|(person, at)| Login {
            person,
            at,
            cookie: cookie.to_owned(),
        }))
    }

    /// Somebody has logged in. The browser gets a text that was never used before.
    pub(crate) async fn begin_login(&self, person: &Person) -> Result<Login, ServerError> {
        let cookie = secret::random()?;
        let now = self.house.now();
        let at = now / 1_000_000;
        let kept = Passing {
            hash: secret::hash(&cookie),
            kind: KIND.to_owned(),
            user: Some(person.name.clone()),
            client: None,
            expires_at: now.saturating_add(micros(self.settings().login_lifetime.get())),
            used_at: None,
            document: json!({ "sub": person.id, "at": at }).to_string(),
        };
        self.store.put_passing(&kept).await?;
        Ok(Login { person: person.clone(), at, cookie })
    }

    pub(crate) async fn end_login(&self, headers: &HeaderMap) -> Result<(), ServerError> {
        if let Some(cookie) = self.cookies().read(headers, LOGIN) {
            self.store.delete_passing(KIND, &secret::hash(cookie)).await?;
        }
        Ok(())
    }

    /// The password of a user was right: what the form with the code sends along. It is good in that browser only, for
    /// one login, and until the user gets a new password.
    pub(crate) async fn begin_second_step(&self, browser: &str, user: &str) -> Result<String, ServerError> {
        let ticket = secret::random()?;
        let kept = Passing {
            hash: hash_of_ticket(browser, &ticket),
            kind: SECOND_STEP.to_owned(),
            user: Some(user.to_owned()),
            client: None,
            expires_at: self.house.now().saturating_add(SECOND_STEP_LASTS),
            used_at: None,
            document: "{}".to_owned(),
        };
        self.store.put_passing(&kept).await?;
        Ok(ticket)
    }

    pub(crate) async fn second_step(
        &self,
        browser: &str,
        ticket: &str,
    ) -> Result<Option<SecondStep>, ServerError> {
        let hash = hash_of_ticket(browser, ticket);
        let found = self.store.passing(SECOND_STEP, &hash, self.house.now()).await?;
        let user = found.filter(|found| found.used_at.is_none()).and_then(|found| found.user);
        Ok(user.map(|user| SecondStep { user, hash }))
    }

    /// `false` where it was ended meanwhile.
    pub(crate) async fn end_second_step(&self, step: &SecondStep) -> Result<bool, ServerError> {
        Ok(self.store.use_passing(SECOND_STEP, &step.hash, self.house.now()).await?)
    }

    pub(crate) fn cookies(&self) -> Cookies<'_> {
        Cookies { issuer: self.issuer() }
    }
}

/// The cookie of a login.
pub const LOGIN: &str = "gatewright_login";
/// The cookie of a browser in which nobody is logged in yet.
pub const BROWSER: &str = "gatewright_browser";

/// What is kept in browsers. It is sent to paths of the issuer only, so that no API on the same host sees it.
pub struct Cookies<'a> {
    issuer: &'a str,
}

impl Cookies<'_> {
    /// Over https browsers take such a name from a secure origin only.
    fn prefix(&self) -> &'static str {
        if self.issuer.starts_with("https:") { "__Secure-" } else { "" }
    }

    pub fn read<'h>(&self, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|one| one.trim().split_once('='));
        let prefix = self.prefix();
        let (_, value) = pairs.find(|(known, _)| known.strip_prefix(prefix) == Some(name))?;
        (!value.is_empty()).then_some(value)
    }

    /// It ends with the browser; an empty value ends it at once.
    pub fn write(&self, name: &str, value: &str) -> Option<HeaderValue> {
        let path = crate::http::path_of(self.issuer);
        let path = if path.is_empty() { "/" } else { path };
        let secure = if self.prefix().is_empty() { "" } else { "; Secure" };
        let age = if value.is_empty() { "; Max-Age=0" } else { "" };
        let text =
            format!("{}{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{age}", self.prefix());
        HeaderValue::from_str(&text).ok()
    }
}

fn hash_of_ticket(browser: &str, ticket: &str) -> String {
    secret::hash(&format!("second step\n{browser}\n{ticket}"))
}

/// What a form of a page sends along, so that no other page can send it for the user.
pub fn csrf(cookie: &str) -> String {
    secret::hash(&format!("form\n{cookie}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_for_the_issuer_alone() {
        let secure = Cookies { issuer: "https://id.example/oauth" };
        let written = secure.write(LOGIN, "x").expect("a header");
        assert_eq!(written, "__Secure-gatewright_login=x; Path=/oauth; HttpOnly; SameSite=Lax; Secure");
        let mut headers = HeaderMap::new();
        headers
            .insert(COOKIE, HeaderValue::from_static("a=b; gatewright_login=y; __Secure-gatewright_login=x"));
        assert_eq!(secure.read(&headers, LOGIN), Some("x"));
        let local = Cookies { issuer: "http://127.0.0.1:9082" };
        assert_eq!(local.read(&headers, LOGIN), Some("y"));
        assert_eq!(
            local.write(LOGIN, "").expect("a header"),
            "gatewright_login=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
