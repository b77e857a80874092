//! API key: identifies the calling application by a key in a header or in the query.

use std::borrow::Cow;

use engine::{
    CompileCx, Compiled, CompiledApi, Exchange, Filter, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict, compile::applications::sha256,
};
use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sent_key::{Repeated, in_header, in_query};

/// Identifies the calling application by an API key. The key is taken out of the request before it goes on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// Header that carries the key.
    #[serde(default = "default_header")]
    header: String,
    /// Query parameter that carries the key when the header is missing; empty for none.
    #[serde(default = "default_query")]
    query: String,
    /// Which applications are looked at.
    #[serde(default)]
    lookup: ApiKeyLookup,
    /// Let requests without any key pass, unidentified. A wrong key is refused all the same.
    #[serde(default)]
    allow_anonymous: bool,
}

/// Which applications are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApiKeyLookup {
    /// Only those that name this API in `apis`.
    #[default]
    Strict,
    /// All.
    Open,
}

fn default_header() -> String {
    "x-Gateway-APIKey".to_owned()
}

fn default_query() -> String {
    "APIKey".to_owned()
}

pub static MISSING: Reason = Reason::new(
    "api_key_missing",
    StatusCode::UNAUTHORIZED,
    "The API asks for an API key, and the request has none.",
);
pub static UNKNOWN: Reason =
    Reason::new("api_key_unknown", StatusCode::UNAUTHORIZED, "The API key belongs to no application.")
        .counted_as_guess();
pub static EXPIRED: Reason =
    Reason::new("api_key_expired", StatusCode::UNAUTHORIZED, "The API key has expired.").counted_as_guess();
pub static ELSEWHERE: Reason = Reason::new(
    "api_key_elsewhere",
    StatusCode::FORBIDDEN,
    "The API key may not be used from this address, or from this web page.",
)
.counted_as_guess();
pub static SUSPENDED: Reason = Reason::new(
    "application_suspended",
    StatusCode::FORBIDDEN,
    "The application is suspended. Its owner can ask the provider of the API to resume it.",
);
pub static NOT_REGISTERED: Reason = Reason::new(
    "application_not_registered",
    StatusCode::FORBIDDEN,
    "The application is known but not registered for this API.",
);

impl Policy for ApiKey {
    const TYPE: &'static str = "apiKey";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    const IDENTIFIES: bool = true;
    const POSTURE: &'static str = "The key may be any text: it is hashed before it is compared, and never written anywhere. More than one key in a place is refused like a wrong one. Header and parameter are taken out of the request even when they were not looked at.";
    const REASONS: &'static [&'static Reason] =
        &[&MISSING, &UNKNOWN, &EXPIRED, &ELSEWHERE, &SUSPENDED, &NOT_REGISTERED];
    const EXAMPLE: &'static str = "header: x-Gateway-APIKey\nlookup: strict\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let header = HeaderName::from_bytes(self.header.as_bytes()).map_err(|_| {
            Diagnostic::error("header", format!("found `{}`, expected the name of a header", self.header))
        })?;
        Ok(Compiled::filter(Identifier {
            header,
            query: self.query,
            lookup: self.lookup,
            allow_anonymous: self.allow_anonymous,
        }))
    }
}

struct Identifier {
    header: HeaderName,
    query: String,
    lookup: ApiKeyLookup,
    allow_anonymous: bool,
}

impl Filter for Identifier {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.identify(exchange))
    }

    fn challenges(&self, _: &Exchange) -> Vec<HeaderValue> {
        vec![HeaderValue::from_static("APIKey")]
    }

    fn credentials(&self) -> Vec<HeaderName> {
        vec![self.header.clone()]
    }
}

impl Identifier {
    fn identify(&self, exchange: &mut Exchange) -> Verdict {
        let sent = match in_header(exchange, &self.header) {
            None if !self.query.is_empty() => in_query(exchange, &self.query),
            sent => sent,
        };
        let hash = match sent.map(|key| key.map(sha256)) {
            None if self.allow_anonymous => return Ok(Outcome::Skipped),
            None => return Err(refuse(&MISSING)),
            Some(hash) => hash,
        };
        exchange.headers.remove(&self.header);
        // Also one that was not looked at: keys do not belong into logs, nor upstream.
        if !self.query.is_empty() {
            exchange.remove_query_parameter(&self.query);
        }
        let hash = hash.map_err(|Repeated| refuse(&UNKNOWN).detail("more than one key"))?;
        let snapshot = exchange.snapshot.clone();
        let Some(entry) = snapshot.applications.by_key(&hash) else { return Err(refuse(&UNKNOWN)) };
        let Some(application) = snapshot.applications.get(entry.application) else {
            return Err(refuse(&UNKNOWN));
        };
        if entry.expires.is_some_and(|expires| expires <= exchange.started) {
            return Err(refuse(&EXPIRED).detail(format!("application {}", application.name)));
        }
        if !entry.admits(&exchange.client, &exchange.headers) {
            return Err(Rejection::new(&ELSEWHERE).detail(format!("application {}", application.name)));
        }
        if application.suspended {
            return Err(Rejection::new(&SUSPENDED).detail(format!("application {}", application.name)));
        }
        entry.used.at(exchange.started);
        if self.lookup == ApiKeyLookup::Strict && !exchange.may_call(entry.application)
            // Whoever asks for a subscription tells what is missing.
            && !exchange.api().is_some_and(CompiledApi::offers_plans)
        {
            return Err(Rejection::new(&NOT_REGISTERED)
                .detail(format!("application {} does not name this API in `apis`", application.name)));
        }
        exchange.application = Some(entry.application);
        exchange.note(|| Cow::Owned(["application ", &application.name].concat()));
        Ok(Outcome::Passed)
    }
}

fn refuse(reason: &'static Reason) -> Box<Rejection> {
    Rejection::new(reason).header(WWW_AUTHENTICATE, HeaderValue::from_static("APIKey"))
}
