//! Clients that register themselves at the internal authorization server: what they may be, and what is kept of them.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::oauth_client::GrantType;

/// Clients register themselves at `/register`, and look after their registration there (RFC 7591, RFC 7592). Each gets an
/// application of its own. Whoever registers shows an initial access token, which administrators make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// Anybody may register, without an initial access token. Users are told that nobody here knows such a client.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Ways to a token that they may take, out of `grants`: any but `password`, `jwtBearer` and
    /// `saml2Bearer`.
    #[schemars(length(min = 1))]
    pub grants: Vec<GrantType>,
    /// Scopes that they may have. A client that does not say which gets all of them. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Names of the APIs that their applications may call. Default: none but through lookup `open`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<String>,
    /// Name of a plan: each of the APIs is then subscribed to by it, instead of being named by the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Names of the teams that manage their applications, unless the initial access token says otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Clients that may be registered at a time.
    pub max_clients: NonZeroU32,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            open: false,
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scopes: Vec::new(),
            apis: Vec::new(),
            plan: None,
            teams: Vec::new(),
            max_clients: const { NonZeroU32::new(1_000).expect("it is not 0") },
        }
    }
}

/// What a client that has registered itself has said, and who may change it. Without it, the client is not one that looks
/// after itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientRegistrationDoc {
    /// RFC 3339 time of the registration.
    pub at: String,
    /// `sha256:` and 64 hexadecimal digits of the registration access token, with which the client changes itself.
    pub token_hash: String,
    /// Name of the initial access token that was shown. Missing where anybody may register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_token: Option<String>,
    /// Scopes that it may have, where the initial access token had a limit. Default: those of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_scopes: Option<Vec<String>>,
    /// It has said that it sends its secret in the form. Both ways are taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub posts_secret: bool,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo. Nothing is fetched from there, and nobody is shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// What it does with data about people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// How the people behind it are reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// The software that it is, the same for all its instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Version of that software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}
