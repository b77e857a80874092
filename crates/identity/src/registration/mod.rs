//! Clients that register themselves, and look after their registration (RFC 7591, RFC 7592). A client is part of the
//! configuration; changing that is left to others ([`crate::House::register`]).

mod metadata;

use std::{net::IpAddr, sync::Arc};

use model::{
    client_registration::{ClientRegistrationDoc, RegistrationSettings},
    oauth_client::{ClientAuthentication, ClientSecretDoc, GrantType, OauthClientDoc},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{StoreError, assets::InitialToken};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    AuthorizationServer, ServerError, clients::Client, error::OauthError, http::REGISTER, pace::counted_as,
    secret,
};
use metadata::{May, Metadata, members, told};

/// So that secrets are recognised where they should not be.
const SECRET: &str = "gws_";
const ACCESS: &str = "gwg_";
/// Clients that may be registered from one address, and from all, within so many seconds where anybody may.
const OF_ADDRESS: u64 = 20;
const OF_ALL: u64 = 200;
const WITHIN: u64 = 600;

/// What clients may be that are registered with an initial access token, as the store keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Scopes, out of those of the settings; all of them when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Teams that manage their applications, instead of those of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teams: Option<Vec<String>>,
}

/// What is to become of a client that looks after itself.
#[derive(Debug)]
pub struct Registering {
    pub client: String,
    pub address: IpAddr,
    pub what: Registration,
}

#[derive(Debug)]
pub enum Registration {
    New(Box<NewClient>),
    Changed {
        application: Arc<str>,
        /// As it was when it was looked at.
        before: Box<OauthClientDoc>,
        after: Box<OauthClientDoc>,
    },
    Gone {
        application: Arc<str>,
        before: Box<OauthClientDoc>,
    },
}

/// A client, and what its application is to be.
#[derive(Debug)]
pub struct NewClient {
    pub doc: OauthClientDoc,
    pub apis: Vec<String>,
    pub plan: Option<String>,
    pub teams: Vec<String>,
    /// Clients that there may be then.
    pub most: u32,
}

/// Why nothing has become of it.
#[derive(Debug)]
pub enum NotRegistered {
    /// There are as many as there may be.
    Full,
    /// Somebody else has changed the client meanwhile.
    Other,
    /// The configuration would not be right.
    Invalid(String),
    Busy,
    Store(StoreError),
}

impl From<NotRegistered> for OauthError {
    fn from(why: NotRegistered) -> Self {
        match why {
            NotRegistered::Full => {
                Self::wait(WITHIN, "as many clients have registered as may; ask whoever runs this server")
            }
            NotRegistered::Other => Self::new(
                "server_error",
                "somebody else has changed the client meanwhile; read it, and try again",
            ),
            NotRegistered::Invalid(problems) => {
                tracing::error!(%problems, "no client can register: the configuration would not be right");
                Self::new("server_error", "no client can register at the moment; try again later")
            }
            NotRegistered::Busy => Self::new("server_error", "try again later"),
            NotRegistered::Store(error) => error.into(),
        }
    }
}

impl AuthorizationServer {
    /// Registers a client; says what it is told.
    pub(crate) async fn register(
        &self,
        settings: &RegistrationSettings,
        shown: Option<&str>,
        address: IpAddr,
        body: &[u8],
    ) -> Result<Map<String, Value>, OauthError> {
        let token = match shown {
            Some(shown) => Some(self.initial_token(shown).await?),
            None if settings.open => None,
            None => {
                let problem = "show an initial access token, which whoever runs this server gives you";
                return Err(OauthError::invalid_token(false, problem));
            }
        };
        let limits: Limits = match &token {
            // What cannot be read allows nothing.
            Some(token) => serde_json::from_str(&token.document)
                .map_err(|error| ServerError::Damaged(format!("an initial access token: {error}")))?,
            None => Limits::default(),
        };
        let metadata = Metadata::read(&members(body)?, &self.may(settings, limits.scopes.as_deref(), &[]))?;
        let now = self.house.now();
        if let Some(token) = &token {
            if !self.store.use_initial_token(&token.hash, now).await? {
                return Err(used_up());
            }
        } else if !self.may_register(address, now / 1_000_000) {
            return Err(OauthError::wait(WITHIN, "too many clients have registered lately; try again later"));
        }
        let made = self.make(settings, metadata, limits, token.as_ref(), address).await;
        if let (Err(_), Some(token)) = (&made, &token) {
            self.store.give_back_initial_token(&token.hash).await?;
        }
        made
    }

    async fn make(
        &self,
        settings: &RegistrationSettings,
        metadata: Metadata,
        limits: Limits,
        token: Option<&InitialToken>,
        address: IpAddr,
    ) -> Result<Map<String, Value>, OauthError> {
        let access = format!("{ACCESS}{}", secret::random()?);
        let registration = ClientRegistrationDoc {
            at: rfc3339(self.house.now()),
            token_hash: format!("sha256:{}", secret::hash(&access)),
            initial_token: token.map(|token| token.name.clone()),
            allowed_scopes: limits.scopes,
            posts_secret: false,
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: Vec::new(),
            software_id: None,
            software_version: None,
        };
        let mut doc = metadata.client(secret::id()?, registration);
        let secret = match doc.authentication {
            ClientAuthentication::ClientSecret => Some(new_secret(&mut doc)?),
            _ => None,
        };
        let answer = self.answer(&doc, &access, secret.as_deref());
        let new = NewClient {
            apis: settings.apis.clone(),
            plan: settings.plan.clone(),
            teams: limits.teams.unwrap_or_else(|| settings.teams.clone()),
            most: settings.max_clients.get(),
            doc,
        };
        let client = new.doc.id.clone();
        self.house.register(Registering { client, address, what: Registration::New(Box::new(new)) }).await?;
        Ok(answer)
    }

    /// The client with an id, when its registration access token is shown.
    pub(crate) fn registered(&self, id: &str, shown: Option<&str>) -> Result<Arc<Client>, OauthError> {
        let Some(shown) = shown else {
            let problem = "show the registration access token of the client";
            return Err(OauthError::invalid_token(false, problem));
        };
        let hash = format!("sha256:{}", secret::hash(shown));
        let has_shown = |client: &Arc<Client>| {
            let registration = client.doc.registration.as_ref();
            registration.is_some_and(|registration| secret::same(&registration.token_hash, &hash))
        };
        self.client(id).filter(has_shown).ok_or_else(|| {
            OauthError::invalid_token(
                true,
                "the client is gone, or this is not its registration access token",
            )
        })
    }

    /// What a client is told of itself. Its secret is known to nobody but itself.
    pub(crate) fn shown(&self, client: &Client, shown: &str) -> Map<String, Value> {
        self.answer(&client.doc, shown, None)
    }

    /// Has a client be what it says now, and nothing of what it has said before.
    pub(crate) async fn change(
        &self,
        settings: &RegistrationSettings,
        client: &Client,
        shown: &str,
        address: IpAddr,
        body: &[u8],
    ) -> Result<Map<String, Value>, OauthError> {
        let said = members(body)?;
        let wrong = |problem: &str| OauthError::new("invalid_client_metadata", problem);
        if said.get("client_id").and_then(Value::as_str) != Some(&*client.doc.id) {
            return Err(wrong("`client_id`: expected the id of the client"));
        }
        let now = self.house.now() / 1_000_000;
        let secret = said.get("client_secret").map(|secret| secret.as_str().unwrap_or_default());
        if secret.is_some_and(|secret| !client.has_secret(secret, now)) {
            return Err(wrong("`client_secret`: expected the one that it has; this server makes secrets"));
        }
        let Some(registration) = client.doc.registration.clone() else {
            return Err(wrong("the client has not registered itself"));
        };
        let allowed = registration.allowed_scopes.clone();
        let may = self.may(settings, allowed.as_deref(), &client.doc.scopes);
        let metadata = Metadata::read(&said, &may)?;
        // What somebody here has said of the client stays.
        let before = client.doc.clone();
        let mut after = OauthClientDoc {
            skip_consent: before.skip_consent,
            allow_without_pkce: before.allow_without_pkce
                && metadata.authentication != ClientAuthentication::None,
            token_format: before.token_format,
            access_token_lifetime: before.access_token_lifetime,
            refresh_token_lifetime: before.refresh_token_lifetime,
            refresh_limit: before.refresh_limit,
            ..metadata.client(before.id.clone(), registration)
        };
        let mut told_secret = secret.map(str::to_owned);
        if after.authentication == ClientAuthentication::ClientSecret {
            after.secrets.clone_from(&before.secrets);
            if before.authentication != ClientAuthentication::ClientSecret {
                told_secret = Some(new_secret(&mut after)?);
            }
        } else {
            told_secret = None;
        }
        let answer = self.answer(&after, shown, told_secret.as_deref());
        let what = Registration::Changed {
            application: Arc::clone(&client.application),
            before: Box::new(before),
            after: Box::new(after),
        };
        self.house.register(Registering { client: client.doc.id.clone(), address, what }).await?;
        Ok(answer)
    }

    /// Takes a client away, with all its tokens and what users have allowed it.
    pub(crate) async fn unregister(&self, client: &Client, address: IpAddr) -> Result<(), OauthError> {
        let what = Registration::Gone {
            application: Arc::clone(&client.application),
            before: Box::new(client.doc.clone()),
        };
        let id = client.doc.id.clone();
        self.house.register(Registering { client: id.clone(), address, what }).await?;
        Ok(self.forget_client(&id).await?)
    }

    async fn initial_token(&self, shown: &str) -> Result<InitialToken, OauthError> {
        let found = self.store.initial_token(&secret::hash(shown)).await?;
        let now = self.house.now();
        found.filter(|token| token.is_good(now)).ok_or_else(used_up)
    }

    /// What a client may be: with a limit on its scopes, and with those that it has anyway.
    fn may(&self, settings: &RegistrationSettings, limit: Option<&[String]>, has: &[String]) -> May {
        let open = |grant: &&GrantType| self.settings().grants.contains(grant);
        let within = |scope: &&String| limit.is_none_or(|limit| limit.contains(scope));
        let mut scopes: Vec<String> = settings.scopes.iter().filter(within).cloned().collect();
        for scope in has {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        May { grants: settings.grants.iter().filter(open).copied().collect(), scopes }
    }

    /// Counts a client that anybody may register.
    fn may_register(&self, address: IpAddr, now: u64) -> bool {
        let address = counted_as(address).to_string();
        // What one address is refused is not taken from all.
        self.registrations.count(&address, now, WITHIN).1 < OF_ADDRESS
            && self.registrations.count("all", now, WITHIN).1 < OF_ALL
    }

    fn answer(&self, doc: &OauthClientDoc, access: &str, secret: Option<&str>) -> Map<String, Value> {
        let mut answer = doc.registration.as_ref().map(|said| told(doc, said)).unwrap_or_default();
        let uri = format!("{}{REGISTER}/{}", self.issuer(), doc.id);
        answer.insert("registration_client_uri".to_owned(), uri.into());
        answer.insert("registration_access_token".to_owned(), access.into());
        if let Some(secret) = secret {
            answer.insert("client_secret".to_owned(), secret.into());
            // It does not expire.
            answer.insert("client_secret_expires_at".to_owned(), json!(0));
        }
        answer
    }
}

fn used_up() -> OauthError {
    OauthError::invalid_token(true, "the initial access token is not known, is used up, or is over")
}

/// A secret for a client; the client keeps its hash.
fn new_secret(doc: &mut OauthClientDoc) -> Result<String, ServerError> {
    let text = format!("{SECRET}{}", secret::random()?);
    doc.secrets = vec![ClientSecretDoc { hash: format!("sha256:{}", secret::hash(&text)), expires: None }];
    Ok(text)
}

/// A time in microseconds since 1970, as people write it; without what is less than a second.
fn rfc3339(at: u64) -> String {
    let at = i64::try_from(at / 1_000_000).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
