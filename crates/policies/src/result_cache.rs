//! Result cache: answers again what was answered before, without a call to the native service.

mod control;
mod key;
mod store;
mod stored;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Headers, Needs, Outcome, Policy, Reason, Rejection,
    Stage, Step, Timestamp, Verdict,
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{
        AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE, SET_COOKIE, UPGRADE,
    },
};
use model::{ByteSize, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use control::{Directives, explicit_lifetime};
use key::{Criteria, Digest};
use store::{Answers, Store, Version};
use stored::Stored;

/// Keeps answers of the native service and gives them to the next ones who ask the same. Answers to GET are kept, and
/// HEAD is answered from them; answers to POST only where parts of the body are in the key. Answers with `Set-Cookie`,
/// `Vary: *` or a part of a body are never kept. Whatever Vary names is part of the key by itself.
///
/// A request that changes something (POST, PUT, PATCH, DELETE) and succeeds makes what is kept under the same path
/// unusable. `POST /apis/{name}/{version}/cache/purge` on the operations listener makes all of it so; a change of the
/// policy's configuration does, too, but no other change of the API. Decision records say what became of a request: a
/// hit, a miss, or why it passed by.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultCache {
    /// Who decides how long an answer is kept.
    #[serde(default)]
    mode: ResultCacheMode,
    /// How long an answer is kept. Needed with mode `simple`; with `rfc9111` it is for answers that say nothing
    /// themselves, which are not kept without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<model::Duration>,
    /// What two requests need to have in common, beside method, scheme, host and path.
    #[serde(default)]
    key: ResultCacheKey,
    /// Longer bodies are not kept; at most 1GiB.
    #[serde(default = "largest_payload")]
    largest_payload: ByteSize,
    /// Memory for all answers of the API. The least recently used ones make room; for a moment there may be a little
    /// more.
    #[serde(default = "total_size")]
    total_size: ByteSize,
}

/// Who decides how long an answer is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ResultCacheMode {
    /// The configuration: answers with 200 and 203 are kept for `ttl`, whatever they or the client say.
    #[default]
    Simple,
    /// Both sides, as HTTP has it (RFC 9111, as a shared cache): Cache-Control, Expires and Age count, answers that
    /// have become stale are asked for again with `If-None-Match` or `If-Modified-Since`, and a client may ask for a
    /// fresh answer. An answer of any status is kept that says for how long it is fresh.
    ///
    /// What the RFC leaves open: nothing is guessed from Last-Modified (`ttl` takes the place of that), parts of bodies are
    /// neither kept nor cut out of what is kept, nothing stale is given out unless the client accepts it, and
    /// `stale-while-revalidate`, `stale-if-error` and `CDN-Cache-Control` have no effect. The age of an answer is counted
    /// from its request on and from its Age; a Date in the past does not make it older.
    Rfc9111,
}

/// What two requests need to have in common.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResultCacheKey {
    /// Query parameters that count. Default: all, in any order.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<Vec<String>>,
    /// Headers that count. Name here whatever the native service's answer depends on without saying so in Vary: a
    /// client could otherwise have an answer kept for all others that only it should get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    /// Which callers get each other's answers.
    callers: ResultCacheCallers,
    /// JSONPath expressions; what they select in the body of a POST counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    json_path: Vec<String>,
    /// XPath expressions; what they select in the body of a POST counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    x_path: Vec<String>,
    /// Prefixes in the XPath expressions, with their namespaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    namespaces: BTreeMap<String, String>,
}

/// Which callers get each other's answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ResultCacheCallers {
    /// None: application, user, `Authorization` and `Cookie` count. Callers without any of them are one caller.
    #[default]
    Apart,
    /// Those of one application.
    Application,
    /// All of them. Only for answers that do not depend on who asks.
    Together,
}

fn largest_payload() -> ByteSize {
    ByteSize::mib(1)
}

fn total_size() -> ByteSize {
    ByteSize::mib(64)
}

pub static NOT_CACHED: Reason = Reason::new(
    "not_cached",
    StatusCode::GATEWAY_TIMEOUT,
    "The client asked for an answer that is kept here, and there is none.",
);

impl Policy for ResultCache {
    const TYPE: &'static str = "resultCache";
    const STAGE: Stage = Stage::TrafficMonitoring;
    /// After quotas, which count answers wherever they come from.
    const ORDER: i8 = 1;
    const ON_FAILURE: FailMode = FailMode::Open;
    const POSTURE: &'static str = "Keys are hashes, and memory has a limit, so that nobody fills it up by asking for much. Answers are told apart by caller unless the configuration says otherwise; a header that is neither in the key nor in Vary is trusted not to change the answer.";
    const REASONS: &'static [&'static Reason] = &[&NOT_CACHED];
    const EXAMPLE: &'static str = "mode: simple\nttl: 5m\nkey:\n  query: [page, size]\n  headers: [Accept-Language]\n  callers: application\nlargestPayload: 256KiB\ntotalSize: 32MiB\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let shape = serde_json::to_string(&self)
            .map_err(|error| Diagnostic::error("", format!("cannot be written down: {error}")))?;
        let ttl = self.ttl.map(model::Duration::get);
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(Diagnostic::error("ttl", "found 0s, expected at least 1ms")
                .help("disable or remove the policy to keep nothing"));
        }
        if ttl.is_none() && self.mode == ResultCacheMode::Simple {
            return Err(Diagnostic::error("ttl", "missing, expected how long answers are kept")
                .help("add `ttl: 5m`, or `mode: rfc9111` to let the native service decide"));
        }
        let (largest, total) = (self.largest_payload.get(), self.total_size.get());
        if largest > ByteSize::mib(1_024).get() {
            let found = self.largest_payload;
            return Err(Diagnostic::error("largestPayload", format!("found {found}, expected at most 1GiB")));
        }
        if total < largest {
            let problem = format!(
                "found {}, expected at least largestPayload, {}",
                self.total_size, self.largest_payload
            );
            return Err(Diagnostic::error("totalSize", problem));
        }
        let criteria = Criteria::compile(self.key, cx.language())?;
        let store = cx.keep_state(Store::default);
        let answers = store.answers(shape, total);
        let by_http = self.mode == ResultCacheMode::Rfc9111;
        let largest = self.largest_payload.as_usize();
        Ok(Compiled::filter(Keeper { store, answers, criteria, by_http, ttl, largest }))
    }
}

struct Keeper {
    store: Arc<Store>,
    answers: Answers,
    criteria: Criteria,
    by_http: bool,
    ttl: Option<Duration>,
    largest: usize,
}

/// A request on its way to the upstream, for when the answer comes.
struct Pending {
    store: Arc<Store>,
    version: Version,
    what: Wanted,
}

enum Wanted {
    /// It changes something.
    Write,
    /// Its answer may be kept.
    Answer(Box<Asked>),
}

struct Asked {
    key: Digest,
    authorized: bool,
    /// The headers of the request as they were here; Vary and the client's conditions are about these.
    headers: Headers,
    /// The upstream was asked whether this has changed.
    stale: Option<Arc<Stored>>,
}

impl Filter for Keeper {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.look(exchange))
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(Ok(self.learn(exchange)))
    }

    fn needs(&self) -> Needs {
        self.criteria.needs()
    }

    fn purge(&self) {
        self.store.purge(&self.answers);
    }
}

impl Keeper {
    fn look(&self, exchange: &mut Exchange) -> Verdict {
        let version = self.store.version(exchange.uri.path());
        let is_read = match exchange.method {
            Method::GET | Method::HEAD => true,
            Method::POST => self.criteria.looks_into_bodies(),
            _ => false,
        };
        if !is_read {
            if !exchange.method.is_safe() && !exchange.dry_run {
                let store = Arc::clone(&self.store);
                exchange.hold(Pending { store, version, what: Wanted::Write });
            }
            return Ok(Outcome::Skipped);
        }
        let wishes = if self.by_http { Directives::of(&exchange.headers) } else { Directives::default() };
        let pass = |exchange: &mut Exchange, why: &'static str| {
            exchange.note(|| why.into());
            Ok(Outcome::Skipped)
        };
        if wishes.no_store {
            return pass(exchange, "passed by: the client says no-store");
        }
        let odd = [RANGE, UPGRADE, IF_MATCH, IF_UNMODIFIED_SINCE];
        if odd.iter().any(|name| exchange.headers.contains_key(name)) {
            return pass(exchange, "passed by: it asks for a part, or under conditions");
        }
        let Some(key) = self.criteria.digest(exchange) else {
            return pass(exchange, "passed by: the body has nothing of the key");
        };
        let found = store::find(&self.answers, &key, &exchange.headers, version);
        if let Some(stored) = found.as_ref().filter(|stored| stored.is_usable(exchange.started, &wishes)) {
            exchange.note(|| "hit".into());
            exchange.from_cache = true;
            let conditions = std::mem::take(&mut exchange.headers);
            let outcome = stored.answer(exchange, &conditions);
            exchange.headers = conditions;
            return Ok(outcome);
        }
        if wishes.only_if_cached {
            return Err(Rejection::new(&NOT_CACHED));
        }
        if exchange.method == Method::HEAD || exchange.dry_run {
            return pass(exchange, "miss");
        }
        let authorized = exchange.headers.contains_key(AUTHORIZATION);
        let headers = exchange.headers.clone();
        let stale = found.filter(|stored| self.by_http && stored.has_validator());
        let outcome = match &stale {
            Some(stored) => {
                ask_again(exchange, stored);
                exchange.note(|| "stale: the upstream is asked whether it has changed".into());
                Outcome::Changed
            }
            None => {
                exchange.note(|| "miss".into());
                Outcome::Passed
            }
        };
        let what = Wanted::Answer(Box::new(Asked { key, authorized, headers, stale }));
        exchange.hold(Pending { store: Arc::clone(&self.store), version, what });
        Ok(outcome)
    }

    fn learn(&self, exchange: &mut Exchange) -> Outcome {
        let mine = |pending: &Pending| Arc::ptr_eq(&pending.store, &self.store);
        let Some(pending) = exchange.take_held(mine) else { return Outcome::Skipped };
        // What the gateway itself says about a failure is not the upstream's answer.
        if exchange.reason.is_some() {
            return Outcome::Skipped;
        }
        let asked = match pending.what {
            Wanted::Answer(asked) => *asked,
            Wanted::Write if exchange.status.as_u16() < 400 => {
                self.store.written(pending.version);
                exchange.note(|| "what was kept under this path is out of date".into());
                return Outcome::Passed;
            }
            Wanted::Write => return Outcome::Skipped,
        };
        let renewed = asked.stale.as_ref().filter(|_| exchange.status == StatusCode::NOT_MODIFIED);
        if let Some(stale) = renewed {
            self.renew(exchange, stale, &asked, pending.version);
            return Outcome::Changed;
        }
        match self.keep(exchange, asked, pending.version) {
            Ok(()) => {
                exchange.note(|| "kept".into());
                Outcome::Passed
            }
            Err(why) => {
                exchange.note(|| ["not kept: ", why].concat().into());
                Outcome::Skipped
            }
        }
    }

    /// The upstream says that the stale answer is still right.
    fn renew(&self, exchange: &mut Exchange, stale: &Stored, asked: &Asked, version: Version) {
        let headers = stale.headers_after(&exchange.response_headers);
        let lifetime = self.lifetime(stale.status, &headers, asked.authorized, exchange.started);
        let (lifetime, must_revalidate) = lifetime.unwrap_or_default();
        let renewed = stale.renewed(exchange, lifetime, must_revalidate, version);
        exchange.note(|| "the upstream has nothing newer".into());
        renewed.answer(exchange, &asked.headers);
        store::keep(&self.answers, asked.key, renewed);
    }

    fn keep(&self, exchange: &mut Exchange, asked: Asked, version: Version) -> Result<(), &'static str> {
        let answer = &exchange.response_headers;
        if answer.contains_key(SET_COOKIE) {
            return Err("it sets a cookie");
        }
        if answer.contains_key(CONTENT_RANGE) {
            return Err("it is a part");
        }
        let (lifetime, must_revalidate) =
            self.lifetime(exchange.status, answer, asked.authorized, exchange.started)?;
        let vary = stored::vary(answer, &asked.headers).ok_or("it varies by everything")?;
        let stored = Stored::new(exchange, vary, lifetime, must_revalidate, version);
        if let Some(payload) = &exchange.response_payload {
            if payload.bytes().len() > self.largest {
                return Err("it is too large");
            }
            // A copy: what was read may be a small part of a large buffer.
            let body = Bytes::copy_from_slice(payload.bytes());
            store::keep(&self.answers, asked.key, stored.with_body(body));
            return Ok(());
        }
        if answer.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Err("it is a stream of events");
        }
        let length =
            answer.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.largest) {
            return Err("it is too large");
        }
        let answers = self.answers.clone();
        exchange.copy_response_body(self.largest, move |body| {
            store::keep(&answers, asked.key, stored.with_body(body));
        });
        Ok(())
    }

    /// How long an answer may be given out, and whether never stale; otherwise why it may not be kept.
    fn lifetime(
        &self,
        status: StatusCode,
        answer: &Headers,
        authorized: bool,
        came: Timestamp,
    ) -> Result<(Duration, bool), &'static str> {
        if !self.by_http {
            let lifetime = self.ttl.filter(|_| matches!(status.as_u16(), 200 | 203));
            return lifetime.map(|lifetime| (lifetime, true)).ok_or("it has another status than 200 and 203");
        }
        let says = Directives::of(answer);
        // Statuses whose answers may be kept for a time that they do not say themselves (RFC 9110, 15.1).
        let code = status.as_u16();
        let known = matches!(code, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501);
        if says.must_understand && !known {
            return Err("it is only for those who know its status");
        }
        if (says.no_store && !says.must_understand) || says.private {
            return Err("it says no-store or private");
        }
        // RFC 9111, 3.5. With callers apart, nobody else gets it.
        let open = says.public || says.s_maxage.is_some() || says.must_revalidate;
        if authorized && self.criteria.shares_between_users() && !open {
            return Err("the request had Authorization, and the answer does not say public");
        }
        let explicit = explicit_lifetime(answer, &says, came.into());
        if matches!(code, 206 | 304) || (!known && explicit.is_none()) {
            return Err("its status is not one to keep");
        }
        let lifetime = match explicit {
            _ if says.no_cache => Duration::ZERO,
            Some(seconds) => Duration::from_secs(seconds),
            None => self.ttl.ok_or("it does not say for how long it is fresh")?,
        };
        if lifetime.is_zero() && !answer.contains_key(ETAG) && !answer.contains_key(LAST_MODIFIED) {
            return Err("it is stale at once");
        }
        // s-maxage means proxy-revalidate, too (RFC 9111, 5.2.2.10).
        Ok((lifetime, says.must_revalidate || says.no_cache || says.s_maxage.is_some()))
    }
}

/// Has the upstream send its answer only when it is another than this.
fn ask_again(exchange: &mut Exchange, stored: &Stored) {
    exchange.headers.remove(IF_NONE_MATCH);
    exchange.headers.remove(IF_MODIFIED_SINCE);
    for (from, to) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
        if let Some(value) = stored.headers.get(from) {
            let value: HeaderValue = value.to_value();
            exchange.headers.insert(to, value);
        }
    }
}

#[cfg(test)]
mod tests;
