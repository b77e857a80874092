//! A directory of users, asked over LDAP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Secret};

/// A directory whose users are known beside the users here. They are in the groups that their groups in the directory
/// become. A user who is here has no password in the directory.
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
    /// The attribute that has the name of a user, which is what they are called here however they have typed it. Of
    /// several values the first by alphabet; without any, where the user is in the directory. Default: the attribute that
    /// `userFilter` compares with `{user}` first, such as `uid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_attribute: Option<String>,
    /// Where groups are. Default: users have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_base: Option<String>,
    /// How the groups of a user are found; `{dn}` is where the user is, `{user}` the name that `nameAttribute`
    /// has.
    #[serde(default = "group_filter")]
    pub group_filter: String,
    /// What groups of the directory become here. The manager does not let a user in who has none of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<LdapGroup>,
    /// Longest wait for the directory.
    #[serde(default = "timeout")]
    pub timeout: Duration,
    /// How long a password that was right counts without the directory being asked again: for so long, a user who is gone
    /// there and a password that was changed there go on counting here. `0s`: it is asked each time.
    #[serde(default = "remember")]
    pub remember: Duration,
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

fn remember() -> Duration {
    Duration::from_secs(60)
}
