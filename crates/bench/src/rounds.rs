//! The measurements: rounds over all that runs, in random order, so that what else the machine does falls on all of
//! them alike; a ratio is taken within its round.

use std::{
    thread,
    time::{Duration, SystemTime},
};

use super::{
    instance::{Bench, Instance, run_load},
    load::{Outcome, Pace, Plan},
    report::Report,
    work::{FEW_ROUTES, Work},
};

const IDLE_CONNECTIONS: usize = 2_000;
const LEFT_IDLE_FOR: Duration = Duration::from_secs(3);
/// Load before a change, and the least after it.
const BEFORE_CHANGE: Duration = Duration::from_millis(800);
const AFTER_CHANGE: f64 = 3.0;

/// Something that answers: a proxy, or the upstream itself.
struct Target {
    name: &'static str,
    plan: Plan,
    /// The small configuration that a large one is compared with.
    few_routes: bool,
}

pub fn measure(bench: &Bench, work: Work, instances: &[Instance], report: &mut Report) {
    for instance in instances.iter().filter(|instance| !is_few(work, instance)) {
        report.add(work, instance.proxy.name(), "startup_ms", instance.startup.as_secs_f64() * 1e3);
    }
    let mut targets: Vec<Target> = instances
        .iter()
        .map(|instance| Target {
            name: instance.proxy.name(),
            plan: instance.plan(bench, Pace::Saturated),
            few_routes: is_few(work, instance),
        })
        .collect();
    // Without TLS the upstream alone would be no reference for the TLS work.
    if work != Work::Tls && bench.options.proxies.iter().any(|name| name == "direct") {
        let routes = work.variants()[0];
        let plan = bench.plan(bench.upstream_ports[0], work, routes, Pace::Saturated);
        targets.push(Target { name: "direct", plan, few_routes: false });
    }
    let mut random = Random::new();
    for _ in 0..bench.options.rounds {
        let mut saturated = vec![None; targets.len()];
        let mut at_rate = vec![None; targets.len()];
        for index in random.order(targets.len()) {
            let target = &targets[index];
            let taken = slice(work, target, Pace::Saturated, report);
            saturated[index] = taken.and_then(|taken| taken.cpu);
            // A proxy that gave wrong answers would only do it again.
            if taken.is_some() && !target.few_routes {
                let rate = Pace::Rate(work.rate(bench.options.rate));
                at_rate[index] = slice(work, target, rate, report).and_then(|taken| taken.cpu);
            }
        }
        ratios(work, &targets, &saturated, "cpu_ratio_to_nginx", report);
        ratios(work, &targets, &at_rate, "cpu_ratio_to_nginx_at_rate", report);
        ratios_to_few(work, &targets, &saturated, report);
    }
    if work == Work::Governed {
        for instance in instances {
            report.add_option(work, instance.proxy.name(), "events_dropped", instance.dropped_events());
        }
    }
}

fn is_few(work: Work, instance: &Instance) -> bool {
    work.variants().len() > 1 && instance.setup.routes == FEW_ROUTES
}

/// A slice that went well.
#[derive(Clone, Copy)]
struct Taken {
    /// Microseconds of CPU time per request; the upstream alone has none.
    cpu: Option<f64>,
}

/// Runs a slice and keeps what it brought.
fn slice(work: Work, target: &Target, pace: Pace, report: &mut Report) -> Option<Taken> {
    let plan = Plan { pace, ..target.plan.clone() };
    let outcome = match run_load(&plan) {
        Ok(outcome) => outcome,
        Err(error) => {
            report.problem(work, target.name, &error);
            return None;
        }
    };
    report.add(work, target.name, "failed_requests", outcome.failed as f64);
    if outcome.failed > 0 || outcome.requests == 0 {
        let what = outcome.first_failure.as_deref().unwrap_or("no answers");
        report.problem(
            work,
            target.name,
            &format!("slice left out, {} requests failed: {what}", outcome.failed),
        );
        return None;
    }
    if outcome.still_busy {
        report.remark(
            work,
            target.name,
            "was still busy five seconds after the last request; that cost is not counted",
        );
    }
    let per_request = |nanos: u64| nanos as f64 / 1e3 / outcome.requests as f64;
    let cpu = (!plan.proxy.is_empty()).then(|| per_request(outcome.proxy_cpu_ns));
    if target.few_routes {
        report.add_option(work, target.name, "cpu_us_per_request_10_routes", cpu);
    } else if pace == Pace::Saturated {
        report.add_option(work, target.name, "cpu_us_per_request", cpu);
        report.add(work, target.name, "throughput", outcome.throughput);
        report.add(work, target.name, "upstream_cpu_us", per_request(outcome.upstream_cpu_ns));
        report.add(work, target.name, "loadgen_cpu_us", per_request(outcome.loadgen_cpu_ns));
    } else {
        report.add_option(work, target.name, "cpu_us_per_request_at_rate", cpu);
        report.add(work, target.name, "p50_us", outcome.p50_us);
        report.add(work, target.name, "p99_us", outcome.p99_us);
    }
    Some(Taken { cpu })
}

fn ratios(work: Work, targets: &[Target], cpu: &[Option<f64>], metric: &'static str, report: &mut Report) {
    let of = |name: &str| {
        let index = targets.iter().position(|target| target.name == name && !target.few_routes)?;
        cpu[index]
    };
    let Some(nginx) = of("nginx") else { return };
    for target in targets.iter().filter(|target| !target.few_routes) {
        report.add_option(work, target.name, metric, of(target.name).map(|cpu| cpu / nginx));
    }
}

fn ratios_to_few(work: Work, targets: &[Target], cpu: &[Option<f64>], report: &mut Report) {
    let pairs = targets.iter().zip(cpu);
    for (few, few_cpu) in pairs.clone().filter(|(target, _)| target.few_routes) {
        let many = pairs.clone().find(|(target, _)| target.name == few.name && !target.few_routes);
        if let (Some((_, Some(many_cpu))), Some(few_cpu)) = (many, few_cpu) {
            report.add(work, few.name, "cpu_ratio_to_10_routes", many_cpu / few_cpu);
        }
    }
}

/// Memory without connections and with many that are idle. To be called before there was load.
pub fn memory(bench: &Bench, work: Work, instances: &[Instance], report: &mut Report) {
    for instance in instances {
        let name = instance.proxy.name();
        let before = instance.memory_kib();
        report.add(work, name, "memory_idle_kib", before);
        match instance.memory_with_idle(bench, IDLE_CONNECTIONS, LEFT_IDLE_FOR) {
            Ok(with) => {
                report.add(work, name, "memory_2000_idle_kib", with);
                report.add(work, name, "kib_per_idle_connection", (with - before) / IDLE_CONNECTIONS as f64);
            }
            Err(error) => report.problem(work, name, &format!("idle connections: {error}")),
        }
    }
}

/// Changes the upstream in the configuration while requests come at a fixed rate, back and forth.
pub fn reload(bench: &Bench, instances: &mut [Instance], report: &mut Report) {
    let mut random = Random::new();
    for _ in 0..bench.options.rounds {
        for index in random.order(instances.len()) {
            let instance = &mut instances[index];
            let name = instance.proxy.name();
            if let Err(error) = change_under_load(bench, instance, report) {
                report.problem(Work::Reload, name, &error);
            }
        }
    }
}

fn change_under_load(bench: &Bench, instance: &mut Instance, report: &mut Report) -> Result<(), String> {
    instance.setup.side = 1 - instance.setup.side;
    let mut plan = instance.plan(bench, Pace::Rate(bench.options.rate));
    plan.seconds = BEFORE_CHANGE.as_secs_f64() + bench.options.slice.max(AFTER_CHANGE);
    plan.watch = Some(super::upstream::SIDES[instance.setup.side]);

    let (changed, outcome) = thread::scope(|scope| {
        let load = scope.spawn(|| run_load(&plan));
        thread::sleep(Duration::from_secs_f64(plan.warm_up) + BEFORE_CHANGE);
        // The change counts from when it is asked for; writing the file is part of it.
        let asked = unix_nanos();
        let changed = instance.proxy.change(&instance.setup, &instance.process);
        let outcome = load.join().unwrap_or_else(|_| Err("load generator: its thread ended".into()));
        (changed.map(|()| asked), outcome)
    });
    let changed = changed.map_err(|error| format!("the change could not be made: {error}"))?;
    let outcome = outcome?;
    keep_change(instance.proxy.name(), changed, &outcome, report);
    Ok(())
}

fn keep_change(name: &'static str, changed: u64, outcome: &Outcome, report: &mut Report) {
    let work = Work::Reload;
    let since = |time: u64| time.saturating_sub(changed) as f64 / 1e6;
    report.add(work, name, "failed_requests", outcome.failed as f64);
    if let (Some(what), true) = (&outcome.first_failure, outcome.failed > 0) {
        report.remark(work, name, &format!("{} requests failed, the first: {what}", outcome.failed));
    }
    report.add(work, name, "p99_us", outcome.p99_us);
    match outcome.first_new {
        Some(first) => {
            report.add(work, name, "live_ms", since(first));
            let last_old = outcome.last_old.unwrap_or_default();
            report.add(work, name, "settled_ms", since(first.max(last_old)));
        }
        None => report.problem(work, name, "the change did not become live while it was waited for"),
    }
}

fn unix_nanos() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Random enough to shuffle a handful of proxies.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(unix_nanos() | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for end in (1..count).rev() {
            order.swap(end, self.below(end + 1));
        }
        order
    }
}
