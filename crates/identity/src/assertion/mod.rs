//! Tokens for what a server elsewhere has signed (RFC 7521): it says who somebody is, and a client that may bring such an
//! assertion gets a token for it. It is a JSON Web Token ([`jwt`]) or an assertion of SAML ([`saml2`]); where the server's
//! keys come from is left to others ([`Issuer`]).

mod jwt;
mod saml2;

use std::{sync::Arc, time::Duration};

use jose::{Algorithm, KeySet};
use model::{
    authorization_server::{AssertionFormat, AssertionSubject, AssertionsDoc},
    oauth_client::AuthorizationServerSettings,
    usable_by::fits,
};
use serde_json::{Map, Value};
use store::assets::Passing;

use crate::{
    AuthorizationServer, Later,
    binding::Binding,
    clients::Client,
    error::OauthError,
    form::Form,
    http::TOKEN,
    issue::{Grant, Issued, LoggedIn, scopes},
    secret,
};

/// How long after its assertion a token may last, in seconds: RFC 7521, 4.1 wants it not to last much longer.
const LONGEST_AFTER: u64 = 3_600;

/// A server elsewhere whose assertions are taken.
pub trait Issuer: Send + Sync {
    /// As the configuration calls it.
    fn name(&self) -> &str;
    /// As its assertions name it, as far as that is known.
    fn issuer(&self) -> Option<String>;
    fn doc(&self) -> &AssertionsDoc;
    /// How far clocks may differ.
    fn skew(&self) -> Duration;
    /// What JSON Web Tokens may be signed with: never a secret.
    fn algorithms(&self) -> &[Algorithm];
    /// The name of the user that claims mean.
    fn user(&self, claims: &Map<String, Value>) -> Option<String>;
    /// Has its keys looked at, and once more those that were published since where one is missing. `false` when none are
    /// known.
    fn with_keys<'a>(&'a self, look: &'a mut (dyn FnMut(&KeySet) -> LookedAt + Send)) -> Later<'a, bool>;
}

/// What came of looking at keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookedAt {
    Decided,
    /// It may be signed with a key that is not among them.
    KeyMissing,
}

/// Why an assertion is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    /// Stays the same, for whoever looks through logs.
    reason: &'static str,
    told: String,
}

impl Refused {
    fn new(reason: &'static str, told: impl Into<String>) -> Self {
        Self { reason, told: told.into() }
    }

    /// What is wrong, and what to do.
    fn because(reason: &'static str, detail: &str, help: &str) -> Self {
        Self::new(reason, format!("the assertion is not taken: {detail}; {help}"))
    }

    fn of_another(format: AssertionFormat) -> Self {
        let help = match format {
            AssertionFormat::Jwt => "bring a JSON Web Token by `urn:ietf:params:oauth:grant-type:jwt-bearer`",
            AssertionFormat::Saml2 => "bring one of SAML by `urn:ietf:params:oauth:grant-type:saml2-bearer`",
        };
        Self::because("assertion_issuer", "its issuer is trusted here with assertions of another kind", help)
    }
}

/// Why there is no answer about an assertion.
enum Failed {
    Refused(Refused),
    NoKeys(String),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// What an assertion says that is right.
struct Said {
    issuer: Arc<dyn Issuer>,
    /// Whom it means, where it says so.
    user: Option<String>,
    /// Until when it could be brought again, in seconds since 1970.
    until: u64,
    /// What it is told apart from others by.
    id: String,
}

/// Whether somebody counts.
fn counts(doc: &AssertionsDoc, subject: &str) -> bool {
    let all = doc.subjects.is_empty() && doc.acts_for == AssertionSubject::User;
    all || doc.subjects.iter().any(|pattern| fits(pattern, subject))
}

/// The entries that are for assertions of somebody, brought by this client. The same server may be there several times, for
/// others each time.
fn of_client<'i>(
    issuers: &'i [Arc<dyn Issuer>],
    named: &str,
    format: AssertionFormat,
    client: &str,
) -> Result<Vec<&'i Arc<dyn Issuer>>, Refused> {
    let mut found: Vec<_> =
        issuers.iter().filter(|issuer| issuer.issuer().as_deref() == Some(named)).collect();
    if found.is_empty() {
        let detail = format!("its issuer `{}` is not trusted here", jose::shown(named));
        return Err(Refused::because(
            "assertion_issuer",
            &detail,
            "get one from a server that is trusted here",
        ));
    }
    let other = found.iter().map(|issuer| issuer.doc().format).find(|found| *found != format);
    found.retain(|issuer| issuer.doc().format == format);
    if let (true, Some(other)) = (found.is_empty(), other) {
        return Err(Refused::of_another(other));
    }
    found.retain(|issuer| issuer.doc().clients.iter().any(|known| known == client));
    if found.is_empty() {
        return Err(Refused::because(
            "assertion_client",
            "this client may not bring one of its issuer",
            "whoever manages this server has to add it to `assertions.clients`",
        ));
    }
    Ok(found)
}

/// Of those for a client, the one that is for somebody; `called` is what that is in the assertion.
fn of_subject<'i>(
    issuers: &[&'i Arc<dyn Issuer>],
    subject: &str,
    called: &str,
) -> Result<&'i Arc<dyn Issuer>, Refused> {
    issuers.iter().find(|issuer| counts(issuer.doc(), subject)).copied().ok_or_else(|| {
        Refused::because(
            "assertion_subject",
            &format!("its {called} is {}, which is not one that counts", jose::shown(subject)),
            "whoever manages this server has to add it to `assertions.subjects`",
        )
    })
}

/// Whom assertions have to be for, unless the configuration says otherwise: the issuer and the token endpoint.
fn own_names(settings: &AuthorizationServerSettings) -> [String; 2] {
    [settings.issuer.clone(), format!("{}{TOKEN}", settings.issuer)]
}

impl AuthorizationServer {
    pub(crate) async fn assert(
        &self,
        format: AssertionFormat,
        client: &Client,
        form: &Form,
        binding: Option<&Binding>,
    ) -> Result<Issued, OauthError> {
        let refused = |refused: Refused| {
            let Refused { reason, told } = refused;
            tracing::info!(client = client.doc.id.as_str(), reason, "{told}");
            OauthError::invalid_grant(fitting(&told))
        };
        let now = self.house.now() / 1_000_000;
        let known = self.clients();
        let text = form.needs("assertion")?;
        let scope = scopes(client, form.get("scope"))?;
        let id = &client.doc.id;
        let said = match format {
            AssertionFormat::Jwt => jwt::read(text, id, &known.issuers, &self.settings(), now).await,
            AssertionFormat::Saml2 => saml2::read(text, id, &known.issuers, &self.settings(), now).await,
        };
        let said = said.map_err(|failed| match failed {
            Failed::Refused(why) => refused(why),
            Failed::NoKeys(issuer) => {
                tracing::warn!(issuer, "an assertion cannot be verified: no keys of its issuer are known");
                let problem = "the keys of the issuer of the assertion are not known yet; try again later";
                OauthError::new("server_error", problem)
            }
        })?;
        let doc = said.issuer.doc();
        if !doc.scopes.is_empty() && scope.iter().any(|scope| !doc.scopes.contains(scope)) {
            let problem = "tokens for assertions of this issuer do not have all of these scopes";
            return Err(OauthError::new("invalid_scope", problem));
        }
        let person = match doc.acts_for {
            AssertionSubject::Client => None,
            AssertionSubject::User => {
                let person = said.user.as_deref().and_then(|name| self.house.person(name));
                Some(person.ok_or_else(|| {
                    let told = "the assertion is not taken: it means nobody who is a user here";
                    refused(Refused::new("assertion_user", told))
                })?)
            }
        };
        if !doc.reusable {
            let once = Passing {
                hash: said.id.clone(),
                kind: "assertion".to_owned(),
                user: None,
                client: Some(client.doc.id.clone()),
                expires_at: (said.until + 1).saturating_mul(1_000_000),
                used_at: None,
                document: String::new(),
            };
            if !self.store.put_passing(&once).await? {
                return Err(refused(Refused::because(
                    "assertion_replayed",
                    "it was brought before, and each is good for once",
                    "get a new one from its issuer",
                )));
            }
        }
        let grant = Grant {
            client,
            user: person.as_ref().map(|person| LoggedIn { person, at: None, nonce: None }),
            scope: &scope,
            family: secret::id()?,
            may_refresh: false,
            bound_to: binding,
            not_after: Some((said.until + LONGEST_AFTER).saturating_mul(1_000_000)),
        };
        self.issue(grant).await
    }
}

/// What may stand in a description (RFC 6749, 5.2).
fn fitting(text: &str) -> String {
    let fits = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
    text.chars().map(|c| if fits(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_description_says_what_may_be_said() {
        assert_eq!(fitting("a `b` \"c\"\\\r\n\u{e9}"), "a `b` ?c?????");
    }
}
