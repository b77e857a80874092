//! Applications: the consumers of APIs, and the identifiers that requests recognise them by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IpRange, Secret, oauth_client::OauthClientDoc};

/// A consumer of APIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationDoc {
    /// Unique name.
    pub name: String,
    /// What the application is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Version of the application, also in `${request.application.version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who answers for the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Name of the user whose application it is in the developer portal, and who may change it and its keys there.
    /// Default: nobody's. `owner` is for people to read, and gives nobody a right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal_user: Option<String>,
    /// How the owner is reached, such as an e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Names of the teams that manage it, when `settings.manager.enableTeamWork` is on. Default: everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Anything else that is worth knowing about the application, also in `${request.application.attributes.NAME}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What the application is recognised by, beside its keys.
    #[serde(default, skip_serializing_if = "IdentifiersDoc::is_empty")]
    pub identifiers: IdentifiersDoc,
    /// Keys that identify the application. Two live keys allow a rotation without interruption.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<ApiKeyDoc>,
    /// Clients of the internal authorization server, by which it gets tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oauth_clients: Vec<OauthClientDoc>,
    /// Keys that the application signs requests with, for rules of type `hmacSignature` and `httpMessageSignature`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKeyDoc>,
    /// Names of the APIs that the application may call. Default: none but through lookup `open`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<String>,
    /// Origins of the application's web pages, such as `https://shop.example`. The policy `cors` of the APIs that it
    /// may call lets them in, beside those that it names itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
    /// A suspended application is recognised and refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// What an application is recognised by. Several applications may share an identifier; then the one written first is
/// taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentifiersDoc {
    /// Addresses of clients: `10.0.0.7`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<IpRange>,
    /// Names of the hosts of clients, in any case, for rules of type `hostName`: `client.example.com`, or
    /// `*.example.com` for all names that end so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_names: Vec<String>,
    /// Headers with exactly these values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderIdentifier>,
    /// Texts in the body of the request, each the whole of what a rule of type `payloadElement` selects; upper and
    /// lower case differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payload: Vec<String>,
    /// Client certificates: PEM, or the fingerprint as `sha256:` and 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Names of users who authenticate with a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_names: Vec<String>,
    /// Clients of authorization servers, for rules of type `oauth2Token`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<ClientIdentifier>,
    /// Tokens of other systems. They are kept and compared with nothing: `clientIds` and `claims` recognise tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Sets of claims, of which a token must have all of one, for rules of type `jwtClaims` and `openIdClaims`. Values are
    /// compared as texts; of a list in a token, one item is enough. A name with dots leads into nested claims. Where
    /// several authorization servers are trusted, name `iss`, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<BTreeMap<String, String>>,
}

impl IdentifiersDoc {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A client of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientIdentifier {
    /// Client id, to the letter.
    pub id: String,
    /// Name of the authorization server, since clients of two servers may have the same id. Default: the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A header that identifies an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderIdentifier {
    /// Name of the header.
    pub name: String,
    /// Its whole value; upper and lower case differ.
    pub value: String,
}

/// An API key: the hash of one, or a reference to where its value is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeyDoc {
    /// `sha256:` and 64 hexadecimal digits, as `gatewright key` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Reference to the key itself; it is hashed when the configuration is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Secret>,
    /// RFC 3339 time at which the key was made, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// RFC 3339 time after which the key is refused. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Addresses of clients that may use the key: `10.0.0.7`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<IpRange>,
    /// Origins of web pages that may use the key, such as `https://shop.example` or `https://*.shop.example`; what
    /// browsers say in `Origin`, or else in `Referer`, is compared. Other programs can send what they like, so that this
    /// keeps a key out of other people's pages and not out of other people's hands. Default: all, also none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrers: Vec<String>,
}

/// A key that an application signs requests with: a secret that both know, or a public key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SigningKeyDoc {
    /// What requests call the key; unique over all applications. At most 128 characters: letters, digits and `._:@/-`.
    pub id: String,
    /// Reference to a secret of at least 32 bytes, as it is, for HMAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Public key or certificate as PEM, for HTTP message signatures: RSA of at least 2048 bits, P-256 or Ed25519.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// RFC 3339 time after which the key is refused. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
