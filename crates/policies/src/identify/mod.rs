//! Identify and authorize: finds out which application calls, by one of several rules or by all of them. How a rule
//! recognises somebody is left to its file; a new kind is a file, a variant of `IdentifyRule` and a line in `rules.rs`.

mod api_key;
mod basic;
mod certificate;
mod decide;
mod digest;
mod header;
mod hmac;
mod host_name;
mod identifier;
mod ip_address;
mod message_signature;
mod parameters;
mod payload;
mod replay;
mod rules;
mod signed;
mod strip;
#[cfg(test)]
mod tests;
mod token;

use engine::{CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Policy, Reason, Stage, Step};
use http::{HeaderName, HeaderValue, StatusCode};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api_key::{ELSEWHERE, EXPIRED, NOT_REGISTERED, SUSPENDED, UNKNOWN};
use identifier::{Found, Identifier};
pub use rules::IdentifyRule;
use strip::NamePattern;
pub use token::SCOPE;

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
    /// Headers that tell the upstream who calls. They are taken out of every request, also as trailers, so that no client
    /// can make them up. A `*` at the end stands for any rest.
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

fn default_identity_headers() -> Vec<String> {
    vec!["X-Application-*".to_owned()]
}

pub static MISSING: Reason = Reason::new(
    "credentials_missing",
    StatusCode::UNAUTHORIZED,
    "The API asks for credentials, and the request has none.",
);
pub static INVALID: Reason =
    Reason::new("credentials_invalid", StatusCode::UNAUTHORIZED, "The user or the password is wrong.")
        .counted_as_guess();
pub static NOT_IDENTIFIED: Reason = Reason::new(
    "application_not_identified",
    StatusCode::FORBIDDEN,
    "The request does not belong to an application that may use this API.",
)
.counted_as_guess();
pub static BUSY: Reason = Reason::new(
    "credentials_check_busy",
    StatusCode::SERVICE_UNAVAILABLE,
    "Too many passwords are being checked. Try again in a moment.",
);
pub static DIRECTORY_AWAY: Reason = Reason::new(
    "directory_away",
    StatusCode::SERVICE_UNAVAILABLE,
    "The directory of users cannot be asked. Try again later.",
);

/// Those of all rules, then those of signed requests and those of tokens.
const ALL_REASONS: [&Reason; OWN.len() + signed::REASONS.len() + token::REASONS.len()] = {
    let mut all = [&MISSING; OWN.len() + signed::REASONS.len() + token::REASONS.len()];
    let (signed, tokens) = (OWN.len(), OWN.len() + signed::REASONS.len());
    let mut place = 0;
    while place < all.len() {
        all[place] = if place < signed {
            OWN[place]
        } else if place < tokens {
            signed::REASONS[place - signed]
        } else {
            token::REASONS[place - tokens]
        };
        place += 1;
    }
    all
};
const OWN: [&Reason; 11] = [
    &MISSING,
    &INVALID,
    &digest::STALE,
    &UNKNOWN,
    &EXPIRED,
    &ELSEWHERE,
    &SUSPENDED,
    &NOT_REGISTERED,
    &NOT_IDENTIFIED,
    &BUSY,
    &DIRECTORY_AWAY,
];

impl Policy for IdentifyAndAuthorize {
    const TYPE: &'static str = "identifyAndAuthorize";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    const EXCLUDES: &'static [&'static str] = &["apiKey"];
    const IDENTIFIES: bool = true;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "Nothing that the client sends is believed before it was compared: keys by their hash, passwords by argon2id on threads of their own, as many at once as there are cores, or by the directory of users, which is asked for one password once at a time. A certificate in a header counts only from `trustedPeers`. Of a token nothing counts before its signature, issuer, audience and times were checked, or its server has answered for it; what it is bound to has to be shown with each request. A signed request counts once, within `maxAge`, and with its body only if the signature covers that. Bodies are looked at only where a rule asks for that, and go on as they are: the upstream sees the value that identified somebody. Whoever owns an address says what it is called, so that a name counts only when it leads back to the address; it is worth what the name service is worth.";
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
            rules::compile(rule, cx).map_err(|problem| problem.under(&format!("rules[{index}]")))
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

    fn owns_header(&self, name: &str) -> bool {
        self.identity_headers.iter().any(|pattern| pattern.matches(name.as_bytes()))
    }

    fn credentials(&self) -> Vec<HeaderName> {
        self.rules.iter().filter_map(|rule| rule.credential()).collect()
    }
}
