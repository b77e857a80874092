//! Bulkheads: at most so many requests at once, so that one slow native service does not take up the whole gateway.

mod seats;

use std::{num::NonZeroU32, sync::Arc};

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Problem, Reason, Rejection, Stage, Step,
    Verdict,
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use seats::Seats;

/// Limits how many requests may be in progress at once; further ones are refused with 503. A request is in progress
/// until its answer has been sent to the end, or it has ended in another way. The limit holds exactly, over all
/// workers. It comes before anything else that is decided about a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bulkhead {
    /// Requests that may be in progress at once.
    limit: NonZeroU32,
    /// What is counted together.
    #[serde(default)]
    per: BulkheadPer,
    /// Callbacks that may be in progress at once, counted like requests and apart from them; see the policy
    /// `callbackURLReplacer`. Default: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback_limit: Option<NonZeroU32>,
    /// How requests are refused.
    #[serde(default)]
    refusal: BulkheadRefusal,
}

/// Limits how many requests of one application may be in progress at once; further ones are refused with 503. All
/// callers that are not identified count as one application. It comes once applications are identified.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationBulkhead {
    /// Requests of one application that may be in progress at once.
    limit: NonZeroU32,
    /// How requests are refused.
    #[serde(default)]
    refusal: BulkheadRefusal,
}

/// What is counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BulkheadPer {
    /// All requests of the API.
    #[default]
    Api,
    /// Those of each operation; all that match none together.
    Operation,
    /// Those of each client address; for IPv6 of each network of 64 bits.
    ClientAddress,
    /// Those of all APIs whose bulkhead says so, each up to its own limit.
    Gateway,
}

/// How requests are refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BulkheadRefusal {
    /// Seconds after which clients are told to come again, in `Retry-After`; 0 tells them nothing.
    retry_after_seconds: u32,
    /// Status of the answer, 400 to 599.
    status: u16,
    /// A sentence for the client, which stands in `errors` of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Default for BulkheadRefusal {
    fn default() -> Self {
        Self { retry_after_seconds: 1, status: FULL.status.as_u16(), message: None }
    }
}

pub static FULL: Reason = Reason::new(
    "bulkhead_full",
    StatusCode::SERVICE_UNAVAILABLE,
    "As many requests are in progress as there may be.",
);

const POSTURE: &str = "It looks at nothing that the client wrote. Of each caller one number is kept, and only while a request of it is in progress.";

impl Policy for Bulkhead {
    const TYPE: &'static str = "bulkhead";
    const STAGE: Stage = Stage::Transport;
    const ORDER: i8 = -2;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = POSTURE;
    const REASONS: &'static [&'static Reason] = &[&FULL];
    const EXAMPLE: &'static str = "limit: 50\nper: api\nrefusal: {retryAfterSeconds: 5}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let by = match self.per {
            BulkheadPer::Api | BulkheadPer::Gateway => By::Whole,
            BulkheadPer::Operation => By::Operation,
            BulkheadPer::ClientAddress => By::Client,
        };
        let seats = match self.per {
            BulkheadPer::Gateway => cx.keep_shared_state("bulkhead", Seats::default),
            _ => cx.keep_state(Seats::default),
        };
        let callbacks = self.callback_limit.map(|limit| {
            let CallbackSeats(seats) = &*match self.per {
                BulkheadPer::Gateway => cx.keep_shared_state("bulkhead", CallbackSeats::default),
                _ => cx.keep_state(CallbackSeats::default),
            };
            (Arc::clone(seats), limit.get())
        });
        let (limit, refusal) = (self.limit.get(), self.refusal.compile()?);
        Ok(Compiled::filter(Hall { seats, limit, callbacks, by, refusal }))
    }
}

impl Policy for ApplicationBulkhead {
    const TYPE: &'static str = "applicationBulkhead";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const ORDER: i8 = -2;
    const NEEDS_APPLICATION: bool = true;
    const POSTURE: &'static str = POSTURE;
    const REASONS: &'static [&'static Reason] = &[&FULL];
    const EXAMPLE: &'static str = "limit: 10\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let seats = cx.keep_state(Seats::default);
        let refusal = self.refusal.compile()?;
        let (limit, callbacks, by) = (self.limit.get(), None, By::Application);
        Ok(Compiled::filter(Hall { seats, limit, callbacks, by, refusal }))
    }
}

impl BulkheadRefusal {
    fn compile(self) -> Result<Refusal, Diagnostic> {
        let status =
            StatusCode::from_u16(self.status).ok().filter(|status| (400..600).contains(&status.as_u16()));
        let status = status.ok_or_else(|| {
            Diagnostic::error("refusal.status", format!("found {}, expected 400 to 599", self.status))
        })?;
        let retry_after = (self.retry_after_seconds > 0).then_some(self.retry_after_seconds);
        Ok(Refusal { status, retry_after, message: self.message.map(Into::into) })
    }
}

/// What is counted apart.
#[derive(Clone, Copy)]
enum By {
    Whole,
    Operation,
    Application,
    Client,
}

struct Refusal {
    status: StatusCode,
    retry_after: Option<u32>,
    message: Option<Box<str>>,
}

/// Those of callbacks.
#[derive(Default)]
struct CallbackSeats(Arc<Seats>);

struct Hall {
    seats: Arc<Seats>,
    limit: u32,
    /// The same for callbacks, where they are limited.
    callbacks: Option<(Arc<Seats>, u32)>,
    by: By,
    refusal: Refusal,
}

impl Filter for Hall {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.enter(exchange, &self.seats, self.limit))
    }

    fn callback<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(match &self.callbacks {
            Some((seats, limit)) => self.enter(exchange, seats, *limit),
            None => Ok(Outcome::Skipped),
        })
    }

    fn needs(&self) -> Needs {
        if self.callbacks.is_some() { Needs::CALLBACK } else { Needs::default() }
    }
}

impl Hall {
    fn enter(&self, exchange: &mut Exchange, seats: &Arc<Seats>, limit: u32) -> Verdict {
        let keys = &seats.keys;
        let key = match self.by {
            By::Whole => None,
            By::Operation => {
                let names = exchange.api().and_then(|api| api.operation_names(exchange.operation));
                // By its name and not its place: a reload may move it.
                let name = names.map(|names| [&*names.method, " ", &*names.path].concat());
                Some(keys.of(name.unwrap_or_default().as_bytes()))
            }
            By::Application => {
                Some(keys.of(exchange.application().map_or("", |application| &application.name).as_bytes()))
            }
            By::Client => Some(keys.of_client(exchange.client.ip)),
        };
        if exchange.dry_run {
            return if seats.has_room(key, limit) { Ok(Outcome::Passed) } else { Err(self.refuse()) };
        }
        let seat = seats.take(key, limit).ok_or_else(|| self.refuse())?;
        exchange.hold(seat);
        Ok(Outcome::Passed)
    }

    fn refuse(&self) -> Box<Rejection> {
        let mut rejection = Rejection::new(&FULL).with_status(self.refusal.status);
        if let Some(seconds) = self.refusal.retry_after {
            rejection = rejection.header(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match &self.refusal.message {
            Some(message) => {
                let message = message.clone().into_string().into();
                rejection.problems([Problem { location: "request".into(), message }])
            }
            None => rejection,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Served, serve, told, try_serve};

    fn enter(served: &Served, client: &str) -> (Exchange, String) {
        let mut exchange = served.exchange("GET /", "", "");
        exchange.client.ip = client.parse().unwrap();
        let verdict = served.request(&mut exchange);
        (exchange, verdict.map_or_else(|rejection| told(&rejection), |outcome| format!("{outcome:?}")))
    }

    #[test]
    fn requests_beyond_the_limit_are_refused_until_one_ends() {
        for (per, other_client) in
            [("api", false), ("clientAddress", true), ("gateway", false), ("operation", false)]
        {
            let served = serve("", &format!("[{{type: bulkhead, config: {{limit: 1, per: {per}}}}}]"));
            let (first, verdict) = enter(&served, "10.0.0.1");
            assert_eq!(verdict, "Passed", "{per}");
            assert_eq!(enter(&served, "10.0.0.1").1, "503 bulkhead_full", "{per}");
            assert_eq!(enter(&served, "10.0.0.2").1 == "Passed", other_client, "{per}");
            drop(first);
            assert_eq!(enter(&served, "10.0.0.1").1, "Passed", "{per}");
        }
    }

    #[test]
    fn a_question_takes_no_seat() {
        let served = serve("", "[{type: bulkhead, config: {limit: 1}}]");
        let mut question = served.exchange("GET /", "", "");
        question.dry_run = true;
        served.request(&mut question).unwrap();
        let (_first, verdict) = enter(&served, "10.0.0.1");
        assert_eq!(verdict, "Passed");
        assert_eq!(told(&served.request(&mut question).unwrap_err()), "503 bulkhead_full");
    }

    #[test]
    fn the_refusal_is_a_setting() {
        let config = "{limit: 1, refusal: {status: 429, retryAfterSeconds: 7, message: Come again.}}";
        let served = serve("", &format!("[{{type: applicationBulkhead, config: {config}}}]"));
        let (_first, _) = enter(&served, "10.0.0.1");
        assert_eq!(enter(&served, "10.0.0.1").1, "429 bulkhead_full; request Come again.");
        for status in [0, 200, 399, 600] {
            let config = format!("[{{type: bulkhead, config: {{limit: 1, refusal: {{status: {status}}}}}}}]");
            let problem = try_serve("", &config, "").err().unwrap().0.remove(0);
            assert_eq!(problem.path, "apis[0].policies[0].config.refusal.status");
        }
    }
}
