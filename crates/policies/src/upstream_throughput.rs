//! Upstream throughput: protects a native service from more calls than it can take, whoever they come from.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    CompileCx, Compiled, Exchange, Filter, Outcome, Policy, Reason, Rejection, Stage, Step, Verdict,
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate_limit::{
    RateLimitAlgorithm,
    counter::{Counter, Quota},
};

/// Limits how many requests go to the native service of an API in a time window, all callers together. The next ones
/// are refused with 503 and `Retry-After`: it is the service that has no room, and not the caller that asks too much.
/// What is answered from a cache or by another policy does not count, a retry does not count again. The limit holds
/// exactly, over all workers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamThroughput {
    /// Requests in a window.
    limit: NonZeroU32,
    /// Length of the window, 1ms to 366d. Default: `1s`.
    #[serde(default = "second")]
    window: model::Duration,
    /// How requests are counted.
    #[serde(default)]
    algorithm: RateLimitAlgorithm,
    /// Requests that may come at once with `tokenBucket`. Default: `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<NonZeroU32>,
}

fn second() -> model::Duration {
    model::Duration::from_secs(1)
}

pub static EXCEEDED: Reason = Reason::new(
    "upstream_throughput_exceeded",
    StatusCode::SERVICE_UNAVAILABLE,
    "The native service gets as many requests as it may get; try again later.",
);

impl Policy for UpstreamThroughput {
    const TYPE: &'static str = "upstreamThroughput";
    const STAGE: Stage = Stage::TrafficMonitoring;
    /// After everything that could answer or refuse a request without the native service.
    const ORDER: i8 = 2;
    const POSTURE: &'static str = "It looks at nothing that the client wrote. One caller can use up what is there for all; put a quota for each caller before it.";
    const REASONS: &'static [&'static Reason] = &[&EXCEEDED];
    const EXAMPLE: &'static str = "limit: 500\nwindow: 1s\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let quota = Quota::new(self.algorithm, self.limit, self.window, self.burst)?;
        let calls = cx.keep_state(Calls::default);
        calls.start_over_unless(quota.shape());
        Ok(Compiled::filter(Gate { calls, quota }))
    }
}

/// What went to the native service. Outlives a reload.
#[derive(Default)]
struct Calls {
    shape: Mutex<u64>,
    counter: Counter,
}

impl Calls {
    /// Counts of one window mean nothing to another.
    fn start_over_unless(&self, shape: u64) {
        let mut known = self.shape.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != shape {
            *known = shape;
            self.counter.reset();
        }
    }
}

struct Gate {
    calls: Arc<Calls>,
    quota: Quota,
}

impl Filter for Gate {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.pass(exchange))
    }
}

impl Gate {
    fn pass(&self, exchange: &mut Exchange) -> Verdict {
        let taken = self.quota.take(&self.calls.counter, exchange.started, exchange.dry_run);
        if !taken.allowed {
            return Err(Rejection::new(&EXCEEDED).header(RETRY_AFTER, HeaderValue::from(taken.retry_seconds)));
        }
        exchange.note(|| format!("{} left", taken.remaining).into());
        Ok(Outcome::Passed)
    }
}

#[cfg(test)]
mod tests {
    use engine::Timestamp;

    use crate::testing::{serve, told, try_serve};

    #[test]
    fn calls_are_counted_together_and_after_the_cache() {
        let served = serve(
            "",
            "[{type: upstreamThroughput, config: {limit: 1, window: 10s}}, {type: resultCache, config: {ttl: 1h}}]",
        );
        for (second, path, expect) in [
            (0, "/a", "Passed"),
            (1, "/a", "Answered"),
            (1, "/b", "503 upstream_throughput_exceeded"),
            (10, "/b", "Passed"),
        ] {
            let mut exchange = served.exchange(&format!("GET {path}"), "", "");
            exchange.started = Timestamp::from_millis(second * 1_000);
            let found = match served.request(&mut exchange) {
                Ok(outcome) => format!("{outcome:?}"),
                Err(rejection) => told(&rejection),
            };
            assert_eq!(found, expect, "{path} at {second}");
            if found == "Passed" {
                served.response(&mut exchange, 200, "", "a").unwrap();
            }
        }
    }

    #[test]
    fn wrong_fields_have_a_path() {
        for (config, path) in [
            ("{limit: 0}", "limit"),
            ("{limit: 1, window: 0s}", "window"),
            ("{limit: 1, burst: 2}", "burst"),
            ("{limit: 5000000, algorithm: slidingWindow}", "limit"),
        ] {
            let problems = try_serve("", &format!("[{{type: upstreamThroughput, config: {config}}}]"), "");
            let problem = problems.err().unwrap().0.remove(0);
            assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{config}");
        }
    }
}
