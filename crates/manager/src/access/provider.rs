//! Users whom a provider elsewhere lets in, by OpenID Connect. They are called `PROVIDER:USER`, as no user here can be
//! called, since names of users have no colon; a session remembers whose user somebody is.

use std::{future::Future, net::IpAddr, pin::Pin};

use model::open_id_connect::LoginProviderSettings;
use serde::{Deserialize, Serialize};

use super::{Access, Who};
use crate::{Assets, rights::Rights};

/// What a provider takes its time for.
pub type LoginStep<'a, T> = Pin<Box<dyn Future<Output = Result<T, LoginFailure>> + Send + 'a>>;

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFailure {
    /// Stable, for the login page.
    pub code: &'static str,
    /// For the log.
    pub detail: String,
}

impl LoginFailure {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// What a browser is sent to the provider with.
#[derive(Debug, Clone)]
pub struct LoginRequest<'a> {
    pub state: &'a str,
    pub nonce: &'a str,
    /// PKCE, S256 (RFC 7636).
    pub challenge: &'a str,
    pub redirect_uri: &'a str,
}

/// What a browser comes back with, and what was kept of it.
#[derive(Debug, Clone)]
pub struct LoginAnswer<'a> {
    pub code: &'a str,
    /// Who says to have answered (RFC 9207).
    pub issuer: Option<&'a str>,
    pub nonce: &'a str,
    pub verifier: &'a str,
    pub redirect_uri: &'a str,
}

/// Whom a provider has let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginUser {
    /// As the provider calls them.
    pub name: String,
    /// As the provider calls them.
    pub groups: Vec<String>,
}

/// A provider of logins. It checks what it is told; what somebody may do here is left to the manager.
pub trait LoginProvider: Send + Sync + 'static {
    fn settings(&self) -> &LoginProviderSettings;

    /// Where the browser goes.
    fn begin<'a>(&'a self, request: &'a LoginRequest<'a>) -> LoginStep<'a, String>;

    /// Who has come back.
    fn finish<'a>(&'a self, answer: &'a LoginAnswer<'a>) -> LoginStep<'a, LoginUser>;
}

/// What a session remembers of somebody who is no user here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub provider: String,
    /// As the provider calls them; what becomes of them is in the settings, which may change.
    pub groups: Vec<String>,
}

/// Longest name of somebody elsewhere, in bytes.
const LONGEST_NAME: usize = 200;

impl Access {
    pub(crate) fn provider(&self, name: &str) -> Option<&dyn LoginProvider> {
        self.providers.iter().find(|provider| provider.settings().name == name).map(|provider| &**provider)
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &LoginProviderSettings> {
        self.providers.iter().map(|provider| provider.settings())
    }

    /// Whether users of a provider are called like this.
    pub(crate) fn is_of_provider(&self, user: &str) -> bool {
        user.split_once(':').is_some_and(|(name, _)| self.provider(name).is_some())
    }

    /// What somebody is here whom a provider has let in.
    pub(crate) fn let_in(
        &self,
        assets: &Assets,
        provider: &dyn LoginProvider,
        user: LoginUser,
        address: IpAddr,
    ) -> Result<(Who, Origin), LoginFailure> {
        let settings = provider.settings();
        if user.name.is_empty() || user.name.len() > LONGEST_NAME || user.name.chars().any(char::is_control) {
            let detail = format!("`{}` of the ID token is empty, too long, or no text", settings.user_claim);
            return Err(LoginFailure::new("login_user_unusable", detail));
        }
        let name = format!("{}:{}", settings.name, user.name);
        let mut groups = user.groups;
        groups.retain(|group| settings.groups.iter().any(|wanted| wanted.value == *group));
        let origin = Origin { provider: settings.name.clone(), groups };
        let rights = self.rights_from(assets, &name, &origin).ok_or_else(|| {
            LoginFailure::new("login_not_allowed", format!("`{name}` is in no group that is let in"))
        })?;
        Ok((Self::known_otherwise(&name, address, rights), origin))
    }

    /// What somebody may do now; `None` where nobody is let in like that any more.
    pub(super) fn rights_from(&self, assets: &Assets, user: &str, origin: &Origin) -> Option<Rights> {
        let settings = self.provider(&origin.provider)?.settings();
        let becomes = settings.groups.iter().filter(|wanted| origin.groups.contains(&wanted.value));
        let mut groups: Vec<String> = becomes.map(|wanted| wanted.group.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() && !settings.others_use_portal {
            return None;
        }
        let portal_only = groups.is_empty();
        let mut rights = Rights::of_groups(assets, user, groups, self.settings().enable_team_work);
        if portal_only {
            rights.portal_only = true;
            rights.privileges.clear();
            rights.sees_everything = false;
        }
        Some(rights)
    }
}
