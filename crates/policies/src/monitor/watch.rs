//! What runs: requests are counted when they end, intervals end as time passes, and alerts are raised.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed};

use engine::{
    Alert, AlertText, Alerts, CompileCx, Compiled, Exchange, Filter, Needs, Outcome as PolicyOutcome, Step,
    Timed, Timestamp,
    alert::AlertSource,
    journal::Measures,
    language::{Condition, Escape},
    reason::{self, Origin},
};
use model::{ConditionDoc, Diagnostic, destination::Severity};

use super::{
    MonitorFrequency,
    interval::{MonitorInterval, Span},
    meter::{Counts, Meter, Outcome, Sample},
    rule::{self, MonitorRule},
};
use crate::shared_map::SharedMap;

/// What the policies have in common.
pub struct WatchSpec {
    pub when: Option<ConditionDoc>,
    pub rules: Vec<MonitorRule>,
    pub interval: MonitorInterval,
    pub frequency: MonitorFrequency,
    pub severity: Severity,
    pub message: Option<String>,
    pub destinations: Vec<String>,
}

/// What is counted apart.
pub enum Apart {
    Nothing,
    /// Applications with these names; all of them when there is none.
    Applications(Vec<Box<str>>),
}

/// What was counted, with the configuration that it was counted for. Outlives a reload.
#[derive(Default)]
struct State(Mutex<Option<(Vec<u8>, Arc<Meters>)>>);

impl State {
    /// The meters of this configuration; new ones when it was another one before.
    fn meters(&self, shape: Vec<u8>, make: impl FnOnce() -> Meters) -> Arc<Meters> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, meters)) = known.as_ref().filter(|(before, _)| *before == shape) {
            return Arc::clone(meters);
        }
        let meters = Arc::new(make());
        *known = Some((shape, Arc::clone(&meters)));
        meters
    }
}

/// The meters of a policy.
struct Meters {
    workers: usize,
    span: Span,
    /// When the policy began.
    first: Timestamp,
    whole: Meter,
    /// By application. There are no more of them than the configuration has applications.
    apart: SharedMap<Box<str>, Arc<Meter>>,
}

impl Meters {
    fn new(workers: usize, span: Span, first: Timestamp, apart: &Apart) -> Self {
        let meter = || Meter::new(workers, span, first, first);
        let meters = Self { workers, span, first, whole: meter(), apart: SharedMap::default() };
        if let Apart::Applications(names) = apart {
            for name in names {
                meters.apart.pin().insert(name.clone(), Arc::new(meter()));
            }
        }
        meters
    }
}

/// A monitor, ready to count.
pub struct Watch {
    meters: Arc<Meters>,
    apart: Apart,
    /// Which requests count.
    when: Option<Condition>,
    rules: Box<[MonitorRule]>,
    /// Every rule can be looked at with each request.
    at_once: bool,
    frequency: MonitorFrequency,
    severity: Severity,
    message: Option<AlertText>,
    destinations: Arc<[Box<str>]>,
    source: Arc<AlertSource>,
    rule: Arc<str>,
    interval: Arc<str>,
    alerts: Alerts,
}

impl Watch {
    /// Checks what is written; `shape` changes when anything in it does.
    pub fn compile(
        kind: &'static str,
        spec: WatchSpec,
        apart: Apart,
        shape: Vec<u8>,
        cx: &mut CompileCx<'_>,
    ) -> Result<Compiled, Diagnostic> {
        for (index, rule) in spec.rules.iter().enumerate() {
            rule.check().map_err(|problem| problem.under(&format!("rules[{index}]")))?;
        }
        let when = spec.when.as_ref().map(|when| condition(when, cx)).transpose()?;
        let span = spec.interval.compile().map_err(|problem| problem.under("interval"))?;
        let message = spec.message.as_deref().map(AlertText::compile_message).transpose();
        let message = message.map_err(|problem| problem.under("message"))?;
        let destinations = cx.destinations("destinations", spec.destinations)?;
        let (workers, now) = (cx.workers(), cx.clock().now());
        let state = cx.keep_state(State::default);
        let meters = state.meters(shape, || Meters::new(workers, span, now, &apart));
        let texts: Vec<String> = spec.rules.iter().map(MonitorRule::text).collect();
        let watch = Arc::new(Self {
            meters,
            apart,
            when,
            at_once: spec.rules.iter().all(MonitorRule::holds_at_once),
            rules: spec.rules.into(),
            frequency: spec.frequency,
            severity: spec.severity,
            message,
            destinations,
            source: cx.alert_source(kind),
            rule: texts.join(" and ").into(),
            interval: spec.interval.name().into(),
            alerts: cx.alerts(),
        });
        cx.as_time_passes(Arc::clone(&watch) as Arc<dyn Timed>);
        Ok(Compiled::filter(Watching(watch)))
    }

    /// Does something with the meter that a request is counted by, if there is one.
    fn with_meter<T>(&self, exchange: &Exchange, then: impl FnOnce(&Meter, &str) -> T) -> Option<T> {
        let Apart::Applications(names) = &self.apart else { return Some(then(&self.meters.whole, "")) };
        let name = &exchange.application()?.name;
        let meters = self.meters.apart.pin();
        if let Some(meter) = meters.get(name) {
            return Some(then(meter, name));
        }
        if !names.is_empty() {
            return None;
        }
        let Meters { workers, span, first, .. } = *self.meters;
        let make = || Arc::new(Meter::new(workers, span, first, exchange.started));
        Some(then(meters.get_or_insert_with(name.clone(), make), name))
    }

    fn count(&self, meter: &Meter, application: &str, sample: &Sample) {
        self.turn(meter, application, sample.ended);
        meter.count(sample);
        if !self.at_once {
            return;
        }
        let changed = Counts::of(sample.outcome);
        let counts = meter.count_now(&changed);
        if let Some(value) = rule::hold_now(&self.rules, &counts, &changed)
            && (self.frequency == MonitorFrequency::Always || !meter.alerted.swap(true, Relaxed))
        {
            self.raise(application, sample.ended, value);
        }
    }

    fn turn(&self, meter: &Meter, application: &str, now: Timestamp) {
        if let Some(measured) = meter.turn(self.meters.span, self.meters.first, now)
            && !self.at_once
            && let Some(value) = rule::hold_at_end(&self.rules, &measured)
        {
            self.raise(application, measured.ended, value);
        }
    }

    fn raise(&self, application: &str, time: Timestamp, value: f64) {
        let Some(first) = self.rules.first() else { return };
        // What is beyond a thousandth is noise.
        let value = (value * 1_000.0).round() / 1_000.0;
        let mut alert = Alert {
            time,
            severity: self.severity,
            source: Arc::clone(&self.source),
            application: application.into(),
            rule: Arc::clone(&self.rule),
            metric: first.metric.name(),
            value,
            threshold: first.value,
            interval: Arc::clone(&self.interval),
            message: Box::default(),
            destinations: Arc::clone(&self.destinations),
        };
        alert.message = match &self.message {
            Some(message) => message.render(&alert, Escape::None).into(),
            None => format!("{}: {} was {value} in {}", self.rule, first.metric.name(), self.interval).into(),
        };
        self.alerts.raise(alert);
    }
}

impl Timed for Watch {
    fn look(&self, now: Timestamp) {
        match self.apart {
            Apart::Nothing => self.turn(&self.meters.whole, "", now),
            Apart::Applications(_) => {
                for (name, meter) in &self.meters.apart.pin() {
                    self.turn(meter, name, now);
                }
            }
        }
    }
}

/// The filter of a watch.
struct Watching(Arc<Watch>);

impl Filter for Watching {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if !exchange.recording {
            return Step::Done(Ok(PolicyOutcome::Passed));
        }
        let so_far = self.0.with_meter(exchange, |meter, _| meter.so_far());
        Step::Done(Ok(match so_far {
            Some(counts) => {
                exchange.note(|| {
                    format!(
                        "{} requests before it in this interval, {} faults",
                        counts.requests, counts.faults
                    )
                    .into()
                });
                PolicyOutcome::Passed
            }
            None => {
                exchange.note(|| "not for this caller".into());
                PolicyOutcome::Skipped
            }
        }))
    }

    fn ended(&self, exchange: &Exchange, measures: &Measures) {
        if exchange.dry_run || self.0.when.as_ref().is_some_and(|when| !when.holds(exchange)) {
            return;
        }
        let took = measures.ended.since(exchange.started);
        let sample = Sample {
            ended: measures.ended,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            outcome: outcome(exchange),
            up: is_up(exchange),
        };
        self.0.with_meter(exchange, |meter, application| self.0.count(meter, application, &sample));
    }

    fn needs(&self) -> Needs {
        Needs::END
    }
}

/// A condition about requests that have ended, whose bodies are gone.
fn condition(doc: &ConditionDoc, cx: &mut CompileCx<'_>) -> Result<Condition, Diagnostic> {
    let condition = Condition::compile(doc, cx.language()).map_err(|problem| problem.under("when"))?;
    let needs = condition.needs();
    if needs.request_body || needs.response_body || needs.error_body {
        let problem =
            "found a condition about a body, expected one about what is left when a request has ended";
        return Err(Diagnostic::error("when", problem)
            .help("put what the body says into a custom variable or a header before, and ask for that"));
    }
    Ok(condition)
}

fn outcome(exchange: &Exchange) -> Outcome {
    let failed = exchange.reason.is_some_and(|reason| reason.origin == Origin::Upstream);
    if failed || exchange.status.as_u16() >= 400 {
        Outcome::Fault
    } else if exchange.reason.is_some() {
        Outcome::Abandoned
    } else {
        Outcome::Success
    }
}

/// Whether the native service is there; `None` when the request did not find out.
fn is_up(exchange: &Exchange) -> Option<bool> {
    let given_up: [&engine::Reason; 2] = [&reason::UPSTREAM_SUSPENDED, &reason::CIRCUIT_OPEN];
    match exchange.reason {
        Some(reason) if reason.origin == Origin::Upstream => Some(false),
        Some(reason) if given_up.iter().any(|known| std::ptr::eq(*known, reason)) => Some(false),
        _ => exchange.attempts.last().map(|last| last.failure.is_none()),
    }
}
