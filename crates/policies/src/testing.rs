//! For tests: an API with a definition and policies, compiled as the gateway does it, and requests through its chain.

use std::{rc::Rc, sync::Arc};

use definition::NoLoader;
use engine::{
    Client, Clock, Exchange, Outcome, Payload, Rejection, RequestId, Snapshot, SnapshotRef, Step, Verdict,
    compile::{Environment, Input, compile},
    route::OperationMatch,
    state::StateRegistry,
};
use model::{Diagnostics, diagnostic::Diagnostic};

use crate::POLICIES;

/// An API that has been compiled, and the warnings.
pub struct Served {
    pub snapshot: SnapshotRef,
    pub warnings: Vec<Diagnostic>,
}

/// Compiles an API with this definition and these policies, in YAML; `more` is for the API itself.
pub fn try_serve(definition: &str, policies: &str, more: &str) -> Result<Served, Diagnostics> {
    try_serve_with(definition, policies, more, &[])
}

/// The same with files that the policies name.
pub fn try_serve_with(
    definition: &str,
    policies: &str,
    more: &str,
    files: &[(&str, &[u8])],
) -> Result<Served, Diagnostics> {
    try_serve_changed(definition, policies, more, |config| {
        for (name, content) in files {
            config.files.insert(name, content.to_vec());
        }
    })
}

/// The same with other settings.
pub fn try_serve_settings(
    definition: &str,
    policies: &str,
    change: impl FnOnce(&mut model::Settings),
) -> Result<Served, Diagnostics> {
    try_serve_changed(definition, policies, "", |config| change(&mut config.settings))
}

fn try_serve_changed(
    definition: &str,
    policies: &str,
    more: &str,
    change: impl FnOnce(&mut model::ConfigDoc),
) -> Result<Served, Diagnostics> {
    let api = format!("name: T\nbasePath: /t\nupstream: http://127.0.0.1:9\npolicies: {policies}\n{more}");
    let api = model::yaml::parse(&api).unwrap().value;
    let mut config: model::ConfigDoc = serde_json::from_value(serde_json::json!({ "apis": [api] })).unwrap();
    change(&mut config);
    let read =
        |definition: &str| definition::import("api.yaml", definition.as_bytes(), &NoLoader).unwrap().api;
    let definitions = model::Parts::from_iter([(!definition.is_empty()).then(|| read(definition))]);
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: Default::default(),
    };
    let (snapshot, warnings) = compile(&Input { config, definitions }, &environment, None, 1)?;
    Ok(Served { snapshot: Rc::new(Arc::new(snapshot)), warnings })
}

/// The same, where nothing may be wrong.
pub fn serve(definition: &str, policies: &str) -> Served {
    try_serve(definition, policies, "").unwrap_or_else(|problems| panic!("{problems}"))
}

/// Lines of `Name: value` as headers.
pub fn headers(lines: &str) -> http::HeaderMap {
    let pairs = lines.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.trim().parse().unwrap(), value.trim().parse().unwrap())).fold(
        http::HeaderMap::new(),
        |mut map, (name, value): (http::HeaderName, _)| {
            map.append(name, value);
            map
        },
    )
}

impl Served {
    /// A request below the base path, routed: `POST /orders?x=1`.
    pub fn exchange(&self, line: &str, header_lines: &str, body: &str) -> Exchange {
        let (method, target) = line.split_once(' ').unwrap();
        let request = http::Request::builder().method(method).uri(format!("/t{target}")).body(()).unwrap();
        let (mut head, ()) = request.into_parts();
        head.headers = headers(header_lines);
        let address = "127.0.0.1:1".parse().unwrap();
        let client = Client { ip: std::net::Ipv4Addr::LOCALHOST.into(), peer: address, secure: false };
        let started = Clock::system().now();
        let mut exchange =
            Exchange::new(RequestId::new(1, 2), started, client, self.snapshot.clone(), head.into());
        exchange.api = Some(0);
        exchange.base_length = 2;
        let decoded = engine::route::decode(exchange.uri.path(), false).unwrap().into_owned();
        let found = self.snapshot.apis[0].operation(&exchange.method, &decoded[2..], false);
        exchange.operation = match found {
            OperationMatch::Found(operation) => Some(operation),
            OperationMatch::Options => None,
            _ => panic!("{line} is no operation"),
        };
        exchange.request_payload = (!body.is_empty()).then(|| Payload::new(body.to_owned()));
        exchange
    }

    /// Runs what comes before the upstream, up to the first answer or refusal.
    pub fn request(&self, exchange: &mut Exchange) -> Verdict {
        let snapshot: Arc<Snapshot> = Arc::clone(&self.snapshot);
        let chain = snapshot.apis[0].chain(exchange.operation);
        let mut last = Outcome::Skipped;
        for slot in chain.access().iter().chain(chain.processing()) {
            last = now(slot.policy.get().request(exchange))?;
            if last == Outcome::Answered {
                break;
            }
        }
        Ok(last)
    }

    /// Runs what sees an answer of the upstream.
    pub fn response(&self, exchange: &mut Exchange, status: u16, header_lines: &str, body: &str) -> Verdict {
        exchange.status = http::StatusCode::from_u16(status).unwrap();
        exchange.response_headers = (&headers(header_lines)).into();
        exchange.response_payload = Some(Payload::new(body.to_owned()));
        let snapshot: Arc<Snapshot> = Arc::clone(&self.snapshot);
        let mut last = Outcome::Skipped;
        for slot in snapshot.apis[0].chain(exchange.operation).response() {
            last = now(slot.policy.get().response(exchange))?;
        }
        Ok(last)
    }
}

fn now(step: Step<'_>) -> Verdict {
    match step {
        Step::Done(verdict) => verdict,
        Step::Later(_) => panic!("the policy wants to wait"),
    }
}

/// Code and problems of a refusal in a line.
pub fn told(rejection: &Rejection) -> String {
    let problems =
        rejection.problems.iter().map(|problem| format!("; {} {}", problem.location, problem.message));
    format!("{} {}{}", rejection.status().as_u16(), rejection.reason.code, problems.collect::<String>())
}
