//! Clients of the internal authorization server: what applications show that they are who they say.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::{
    Duration,
    authorization_server::TokenAlgorithm,
    client_registration::{ClientRegistrationDoc, RegistrationSettings},
    listener::TlsDoc,
};

/// The internal authorization server (OAuth 2.0). Its clients are in `oauthClients` of applications;
/// users have their passwords of the manager. It needs the manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationServerSettings {
    /// URL that tokens name as `iss`, and under which clients reach the server: https, or http on loopback. The paths of
    /// the server begin with the path of this URL.
    pub issuer: String,
    /// IP address and port that the server listens on. Without `tls`, publish it as an API of the gateway, or put TLS
    /// in front.
    #[serde(default = "default_address")]
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// TLS for `address`, with files. Files that change are read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDoc>,
    /// Claim `aud` of access tokens. Default: the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What access tokens are like. Clients may say otherwise.
    #[serde(default)]
    pub token_format: TokenFormat,
    /// What JSON Web Tokens are signed with: any but HS256, HS384 and HS512.
    #[serde(default = "default_algorithm")]
    pub signing_algorithm: TokenAlgorithm,
    /// How long a retired signing key goes on being published. At least as long as a token lasts.
    #[serde(default = "default_overlap")]
    pub key_overlap: Duration,
    /// How long an access token counts, or `never` for no end, which is for opaque tokens only.
    #[serde(default = "default_access")]
    pub access_token_lifetime: TokenLifetime,
    /// How long a refresh token counts, or `never` for no end. Each refresh gives a new one.
    #[serde(default = "default_refresh")]
    pub refresh_token_lifetime: TokenLifetime,
    /// How often what a user has allowed may be refreshed. Default: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_limit: Option<NonZeroU32>,
    /// How long a code of the authorization endpoint counts: up to an hour. It is good for once.
    #[serde(default = "default_code")]
    pub authorization_code_lifetime: Duration,
    /// How long a user has to type the code that a device shows: up to an hour.
    #[serde(default = "default_code")]
    pub device_code_lifetime: Duration,
    /// How long an ID token counts.
    #[serde(default = "default_id_token")]
    pub id_token_lifetime: Duration,
    /// How long a browser stays logged in at the authorization server: up to 30 days.
    #[serde(default = "default_login")]
    pub login_lifetime: Duration,
    /// Addresses and ranges of what stands in front, such as the gateway that publishes the server. What they say in
    /// `X-Forwarded-For` is where a request comes from, for which wrong passwords are counted.
    #[serde(default = "default_proxies")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Ways to a token that are open. A client has to be allowed them, too. Default: all but `password`,
    /// `jwtBearer` and `saml2Bearer`.
    #[serde(default = "default_grants")]
    pub grants: Vec<GrantType>,
    /// How often expired tokens are deleted.
    #[serde(default = "default_clean_up")]
    pub clean_up_every: Duration,
    /// Let clients register themselves (RFC 7591). Default: nobody but administrators makes clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationSettings>,
}

fn default_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9082))
}

fn default_algorithm() -> TokenAlgorithm {
    TokenAlgorithm::RS256
}

fn default_overlap() -> Duration {
    Duration::from_secs(86_400)
}

fn default_access() -> TokenLifetime {
    TokenLifetime::For(Duration::from_secs(3_600))
}

fn default_refresh() -> TokenLifetime {
    TokenLifetime::For(Duration::from_secs(30 * 86_400))
}

fn default_code() -> Duration {
    Duration::from_secs(600)
}

fn default_id_token() -> Duration {
    Duration::from_secs(3_600)
}

fn default_login() -> Duration {
    Duration::from_secs(8 * 3_600)
}

fn default_proxies() -> Vec<IpNet> {
    vec![
        Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 32).into(),
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
    ]
}

/// What is open unless somebody says otherwise. A way that is added is not, before somebody decides so here.
fn default_grants() -> Vec<GrantType> {
    vec![
        GrantType::AuthorizationCode,
        GrantType::ClientCredentials,
        GrantType::RefreshToken,
        GrantType::DeviceCode,
        GrantType::TokenExchange,
    ]
}

fn default_clean_up() -> Duration {
    Duration::from_secs(3_600)
}

/// What access tokens are like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TokenFormat {
    /// Random text that says nothing. Only the gateway, and whoever asks it, knows what it stands for.
    #[default]
    Opaque,
    /// A signed JSON Web Token (RFC 9068), which everybody with the public key can read and verify.
    Jwt,
}

/// A way to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GrantType {
    /// A user logs in here and allows it: the authorization code of OAuth 2.0, with PKCE, and of OpenID Connect.
    AuthorizationCode,
    /// The client acts for itself.
    ClientCredentials,
    /// A refresh token gives new tokens.
    RefreshToken,
    /// A device without a browser shows a code, and a user who types it elsewhere allows it (RFC 8628).
    DeviceCode,
    /// A token that was issued here, for one of the client's own (RFC 8693): for services that call other services on
    /// behalf of whoever called them.
    TokenExchange,
    /// A token that a server elsewhere has signed, for one of this server (RFC 7523): of those in `authorizationServers`
    /// that have `assertions`.
    JwtBearer,
    /// An assertion of SAML 2.0 that a server elsewhere has signed, for a token of this server (RFC 7522): of those in
    /// `authorizationServers` whose `assertions` have `format: saml2`.
    Saml2Bearer,
    /// The client passes a user's password on. It sees it: only for old clients of one's own.
    Password,
}

impl GrantType {
    pub const ALL: [Self; 8] = [
        Self::AuthorizationCode,
        Self::ClientCredentials,
        Self::RefreshToken,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::JwtBearer,
        Self::Saml2Bearer,
        Self::Password,
    ];

    /// Whether it is only for clients that prove who they are. An assertion proves more than a client with a secret does.
    pub fn needs_proof(self) -> bool {
        matches!(self, Self::ClientCredentials | Self::TokenExchange | Self::Password)
    }

    /// As requests name it in `grant_type`.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::Saml2Bearer => "urn:ietf:params:oauth:grant-type:saml2-bearer",
            Self::Password => "password",
        }
    }
}

/// How long a token counts: a length of time, or `never` for no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLifetime {
    For(Duration),
    /// It never expires.
    Never,
}

impl TokenLifetime {
    /// `None` for no end.
    pub fn get(self) -> Option<std::time::Duration> {
        match self {
            Self::For(duration) => Some(duration.get()),
            Self::Never => None,
        }
    }
}

impl fmt::Display for TokenLifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(duration) => duration.fmt(f),
            Self::Never => f.write_str("never"),
        }
    }
}

impl FromStr for TokenLifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            text => text.parse().map(Self::For).map_err(|problem: String| format!("{problem}, or never")),
        }
    }
}

impl Serialize for TokenLifetime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenLifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for TokenLifetime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenLifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h|d|w)|never)$",
            "description": "A number with a unit: ms, s, m, h, d or w; or `never` for no end.",
            "examples": ["1h", "never"],
        })
    }
}

/// A client of the internal authorization server, by which an application gets tokens. A token that it gets identifies
/// the application, for rules of type `oauth2Token`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OauthClientDoc {
    /// Client id, unique among all applications: letters, digits and `-._~`.
    pub id: String,
    /// How the client proves who it is.
    #[serde(default)]
    pub authentication: ClientAuthentication,
    /// Secrets, as hashes. Two live ones allow a rotation without interruption.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<ClientSecretDoc>,
    /// Subject of the certificate that a client with `tlsClientAuth` shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_subject: Option<TlsSubjectDoc>,
    /// JWK Set with the public keys of a client with `privateKeyJwt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Ways to a token that it may take.
    #[serde(default = "default_client_grants")]
    pub grant_types: Vec<GrantType>,
    /// What users are told that it is called. Default: the name of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where browsers may be sent with an authorization code, to the letter: https URLs; http on loopback, where any
    /// port will do for an address such as 127.0.0.1; or a scheme of the client's own such as `com.example.app:/back`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after they were logged out, to the letter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Do not ask users whether they allow it. For clients of one's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_consent: bool,
    /// Give tokens only to whoever proves to have a key, and bind them to it (DPoP, RFC 9449). Without it, tokens are bound
    /// when the client sends a proof.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_dpop: bool,
    /// Bind tokens to the certificate that the client shows in the TLS handshake (RFC 8705), also where it proves in another way
    /// who it is. Needs `tls` of the authorization server with `clientCertificate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub certificate_bound_tokens: bool,
    /// Refuse requests for authorization that the client has not sent to `/par` before (RFC 9126).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_requests: bool,
    /// Codes are given out without PKCE (RFC 7636), too. Only for old clients with a secret or a key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_without_pkce: bool,
    /// Scopes that it may ask for. A token has those that were asked for, and no others. For OpenID Connect: `openid`,
    /// and `profile`, `email` and `groups` for what is said of the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Instead of what the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_format: Option<TokenFormat>,
    /// Instead of what the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<TokenLifetime>,
    /// Instead of what the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_lifetime: Option<TokenLifetime>,
    /// Instead of what the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_limit: Option<NonZeroU32>,
    /// The client has registered itself, and looks after its registration. The authorization server writes this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<ClientRegistrationDoc>,
    /// Made in the developer portal by the user whose application it is, who looks after it there. Users are told that
    /// nobody here knows it. The portal writes this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_service: bool,
}

fn default_client_grants() -> Vec<GrantType> {
    vec![GrantType::ClientCredentials]
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClientAuthentication {
    /// With one of its secrets, in `Authorization: Basic` or in the form.
    #[default]
    ClientSecret,
    /// With a JSON Web Token that it signs (RFC 7523).
    PrivateKeyJwt,
    /// With a certificate in the TLS handshake (RFC 8705), of an authority that `tls` of the authorization server names.
    TlsClientAuth,
    /// Not at all: a public client, such as an app or a page in a browser, which could keep no secret. It gets tokens
    /// only for users who log in, and for assertions of servers that are trusted.
    None,
}

/// Subject of a certificate: one of these (RFC 8705, 2.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSubjectDoc {
    /// Its whole subject, as RFC 4514 writes it: `CN=shop,O=Example,C=DE`. Upper and lower case differ in values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dn: Option<String>,
    /// A host name among its subject alternative names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<String>,
    /// A URI among them, such as `spiffe://example.org/shop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// An IP address among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// An e-mail address among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl TlsSubjectDoc {
    /// How many of them are written.
    pub fn count(&self) -> usize {
        let written = [
            self.dn.is_some(),
            self.dns.is_some(),
            self.uri.is_some(),
            self.ip.is_some(),
            self.email.is_some(),
        ];
        written.into_iter().filter(|is_written| *is_written).count()
    }
}

/// A secret of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSecretDoc {
    /// `sha256:` and 64 hexadecimal digits of a long random text, as `gatewright key` prints it.
    pub hash: String,
    /// RFC 3339 time after which the secret is refused. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}
