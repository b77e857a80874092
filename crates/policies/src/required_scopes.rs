//! Required scopes: refuses tokens without the scopes that an operation asks for. Who the token is of is found out by
//! `identifyAndAuthorize`.

use engine::{CompileCx, Compiled, Exchange, Filter, Outcome, Policy, Reason, Rejection, Stage, Step};
use http::{HeaderValue, header::WWW_AUTHENTICATE};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identify::SCOPE;

/// Lets only those calls pass whose token has scopes (RFC 6749, 3.3). A call that was identified by something else than a
/// token has none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequiredScopes {
    /// Scopes as tokens have them. Upper and lower case differ.
    #[schemars(length(min = 1))]
    scopes: Vec<String>,
    /// Whether all of them are needed, or one is enough.
    #[serde(default, rename = "match")]
    connector: RequiredScopesMatch,
}

/// How scopes are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RequiredScopesMatch {
    /// All of them are needed.
    #[default]
    All,
    /// One is enough.
    Any,
}

impl Policy for RequiredScopes {
    const TYPE: &'static str = "requiredScopes";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    // After whoever finds out what the token says.
    const ORDER: i8 = 1;
    const NEEDS_APPLICATION: bool = true;
    const REASONS: &'static [&'static Reason] = &[&SCOPE];
    const POSTURE: &'static str =
        "Only scopes of a token that was verified count; what the client says of itself does not.";
    const EXAMPLE: &'static str = "scopes: [orders.read]\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        for (index, scope) in self.scopes.iter().enumerate() {
            check(scope).map_err(|problem| problem.under(&format!("scopes[{index}]")))?;
        }
        // RFC 6750, 3.
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", self.scopes.join(" "));
        Ok(Compiled::filter(Asked {
            challenge: HeaderValue::try_from(challenge)
                .map_err(|_| Diagnostic::error("scopes", "expected ASCII text"))?,
            scopes: self.scopes.into_iter().map(Into::into).collect(),
            all: self.connector == RequiredScopesMatch::All,
        }))
    }
}

/// Whether a text can be a scope (RFC 6749, 3.3).
pub(crate) fn check(scope: &str) -> Result<(), Diagnostic> {
    let fits = |b: u8| (0x21..0x7f).contains(&b) && b != b'"' && b != b'\\';
    if !scope.is_empty() && scope.bytes().all(fits) {
        return Ok(());
    }
    Err(Diagnostic::error(
        "",
        format!("found `{scope}`, expected a scope without spaces, such as orders.read"),
    ))
}

struct Asked {
    scopes: Box<[Box<str>]>,
    all: bool,
    challenge: HeaderValue,
}

impl Filter for Asked {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let known = exchange.authorization().and_then(|known| known.scopes.as_deref()).unwrap_or_default();
        let has = |scope: &str| known.iter().any(|known| **known == *scope);
        let allowed = match self.all {
            true => self.scopes.iter().all(|scope| has(scope)),
            false => self.scopes.iter().any(|scope| has(scope)),
        };
        if allowed {
            return Step::Done(Ok(Outcome::Passed));
        }
        let missing = self.scopes.iter().find(|scope| !has(scope)).map_or("", |scope| &**scope);
        let rejection = Rejection::new(&SCOPE).detail(format!("the token lacks the scope {missing}"));
        Step::Done(Err(rejection.header(WWW_AUTHENTICATE, self.challenge.clone())))
    }
}
