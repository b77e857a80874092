//! Settings of the manager: who gets in, and how long for.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Duration, TlsDoc, ldap::LdapSettings, mail::PasswordResetSettings,
    open_id_connect::LoginProviderSettings, saml::SamlProviderSettings,
};

/// The control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ManagerSettings {
    /// Keep assets beside what the configuration files say, and let the admin API change them.
    pub enabled: bool,
    /// IP address and port of the admin API. Without `tls` passwords go over it in clear: then keep it on loopback.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Certificates of the admin API and the console. Files that change are read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDoc>,
    /// Secrets and files of the node that assets may refer to: `env:NAME` and `file:PATH`, where a `*` at the end
    /// stands for any rest, as in `file:/run/secrets/*`. Default: none, since whoever may change an API could send
    /// them anywhere. `url:https://specs.internal/*` lets APIs have their definitions from there, also when that is at
    /// a private address, where they may not have them from otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// Show APIs, applications and plans only to the teams that they are assigned to. With `false` everybody who may log in
    /// sees all of them.
    pub enable_team_work: bool,
    /// Keep in the audit log what assets were like before and after each change. Secrets are no part of that.
    pub audit_payload: bool,
    /// A directory whose users may log in, too, instead of `settings.ldap`; at APIs they are nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSettings>,
    /// Providers elsewhere whose users may log in, too, by OpenID Connect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_id_connect: Vec<LoginProviderSettings>,
    /// Identity providers elsewhere whose users may log in, too, by SAML 2.0.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub saml: Vec<SamlProviderSettings>,
    /// How long people stay logged in to the console.
    pub sessions: Sessions,
    /// What passwords of users have to be like.
    pub passwords: Passwords,
    /// When nobody may log in with a name for a while, because too many passwords for it were wrong.
    pub account_lock: AccountLock,
    /// Whether users with a password here need a second factor, codes of an app (TOTP), to log in.
    pub second_factor: SecondFactor,
    /// How users who have forgotten their password get a new one. Default: they ask whoever manages users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_reset: Option<PasswordResetSettings>,
}

/// Whether users with a password here need a second factor to log in. Users of LDAP, OpenID Connect and SAML are not asked for
/// one here, and access tokens are not either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecondFactor {
    /// Whoever has set one up is asked for it.
    #[default]
    Optional,
    /// Whoever has none sets one up at the next login, before anything else.
    Required,
}

/// How long people stay logged in to the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Sessions {
    /// Whoever does nothing for so long is logged out.
    pub idle: Duration,
    /// Whoever logged in so long ago is logged out, whatever they do.
    pub longest: Duration,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30 * 60), longest: Duration::from_secs(12 * 60 * 60) }
    }
}

/// What passwords of users have to be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Passwords {
    /// Fewest characters.
    pub min_length: u32,
    /// Fewest letters that are capital.
    pub upper_case: u32,
    /// Fewest letters that are small.
    pub lower_case: u32,
    /// Fewest digits.
    pub digits: u32,
    /// Fewest characters that are neither letters nor digits.
    pub special: u32,
    /// A password that is so old has to be changed at the next login. Default: passwords do not grow old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<Duration>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { min_length: 12, upper_case: 0, lower_case: 0, digits: 0, special: 0, expire_after: None }
    }
}

/// When nobody may log in with a name for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountLock {
    /// So many wrong passwords for a name, from all addresses together, lock it. 0: it is never locked.
    pub attempts: u32,
    /// How long wrong passwords count after the first of them, and so how long a name stays locked.
    pub within: Duration,
}

impl Default for AccountLock {
    fn default() -> Self {
        Self { attempts: 30, within: Duration::from_secs(15 * 60) }
    }
}

impl Default for ManagerSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9072)),
            tls: None,
            references: Vec::new(),
            enable_team_work: false,
            audit_payload: false,
            ldap: None,
            open_id_connect: Vec::new(),
            saml: Vec::new(),
            sessions: Sessions::default(),
            passwords: Passwords::default(),
            account_lock: AccountLock::default(),
            second_factor: SecondFactor::default(),
            password_reset: None,
        }
    }
}
