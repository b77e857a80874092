//! Identify and authorize: finds out which application calls, by one of several rules or by all of them. How a rule
//! recognises somebody is left to its file; a new kind is a file, a variant of `IdentifyRule` and a line in `compile`.

mod api_key;
mod basic;
mod certificate;
mod decide;
mod header;
mod host_name;
mod identifier;
mod ip_address;
mod payload;
mod strip;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;

use engine::authorization_server::TokenUse;
use engine::{CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Policy, Reason, Stage, Step};
use http::{HeaderName, HeaderValue, StatusCode};
use model::{Diagnostic, IpRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api_key::{EXPIRED, NOT_REGISTERED, SUSPENDED, UNKNOWN};
use identifier::{Found, Identifier};
use strip::NamePattern;
pub use token::SCOPE;
use token::{By, ByToken, TokenRule};

/// Identifies the calling application, and refuses callers that it cannot identify. Credentials that were checked are
/// taken out of the request before it goes on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentifyAndAuthorize {
    /// Whether one rule is enough, or all of them have to agree on the same application.
    #[serde(default, rename = "match")]
    connector: IdentifyMatch,
    /// Which applications are looked at.
    #[serde(default)]
    lookup: IdentifyLookup,
    /// Let every request pass, also with wrong credentials and of suspended applications. Applications that are
    /// recognised are still known to the policies after this one.
    #[serde(default)]
    allow_anonymous: bool,
    /// Name of the application that calls count for when no other one is recognised, with lookup `relaxed` and with
    /// `allowAnonymous`. Default: they count for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_application: Option<String>,
    /// Leave credentials in the request, so that the upstream sees them.
    #[serde(default)]
    keep_credentials: bool,
    /// Headers that tell the upstream who calls. They are taken out of every request, so that no client can make them
    /// up. A `*` at the end stands for any rest.
    #[serde(default = "default_identity_headers")]
    identity_headers: Vec<String>,
    /// How applications are recognised, in the order that the rules are tried. At least one.
    rules: Vec<IdentifyRule>,
}

/// How rules are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum IdentifyMatch {
    /// The first rule that recognises an application decides.
    #[default]
    Any,
    /// Every rule has to recognise the same application.
    All,
}

/// Which applications are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum IdentifyLookup {
    /// Only those that name this API in `apis`.
    #[default]
    Strict,
    /// All.
    Open,
    /// All, and callers whose credentials are right but belong to no application pass as well. Wrong or missing
    /// credentials are refused all the same.
    Relaxed,
}

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
    /// By a user and a password (RFC 7617). The user is one of `users`, the application has it among
    /// `identifiers.userNames`.
    HttpBasic {
        /// What clients are told that they authenticate for. Default: the name of the API.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        realm: Option<String>,
    },
    /// By an access token (RFC 6750) of one of `authorizationServers`: the client that it was issued to is among
    /// `identifiers.clientIds`. What the token may call is said by `scopes`, by `scopeMapping` of the server, and by the
    /// policy `requiredScopes`.
    ///
    /// A token that is bound to a certificate (RFC 8705) counts only on a connection with that certificate, one that is
    /// bound to a key (RFC 9449) only with a header `DPoP` that proves it.
    Oauth2Token {
        /// Names of the servers whose tokens count. Default: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        servers: Vec<String>,
        /// Header that carries the token, after `Bearer` or `DPoP`. In another header than `Authorization`, the token
        /// may also stand alone.
        #[serde(default = "default_token_header")]
        header: String,
        /// Query parameter that carries the token when the header is missing; empty for none. URLs end up in logs and
        /// histories, and with them the token.
        #[serde(default)]
        query: String,
        /// Scopes that the token needs, all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
        /// Refuse tokens that came without TLS, to the gateway or to a trusted proxy. Connections from the same machine
        /// are not asked.
        #[serde(default = "yes")]
        require_tls: bool,
    },
    /// By a JSON Web Token of one of `authorizationServers`: the token has all claims of a set among
    /// `identifiers.claims`. Apart from that, as `oauth2Token`.
    JwtClaims {
        /// Names of the servers whose tokens count. Default: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        servers: Vec<String>,
        /// Header that carries the token, after `Bearer` or `DPoP`. In another header than `Authorization`, the token
        /// may also stand alone.
        #[serde(default = "default_token_header")]
        header: String,
        /// Query parameter that carries the token when the header is missing; empty for none. URLs end up in logs and
        /// histories, and with them the token.
        #[serde(default)]
        query: String,
        /// Scopes that the token needs, all of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
        /// Refuse tokens that came without TLS, to the gateway or to a trusted proxy. Connections from the same machine
        /// are not asked.
        #[serde(default = "yes")]
        require_tls: bool,
    },
    /// By an ID token of OpenID Connect: the token has all claims of a set among `identifiers.claims`. `audiences` of the
    /// authorization server then name the clients whose ID tokens are taken; access tokens that say what they are in
    /// `typ` are refused.
    OpenIdClaims {
        /// Names of the servers whose tokens count. Default: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        servers: Vec<String>,
        /// Header that carries the token, after `Bearer`. In another header than `Authorization`, the token may also
        /// stand alone.
        #[serde(default = "default_token_header")]
        header: String,
        /// Query parameter that carries the token when the header is missing; empty for none. URLs end up in logs and
        /// histories, and with them the token.
        #[serde(default)]
        query: String,
        /// Refuse tokens that came without TLS, to the gateway or to a trusted proxy. Connections from the same machine
        /// are not asked.
        #[serde(default = "yes")]
        require_tls: bool,
    },
}

fn default_token_header() -> String {
    "Authorization".to_owned()
}

fn yes() -> bool {
    true
}

fn default_identity_headers() -> Vec<String> {
    vec!["X-Application-*".to_owned()]
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

pub static MISSING: Reason = Reason::new(
    "credentials_missing",
    StatusCode::UNAUTHORIZED,
    "The API asks for credentials, and the request has none.",
);
pub static INVALID: Reason =
    Reason::new("credentials_invalid", StatusCode::UNAUTHORIZED, "The user or the password is wrong.");
pub static NOT_IDENTIFIED: Reason = Reason::new(
    "application_not_identified",
    StatusCode::FORBIDDEN,
    "The request does not belong to an application that may use this API.",
);
pub static BUSY: Reason = Reason::new(
    "credentials_check_busy",
    StatusCode::SERVICE_UNAVAILABLE,
    "Too many passwords are being checked. Try again in a moment.",
);

/// Those of tokens after those of all rules.
const ALL_REASONS: [&Reason; 8 + token::REASONS.len()] = {
    let mut all: [&Reason; 8 + token::REASONS.len()] = [&MISSING; 8 + token::REASONS.len()];
    let own: [&Reason; 8] =
        [&MISSING, &INVALID, &UNKNOWN, &EXPIRED, &SUSPENDED, &NOT_REGISTERED, &NOT_IDENTIFIED, &BUSY];
    let mut place = 0;
    while place < all.len() {
        all[place] = if place < 8 { own[place] } else { token::REASONS[place - 8] };
        place += 1;
    }
    all
};

impl Policy for IdentifyAndAuthorize {
    const TYPE: &'static str = "identifyAndAuthorize";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    const EXCLUDES: &'static [&'static str] = &["apiKey"];
    const IDENTIFIES: bool = true;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "Nothing that the client sends is believed before it was compared: keys by their hash, passwords by argon2id on threads of their own, as many at once as there are cores. A certificate in a header counts only from `trustedPeers`. Of a token nothing counts before its signature, issuer, audience and times were checked, or its server has answered for it; what it is bound to has to be shown with each request. Bodies are looked at only where a rule asks for that, and go on as they are: the upstream sees the value that identified somebody. Whoever owns an address says what it is called, so that a name counts only when it leads back to the address; it is worth what the name service is worth.";
    const REASONS: &'static [&'static Reason] = &ALL_REASONS;
    const EXAMPLE: &'static str = "match: any\nlookup: strict\nrules:\n  - type: apiKey\n  - type: ipAddress\n  - type: httpBasic\n    realm: partners\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.rules.is_empty() {
            return Err(
                Diagnostic::error("rules", "found none, expected at least one").help("add `- type: apiKey`")
            );
        }
        let rules = self.rules.into_iter().enumerate();
        let rules = rules.map(|(index, rule)| {
            compile_rule(rule, cx).map_err(|problem| problem.under(&format!("rules[{index}]")))
        });
        let identity_headers = self.identity_headers.iter().enumerate().map(|(index, name)| {
            NamePattern::parse(name).ok_or_else(|| {
                Diagnostic::error(
                    format!("identityHeaders[{index}]"),
                    format!("found `{name}`, expected the name of a header, with `*` at its end if at all"),
                )
            })
        });
        Ok(Compiled::filter(Authorizer {
            rules: rules.collect::<Result<_, _>>()?,
            identity_headers: identity_headers.collect::<Result<_, _>>()?,
            connector: self.connector,
            lookup: self.lookup,
            allow_anonymous: self.allow_anonymous,
            default_application: self.default_application.map(Into::into),
            keep_credentials: self.keep_credentials,
        }))
    }
}

fn compile_rule(rule: IdentifyRule, cx: &mut CompileCx<'_>) -> Result<Box<dyn Identifier>, Diagnostic> {
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
            if let Some(realm) = &realm
                && !realm.bytes().all(|b| (b' '..0x7f).contains(&b) && b != b'"' && b != b'\\')
            {
                return Err(Diagnostic::error(
                    "realm",
                    format!("found `{realm}`, expected ASCII text without quotes and backslashes"),
                ));
            }
            Box::new(basic::ByPassword { realm })
        }
        IdentifyRule::Oauth2Token { servers, header, query, scopes, require_tls } => {
            let (used_as, by) = (TokenUse::Access, By::Client);
            let rule = TokenRule { servers, header, query, scopes, require_tls, used_as, by };
            Box::new(ByToken::compile(rule, cx)?)
        }
        IdentifyRule::JwtClaims { servers, header, query, scopes, require_tls } => {
            let (used_as, by) = (TokenUse::Access, By::Claims);
            let rule = TokenRule { servers, header, query, scopes, require_tls, used_as, by };
            Box::new(ByToken::compile(rule, cx)?)
        }
        IdentifyRule::OpenIdClaims { servers, header, query, require_tls } => {
            let (used_as, by) = (TokenUse::Identity, By::Claims);
            let rule = TokenRule { servers, header, query, scopes: Vec::new(), require_tls, used_as, by };
            Box::new(ByToken::compile(rule, cx)?)
        }
    })
}

fn optional_header(path: &str, name: &str) -> Result<Option<HeaderName>, Diagnostic> {
    if name.is_empty() {
        return Ok(None);
    }
    HeaderName::from_bytes(name.as_bytes())
        .map(Some)
        .map_err(|_| Diagnostic::error(path, format!("found `{name}`, expected the name of a header")))
}

/// The policy, ready for requests.
struct Authorizer {
    rules: Box<[Box<dyn Identifier>]>,
    identity_headers: Box<[NamePattern]>,
    connector: IdentifyMatch,
    lookup: IdentifyLookup,
    allow_anonymous: bool,
    default_application: Option<Box<str>>,
    keep_credentials: bool,
}

impl Filter for Authorizer {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        // As long as nobody has to wait, nothing is boxed.
        let mut findings = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let finding = match rule.identify(exchange) {
                Found::Now(finding) => Some(finding),
                Found::Later(_) => None,
            };
            let Some(finding) = finding else {
                return Step::Later(Box::pin(self.wait(exchange, findings)));
            };
            findings.push(finding);
            if self.is_settled(exchange, &findings) {
                break;
            }
        }
        Step::Done(self.conclude(exchange, findings))
    }

    fn needs(&self) -> Needs {
        let request_body = self.rules.iter().any(|rule| rule.looks_into_bodies());
        Needs { request_body, ..Needs::default() }
    }

    fn challenges(&self, exchange: &Exchange) -> Vec<HeaderValue> {
        self.rules.iter().filter_map(|rule| rule.challenge(exchange)).collect()
    }

    fn credentials(&self) -> Vec<HeaderName> {
        self.rules.iter().filter_map(|rule| rule.credential()).collect()
    }
}
