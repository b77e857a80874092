//! By a token of an authorization server: OAuth 2.0 access tokens (RFC 6750, RFC 9068), other JSON Web Tokens, and ID
//! tokens of OpenID Connect. What a token has to be like is said by `engine::authorization_server`.

mod ask;
mod binding;
mod cache;
mod check;
mod found;
mod local;
mod reasons;
mod scopes;
#[cfg(test)]
mod tests;

use std::{rc::Rc, sync::Arc, time::Duration};

use engine::{
    Clock, CompileCx, Exchange, Reason, Timestamp,
    authorization_server::{Asked, AuthorizationServer, TokenUse},
    calls::CallRecord,
    language::Authorization,
};
use http::{HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
use model::Diagnostic;
use tokio::time::timeout;

use super::{
    identifier::{Finding, Found, Identifier, Late},
    replay::Shown,
};
use cache::Known;
use check::{Local, Refusals};
use found::Sent;
pub use reasons::{REASONS, SCOPE};
use scopes::Mapping;

/// How long a request waits for keys.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is written of a rule.
pub(super) struct TokenRule {
    pub servers: Vec<String>,
    pub header: String,
    pub query: String,
    pub scopes: Vec<String>,
    pub require_tls: bool,
    pub used_as: TokenUse,
    pub by: By,
}

/// What an application is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Client,
    Claims,
}

/// The rule, ready for requests.
pub(super) struct ByToken {
    servers: Vec<Arc<AuthorizationServer>>,
    header: HeaderName,
    /// Empty for none.
    query: String,
    /// All of them are needed.
    scopes: Vec<Box<str>>,
    mapping: Mapping,
    require_tls: bool,
    used_as: TokenUse,
    by: By,
    proofs: Arc<Shown>,
    clock: Clock,
}

impl ByToken {
    pub fn compile(rule: TokenRule, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let servers = cx.authorization_servers("servers", &rule.servers)?;
        if rule.header.is_empty() && rule.query.is_empty() {
            return Err(Diagnostic::error("header", "expected `header` or `query`, found none"));
        }
        let header = match rule.header.as_str() {
            "" => AUTHORIZATION,
            name => HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Diagnostic::error("header", format!("found `{name}`, expected the name of a header"))
            })?,
        };
        for (index, scope) in rule.scopes.iter().enumerate() {
            crate::required_scopes::check(scope).map_err(|p| p.under(&format!("scopes[{index}]")))?;
        }
        Ok(Self {
            mapping: Mapping::compile(&servers, cx),
            servers,
            header,
            query: rule.query,
            scopes: rule.scopes.into_iter().map(Into::into).collect(),
            require_tls: rule.require_tls,
            used_as: rule.used_as,
            by: rule.by,
            proofs: cx.keep_shared_state("proofs of possession", Shown::default),
            clock: cx.clock(),
        })
    }

    fn find<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let sent = match found::token(exchange, &self.header, &self.query) {
            None => return Found::Now(Finding::Absent),
            Some(Err(detail)) => return Found::Now(Finding::wrong(&reasons::AMBIGUOUS, detail)),
            Some(Ok(sent)) => sent,
        };
        if self.require_tls
            && !exchange.client.secure
            && !exchange.client.peer.ip().to_canonical().is_loopback()
        {
            return Found::Now(Finding::wrong(&reasons::WITHOUT_TLS, "the request came without TLS"));
        }
        let now = self.clock.now();
        let hash = cache::hash(sent.token, self.used_as);
        if let Some(known) = cache::get(&hash, now, &self.servers) {
            return Found::Now(self.conclude(exchange, &sent, &known, None));
        }
        // Nobody is asked anything for somebody who wants to know what would happen.
        let may_wait = !exchange.dry_run && exchange.caller.is_some();
        match check::local(&self.servers, sent.token, self.used_as, now) {
            Local::Accepted { known, others } if !asks_always(&known.server) => {
                let known = cache::put(hash, known, sent.token.len());
                Found::Now(self.conclude(exchange, &sent, &known, Some(others)))
            }
            local if may_wait => Found::Later(Box::pin(self.wait(exchange, sent, hash, local))),
            local => Found::Now(local.without_asking()),
        }
    }

    /// Goes on where keys or answers have to be waited for.
    async fn wait<'a>(
        &'a self,
        exchange: &'a Exchange,
        sent: Sent<'a>,
        hash: cache::Hash,
        mut local: Local,
    ) -> Late {
        if let Local::Refused { waiting, .. } = &local
            && self.wait_for_keys(exchange, waiting).await
        {
            local = check::local(&self.servers, sent.token, self.used_as, self.clock.now());
        }
        let (verified, asking, others) = match local {
            Local::Accepted { known, others } if asks_always(&known.server) => {
                let server = vec![Arc::clone(&known.server)];
                (Some(known), server, others)
            }
            Local::Accepted { known, others } => {
                let known = cache::put(hash, known, sent.token.len());
                return self.conclude(exchange, &sent, &known, Some(others)).into();
            }
            Local::Refused { asking, refusals, .. } if !asking.is_empty() => (None, asking, refusals.text()),
            local @ Local::Refused { .. } => return local.without_asking().into(),
        };
        let gate = asking.iter().any(|server| is_remembered(server)).then(|| cache::gate(hash));
        let _turn = match &gate {
            Some(gate) => Some(gate.lock().await),
            None => None,
        };
        if let Some(known) = cache::get(&hash, self.clock.now(), &self.servers) {
            return self.conclude(exchange, &sent, &known, None).into();
        }
        let mut calls = Vec::new();
        let known = self.ask(exchange, &sent, verified, &asking, &mut calls).await;
        let finding = match known {
            Ok(known) => {
                let known = cache::put(hash, known, sent.token.len());
                self.conclude(exchange, &sent, &known, Some(others))
            }
            Err(refusals) => refusals.finding(),
        };
        Late { finding, calls }
    }

    /// Waits until keys were fetched for these servers, those of this version being known; `false` when it is too early
    /// for that.
    async fn wait_for_keys(&self, exchange: &Exchange, servers: &[(Arc<AuthorizationServer>, u64)]) -> bool {
        let fetcher = &exchange.snapshot.authorization_servers.fetcher;
        let now = self.clock.now();
        let of_others = |(server, seen): &(Arc<AuthorizationServer>, u64)| match &server.local {
            Some(local) => {
                local.tokens().and_then(|tokens| tokens.catch_up()).map_or(Asked::No, Asked::Fetching)
            }
            None => server.keys.ask(fetcher, now, *seen),
        };
        let asked: Vec<_> = servers.iter().map(of_others).collect();
        let any = asked.iter().any(|asked| !matches!(asked, Asked::No));
        let all = async {
            for asked in asked {
                if let Asked::Fetching(awaited) = asked {
                    awaited.end().await;
                }
            }
        };
        let _ = timeout(PATIENCE, all).await;
        any
    }

    /// Asks servers about a token, one after the other, until one knows it. What is to be remembered is `Ok`.
    async fn ask(
        &self,
        exchange: &Exchange,
        sent: &Sent<'_>,
        mut verified: Option<Known>,
        servers: &[Arc<AuthorizationServer>],
        calls: &mut Vec<CallRecord>,
    ) -> Result<Known, Refusals> {
        let mut refusals = Refusals::default();
        for server in servers {
            let refused = match ask::about(exchange, sent.token, server, self.clock.now(), calls).await {
                Ok(answer) => {
                    return Ok(match verified.take() {
                        Some(known) => known.confirmed(&answer),
                        None => answer.into_known(server),
                    });
                }
                Err(refused) => refused,
            };
            if servers.len() == 1 && is_remembered(server) {
                return Ok(Known::refused(server, &refused, self.clock.now()));
            }
            refusals.add(server, refused.reason, &refused.detail);
        }
        Err(refusals)
    }

    /// From a token that is right to the applications that it belongs to.
    fn conclude(
        &self,
        exchange: &Exchange,
        sent: &Sent<'_>,
        known: &Rc<Known>,
        others: Option<String>,
    ) -> Finding {
        let facts = match &known.facts {
            Ok(facts) => &**facts,
            Err(reason) if std::ptr::eq(*reason, &reasons::UNAVAILABLE) => {
                return Finding::Failed(&reasons::UNAVAILABLE);
            }
            Err(reason) => {
                return Finding::wrong(reason, format!("{} was asked, and refuses it", known.server.name));
            }
        };
        let server = &known.server.name;
        let window = known.server.skew;
        if let Err((reason, detail)) =
            binding::check(exchange, sent, facts, &self.proofs, self.clock.now(), window)
        {
            return Finding::wrong(reason, format!("{server}: {detail}"));
        }
        if let Some(missing) = self.scopes.iter().find(|scope| !facts.has_scope(scope)) {
            return Finding::wrong(&SCOPE, format!("{server}: it lacks the scope {missing}"));
        }
        if !self.mapping.allows(exchange.operation, facts) {
            return Finding::wrong(&SCOPE, format!("{server}: none of its scopes is for this operation"));
        }
        let identifiers = &exchange.snapshot.applications.identifiers;
        let applications = match self.by {
            By::Client => match &facts.client_id {
                Some(client) => identifiers.by_client(server, client).to_vec(),
                None => Vec::new(),
            },
            By::Claims => identifiers.by_claims(&facts.claims),
        };
        let who = Authorization { incoming_token: Some(sent.token.into()), ..facts.who.clone() };
        let finding = Finding::authenticated(who, applications);
        if !exchange.recording {
            return finding;
        }
        let refused = others.filter(|text| !text.is_empty()).map(|text| format!(" ({text})"));
        finding.how(format!("token of {server}{}", refused.unwrap_or_default()))
    }

    fn realm(exchange: &Exchange) -> String {
        let name = exchange.api().map_or("", |api| &api.names.name);
        name.chars().filter(|c| !matches!(c, '"' | '\\') && (' '..='~').contains(c)).collect()
    }
}

impl Identifier for ByToken {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        self.find(exchange)
    }

    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        if !self.query.is_empty() {
            exchange.remove_query_parameter(&self.query);
        }
        // Of Authorization, what was not checked may be meant for the upstream.
        if verified || self.header != AUTHORIZATION {
            exchange.headers.remove(&self.header);
        }
        if verified {
            exchange.headers.remove(&binding::DPOP);
        }
    }

    fn credential(&self) -> Option<HeaderName> {
        Some(self.header.clone())
    }

    fn challenge(&self, exchange: &Exchange) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("Bearer realm=\"{}\"", Self::realm(exchange))).ok()
    }

    fn challenge_for(&self, exchange: &Exchange, reason: &'static Reason) -> Option<HeaderValue> {
        let Some(error) = reasons::error(reason) else {
            return (reason.status == StatusCode::UNAUTHORIZED)
                .then(|| Identifier::challenge(self, exchange))?;
        };
        if error == reasons::INVALID_PROOF {
            return Some(HeaderValue::from_static(
                "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 ES384 ES512 EdDSA PS256 RS256\"",
            ));
        }
        let mut text = format!("Bearer realm=\"{}\", error=\"{error}\"", Self::realm(exchange));
        if std::ptr::eq(reason, &SCOPE) {
            let needed = self.scopes.iter().map(|scope| &**scope);
            let scopes: Vec<&str> = needed.chain(self.mapping.needed(exchange.operation)).collect();
            if !scopes.is_empty() {
                text.push_str(&format!(", scope=\"{}\"", scopes.join(" ")));
            }
        }
        HeaderValue::try_from(text).ok()
    }
}

/// Whether a server is asked about tokens that keys have verified, too.
fn asks_always(server: &AuthorizationServer) -> bool {
    server.introspection.as_ref().is_some_and(|introspection| introspection.always)
}

/// Whether answers of a server are kept for a while.
fn is_remembered(server: &AuthorizationServer) -> bool {
    server.introspection.as_ref().is_some_and(|introspection| !introspection.cache.is_zero())
}

/// Until when something is good that has no end of its own.
const FOREVER: Timestamp = Timestamp(u64::MAX);
