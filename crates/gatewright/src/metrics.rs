//! Metrics in the text format of Prometheus, added up from the workers' counters when somebody asks.

use std::{
    fmt::{Result, Write},
    sync::atomic::Ordering::Relaxed,
};

use engine::{
    Snapshot, Timestamp,
    authorization_server::KeyStatus,
    stats::{LATENCY_BOUNDS_US, Totals},
};

use crate::{alerts::Counts, certificates::Certificate};

/// What the gateway knows about itself, beside the counters of its APIs.
pub(crate) struct Gauges<'a> {
    pub revision: u64,
    pub connections: u32,
    pub requests_in_progress: u32,
    pub events_stored: u64,
    pub events_dropped: u64,
    pub reloads_failed: u64,
    pub alerts: &'a Counts,
    pub now: Timestamp,
    pub certificates: &'a [Certificate],
}

/// Name, help, and where the value is found.
type Counter = (&'static str, &'static str, fn(&Totals) -> u64);

/// Name, type, help, and where the value is found.
type OfKeys = (&'static str, &'static str, &'static str, fn(&KeyStatus) -> u64);

/// All metrics as text.
pub(crate) fn render(snapshot: &Snapshot, gauges: &Gauges<'_>) -> String {
    let mut out = String::with_capacity(4_096);
    // Writing to a String cannot fail.
    let _ = write_all(&mut out, snapshot, gauges);
    out
}

fn write_all(out: &mut String, snapshot: &Snapshot, gauges: &Gauges<'_>) -> Result {
    let apis: Vec<(String, Totals)> = snapshot
        .apis
        .iter()
        .map(|api| {
            (
                format!("api=\"{}\",version=\"{}\"", escape(&api.names.name), escape(&api.names.version)),
                api.stats.totals(),
            )
        })
        .chain([("api=\"\",version=\"\"".to_owned(), snapshot.unrouted.totals())])
        .filter(|(_, totals)| totals.requests() > 0)
        .collect();

    head(out, "gatewright_requests_total", "counter", "Requests answered, by API and class of status.")?;
    for (labels, totals) in &apis {
        for (class, count) in totals.by_class.iter().enumerate().filter(|(_, count)| **count > 0) {
            let class = if class == 0 { "other".to_owned() } else { format!("{class}xx") };
            writeln!(out, "gatewright_requests_total{{{labels},status=\"{class}\"}} {count}")?;
        }
    }
    head(
        out,
        "gatewright_request_duration_seconds",
        "histogram",
        "Time from the head of a request to the end of its answer.",
    )?;
    for (labels, totals) in &apis {
        let mut sum = 0;
        for (bound, count) in LATENCY_BOUNDS_US.iter().zip(&totals.latency) {
            sum += count;
            let bound = *bound as f64 / 1e6;
            writeln!(out, "gatewright_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {sum}")?;
        }
        let count = totals.requests();
        writeln!(out, "gatewright_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {count}")?;
        writeln!(
            out,
            "gatewright_request_duration_seconds_sum{{{labels}}} {}",
            totals.latency_sum_us as f64 / 1e6
        )?;
        writeln!(out, "gatewright_request_duration_seconds_count{{{labels}}} {count}")?;
    }
    let counters: [Counter; 4] = [
        ("gatewright_request_bytes_total", "Bytes of request bodies.", |t| t.request_bytes),
        ("gatewright_response_bytes_total", "Bytes of response bodies.", |t| t.response_bytes),
        ("gatewright_refused_total", "Requests that the gateway answered itself, with an error.", |t| {
            t.refused
        }),
        ("gatewright_upstream_failed_total", "Requests that failed because of the upstream.", |t| {
            t.upstream_failed
        }),
    ];
    for (name, help, value) in counters {
        head(out, name, "counter", help)?;
        for (labels, totals) in &apis {
            writeln!(out, "{name}{{{labels}}} {}", value(totals))?;
        }
    }
    endpoints(out, snapshot)?;
    authorization_servers(out, snapshot)?;
    address_lock(out, snapshot)?;
    certificates(out, gauges)?;
    let singles: [(&str, &str, &str, u64); 8] = [
        (
            "gatewright_config_revision",
            "gauge",
            "Revision of the configuration that is served.",
            gauges.revision,
        ),
        (
            "gatewright_config_reloads_failed_total",
            "counter",
            "Configurations that could not be taken up.",
            gauges.reloads_failed,
        ),
        ("gatewright_client_connections", "gauge", "Open client connections.", gauges.connections.into()),
        (
            "gatewright_requests_in_progress",
            "gauge",
            "Requests in progress.",
            gauges.requests_in_progress.into(),
        ),
        ("gatewright_events_stored_total", "counter", "Transaction events stored.", gauges.events_stored),
        (
            "gatewright_events_dropped_total",
            "counter",
            "Transaction events dropped or lost.",
            gauges.events_dropped,
        ),
        (
            "gatewright_alerts_raised_total",
            "counter",
            "Alerts that policies raised.",
            gauges.alerts.raised.load(Relaxed),
        ),
        (
            "gatewright_alerts_dropped_total",
            "counter",
            "Alerts that came faster than they could be taken.",
            gauges.alerts.dropped.load(Relaxed),
        ),
    ];
    for (name, kind, help, value) in singles {
        head(out, name, kind, help)?;
        writeln!(out, "{name} {value}")?;
    }
    deliveries(out, gauges.alerts)
}

fn deliveries(out: &mut String, alerts: &Counts) -> Result {
    let name = "gatewright_alert_deliveries_total";
    head(out, name, "counter", "Alerts by destination, and what became of them.")?;
    for (destination, counts) in alerts.by_destination() {
        let destination = escape(&destination);
        for (result, count) in
            [("sent", &counts.sent), ("failed", &counts.failed), ("dropped", &counts.dropped)]
        {
            let count = count.load(Relaxed);
            writeln!(out, "{name}{{destination=\"{destination}\",result=\"{result}\"}} {count}")?;
        }
    }
    Ok(())
}

fn authorization_servers(out: &mut String, snapshot: &Snapshot) -> Result {
    let servers = &snapshot.authorization_servers.list;
    if servers.is_empty() {
        return Ok(());
    }
    let metrics: [OfKeys; 3] = [
        ("gatewright_token_keys", "gauge", "Keys that are known of an authorization server.", |s| {
            s.keys as u64
        }),
        (
            "gatewright_token_key_fetches_total",
            "counter",
            "Tries to fetch the keys of an authorization server.",
            |s| s.tries,
        ),
        (
            "gatewright_token_key_fetches_failed_total",
            "counter",
            "Tries that failed; the keys that are known go on being used.",
            |s| s.failures,
        ),
    ];
    for (name, kind, help, value) in metrics {
        head(out, name, kind, help)?;
        for server in servers {
            writeln!(out, "{name}{{server=\"{}\"}} {}", escape(&server.name), value(&server.keys.status()))?;
        }
    }
    Ok(())
}

fn certificates(out: &mut String, gauges: &Gauges<'_>) -> Result {
    if gauges.certificates.is_empty() {
        return Ok(());
    }
    let name = "gatewright_certificate_expiry_seconds";
    head(out, name, "gauge", "Seconds until a certificate expires; negative when it has.")?;
    let now = i64::try_from(gauges.now.seconds()).unwrap_or(i64::MAX);
    // The same certificate may be in a place twice.
    let mut seen = std::collections::BTreeSet::new();
    for one in gauges.certificates {
        let labels = format!(
            "kind=\"{}\",name=\"{}\",alias=\"{}\",subject=\"{}\",fingerprint=\"{}\"",
            one.kind,
            escape(&one.name),
            escape(one.alias.as_deref().unwrap_or_default()),
            escape(&one.subject),
            one.fingerprint
        );
        if !seen.contains(&labels) {
            writeln!(out, "{name}{{{labels}}} {}", one.expires - now)?;
            seen.insert(labels);
        }
    }
    Ok(())
}

fn address_lock(out: &mut String, snapshot: &Snapshot) -> Result {
    let Some(lock) = &snapshot.address_lock else { return Ok(()) };
    let (refused, locks) = lock.counts();
    let name = "gatewright_address_locks_total";
    head(out, name, "counter", "Addresses that were locked because they failed to authenticate.")?;
    writeln!(out, "{name} {locks}")?;
    let name = "gatewright_address_lock_refused_total";
    head(out, name, "counter", "Requests that were refused because their address was locked.")?;
    writeln!(out, "{name} {refused}")
}

fn endpoints(out: &mut String, snapshot: &Snapshot) -> Result {
    head(out, "gatewright_endpoint_healthy", "gauge", "1 when the endpoint passes its health checks.")?;
    for upstream in &snapshot.upstreams {
        for endpoint in &upstream.endpoints {
            let (name, url) = (escape(&upstream.name), escape(&endpoint.url));
            let healthy = u8::from(endpoint.state.is_healthy());
            writeln!(out, "gatewright_endpoint_healthy{{upstream=\"{name}\",endpoint=\"{url}\"}} {healthy}")?;
        }
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
