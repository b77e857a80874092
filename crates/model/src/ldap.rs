//! A directory of users, asked over LDAP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Secret};

/// A directory whose users may log in at the manager, beside those that are assets. They may do what the groups say that
/// their groups in the directory become. A user who is an asset has no password in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapSettings {
    /// `ldaps://ldap.example.com`, or `ldap://ldap.example.com` with `startTls`. Without TLS it has to be on this machine:
    /// passwords go over it.
    pub url: String,
    /// Begin TLS on a connection that is made without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub start_tls: bool,
    /// PEM file of the authorities that the directory's certificate is verified against. Default: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Who looks users and groups up, as in `cn=reader,dc=example,dc=com`. Default: nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_dn: Option<String>,
    /// Reference to the password of `bindDn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind_password: Option<Secret>,
    /// Where users are, as in `ou=people,dc=example,dc=com`.
    pub user_base: String,
    /// How a user is found; `{user}` is the name. It has to find one.
    #[serde(default = "user_filter")]
    pub user_filter: String,
    /// Where groups are. Default: users have none, and may do nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_base: Option<String>,
    /// How the groups of a user are found; `{dn}` is where the user is, `{user}` the name.
    #[serde(default = "group_filter")]
    pub group_filter: String,
    /// What groups of the directory become here. A user without any of them is not let in.
    pub groups: Vec<LdapGroup>,
    /// Longest wait for the directory.
    #[serde(default = "timeout")]
    pub timeout: Duration,
}

/// What a group of the directory becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LdapGroup {
    /// Where it is in the directory, as in `cn=ops,ou=groups,dc=example,dc=com`, in any case.
    pub dn: String,
    /// The group that its members are in here, such as `API-Gateway-Providers`.
    pub group: String,
}

fn user_filter() -> String {
    "(uid={user})".to_owned()
}

fn group_filter() -> String {
    "(member={dn})".to_owned()
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}
