//! The public keys of tokens that the gateway makes for upstreams, for upstreams to fetch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::{Clock, CompileCx, Compiled, Exchange, Filter, Headers, Policy, Reason, Stage, Step, Timestamp};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Answers with the public keys by which upstreams verify the tokens that the gateway makes for them, as a JWK Set (RFC 7517).
///
/// They are the keys of `outboundAuthentication` with `method: jwt` in all APIs of the node, and those that were used in the
/// last day. Upstreams find a key by the `kid` of a token.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamTokenKeys {
    /// How long those who fetch the keys may keep them.
    #[serde(default = "max_age")]
    max_age: model::Duration,
}

fn max_age() -> model::Duration {
    model::Duration::from_secs(300)
}

impl Policy for UpstreamTokenKeys {
    const TYPE: &'static str = "upstreamTokenKeys";
    // In place of the upstream.
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[];
    const POSTURE: &'static str = "Public keys are for everybody. Nothing of the request is in the answer.";
    const EXAMPLE: &'static str = "maxAge: 10m\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let cached = format!("public, max-age={}", self.max_age.get().as_secs());
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json")),
            (
                CACHE_CONTROL,
                HeaderValue::try_from(cached).map_err(|_| Diagnostic::error("maxAge", "is too long"))?,
            ),
        ];
        let headers = headers.iter().map(|(name, value)| (name, value.clone())).collect();
        Ok(Compiled::filter(Publisher { keys: published(cx), headers, clock: cx.clock() }))
    }
}

struct Publisher {
    keys: Arc<PublishedKeys>,
    headers: Headers,
    clock: Clock,
}

impl Filter for Publisher {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let keys = self.keys.at(self.clock.now());
        Step::Done(Ok(exchange.answer_with(StatusCode::OK, self.headers.clone(), keys)))
    }
}

/// Longest that a key is published after nobody has it any more, for tokens that are on their way.
const AFTERWARDS: Duration = Duration::from_hours(24);

/// Public keys by their id.
#[derive(Default)]
pub(crate) struct PublishedKeys(Mutex<BTreeMap<String, Published>>);

struct Published {
    jwk: Map<String, Value>,
    holders: usize,
    /// Until when it is published after the last holder has gone.
    until: Timestamp,
}

/// The keys that all policies publish.
fn published(cx: &mut CompileCx<'_>) -> Arc<PublishedKeys> {
    cx.keep_shared_state("keys of tokens for upstreams", PublishedKeys::default)
}

impl PublishedKeys {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, Published>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, now: Timestamp) -> String {
        let mut keys = self.keys();
        keys.retain(|_, key| key.holders > 0 || now < key.until);
        json!({ "keys": keys.values().map(|key| &key.jwk).collect::<Vec<_>>() }).to_string()
    }
}

/// Has a key published for as long as it is there.
pub(crate) struct KeyHolder {
    all: Arc<PublishedKeys>,
    id: String,
    clock: Clock,
}

impl KeyHolder {
    pub fn new(id: &str, jwk: Map<String, Value>, cx: &mut CompileCx<'_>) -> Self {
        let all = published(cx);
        let now = cx.clock().now();
        let mut keys = all.keys();
        let key = keys.entry(id.to_owned()).or_insert(Published { jwk: Map::new(), holders: 0, until: now });
        // Who gives two keys the same id has upstreams find the later one.
        key.jwk = jwk;
        key.holders += 1;
        drop(keys);
        Self { all, id: id.to_owned(), clock: cx.clock() }
    }
}

impl Drop for KeyHolder {
    fn drop(&mut self) {
        if let Some(key) = self.all.keys().get_mut(&self.id) {
            key.holders = key.holders.saturating_sub(1);
            key.until = self.clock.now().plus(AFTERWARDS);
        }
    }
}
