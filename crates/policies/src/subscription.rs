//! Subscription: asks for an active subscription of the calling application, and keeps it to its plan. Plans and
//! subscriptions are in the snapshot, so that a change of one compiles no API again.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use engine::{
    CompileCx, Compiled, Exchange, Filter, Outcome, Policy, Reason, Rejection, SnapshotRef, Stage, Step,
    Verdict,
    plans::{Plan, PlanLength, PlanWindow},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use model::{Diagnostic, plan::SubscriptionState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    rate_limit::{
        announce,
        counter::{Counter, Quota, Taken, Window},
    },
    shared_map::SharedMap,
};

/// Lets only applications with an active subscription call the API, and keeps each of them within the limits of its
/// plan. It governs every API that names `plans`, also where nobody has written it; written, it can be configured. On an
/// API without plans it does nothing.
///
/// Limits hold exactly, over all workers of a node, and count for all versions of an API together. Every request counts
/// that an application was identified for, also one that is refused later. A change of the plan begins anew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    /// Tell callers what is left of the quota, in the headers `RateLimit` and `RateLimit-Policy`.
    #[serde(default = "yes")]
    headers: bool,
}

fn yes() -> bool {
    true
}

pub static UNIDENTIFIED: Reason = Reason::new(
    "subscription_unidentified",
    StatusCode::FORBIDDEN,
    "The API is for applications with a subscription, and no application was identified.",
);
pub static MISSING: Reason = Reason::new(
    "no_subscription",
    StatusCode::FORBIDDEN,
    "The application has no subscription to this API. Its owner can ask for one in the developer portal.",
);
pub static PENDING: Reason = Reason::new(
    "subscription_pending",
    StatusCode::FORBIDDEN,
    "The application's subscription to this API waits for somebody to approve it.",
);
pub static BLOCKED: Reason = Reason::new(
    "subscription_blocked",
    StatusCode::FORBIDDEN,
    "The application's subscription to this API is blocked. Its owner can ask the provider of the API why.",
);
pub static REJECTED: Reason = Reason::new(
    "subscription_rejected",
    StatusCode::FORBIDDEN,
    "The application asked for a subscription to this API, and it was not approved.",
);
pub static RATE: Reason = Reason::new(
    "plan_rate_exceeded",
    StatusCode::TOO_MANY_REQUESTS,
    "The application sends requests faster than the plan of its subscription allows.",
);
pub static QUOTA: Reason = Reason::new(
    "plan_quota_exceeded",
    StatusCode::TOO_MANY_REQUESTS,
    "The application used up the quota of its plan until the next window begins.",
);

impl Policy for Subscription {
    const TYPE: &'static str = "subscription";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    /// After everything that finds out who calls.
    const ORDER: i8 = 2;
    const NEEDS_APPLICATION: bool = true;
    const GOVERNS_PLANS: bool = true;
    const POSTURE: &'static str = "It looks at nothing that the client wrote, but at the application that another policy has identified. Without one every request is refused. Counters are kept for applications with a subscription only, and a restart of a node begins them anew.";
    const REASONS: &'static [&'static Reason] =
        &[&UNIDENTIFIED, &MISSING, &PENDING, &BLOCKED, &REJECTED, &RATE, &QUOTA];
    const EXAMPLE: &'static str = "headers: true\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let meters = match cx.api() {
            // All versions of an API count together, wherever the policy stands.
            Some(api) => cx.keep_shared_state(&format!("subscriptions of {}", api.name()), Meters::default),
            None => Arc::default(),
        };
        Ok(Compiled::filter(Subscribed { headers: self.headers, meters }))
    }
}

/// What has been counted, by application.
#[derive(Default)]
struct Meters(SharedMap<Box<str>, Arc<Meter>>);

/// What has been counted for a subscription.
#[derive(Default)]
struct Meter {
    /// Of the plan that it was counted for.
    shape: AtomicU64,
    rate: Counter,
    quota: Counter,
}

struct Subscribed {
    headers: bool,
    meters: Arc<Meters>,
}

impl Filter for Subscribed {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.look(exchange))
    }
}

impl Subscribed {
    fn look(&self, exchange: &mut Exchange) -> Verdict {
        let Some(api) = exchange.api().filter(|api| api.offers_plans()) else {
            return Ok(Outcome::Skipped);
        };
        let Some(application) = exchange.application else { return Err(Rejection::new(&UNIDENTIFIED)) };
        let snapshot = SnapshotRef::clone(&exchange.snapshot);
        let Some(subscription) = snapshot.subscriptions.find(&api.names.name, application) else {
            return Err(Rejection::new(&MISSING));
        };
        let plan = &*subscription.plan;
        let refused = match subscription.state {
            SubscriptionState::Active => None,
            SubscriptionState::Pending => Some(&PENDING),
            SubscriptionState::Blocked => Some(&BLOCKED),
            SubscriptionState::Rejected => Some(&REJECTED),
        };
        if let Some(reason) = refused {
            return Err(Rejection::new(reason).detail(["plan ", &plan.name].concat()));
        }
        if plan.rate.is_none() && plan.quota.is_none() {
            exchange.note(|| ["plan ", &plan.name, ": no limits"].concat().into());
            return Ok(Outcome::Passed);
        }
        let name = exchange.application().map_or("", |application| &application.name);
        let meters = self.meters.0.pin();
        let meter = match meters.get(name) {
            Some(meter) => meter,
            None => meters.get_or_insert_with(name.into(), Arc::default),
        };
        meter.count_for(plan);
        self.count(meter, plan, exchange)
    }

    fn count(&self, meter: &Meter, plan: &Plan, exchange: &mut Exchange) -> Verdict {
        let (now, dry) = (exchange.started, exchange.dry_run);
        if let Some(rate) = plan.rate {
            let taken =
                Quota::Bucket { interval: rate.interval, burst: rate.burst }.take(&meter.rate, now, dry);
            if !taken.allowed {
                return Err(refused(&RATE, &taken, plan));
            }
        }
        let Some(window) = plan.quota else {
            exchange.note(|| ["plan ", &plan.name, ": within its rate"].concat().into());
            return Ok(Outcome::Passed);
        };
        let taken = quota(window).take(&meter.quota, now, dry);
        if self.headers {
            announce(exchange, "\"plan\"", &plan.announced, &taken);
        }
        if !taken.allowed && plan.stop_on_quota_reach {
            return Err(refused(&QUOTA, &taken, plan));
        }
        exchange.note(|| match taken.allowed {
            true => format!("plan {}: {} left", plan.name, taken.remaining).into(),
            false => format!("plan {}: over the quota", plan.name).into(),
        });
        Ok(Outcome::Passed)
    }
}

impl Meter {
    /// Begins anew when the plan is another one than before.
    fn count_for(&self, plan: &Plan) {
        let shape = shape(plan);
        let known = self.shape.load(Relaxed);
        if known != shape && self.shape.compare_exchange(known, shape, Relaxed, Relaxed).is_ok() {
            self.rate.reset();
            self.quota.reset();
        }
    }
}

/// Tells plans apart whose counts mean different things; never 0.
fn shape(plan: &Plan) -> u64 {
    // FNV-1a: one pass over a short name.
    let name = plan.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let window = plan.quota.map_or(0, |window| quota(window).shape());
    (name ^ window.rotate_left(7)).max(1)
}

fn quota(window: PlanWindow) -> Quota {
    let length = match window.length {
        PlanLength::Every(nanos) => Window::Every(nanos),
        PlanLength::Months(months) => Window::Months(months),
    };
    Quota::requests(window.requests, length)
}

fn refused(reason: &'static Reason, taken: &Taken, plan: &Plan) -> Box<Rejection> {
    Rejection::new(reason)
        .header(RETRY_AFTER, HeaderValue::from(taken.retry_seconds))
        .detail(["plan ", &plan.name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, length: PlanLength) -> Plan {
        let requests = std::num::NonZeroU32::MIN;
        Plan {
            name: name.into(),
            rate: None,
            quota: Some(PlanWindow { requests, length }),
            stop_on_quota_reach: true,
            announced: "".into(),
        }
    }

    #[test]
    fn what_was_counted_for_another_plan_does_not_count() {
        let (day, month) = (PlanLength::Every(86_400_000_000_000), PlanLength::Months(1));
        let (gold, longer, silver) = (plan("gold", day), plan("gold", month), plan("silver", day));
        assert_eq!(shape(&gold), shape(&plan("gold", day)));
        assert!(shape(&gold) != shape(&longer) && shape(&gold) != shape(&silver));
        let meter = Meter::default();
        let take = |plan: &Plan| {
            meter.count_for(plan);
            quota(plan.quota.unwrap()).take(&meter.quota, engine::Timestamp::from_millis(1), false).allowed
        };
        assert_eq!([take(&gold), take(&gold), take(&silver), take(&silver)], [true, false, true, false]);
    }
}
