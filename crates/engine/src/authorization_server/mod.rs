//! Authorization servers at run time: what their tokens have to be like, the keys that verify them, and what a verified
//! token says. How keys come here is left to the binary, which token is asked for to policies.

mod facts;
mod keys;
mod local;
pub(crate) mod provider;

use std::{sync::Arc, time::Duration};

use crate::{Timestamp, UpstreamName};
use http::{HeaderValue, uri::PathAndQuery};
use jose::{Algorithm, Audience, Compact, DecryptionKeys, Expectations, Lifetime, Refusal, Why};
use model::upstream::UpstreamTls;
use serde_json::{Map, Value};

pub use facts::{ClaimNames, TokenFacts, claim, claim_texts};
pub use keys::{Asked, Awaited, Fetcher, KeySource, KeyState, KeyStatus, Published, REFRESH_AT_MOST_EVERY};
pub use local::{LocalServer, LocalTokens, Standing, StillLive, TokenHash, token_hash};

/// What a token is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenUse {
    /// An access token (RFC 9068).
    Access,
    /// An ID token of OpenID Connect, which is for the client itself.
    Identity,
}

/// An authorization server, compiled. Taken over by the next snapshot when nothing about it changed.
#[derive(Debug)]
pub struct AuthorizationServer {
    pub name: Arc<str>,
    /// `None` when only the server itself says, in its metadata.
    pub issuer: Option<Box<str>>,
    pub audiences: Vec<String>,
    pub any_audience: bool,
    pub algorithms: Vec<Algorithm>,
    /// In lower case.
    pub types: Vec<String>,
    pub skew: Duration,
    pub max_age: Option<Duration>,
    pub introspection: Option<Introspection>,
    pub decryption: DecryptionKeys,
    pub claims: ClaimNames,
    pub scope_mapping: Vec<model::authorization_server::ScopeMapping>,
    /// What the internal server takes of what it signs.
    pub assertions: Option<model::authorization_server::AssertionsDoc>,
    pub tls: UpstreamTls,
    pub keys: Arc<KeyState>,
    /// It is the one inside.
    pub local: Option<Arc<LocalServer>>,
    pub(crate) fingerprint: u64,
}

/// How a server is asked about tokens.
#[derive(Debug)]
pub struct Introspection {
    pub upstream: UpstreamName,
    pub target: PathAndQuery,
    /// What the gateway shows that it is the client.
    pub authorization: HeaderValue,
    pub cache: Duration,
    pub timeout: Duration,
    /// Also for tokens that were verified.
    pub always: bool,
}

/// Kinds of ID tokens, as their header names them; most name none.
const IDENTITY_TYPES: [&str; 1] = ["jwt"];
/// What some servers write into tokens that are for themselves, in a claim of that name.
const FOR_THE_SERVER: [&str; 4] = ["ID", "Refresh", "Offline", "Logout"];

impl AuthorizationServer {
    /// Whether it verifies tokens with keys, and does not only answer questions about them.
    pub fn has_keys(&self) -> bool {
        !matches!(self.keys.source, KeySource::None)
    }

    /// Whether its tokens can be right for a call; without an audience none is.
    pub fn is_for_calls(&self) -> bool {
        self.any_audience || !self.audiences.is_empty()
    }

    /// The issuer that its tokens name, as far as that is known.
    pub fn issuer<'p>(&'p self, published: Option<&'p Published>) -> Option<&'p str> {
        self.issuer.as_deref().or_else(|| published?.issuer.as_deref())
    }

    /// Verifies a token and checks what it says.
    pub fn verify(
        &self,
        token: &Compact<'_>,
        claims: &Map<String, Value>,
        used_as: TokenUse,
        published: &Published,
        now: Timestamp,
    ) -> Result<Lifetime, Refusal> {
        let issuer = self
            .issuer(Some(published))
            .ok_or_else(|| Refusal::new(Why::Issuer, "it is not known who issues its tokens"))?;
        let identity_types;
        let kinds: &[String] = match used_as {
            TokenUse::Access => &self.types,
            TokenUse::Identity => {
                identity_types = IDENTITY_TYPES.map(str::to_owned);
                &identity_types
            }
        };
        let expectations = Expectations { issuer, kinds, ..self.expectations() };
        expectations.check_kind(&token.header)?;
        // Claims are cheap to look at, and a signature is not.
        let lifetime = expectations.check(claims, now.seconds())?;
        self.check_use(claims, used_as)?;
        published.keys.verify(token, &self.algorithms)?;
        Ok(lifetime)
    }

    /// Checks what the server itself says about a token.
    pub fn check_answer(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Lifetime, Refusal> {
        let published = self.keys.published();
        if let (Some(said), Some(issuer)) = (claims.get("iss"), self.issuer(published.as_deref()))
            && said.as_str() != Some(issuer)
        {
            return Err(Refusal::new(Why::Issuer, "it is of another issuer"));
        }
        let audience = if self.any_audience { Audience::Any } else { Audience::OneOfIfSaid(&self.audiences) };
        // Whom it asks about a token knows whether it expires.
        let expectations = Expectations { audience, must_expire: false, ..self.expectations() };
        expectations.check_audience(claims)?;
        expectations.check_times(claims, now.seconds())
    }

    fn expectations(&self) -> Expectations<'_> {
        Expectations {
            issuer: "",
            audience: if self.any_audience { Audience::Any } else { Audience::OneOf(&self.audiences) },
            kinds: &[],
            skew: self.skew,
            max_age: self.max_age,
            must_expire: true,
        }
    }

    fn check_use(&self, claims: &Map<String, Value>, used_as: TokenUse) -> Result<(), Refusal> {
        if used_as == TokenUse::Identity {
            if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(Refusal::new(Why::Claims, "it names nobody (no `sub`), so it is no ID token"));
            }
            // OpenID Connect Core, 3.1.3.7: of several audiences, `azp` says who asked for it.
            let several = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
            let party = claims.get("azp").and_then(Value::as_str);
            let ours = |party: &str| self.any_audience || self.audiences.iter().any(|known| known == party);
            return match party {
                None if several => Err(Refusal::new(Why::Audience, "it is for several, and has no `azp`")),
                Some(party) if !ours(party) => {
                    Err(Refusal::new(Why::Audience, "it was issued to another client (`azp`)"))
                }
                _ => Ok(()),
            };
        }
        let kind = claims.get("typ").and_then(Value::as_str);
        let is_for_server = kind.is_some_and(|kind| FOR_THE_SERVER.contains(&kind));
        if is_for_server || claims.contains_key("at_hash") || claims.contains_key("c_hash") {
            return Err(Refusal::new(Why::Type, "it is no access token, by its claims"));
        }
        Ok(())
    }
}

/// All authorization servers of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct AuthorizationServers {
    pub list: Vec<Arc<AuthorizationServer>>,
    /// Told when somebody waits for keys. The same for all snapshots of a gateway.
    pub fetcher: Arc<Fetcher>,
}

impl AuthorizationServers {
    pub fn by_name(&self, name: &str) -> Option<&Arc<AuthorizationServer>> {
        self.list.iter().find(|server| &*server.name == name)
    }
}
