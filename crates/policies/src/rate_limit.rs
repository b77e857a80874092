//! Rate limit: refuses a caller that exceeds its quota in a time window.

pub(crate) mod counter;

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use engine::{
    CompileCx, Compiled, Exchange, Filter, Outcome, Policy, Reason, Rejection, Stage, Step, Verdict,
};
use http::{HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::counter::{Counter, Quota, Taken};
use crate::{keyed::client_of, shared_map::SharedMap};

/// Limits how many requests one caller may send in a time window. The limit holds exactly, over all workers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// Requests allowed per window.
    limit: NonZeroU32,
    /// Length of the window.
    window: model::Duration,
    /// How requests are counted.
    #[serde(default)]
    algorithm: RateLimitAlgorithm,
    /// What the quota is counted by.
    #[serde(default)]
    key: RateLimitKey,
    /// Requests that may come at once with `tokenBucket`. Default: `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
    /// Tell callers what is left, in the headers `RateLimit` and `RateLimit-Policy`.
    #[serde(default = "yes")]
    headers: bool,
}

/// How requests are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RateLimitAlgorithm {
    /// In calendar windows: a window of a minute starts with the minute, of a day with the day in UTC, of a week
    /// with Monday.
    #[default]
    FixedWindow,
    /// Over the window before this instant, estimated from the current and the previous window.
    SlidingWindow,
    /// A bucket of `burst` tokens that fills at `limit` per window.
    TokenBucket,
}

/// What the quota is counted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RateLimitKey {
    /// All calls of the API together.
    #[default]
    Api,
    /// Each identified application; all unidentified callers together.
    Application,
    /// Each client address; for IPv6 each network of 64 bits.
    ClientAddress,
}

fn yes() -> bool {
    true
}

pub static EXCEEDED: Reason = Reason::new(
    "rate_limited",
    StatusCode::TOO_MANY_REQUESTS,
    "The caller used up its quota for the current window.",
);

impl Policy for RateLimit {
    const TYPE: &'static str = "rateLimit";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "It looks at nothing that the client wrote. Addresses are those of the connection, or of a trusted proxy; as many are remembered as there are callers within a window, and IPv6 networks count as one.";
    const REASONS: &'static [&'static Reason] = &[&EXCEEDED];
    const EXAMPLE: &'static str = "limit: 100\nwindow: 1m\nkey: application\n";

    fn needs_application(&self) -> bool {
        self.key == RateLimitKey::Application
    }

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let quota = Quota::new(self.algorithm, self.limit, self.window, self.burst)?;
        let seconds = self.window.get().as_secs().max(1);
        let announced = self.headers.then(|| format!("\"default\";q={};w={seconds}", self.limit).into());
        let buckets = cx.keep_state(Buckets::default);
        // Counts of one algorithm mean nothing to another.
        buckets.start_over_unless(quota.shape());
        Ok(Compiled::filter(Limiter { buckets, quota, key: self.key, announced }))
    }
}

/// Counters that outlive a reload.
#[derive(Default)]
struct Buckets {
    shape: std::sync::Mutex<u64>,
    whole_api: Counter,
    applications: SharedMap<Box<str>, Arc<Counter>>,
    clients: SharedMap<IpAddr, Arc<Counter>>,
}

/// Client addresses counted before those with nothing left to remember are let go.
const MANY_CLIENTS: usize = 50_000;

impl Buckets {
    fn start_over_unless(&self, shape: u64) {
        let mut known = self.shape.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *known != shape {
            *known = shape;
            self.whole_api.reset();
            self.applications.pin().clear();
            self.clients.pin().clear();
        }
    }

    fn take(&self, quota: &Quota, key: RateLimitKey, exchange: &Exchange) -> Taken {
        let take = |counter: &Counter| quota.take(counter, exchange.started, exchange.dry_run);
        match key {
            RateLimitKey::Api => take(&self.whole_api),
            RateLimitKey::Application => {
                let name = exchange.application().map_or("unknown", |a| &a.name);
                let applications = self.applications.pin();
                match applications.get(name) {
                    Some(counter) => take(counter),
                    None => take(applications.get_or_insert_with(name.into(), Arc::default)),
                }
            }
            RateLimitKey::ClientAddress => {
                let address = client_of(exchange.client.ip);
                let clients = self.clients.pin();
                if let Some(counter) = clients.get(&address) {
                    return take(counter);
                }
                if clients.len() >= MANY_CLIENTS {
                    clients.retain(|_, counter| !quota.is_idle(counter, exchange.started));
                }
                take(clients.get_or_insert_with(address, Arc::default))
            }
        }
    }
}

struct Limiter {
    buckets: Arc<Buckets>,
    quota: Quota,
    key: RateLimitKey,
    /// Text and not a header value, whose reference count all cores would write.
    announced: Option<Box<str>>,
}

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl Filter for Limiter {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.limit(exchange))
    }
}

/// Tells the caller what is left of a quota with this name, in quotation marks.
pub(crate) fn announce(exchange: &mut Exchange, name: &str, policy: &str, taken: &Taken) {
    let (mut remaining, mut reset) = (itoa::Buffer::new(), itoa::Buffer::new());
    let parts = [name, ";r=", remaining.format(taken.remaining), ";t=", reset.format(taken.reset_seconds)];
    exchange.answer_headers.append_bytes(&RATE_LIMIT, parts.concat().as_bytes());
    exchange.answer_headers.append_bytes(&RATE_LIMIT_POLICY, policy.as_bytes());
}

impl Limiter {
    fn limit(&self, exchange: &mut Exchange) -> Verdict {
        let taken = self.buckets.take(&self.quota, self.key, exchange);
        if let Some(announced) = &self.announced {
            announce(exchange, "\"default\"", announced, &taken);
        }
        if taken.allowed {
            exchange.note(|| [itoa::Buffer::new().format(taken.remaining), " left"].concat().into());
            Ok(Outcome::Passed)
        } else {
            Err(Rejection::new(&EXCEEDED).header(RETRY_AFTER, HeaderValue::from(taken.retry_seconds)))
        }
    }
}
