//! Authorization servers: whose tokens are accepted, and how they are checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Duration, Secret, oauth_client::GrantType, upstream::UpstreamTls};

/// A server whose tokens applications show. Tokens that are JSON Web Tokens are verified here, with keys that the server
/// publishes or that are written down; others, and those of servers without keys, are asked about at the server.
///
/// Who issued a token, for whom, with which algorithm and until when is always checked; a token that leaves it open is
/// refused. Keys are fetched when the gateway starts and from time to time, beside requests. While the server is down,
/// the keys that are known go on being used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationServerDoc {
    /// Unique name.
    pub name: String,
    /// What the server is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// It is the internal authorization server, of `settings.authorizationServer`. Then issuer, keys and audience are
    /// known, tokens that say nothing are known, too, and a token that is revoked is refused at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// Product, which says in which claims client, user, scopes and groups are found, and nothing else. What is written
    /// in `claims` counts more.
    #[serde(default, skip_serializing_if = "TokenProvider::is_any")]
    pub provider: TokenProvider,
    /// Claim `iss` of its tokens, to the letter. Default: what the discovery document says, if that document is found
    /// below the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// URL of the metadata of the server, which names issuer and keys. Default, when nothing else says where keys come
    /// from: the issuer with `/.well-known/openid-configuration` behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<String>,
    /// URL of the server's JWK Set, instead of discovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// A JWK Set with public keys, written down. Nothing is fetched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// PEM file with certificates or public keys that verify tokens, such as a truststore. Nothing is fetched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// URL of metadata of SAML 2.0, whose certificates verify `assertions` with `format: saml2`. Default of `issuer`: the
    /// entity id in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml_metadata: Option<String>,
    /// Secret of at least 32 bytes that the server signs with, for HS256, HS384 and HS512. Without it, tokens that are
    /// signed with a secret are refused: `${env:NAME}` or `${file:/path}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Claim `aud`: tokens have to be for one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Accept tokens for anybody. Then whoever gets a token for some other service can use it here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_audience: bool,
    /// Algorithms that tokens may be signed with. Default: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512
    /// and EdDSA; with `secret`, HS256, HS384 and HS512.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<TokenAlgorithm>,
    /// Kinds of access tokens that are accepted, as their header says in `typ`; those that say nothing always are.
    /// Default: `JWT` and `at+jwt`. With `at+jwt` alone, no token that was made for something else is mistaken for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// How far the clocks of server and gateway may differ: up to 10 minutes.
    #[serde(default = "default_skew", skip_serializing_if = "is_default_skew")]
    pub clock_skew: Duration,
    /// Refuse tokens that were issued longer ago, or do not say when. Default: `exp` alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// How often keys are fetched again: at least a minute. A token with an unknown key has them fetched at once, at
    /// most every 10 seconds.
    #[serde(default = "default_refresh", skip_serializing_if = "is_default_refresh")]
    pub key_refresh: Duration,
    /// Asking the server about tokens (RFC 7662).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionDoc>,
    /// Keys for tokens that are encrypted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decryption: Vec<TokenDecryptionKey>,
    /// TLS towards the server.
    #[serde(default, skip_serializing_if = "is_default_tls")]
    pub tls: UpstreamTls,
    /// In which claims things are found.
    #[serde(default, skip_serializing_if = "TokenClaims::is_default")]
    pub claims: TokenClaims,
    /// Scopes that the server knows, for people. With any, `scopeMapping` may name no others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<TokenScope>,
    /// What tokens with a scope may call. An operation that is named here can be called only with one of the scopes
    /// that name it; the others need none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope_mapping: Vec<ScopeMapping>,
    /// Give clients tokens of the internal authorization server for what this one has signed. With it, `audiences` may be
    /// left out: then nothing that the server signs is accepted at APIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertions: Option<AssertionsDoc>,
}

/// Assertions (RFC 7521): what a server has signed, for which clients get tokens of the internal authorization server.
/// The way is open where `jwtBearer`, or `saml2Bearer`, is among `settings.authorizationServer.grants` and `grantTypes` of
/// the client. Each assertion is good for once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssertionsDoc {
    /// What they are. With `saml2`, keys are those of `samlMetadata` or `certificateFile`, and nothing that the server
    /// signs is accepted at APIs.
    #[serde(default, skip_serializing_if = "AssertionFormat::is_default")]
    pub format: AssertionFormat,
    /// Ids of the clients that may bring them.
    #[schemars(length(min = 1))]
    pub clients: Vec<String>,
    /// Whom a token is for.
    #[serde(default)]
    pub acts_for: AssertionSubject,
    /// Claims `sub`, or names of subjects (`NameID`), that count, to the letter; a `*` at the end stands for any rest. With `actsFor: client` it has to be
    /// said, since a server may know many whom you do not; `["*"]` is for all of them. Default with `actsFor: user`: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// With `actsFor: user`: claim with the name of the user here; with dots it leads into nested claims. For SAML, an
    /// attribute. Default: `sub`, or the name of the subject unless that is made anew each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_claim: Option<String>,
    /// Claim `aud`, or `Audience`: assertions have to be for one of these. Default: issuer and token endpoint of the internal server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// Scopes that tokens may have, out of those of the client. Default: all of the client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Longest time since an assertion was made (`iat`, `IssueInstant`): up to a day. One that does not say when is refused.
    #[serde(default = "default_assertion_age", skip_serializing_if = "is_default_assertion_age")]
    pub max_age: Duration,
    /// Take an assertion as often as it is brought, until it is over. For servers that give out one for many uses, such
    /// as Kubernetes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reusable: bool,
}

/// What assertions are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AssertionFormat {
    /// JSON Web Tokens (RFC 7523).
    #[default]
    Jwt,
    /// Assertions of SAML 2.0 (RFC 7522).
    Saml2,
}

impl AssertionFormat {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The way that they are brought by.
    pub fn grant(self) -> GrantType {
        match self {
            Self::Jwt => GrantType::JwtBearer,
            Self::Saml2 => GrantType::Saml2Bearer,
        }
    }
}

/// Whom a token that is given for an assertion is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AssertionSubject {
    /// The client itself: the assertion takes the place of its secret, as for a job in a pipeline.
    #[default]
    Client,
    /// A user here, who is the one that the server means: it can have tokens for whomever it names.
    User,
}

/// Product that issues tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TokenProvider {
    /// Whatever is written in `claims`, or usual.
    #[default]
    Any,
    Auth0,
    EntraId,
    ForgeRock,
    Keycloak,
    Okta,
    PingFederate,
    Wso2Is,
}

impl TokenProvider {
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// Algorithm of a signature (RFC 7518, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
    HS256,
    HS384,
    HS512,
}

/// Asking an authorization server about tokens (RFC 7662).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IntrospectionDoc {
    /// URL of the introspection endpoint.
    pub url: String,
    /// Client that the gateway asks as.
    pub client_id: String,
    /// `${env:NAME}` or `${file:/path}`.
    pub client_secret: Secret,
    /// How long an answer counts, at most until the token expires. A revoked token is accepted for that long. `0s` asks
    /// for each request.
    #[serde(default = "default_cache")]
    pub cache: Duration,
    /// Longest wait for an answer; then the request is refused.
    #[serde(default = "default_timeout")]
    pub timeout: Duration,
    /// Ask about tokens that were verified here, too, so that revoked ones are noticed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// A key for tokens that are encrypted (RFC 7516). What is inside has to be signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenDecryptionKey {
    /// `${env:NAME}` or `${file:/path}`: a private key as PEM (PKCS#8), RSA for RSA-OAEP-256 or on P-256 or P-384 for
    /// ECDH-ES; or a JWK of type `oct` for `dir`, A128KW and A256KW.
    pub key: Secret,
    /// `kid` of the tokens that it is for. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

/// Names of claims. Of several, the first that a token has counts. With dots they lead into nested claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TokenClaims {
    /// Client that the token was issued to. Default: `client_id`, `azp`, `cid`, `appid`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client_id: Vec<String>,
    /// User that the client acts for. Default: `preferred_username`, `username`, `sub`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user_name: Vec<String>,
    /// Scopes, as a text with spaces or as a list. Default: `scope`, `scp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Groups and roles of the user, as a list; all of these claims count. Default: `groups`, `roles`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl TokenClaims {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A scope of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenScope {
    /// Its name.
    pub name: String,
    /// What it allows, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What tokens with a scope may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeMapping {
    /// Scope of the authorization server.
    pub scope: String,
    /// Audience that the token has to be for besides. Default: any that the server's tokens may be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// APIs, or parts of them.
    pub apis: Vec<ScopedApi>,
}

/// An API, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopedApi {
    /// Name of the API, in all its versions.
    pub name: String,
    /// One of its `scopes`, which are sets of operations. Default: all of the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

fn default_skew() -> Duration {
    Duration::from_secs(60)
}

fn is_default_skew(skew: &Duration) -> bool {
    *skew == default_skew()
}

fn default_refresh() -> Duration {
    Duration::from_secs(3_600)
}

fn is_default_refresh(refresh: &Duration) -> bool {
    *refresh == default_refresh()
}

fn default_assertion_age() -> Duration {
    Duration::from_secs(600)
}

fn is_default_assertion_age(age: &Duration) -> bool {
    *age == default_assertion_age()
}

fn default_cache() -> Duration {
    Duration::from_secs(60)
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

fn is_default_tls(tls: &UpstreamTls) -> bool {
    *tls == UpstreamTls::default()
}
