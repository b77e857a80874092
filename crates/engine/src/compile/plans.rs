//! Plans and subscriptions, and whether what they name is there.

use std::{collections::HashMap, sync::Arc};

use model::{
    ApiDoc, ConfigDoc, Diagnostic, Diagnostics, PlanDoc,
    diagnostic::nearest,
    plan::{PlanPeriod, PlanQuota, PlanRate},
};

use super::known_apis::KnownApis;
use crate::{
    keys::Applications,
    plans::{Plan, PlanLength, PlanWindow, Rate, Subscription, Subscriptions},
};

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

pub(super) fn compile(
    config: &ConfigDoc,
    apis: &KnownApis<'_>,
    applications: &Applications,
    problems: &mut Diagnostics,
) -> Subscriptions {
    let mut plans: HashMap<&str, Arc<Plan>> = HashMap::new();
    for (index, doc) in config.plans.iter().enumerate() {
        let path = format!("plans[{index}]");
        match plan(doc) {
            Err(problem) => problems.push(problem.under(&path)),
            Ok(plan) => {
                if plans.insert(&doc.name, Arc::new(plan)).is_some() {
                    let message = format!("found `{}` a second time, expected a name of its own", doc.name);
                    problems.push(Diagnostic::error(format!("{path}.name"), message));
                }
            }
        }
    }
    subscriptions(config, apis, applications, &plans, problems)
}

/// The plans of an API; paths are in its document.
pub(super) fn check_api(api: &ApiDoc, plans: &[PlanDoc], problems: &mut Diagnostics) {
    let known = || plans.iter().map(|plan| plan.name.as_str());
    let strange = api.plans.iter().enumerate().filter(|(_, plan)| known().all(|name| name != plan.as_str()));
    problems.0.extend(strange.map(|(place, plan)| unknown(format!("plans[{place}]"), "plan", plan, known())));
}

fn subscriptions(
    config: &ConfigDoc,
    apis: &KnownApis<'_>,
    applications: &Applications,
    plans: &HashMap<&str, Arc<Plan>>,
    problems: &mut Diagnostics,
) -> Subscriptions {
    let mut all = Subscriptions::default();
    if config.subscriptions.is_empty() {
        return all;
    }
    let known = || config.plans.iter().map(|plan| plan.name.as_str());
    for (index, doc) in config.subscriptions.iter().enumerate() {
        let path = format!("subscriptions[{index}]");
        problems.0.extend(apis.unknown(|| format!("{path}.api"), &doc.api));
        if let Some(wanted) = &doc.wanted_plan
            && known().all(|plan| plan != wanted)
        {
            problems.push(unknown(format!("{path}.wantedPlan"), "plan", wanted, known()));
        }
        let application = applications.by_name(&doc.application);
        if application.is_none() {
            let names = config.applications.iter().map(|application| application.name.as_str());
            problems.push(unknown(format!("{path}.application"), "application", &doc.application, names));
        }
        let plan = plans.get(doc.plan.as_str());
        // A plan that is there and wrong was told already.
        if plan.is_none() && known().all(|name| name != doc.plan) {
            problems.push(unknown(format!("{path}.plan"), "plan", &doc.plan, known()));
        }
        let (Some(application), Some(plan)) = (application, plan) else { continue };
        let of_api = all.by_api.entry(doc.api.as_str().into()).or_default();
        let subscription = Subscription { plan: Arc::clone(plan), state: doc.state };
        if of_api.insert(application, subscription).is_some() {
            let message = format!(
                "`{}` has a subscription to `{}` already, and needs no other",
                doc.application, doc.api
            );
            problems.push(Diagnostic::error(path, message));
        }
    }
    all
}

fn unknown<'a>(
    path: String,
    what: &str,
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let article = if what == "plan" { "no plan".to_owned() } else { format!("no {what}") };
    let problem = Diagnostic::error(path, format!("found `{found}`, which is {article}"));
    match nearest(found, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

fn plan(doc: &PlanDoc) -> Result<Plan, Diagnostic> {
    let rate = doc.rate.as_ref().map(rate).transpose().map_err(|problem| problem.under("rate"))?;
    let quota =
        doc.quota.as_ref().map(|quota| PlanWindow { requests: quota.requests, length: length(quota) });
    let announced = match &quota {
        None => String::new(),
        Some(PlanWindow { requests, length: PlanLength::Every(nanos) }) => {
            format!("\"plan\";q={requests};w={}", nanos / SECOND)
        }
        // Months differ, so that callers are told no length.
        Some(PlanWindow { requests, length: PlanLength::Months(_) }) => format!("\"plan\";q={requests}"),
    };
    Ok(Plan {
        name: doc.name.as_str().into(),
        rate,
        quota,
        stop_on_quota_reach: doc.stop_on_quota_reach,
        announced: announced.into(),
    })
}

fn rate(doc: &PlanRate) -> Result<Rate, Diagnostic> {
    let nanos = u64::try_from(doc.window.get().as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 || nanos > 366 * DAY {
        return Err(Diagnostic::error("window", format!("found {}, expected 1ms to 366d", doc.window)));
    }
    let interval = nanos / u64::from(doc.requests.get());
    if interval == 0 {
        return Err(Diagnostic::error("requests", "is more than one request for each nanosecond"));
    }
    Ok(Rate { interval, burst: u64::from(doc.burst.unwrap_or(doc.requests).get()) })
}

fn length(quota: &PlanQuota) -> PlanLength {
    let units = u64::from(quota.units.get());
    match quota.per {
        PlanPeriod::Minute => PlanLength::Every(units * 60 * SECOND),
        PlanPeriod::Hour => PlanLength::Every(units * 3_600 * SECOND),
        PlanPeriod::Day => PlanLength::Every(units * DAY),
        PlanPeriod::Week => PlanLength::Every(units * 7 * DAY),
        PlanPeriod::Month => PlanLength::Months(units),
        PlanPeriod::Year => PlanLength::Months(units * 12),
    }
}
