//! Identity providers elsewhere whose users log in at the console and the portal, by SAML 2.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, open_id_connect::LoginGroup};

/// An identity provider whose users may log in at the console and the developer portal, in a browser. They are called
/// `NAME:USER` here, so that nobody elsewhere is taken for a user of this gateway, and may do what the groups say that
/// their groups become. They have no password here and no access tokens. Assertions have to be signed, or the responses
/// around them, by RSA or ECDSA with SHA-256 and more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SamlProviderSettings {
    /// Unique name, also among those of `openIdConnect`, which names of its users begin with: letters, digits, `_` and
    /// `-`.
    pub name: String,
    /// What is on the button of the login page. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The identity provider: where browsers are sent to, and whose signatures count.
    pub identity_provider: SamlIdentityProvider,
    /// Where browsers find the console, as in `https://gateway.example.com:9072`. The provider has to know
    /// `PUBLICURL/api/v1/login/saml/NAME/acs` as the place to send responses to (HTTP-POST).
    pub public_url: String,
    /// What the provider calls the gateway. Default: `PUBLICURL/api/v1/login/saml/NAME/metadata`, where the metadata of
    /// the gateway are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// PEM file with the certificate of `keyFile`, for the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// PEM file with a private key of the gateway (PKCS#8). It opens assertions that are encrypted, by RSA-OAEP and
    /// AES-GCM, and signs requests. Default: none, so that assertions have to come as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Sign requests with `keyFile`, also when the provider does not say that it wants that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sign_requests: bool,
    /// Attribute that says who somebody is, by its `Name`. It has to be one that is never given to somebody else and that
    /// users cannot choose. Default: the name of the subject (`NameID`), unless that is made anew for each login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_attribute: Option<String>,
    /// Attribute with the groups of somebody, by its `Name`.
    #[serde(default = "groups_attribute")]
    pub groups_attribute: String,
    /// What groups of the provider become here. Whoever is in none of them is not let in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<LoginGroup>,
    /// Let whoever is in none of these groups into the developer portal, and nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others_use_portal: bool,
    /// Take responses that nobody here asked for, when people begin at the provider. Whoever gets somebody to open a page
    /// of theirs could then log them in as somebody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_unsolicited: bool,
    /// PEM file of the authorities that the certificate of `metadataUrl` is verified against. Default: those of the
    /// system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Longest wait for the provider's metadata.
    #[serde(default = "timeout")]
    pub timeout: Duration,
}

/// An identity provider, by its metadata, in one of three ways, or by `entityId`, `ssoUrl` and `certificateFile`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SamlIdentityProvider {
    /// Where its metadata are. They are read again from time to time, so that its keys may change. Without https it has to
    /// be on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<String>,
    /// File with its metadata, which is read again from time to time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_file: Option<String>,
    /// Its metadata, written here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// What it calls itself. With metadata it is needed only where these are of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// Where it takes requests (HTTP-Redirect).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sso_url: Option<String>,
    /// PEM file with the certificates whose keys it signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
}

fn groups_attribute() -> String {
    "groups".to_owned()
}

fn timeout() -> Duration {
    Duration::from_secs(5)
}
