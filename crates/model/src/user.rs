//! Users and groups: people and programs that authenticate with a name and a password.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Secret;

/// Somebody who authenticates with a name and a password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UserDoc {
    /// Unique name, without a colon.
    pub name: String,
    /// Reference to the hash of the password, a text that begins with `$argon2id$`. A user without one cannot
    /// authenticate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// References to what HTTP Digest needs (rules of type `httpDigest`), one for each realm: a line `USER:REALM:HASH`, as
    /// `htdigest` writes it, where the hash is SHA-256 of `USER:REALM:PASSWORD`, or MD5, in hexadecimal digits. Whoever
    /// reads such a line can authenticate with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digest_passwords: Vec<Secret>,
    /// A locked user cannot authenticate, neither at APIs nor at the manager.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// Only the developer portal is there for this user, as for everybody who signed up there: whatever groups and teams
    /// they are in, they have no privilege, and see nothing of the admin API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub portal_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// Address for e-mails to the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Names of the groups that the user is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// Users that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupDoc {
    /// Unique name.
    pub name: String,
    /// What the group is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
