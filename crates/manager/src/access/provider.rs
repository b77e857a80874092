//! Users whom a provider elsewhere lets in, by OpenID Connect or by SAML. They are called `PROVIDER:USER`, as no user here can be
//! called, since names of users have no colon; a session remembers whose user somebody is.

use std::{future::Future, net::IpAddr, pin::Pin, time::Duration};

use model::{
    open_id_connect::{LoginGroup, LoginProviderSettings},
    saml::SamlProviderSettings,
};
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

/// Whom an assertion lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlLogin {
    pub user: LoginUser,
    /// What the assertion is told apart from others by.
    pub id: String,
    /// The request that it answers.
    pub in_response_to: Option<String>,
    /// Until when it could be brought again, in microseconds since 1970.
    pub until: u64,
}

/// An identity provider with SAML 2.0. It checks what it is told, but for what was asked and what was told before.
pub trait SamlProvider: Send + Sync + 'static {
    fn settings(&self) -> &SamlProviderSettings;

    /// What the gateway says of itself.
    fn metadata(&self) -> String;

    /// Where the browser goes, with a request of this id.
    fn begin<'a>(&'a self, id: &'a str, relay_state: Option<&'a str>) -> LoginStep<'a, String>;

    /// Whom a response lets in, which is in base64.
    fn read<'a>(&'a self, response: &'a str) -> LoginStep<'a, SamlLogin>;
}

/// What the settings say of a provider, whatever people log in there by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'s> {
    pub name: &'s str,
    pub label: Option<&'s str>,
    pub public_url: &'s str,
    /// What says who somebody is.
    pub user_from: &'s str,
    groups: &'s [LoginGroup],
    others_use_portal: bool,
    pub timeout: Duration,
}

impl<'s> From<&'s LoginProviderSettings> for Terms<'s> {
    fn from(settings: &'s LoginProviderSettings) -> Self {
        Self {
            name: &settings.name,
            label: settings.label.as_deref(),
            public_url: &settings.public_url,
            user_from: &settings.user_claim,
            groups: &settings.groups,
            others_use_portal: settings.others_use_portal,
            timeout: settings.timeout.get(),
        }
    }
}

impl<'s> From<&'s SamlProviderSettings> for Terms<'s> {
    fn from(settings: &'s SamlProviderSettings) -> Self {
        Self {
            name: &settings.name,
            label: settings.label.as_deref(),
            public_url: &settings.public_url,
            user_from: settings.user_attribute.as_deref().unwrap_or("NameID"),
            groups: &settings.groups,
            others_use_portal: settings.others_use_portal,
            timeout: settings.timeout.get(),
        }
    }
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

    pub(crate) fn providers(&self) -> impl Iterator<Item = Terms<'_>> {
        self.providers.iter().map(|provider| provider.settings().into())
    }

    pub(crate) fn saml_provider(&self, name: &str) -> Option<&dyn SamlProvider> {
        self.saml.iter().find(|provider| provider.settings().name == name).map(|provider| &**provider)
    }

    pub(crate) fn saml_providers(&self) -> impl Iterator<Item = Terms<'_>> {
        self.saml.iter().map(|provider| provider.settings().into())
    }

    fn terms(&self, name: &str) -> Option<Terms<'_>> {
        self.providers().chain(self.saml_providers()).find(|terms| terms.name == name)
    }

    /// Whether users of a provider are called like this.
    pub(crate) fn is_of_provider(&self, user: &str) -> bool {
        user.split_once(':').is_some_and(|(name, _)| self.terms(name).is_some())
    }

    /// What somebody is here whom a provider has let in.
    pub(crate) fn let_in(
        &self,
        assets: &Assets,
        terms: Terms<'_>,
        user: LoginUser,
        address: IpAddr,
    ) -> Result<(Who, Origin), LoginFailure> {
        if user.name.is_empty() || user.name.len() > LONGEST_NAME || user.name.chars().any(char::is_control) {
            let detail = format!("`{}` is empty, too long, or no text", terms.user_from);
            return Err(LoginFailure::new("login_user_unusable", detail));
        }
        let name = format!("{}:{}", terms.name, user.name);
        let mut groups = user.groups;
        groups.retain(|group| terms.groups.iter().any(|wanted| wanted.value == *group));
        let origin = Origin { provider: terms.name.to_owned(), groups };
        let rights = self.rights_from(assets, &name, &origin).ok_or_else(|| {
            LoginFailure::new("login_not_allowed", format!("`{name}` is in no group that is let in"))
        })?;
        Ok((Self::known_otherwise(&name, address, rights), origin))
    }

    /// What somebody may do now; `None` where nobody is let in like that any more.
    pub(super) fn rights_from(&self, assets: &Assets, user: &str, origin: &Origin) -> Option<Rights> {
        let terms = self.terms(&origin.provider)?;
        let becomes = terms.groups.iter().filter(|wanted| origin.groups.contains(&wanted.value));
        let mut groups: Vec<String> = becomes.map(|wanted| wanted.group.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() && !terms.others_use_portal {
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
