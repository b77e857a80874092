//! The page on which users allow a client something, and what is kept of it.

use axum::{http::StatusCode, response::Response};
use store::{StoreError, assets::Consent};

use crate::{
    AuthorizationServer,
    clients::Client,
    id_token::SCOPES,
    login::{Login, csrf},
    pages::{ConsentPage, ShownScope, Texts, origin, show, style},
};

/// What a user is asked to allow.
pub struct Consenting<'a> {
    pub server: &'a AuthorizationServer,
    pub texts: &'static Texts,
    pub client: &'a Client,
    pub scope: &'a [String],
    pub login: &'a Login,
    pub action: &'a str,
    pub target: Option<&'a str>,
}

impl Consenting<'_> {
    pub fn show(&self) -> Response {
        let clients = self.server.clients();
        let words = [self.texts.openid, self.texts.profile, self.texts.email, self.texts.groups];
        let own = |scope: &str| SCOPES.iter().position(|(name, _)| *name == scope).map(|place| words[place]);
        let shown = |scope: &String| {
            let text = own(scope).or_else(|| clients.meaning(scope));
            ShownScope {
                text: text.unwrap_or(scope).to_owned(),
                name: text.filter(|_| own(scope).is_none()).map(|_| scope.clone()),
            }
        };
        let mut scopes: Vec<_> = self.scope.iter().map(shown).collect();
        if scopes.is_empty() {
            scopes.push(ShownScope { text: self.texts.nothing_else.to_owned(), name: None });
        }
        let page = ConsentPage {
            texts: self.texts,
            style: style(),
            client: self.client.shown_name(),
            user: &self.login.person.name,
            scopes: &scopes,
            is_unknown: self.client.is_unknown(),
            target: self.target.map(origin),
            action: self.action,
            csrf: &csrf(&self.login.cookie),
        };
        show(StatusCode::OK, &page, self.target)
    }

    /// Writes down that the user allows it.
    pub async fn allow(&self) -> Result<(), StoreError> {
        let client = &self.client.doc.id;
        let before = self.server.store.consent(&self.login.person.id, client).await?;
        let before = before.map(|consent| consent.scope);
        let mut scopes: Vec<&str> = before.as_deref().unwrap_or_default().split_ascii_whitespace().collect();
        scopes.extend(self.scope.iter().map(String::as_str));
        scopes.sort_unstable();
        scopes.dedup();
        let consent = Consent {
            user: self.login.person.id.clone(),
            client: client.clone(),
            scope: scopes.join(" "),
            granted_at: self.server.house.now(),
        };
        self.server.store.put_consent(&consent).await
    }
}
