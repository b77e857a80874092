//! What can be written of a rule, and the rule that is made from it. How it recognises somebody is left to its file.

use std::collections::BTreeMap;

use engine::{CompileCx, authorization_server::TokenUse};
use http::HeaderName;
use model::{Diagnostic, IpRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    api_key, basic, certificate,
    digest::IdentifyDigest,
    header,
    hmac::IdentifyHmac,
    host_name,
    identifier::Identifier,
    ip_address,
    message_signature::IdentifyMessageSignature,
    payload,
    token::{By, ByToken, TokenRule},
};

/// How an application is recognised.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum IdentifyRule {
    /// By one of its `apiKeys`. Wherever a key may be, it is taken out. A key that is there twice in one place, even the
    /// same one, identifies nobody.
    ApiKey {
        /// Header that carries the key; empty for none.
        #[serde(default = "default_key_header")]
        header: String,
        /// Query parameter that carries the key when the header is missing; empty for none.
        #[serde(default = "default_key_query")]
        query: String,
        /// Cookie that carries the key when both are missing; empty for none.
        #[serde(default)]
        cookie: String,
    },
    /// By the address of the client, among `identifiers.ipAddresses`.
    IpAddress {},
    /// By the name of the client's address, among `identifiers.hostNames`. The name is what the name service says the
    /// address is called, and counts only if the name has that address, too.
    ///
    /// A name is believed for 5 minutes, an address without one is asked for again after 10 seconds. At most 10,000
    /// addresses are remembered by each worker, at most 16 are looked up at once, and a request waits for 2 seconds.
    /// What is not found out by then identifies nobody. Dry runs and `gatewright test` look nothing up.
    HostName {},
    /// By a header with its value, among `identifiers.headers`. A header that is sent twice identifies nobody.
    Header {},
    /// By a value in the body, among `identifiers.payload`. Which expression is used is decided by the content type:
    /// `jsonPath` for JSON, `xpath` for XML, `regex` for text and forms; `settings.contentTypes` adds types. Without a
    /// Content-Type the first character decides.
    ///
    /// The expression has to select exactly one value, and the whole of it is compared. A body that cannot be read as
    /// what it is said to be, is compressed, has a DTD, or has a JSON object with one name twice, identifies nobody.
    /// Operations that have this rule read the body of every request, up to `limits.bufferedBodySize`, before anybody
    /// is known.
    PayloadElement {
        /// For XML: XPath 1.0, such as `//o:tenant`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        xpath: Option<String>,
        /// Prefixes in `xpath`, with the namespaces that they stand for.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        namespaces: BTreeMap<String, String>,
        /// For JSON: RFC 9535, such as `$.tenant`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        json_path: Option<String>,
        /// For text and forms. Of an expression with groups, the first group is the value, else the whole match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        regex: Option<String>,
    },
    /// By the certificate that the client authenticated with, among `identifiers.certificates`.
    HttpsCertificate {
        /// Header in which a load balancer that ends TLS passes the certificate on: as PEM with percent signs, as
        /// base64 of PEM, or as base64 of DER. Empty for none. It is taken out of every request.
        #[serde(default = "default_certificate_header")]
        header: String,
        /// Networks of those load balancers. From anybody else the header means nothing. They must have checked the
        /// certificate, and must not pass on a header that a client made up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trusted_peers: Vec<IpRange>,
    },
    /// By a user and a password (RFC 7617). The user is one of `users`, or of the directory of `settings.ldap`; the
    /// application has it among `identifiers.userNames`.
    HttpBasic {
        /// What clients are told that they authenticate for. Default: the name of the API.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        realm: Option<String>,
    },
    /// By a user and a password, of which only a hash is sent (RFC 7616). The user is one of `users` and has
    /// `digestPasswords`, the application has it among `identifiers.userNames`. Clients that ask first get a nonce, which
    /// is good on this node only, and on another one is answered with `stale`.
    HttpDigest(IdentifyDigest),
    /// By a signature over the request, made with a secret among `signingKeys` of the application. What is signed is in
    /// the guide, under signed requests.
    HmacSignature(IdentifyHmac),
    /// By an HTTP message signature (RFC 9421), made with a key among `signingKeys` of the application.
    HttpMessageSignature(IdentifyMessageSignature),
    /// By an access token (RFC 6750) of one of `authorizationServers`: the client that it was issued to is among
    /// `identifiers.clientIds`. What the token may call is said by `scopes`, by `scopeMapping` of the server, and by the
    /// policy `requiredScopes`.
    ///
    /// A token that is bound to a certificate (RFC 8705) counts only on a connection with that certificate, one that is
    /// bound to a key (RFC 9449) only with a header `DPoP` that proves it.
    Oauth2Token(IdentifyToken),
    /// By a JSON Web Token of one of `authorizationServers`: the token has all claims of a set among
    /// `identifiers.claims`. Apart from that, as `oauth2Token`.
    JwtClaims(IdentifyToken),
    /// By an ID token of OpenID Connect: the token has all claims of a set among `identifiers.claims`. `audiences` of the
    /// authorization server then name the clients whose ID tokens are taken; access tokens that say what they are in
    /// `typ` are refused.
    OpenIdClaims(IdentifyIdToken),
}

/// Where a token is, and what it needs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyToken {
    /// Names of the servers whose tokens count. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    servers: Vec<String>,
    /// Header that carries the token, after `Bearer` or `DPoP`. In another header than `Authorization`, the token may
    /// also stand alone.
    #[serde(default = "default_token_header")]
    header: String,
    /// Query parameter that carries the token when the header is missing; empty for none. URLs end up in logs and
    /// histories, and with them the token.
    #[serde(default)]
    query: String,
    /// Scopes that the token needs, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// Refuse tokens that came without TLS, to the gateway or to a trusted proxy. Connections from the same machine are
    /// not asked.
    #[serde(default = "yes")]
    require_tls: bool,
}

/// Where an ID token is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyIdToken {
    /// Names of the servers whose tokens count. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    servers: Vec<String>,
    /// Header that carries the token, after `Bearer`. In another header than `Authorization`, the token may also stand
    /// alone.
    #[serde(default = "default_token_header")]
    header: String,
    /// Query parameter that carries the token when the header is missing; empty for none. URLs end up in logs and
    /// histories, and with them the token.
    #[serde(default)]
    query: String,
    /// Refuse tokens that came without TLS, to the gateway or to a trusted proxy. Connections from the same machine are
    /// not asked.
    #[serde(default = "yes")]
    require_tls: bool,
}

impl IdentifyToken {
    fn compile(self, by: By, cx: &mut CompileCx<'_>) -> Result<Box<dyn Identifier>, Diagnostic> {
        let Self { servers, header, query, scopes, require_tls } = self;
        let used_as = TokenUse::Access;
        let rule = TokenRule { servers, header, query, scopes, require_tls, used_as, by };
        Ok(Box::new(ByToken::compile(rule, cx)?))
    }
}

/// A rule, ready for requests.
pub(super) fn compile(rule: IdentifyRule, cx: &mut CompileCx<'_>) -> Result<Box<dyn Identifier>, Diagnostic> {
    Ok(match rule {
        IdentifyRule::ApiKey { header, query, cookie } => {
            if header.is_empty() && query.is_empty() && cookie.is_empty() {
                return Err(Diagnostic::error("", "expected `header`, `query` or `cookie`, found none"));
            }
            let header = optional_header("header", &header)?;
            Box::new(api_key::ByApiKey { header, query, cookie })
        }
        IdentifyRule::IpAddress {} => Box::new(ip_address::ByAddress),
        IdentifyRule::HostName {} => Box::new(host_name::ByHostName),
        IdentifyRule::Header {} => Box::new(header::ByHeader),
        IdentifyRule::HttpsCertificate { header, trusted_peers } => Box::new(certificate::ByCertificate {
            header: optional_header("header", &header)?,
            trusted_peers,
        }),
        IdentifyRule::PayloadElement { xpath, namespaces, json_path, regex } => {
            Box::new(payload::ByPayload::compile(xpath, &namespaces, json_path, regex)?)
        }
        IdentifyRule::HttpBasic { realm } => {
            check_realm(realm.as_deref())?;
            Box::new(basic::ByPassword { realm, accounts: cx.accounts(), directory: cx.user_directory() })
        }
        IdentifyRule::HttpDigest(digest) => Box::new(digest.compile(cx)?),
        IdentifyRule::HmacSignature(hmac) => Box::new(hmac.compile(cx)?),
        IdentifyRule::HttpMessageSignature(signature) => Box::new(signature.compile(cx)?),
        IdentifyRule::Oauth2Token(token) => token.compile(By::Client, cx)?,
        IdentifyRule::JwtClaims(token) => token.compile(By::Claims, cx)?,
        IdentifyRule::OpenIdClaims(IdentifyIdToken { servers, header, query, require_tls }) => {
            let (used_as, by) = (TokenUse::Identity, By::Claims);
            let rule = TokenRule { servers, header, query, scopes: Vec::new(), require_tls, used_as, by };
            Box::new(ByToken::compile(rule, cx)?)
        }
    })
}

/// What clients are told that they authenticate for stands between quotes.
pub(super) fn check_realm(realm: Option<&str>) -> Result<(), Diagnostic> {
    match realm {
        Some(realm) if !realm.bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'"' && b != b'\\') => {
            let found = format!("found `{realm}`, expected ASCII text without quotes and backslashes");
            Err(Diagnostic::error("realm", found))
        }
        _ => Ok(()),
    }
}

pub(super) fn optional_header(path: &str, name: &str) -> Result<Option<HeaderName>, Diagnostic> {
    if name.is_empty() {
        return Ok(None);
    }
    HeaderName::from_bytes(name.as_bytes())
        .map(Some)
        .map_err(|_| Diagnostic::error(path, format!("found `{name}`, expected the name of a header")))
}

fn default_token_header() -> String {
    "Authorization".to_owned()
}

fn yes() -> bool {
    true
}

fn default_key_header() -> String {
    "x-Gateway-APIKey".to_owned()
}

fn default_key_query() -> String {
    "APIKey".to_owned()
}

fn default_certificate_header() -> String {
    "X-Client-Cert".to_owned()
}
