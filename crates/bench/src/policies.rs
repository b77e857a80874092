//! What each policy adds to a request: the same POST of 1 KiB of JSON through an instance without policies, one for each
//! policy, and one with a chain of ten, interleaved. What is added is taken within a round.

use std::fmt::Write as _;

use super::{
    instance::{Bench, Instance, run_load},
    load::Pace,
    options::Options,
    page, process,
    proxies::PROXIES,
};

/// A row: its name, the policies, and what they do there.
struct Row {
    name: &'static str,
    policies: &'static str,
    about: &'static str,
}

const NONE: &str = "none";

const fn row(name: &'static str, policies: &'static str, about: &'static str) -> Row {
    Row { name, policies, about }
}

/// None of them answers, refuses, or changes the length of the body: every request goes the whole way, and the upstream
/// says how much it got.
const ROWS: [Row; 18] = [
    row(NONE, "", "events and decision records, no policy"),
    row("allowedProtocols", "- {type: allowedProtocols, config: {protocols: [http]}}", "one protocol"),
    row("bulkhead", "- {type: bulkhead, config: {limit: 100000, per: api}}", "a seat for each request"),
    row(
        "cors",
        "- {type: cors, config: {allowedOrigins: ['https://shop.example']}}",
        "a request without an origin",
    ),
    row(
        "setMediaType",
        "- {type: setMediaType, config: {contentType: application/json}}",
        "one that is there",
    ),
    row("apiKey", "- {type: apiKey, config: {}}", "1,000 keys"),
    row(
        "identifyAndAuthorize",
        "- {type: identifyAndAuthorize, config: {rules: [{type: apiKey}]}}",
        "1,000 keys",
    ),
    row(
        "requestTransformation",
        "- {type: requestTransformation, config: {headers: {set: {X-Tenant: '${request.path}'}, remove: [X-Debug]}}}",
        "a header with a variable",
    ),
    row(
        "responseTransformation",
        "- {type: responseTransformation, config: {headers: {set: {Cache-Control: no-store}}}}",
        "a header",
    ),
    row("customHeaders", "- {type: customHeaders, config: {headers: {X-Entry: gateway}}}", "a header"),
    row(
        "validateSpecification",
        "- {type: validateSpecification, config: {}}",
        "1 KiB of JSON against a schema",
    ),
    row(
        "requestMasking",
        "- {type: requestMasking, config: {masks: [{type: jsonPath, expression: $..name, value: xxxxxxx}], applyTo: both}}",
        "a JSONPath over 1 KiB",
    ),
    row(
        "requestScript",
        "- {type: requestScript, config: {source: \"request.headers.set('X-Entry', 'gateway');\"}}",
        "JavaScript that sets a header",
    ),
    row(
        "rateLimit",
        "- {type: rateLimit, config: {limit: 1000000000, window: 1m, key: clientAddress}}",
        "one window",
    ),
    row(
        "throttle",
        "- {type: throttle, config: {key: api, limit: {requests: 1000000000, per: hour}}}",
        "one quota",
    ),
    row(
        "upstreamThroughput",
        "- {type: upstreamThroughput, config: {limit: 1000000000, window: 1s}}",
        "one window",
    ),
    row(
        "logInvocation",
        "- {type: logInvocation, config: {requestHeaders: true, requestPayload: true, responseHeaders: true, \
         responsePayload: true, when: always}}",
        "everything, always",
    ),
    row(
        "chain of ten",
        "- {type: allowedProtocols, config: {protocols: [http]}}
      - {type: bulkhead, config: {limit: 100000, per: api}}
      - {type: cors, config: {allowedOrigins: ['https://shop.example']}}
      - {type: apiKey, config: {}}
      - {type: validateSpecification, config: {}}
      - {type: requestTransformation, config: {headers: {set: {X-Tenant: '${request.path}'}}}}
      - {type: throttle, config: {key: application, limit: {requests: 1000000000, per: hour}}}
      - {type: upstreamThroughput, config: {limit: 1000000000, window: 1s}}
      - {type: logInvocation, config: {requestHeaders: true, requestPayload: true, when: always}}
      - {type: responseTransformation, config: {headers: {set: {Cache-Control: no-store}}}}",
        "key, schema, quota, headers, log and five more",
    ),
];

/// `bench policies [OPTION…]`: the table, also as Markdown into a page with `--write`.
pub fn main(args: &[String]) -> Result<(), String> {
    let Some(options) = Options::parse(args)? else {
        println!("{}", super::options::USAGE);
        return Ok(());
    };
    process::raise_file_limit();
    let wanted = |row: &&Row| {
        options.policies.is_empty()
            || row.name == NONE
            || options.policies.iter().any(|name| name == row.name)
    };
    let rows: Vec<&Row> = ROWS.iter().filter(wanted).collect();
    if let Some(name) = options.policies.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
        return Err(format!("no row `{name}`; there are {}", ROWS.map(|row| row.name).join(", ")));
    }
    let write = options.write.clone();
    let table = table(&rows, &measure(&rows, options)?);
    println!("{table}");
    write.map_or(Ok(()), |page| page::put(&page, BEGIN, &table))
}

/// CPU microseconds for each request, by row, in each round.
fn measure(rows: &[&Row], options: Options) -> Result<Vec<Vec<f64>>, String> {
    let gatewright = PROXIES[0];
    let program = gatewright.program(&options)?;
    let bench = Bench::start(options)?;
    let mut instances = Vec::with_capacity(rows.len());
    for row in rows {
        let started = Instance::start_governed(&bench, gatewright, program.clone(), row.policies);
        instances.push(started.map_err(|error| format!("{}: {error}", row.name))?);
    }
    let mut samples = vec![Vec::new(); rows.len()];
    for round in 0..bench.options.rounds {
        // From another row on in each round: what else the machine does falls on all of them alike.
        for index in (0..rows.len()).map(|n| (n + round) % rows.len()) {
            let outcome = run_load(&instances[index].plan(&bench, Pace::Saturated))?;
            if outcome.failed > 0 || outcome.requests == 0 {
                let what = outcome.first_failure.unwrap_or_default();
                return Err(format!("{}: {} requests failed: {what}", rows[index].name, outcome.failed));
            }
            samples[index].push(outcome.proxy_cpu_ns as f64 / 1e3 / outcome.requests as f64);
        }
    }
    Ok(samples)
}

fn table(rows: &[&Row], samples: &[Vec<f64>]) -> String {
    let mut text =
        format!("| policy | what it does here | CPU {MICROS} | added {MICROS} |\n|---|---|---|---|\n");
    let base = samples.first().map_or(&[][..], Vec::as_slice);
    for (row, samples) in rows.iter().zip(samples) {
        let added = samples.iter().zip(base).map(|(with, without)| with - without).collect();
        let added = if row.name == NONE { String::new() } else { format!("{:.2}", median(added)) };
        let name = if row.policies.contains('\n') || row.name == NONE {
            row.name.to_owned()
        } else {
            format!("`{}`", row.name)
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {name} | {} | {:.2} | {added} |", row.about, median(samples.clone()));
    }
    text
}

const MICROS: &str = "µs/request";

pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    match samples.len() {
        0 => 0.0,
        count if count % 2 == 1 => samples[count / 2],
        count => f64::midpoint(samples[count / 2 - 1], samples[count / 2]),
    }
}

const BEGIN: &str = "<!-- bench policies -->\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_taken_within_a_round() {
        let rows = [&ROWS[0], &ROWS[1]];
        let table = table(&rows, &[vec![10.0, 20.0, 30.0], vec![11.0, 22.0, 30.5]]);
        assert!(table.ends_with("| `allowedProtocols` | one protocol | 22.00 | 1.00 |\n"), "{table}");
    }
}
