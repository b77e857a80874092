//! Providers elsewhere whose users log in at the console and the portal, by OpenID Connect.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Secret};

/// A provider whose users may log in at the console and the developer portal, in a browser. They are called `NAME:USER`
/// here, so that nobody elsewhere is taken for a user of this gateway, and may do what the groups say that their groups
/// become. They have no password here and no access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginProviderSettings {
    /// Unique name, which names of its users begin with: letters, digits, `_` and `-`.
    pub name: String,
    /// What is on the button of the login page. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The provider, exactly as it calls itself, as in `https://id.example.com/realms/staff`. Below it are its metadata
    /// (`/.well-known/openid-configuration`). Without https it has to be on this machine.
    pub issuer: String,
    /// What the provider calls the gateway.
    pub client_id: String,
    /// Reference to the secret of the gateway there. Default: none, for public clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// Where browsers find the console, as in `https://gateway.example.com:9072`. The provider has to know
    /// `PUBLICURL/api/v1/login/oidc/NAME/callback` as a place to send users back to.
    pub public_url: String,
    /// Scopes that are asked for.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// Claim of the ID token that says who somebody is. It has to be one that is never given to somebody else and that
    /// users cannot choose. `email` counts only when the token says that it is verified.
    #[serde(default = "user_claim")]
    pub user_claim: String,
    /// Claim of the ID token with the groups of somebody: a text, or a list of texts.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// What groups of the provider become here. Whoever is in none of them is not let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<LoginGroup>,
    /// Let whoever is in none of these groups into the developer portal, and nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others_use_portal: bool,
    /// PEM file of the authorities that the provider's certificate is verified against. Default: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Longest wait for the provider.
    #[serde(default = "timeout")]
    pub timeout: Duration,
}

/// What a group of the provider becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoginGroup {
    /// As the claim has it, exactly.
    pub value: String,
    /// The group that its members are in here, such as `API-Gateway-Providers`.
    pub group: String,
}

fn scopes() -> Vec<String> {
    ["openid", "profile"].map(str::to_owned).to_vec()
}

fn user_claim() -> String {
    "sub".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}
