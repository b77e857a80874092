//! Throttle: quotas by plan, with conditions, bursts and callers that are kept out.

mod alerting;
mod counts;
mod limit;

use std::sync::Arc;

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step, Verdict,
    language::{Condition, Escape, Template},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use model::{ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rate_limit::{
    announce,
    counter::{Counter, Quota, Taken},
};
pub use alerting::ThrottleAlerts;

use alerting::Alerting;
use counts::{Counts, State};
use limit::{ThrottleBurst, ThrottleLimit};

/// Gives callers a quota of requests or bytes for each minute, hour, day, week, month or year, other ones under
/// conditions, and keeps some of them out altogether. What is counted apart is chosen by `key`: several policies of
/// this type make several levels, and a request has to pass all of them. Quotas of requests hold exactly, over all
/// workers; bytes are known only afterwards, so that what is in progress when a quota ends is not cut off.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttle {
    /// What is counted apart.
    #[serde(default)]
    key: ThrottleKey,
    /// A text with variables instead of `key`: each different value is counted apart, as in
    /// `${request.headers.X-Tenant}`. Up to 50000 values at a time; further ones are counted together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_template: Option<String>,
    /// The quota of those that no group is for. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<ThrottleLimit>,
    /// Quotas under conditions; the first group whose condition holds is taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<ThrottleGroup>,
    /// What happens when a quota is used up.
    #[serde(default)]
    mode: ThrottleMode,
    /// Requests that may come in a short time, beside the quota. Beyond it requests are refused in every mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    burst: Option<ThrottleBurst>,
    /// Requests that are refused whatever is left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny: Vec<ThrottleDeny>,
    /// Who is told when a quota is nearly or wholly used up. Default: with mode `alert` the gateway's log, else nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alerts: Option<ThrottleAlerts>,
    /// Tell callers what is left, in the headers `RateLimit` and `RateLimit-Policy`. Mode `alert` tells them nothing.
    #[serde(default = "yes")]
    headers: bool,
}

/// What is counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThrottleKey {
    /// Nothing: all calls of the API count together.
    #[default]
    Api,
    /// Each operation.
    Operation,
    /// Each identified application; all unidentified callers together.
    Application,
    /// Each client address; for IPv6 each network of 64 bits.
    ClientAddress,
    /// Each authenticated user of each application; all others together.
    User,
}

/// A quota under a condition.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThrottleGroup {
    /// Name of its own within the policy, in decision records. What was counted stays with it.
    name: String,
    /// What has to hold.
    when: ConditionDoc,
    /// The quota. Default: none, so that these requests are not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<ThrottleLimit>,
}

/// Requests that are refused.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThrottleDeny {
    /// What has to hold.
    when: ConditionDoc,
}

/// What happens when a quota is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ThrottleMode {
    /// Requests are refused until the next window.
    #[default]
    Hard,
    /// Requests pass, the headers tell the caller that nothing is left, and the decision record says so.
    Soft,
    /// Requests pass. An alert is raised, and the decision record says so.
    Alert,
}

fn yes() -> bool {
    true
}

pub static EXCEEDED: Reason = Reason::new(
    "quota_exceeded",
    StatusCode::TOO_MANY_REQUESTS,
    "The caller used up its quota until the next window begins.",
);

pub static BURST: Reason = Reason::new(
    "burst_exceeded",
    StatusCode::TOO_MANY_REQUESTS,
    "The caller sent too many requests in a short time.",
);

pub static BLOCKED: Reason =
    Reason::new("blocked", StatusCode::FORBIDDEN, "The caller is kept out of this API.");

impl Policy for Throttle {
    const TYPE: &'static str = "throttle";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Conditions and templates look at what the client wrote; a client that chooses its key or its group chooses its quota, so use values that something has checked, such as claims. Keys are kept as hashes, and of each limit at most 50000. A condition that cannot be evaluated does not hold.";
    const REASONS: &'static [&'static Reason] = &[&EXCEEDED, &BURST, &BLOCKED];
    const EXAMPLE: &'static str = "key: application\nlimit: {requests: 1000, per: hour}\ngroups:\n  - name: partners\n    when: {variable: '${request.headers.X-Plan}', operator: equals, value: gold}\n    limit: {bandwidth: 10GiB, per: month}\nburst: {requests: 20, window: 1s}\ndeny:\n  - when: {variable: '${inboundIP}', operator: range, value: 203.0.113.0/24}\n";

    fn needs_application(&self) -> bool {
        self.key == ThrottleKey::Application && self.key_template.is_none()
    }

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let state = cx.keep_state(State::default);
        let alerts = match self.alerts {
            None if self.mode == ThrottleMode::Alert => Some(ThrottleAlerts::default()),
            alerts => alerts,
        };
        let alerting = alerts.map(|alerts| alerts.compile(self.key, cx)).transpose();
        let alerting = alerting.map_err(|problem| problem.under("alerts"))?;
        let language = cx.language();
        let mut needs = Needs::default();
        let by = match self.key_template {
            Some(text) if self.key == ThrottleKey::Api => {
                let template = Template::compile(&text, language).map_err(|p| p.under("keyTemplate"))?;
                needs = needs | template.needs();
                By::Template(template)
            }
            Some(_) => {
                return Err(Diagnostic::error("keyTemplate", "found beside `key`, expected one of the two"));
            }
            None => By::Key(self.key),
        };
        let mut names = Vec::new();
        let mut meter = |name: String, limit: ThrottleLimit, path: &str| {
            let limit = limit.compile().map_err(|problem| problem.under(path))?;
            let counts = state.counts(&name, &limit.quota);
            names.push(name);
            Ok::<_, Diagnostic>(Meter { limit, counts })
        };
        let mut groups = Vec::new();
        for (index, group) in self.groups.into_iter().enumerate() {
            let path = format!("groups[{index}]");
            if groups.iter().any(|known: &Group| *known.name == *group.name) {
                let found = format!("found `{}` a second time, expected a name of its own", group.name);
                return Err(Diagnostic::error(format!("{path}.name"), found));
            }
            let when =
                Condition::compile(&group.when, language).map_err(|p| p.under(&format!("{path}.when")))?;
            needs = needs | when.needs();
            let limit = group
                .limit
                .map(|limit| meter(format!("group {}", group.name), limit, &format!("{path}.limit")));
            groups.push(Group { name: group.name.into(), when, meter: limit.transpose()? });
        }
        let default = self.limit.map(|limit| meter("default".to_owned(), limit, "limit")).transpose()?;
        let mut deny = Vec::new();
        for (index, rule) in self.deny.iter().enumerate() {
            let when = Condition::compile(&rule.when, language);
            let when = when.map_err(|problem| problem.under(&format!("deny[{index}].when")))?;
            needs = needs | when.needs();
            deny.push(when);
        }
        let burst = self.burst.map(ThrottleBurst::compile).transpose().map_err(|p| p.under("burst"))?;
        let burst = burst.map(|quota| {
            names.push("burst".to_owned());
            (quota, state.counts("burst", &quota))
        });
        if default.is_none() && groups.is_empty() && burst.is_none() && deny.is_empty() {
            return Err(Diagnostic::error("", "has no effect without `limit`, `groups`, `burst` or `deny`"));
        }
        state.keep_only(&names);
        let announces = self.headers && self.mode != ThrottleMode::Alert;
        let needs = Needs { request_body: needs.request_body, ..Needs::default() };
        Ok(Compiled::filter(Throttler {
            by,
            groups,
            default,
            mode: self.mode,
            burst,
            deny,
            announces,
            alerting,
            needs,
        }))
    }
}

enum By {
    Key(ThrottleKey),
    Template(Template),
}

struct Group {
    name: Box<str>,
    when: Condition,
    meter: Option<Meter>,
}

struct Meter {
    limit: limit::Limit,
    counts: Arc<Counts>,
}

struct Throttler {
    by: By,
    groups: Vec<Group>,
    default: Option<Meter>,
    mode: ThrottleMode,
    burst: Option<(Quota, Arc<Counts>)>,
    deny: Vec<Condition>,
    announces: bool,
    alerting: Option<Alerting>,
    needs: Needs,
}

impl Filter for Throttler {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.throttle(exchange))
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl Throttler {
    fn throttle(&self, exchange: &mut Exchange) -> Verdict {
        if let Some(rule) = self.deny.iter().find(|rule| rule.holds(exchange)) {
            return Err(Rejection::new(&BLOCKED).detail(rule.describe()));
        }
        let group = self.groups.iter().find(|group| group.when.holds(exchange));
        let meter = group.map_or(self.default.as_ref(), |group| group.meter.as_ref());
        let name = group.map_or("default", |group| &group.name);
        if let Some((quota, counts)) = &self.burst {
            let taken = take(quota, counts, self.key(exchange, counts), exchange, exchange.dry_run);
            if !taken.allowed {
                return Err(refused(&BURST, &taken));
            }
        }
        let Some(meter) = meter else {
            exchange.note(|| [name, ": no quota"].concat().into());
            return Ok(Outcome::Passed);
        };
        let key = self.key(exchange, &meter.counts);
        let (quota, is_bytes) = (meter.limit.quota, meter.limit.is_bytes);
        // Bytes are counted afterwards, and here it is only looked whether some are left.
        let taken = take(&quota, &meter.counts, key, exchange, exchange.dry_run || is_bytes);
        if self.announces {
            announce(exchange, "\"quota\"", &meter.limit.announced, &taken);
        }
        if let Some(alerting) = self.alerting.as_ref().filter(|_| !exchange.dry_run) {
            alerting.look(meter, name, key, &taken, exchange);
        }
        if !taken.allowed && self.mode == ThrottleMode::Hard {
            return Err(refused(&EXCEEDED, &taken).detail([name, ": used up"].concat()));
        }
        if is_bytes && !exchange.dry_run {
            let counts = Arc::clone(&meter.counts);
            exchange.when_ended(move |_, measures| {
                let bytes = measures.request_bytes.saturating_add(measures.response_bytes);
                let add = |counter: &Counter| quota.add(counter, measures.ended, bytes);
                counts.with(key, &quota, measures.ended, add);
            });
        }
        exchange.note(|| match taken.allowed {
            true => format!("{name}: {} left", taken.remaining).into(),
            false => [name, ": over the quota"].concat().into(),
        });
        Ok(Outcome::Passed)
    }

    fn key(&self, exchange: &Exchange, counts: &Counts) -> crate::keyed::Key {
        let keys = &counts.keys;
        let application = || exchange.application().map_or("", |application| &application.name);
        match &self.by {
            By::Template(template) => keys.of(template.render(exchange, Escape::None).as_bytes()),
            By::Key(ThrottleKey::Api) => keys.of(b""),
            By::Key(ThrottleKey::Operation) => {
                let names = exchange.api().and_then(|api| api.operation_names(exchange.operation));
                keys.of(names
                    .map(|names| [&*names.method, " ", &*names.path].concat())
                    .unwrap_or_default()
                    .as_bytes())
            }
            By::Key(ThrottleKey::Application) => keys.of(application().as_bytes()),
            By::Key(ThrottleKey::ClientAddress) => keys.of_client(exchange.client.ip),
            By::Key(ThrottleKey::User) => {
                let user =
                    exchange.authorization().and_then(|known| known.user_name.as_deref()).unwrap_or("");
                // With a length, so that no two pairs read the same.
                keys.of(format!("{}:{}{user}", application().len(), application()).as_bytes())
            }
        }
    }
}

fn take(quota: &Quota, counts: &Counts, key: crate::keyed::Key, exchange: &Exchange, dry: bool) -> Taken {
    counts.with(key, quota, exchange.started, |counter| quota.take(counter, exchange.started, dry))
}

fn refused(reason: &'static Reason, taken: &Taken) -> Box<Rejection> {
    Rejection::new(reason).header(RETRY_AFTER, HeaderValue::from(taken.retry_seconds))
}

#[cfg(test)]
mod tests;
