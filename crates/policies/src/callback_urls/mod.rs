//! Callback URLs: those that clients send for upstreams to call become URLs of the gateway. Where they are in a request is
//! in `place`; how they are sealed, and what comes of a call, in `engine::callbacks` and `proxy`.

mod place;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Problem, Reason, Rejection,
    Stage, Step, Verdict,
    callbacks::{CallbackUrl, Callbacks},
    dynamic_endpoint::AllowedHost,
};
use http::StatusCode;
use model::{Diagnostic, settings::ContentTypes};
use place::Place;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Puts URLs of the gateway in the place of URLs that clients send for the upstream to call back. What the upstream sends
/// to such a URL goes on to the client, with what it adds to path and query; the client's answer goes back. So the
/// upstream learns nothing of where clients are, reaches nothing but them, and every callback leaves an event with
/// `callbackRequest: true`.
///
/// Where a request carries such URLs is said by `callbacks` of its operation in the OpenAPI definition, and by `urls`. In
/// bodies of JSON and forms they are found; bodies of other types are refused where one is expected in a body. Of the
/// API's policies those of response processing and error handling apply to callbacks, `logInvocation`, and `callbackLimit`
/// of `bulkhead`. An API that is blocked or retired has no callbacks.
///
/// `settings.callbacks` says where upstreams reach the gateway, under which keys URLs are sealed, and who may call them. A
/// URL is good for its operation only, and until it expires; nothing is kept about it, so that every node with the same keys
/// serves it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "CallbackUrlReplacer")]
pub struct CallbackUrlReplacer {
    /// Where requests carry callback URLs, beside what the definition says, as OpenAPI writes it:
    /// `$request.body#/callbackUrl`, `$request.query.callback`, `$request.header.X-Callback`. A list in a body is a list
    /// of URLs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    /// How long after the request a URL can be called.
    expire_after: model::Duration,
    /// Take URLs of clients with `http://`, too. What is called back then crosses the network in clear.
    allow_http: bool,
    /// Hosts that URLs of clients may be at: `hooks.example`, `*.partner.example`, with a port or without. Default: all,
    /// but for the gateway itself and, when they are called, private addresses that `settings.privateAddresses` does not
    /// allow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_hosts: Vec<String>,
}

impl Default for CallbackUrlReplacer {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            expire_after: model::Duration::from_secs(7 * 24 * 60 * 60),
            allow_http: false,
            allowed_hosts: Vec::new(),
        }
    }
}

static URL_REFUSED: Reason = Reason::new(
    "callback_url_refused",
    StatusCode::BAD_REQUEST,
    "The request names a callback URL that may not be called.",
);
static BODY_UNREADABLE: Reason = Reason::new(
    "callback_body_unreadable",
    StatusCode::BAD_REQUEST,
    "The body has to be JSON or a form, so that callback URLs are found in it.",
);
static NOT_SET_UP: Reason = Reason::new(
    "callbacks_not_set_up",
    StatusCode::SERVICE_UNAVAILABLE,
    "Callback URLs are not taken, since the gateway is not set up for callbacks.",
);

impl Policy for CallbackUrlReplacer {
    const TYPE: &'static str = "callbackURLReplacer";
    const STAGE: Stage = Stage::RequestProcessing;
    // After whatever else makes a request what it is: no other policy is to bring in a URL again.
    const ORDER: i8 = 100;
    const REASONS: &'static [&'static Reason] = &[&URL_REFUSED, &BODY_UNREADABLE, &NOT_SET_UP];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "A URL of a client is read strictly and goes nowhere as it was sent: the upstream gets it encrypted and authenticated, and the gateway calls it at addresses that are not private, without following redirections. Names and bodies are written anew from what was understood, so that a name that is there twice or encoded hides nothing. Whoever has a sealed URL may call it, within `httpsOnly` and `trustedAddresses`.";
    const EXAMPLE: &'static str = "urls: [$request.body#/callbackUrl]\nexpireAfter: 30d\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.expire_after.get().is_zero() {
            return Err(Diagnostic::error("expireAfter", "found 0, expected a time such as 7d"));
        }
        let always = self.urls.iter().enumerate().map(|(index, text)| {
            Place::parse(text).map_err(|problem| {
                Diagnostic::error(format!("urls[{index}]"), format!("found `{text}`, {problem}")).help(
                    "write it like $request.body#/callbackUrl, $request.query.NAME or $request.header.NAME",
                )
            })
        });
        let always: Vec<Place> = always.collect::<Result<_, _>>()?;
        let hosts = self.allowed_hosts.iter().enumerate().map(|(index, text)| {
            AllowedHost::parse(text).map_err(|problem| problem.under(&format!("allowedHosts[{index}]")))
        });
        let hosts = hosts.collect::<Result<_, _>>()?;
        let mut by_operation = Vec::new();
        let mut strange = BTreeSet::new();
        for operation in cx.api().into_iter().flat_map(|api| api.operations()) {
            let mut places = always.clone();
            for text in &operation.callbacks {
                match Place::parse(text) {
                    Ok(place) if places.contains(&place) => {}
                    Ok(place) => places.push(place),
                    Err(problem) => drop(strange.insert(format!(
                        "in the definition, the callback `{text}` of {} stays as it is: {problem}",
                        operation.name
                    ))),
                }
            }
            by_operation.push(places.into());
        }
        for warning in strange {
            cx.warn(Diagnostic::warning("", warning));
        }
        if !cx.seals_callbacks() {
            cx.warn(
                Diagnostic::warning(
                    "",
                    "there is no `settings.callbacks.url`; requests with a callback URL are refused",
                )
                .help("say where upstreams reach the gateway and under which keys URLs are sealed"),
            );
        }
        Ok(Compiled::filter(Replacer {
            always: always.into(),
            by_operation,
            lifetime: self.expire_after.get(),
            allow_http: self.allow_http,
            hosts,
            types: cx.content_types().clone(),
        }))
    }
}

struct Replacer {
    /// For requests that match no operation.
    always: Box<[Place]>,
    /// By the position of the operation.
    by_operation: Vec<Box<[Place]>>,
    lifetime: Duration,
    allow_http: bool,
    hosts: Vec<AllowedHost>,
    types: ContentTypes,
}

impl Filter for Replacer {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.replace(exchange))
    }

    fn needs(&self) -> Needs {
        let mut places = self.always.iter().chain(self.by_operation.iter().flatten());
        Needs { request_body: places.any(|place| matches!(place, Place::Body(_))), ..Needs::default() }
    }
}

impl Replacer {
    fn replace(&self, exchange: &mut Exchange) -> Verdict {
        let places = exchange.operation.and_then(|place| self.by_operation.get(place as usize));
        let places = places.unwrap_or(&self.always);
        let snapshot = exchange.snapshot.clone();
        if places.is_empty() || !snapshot.settings.callbacks.process_requests {
            return Ok(Outcome::Skipped);
        }
        let with = Sealing { replacer: self, callbacks: snapshot.callbacks.as_ref() };
        let mut replaced = 0;
        for place in places {
            replaced += match place {
                Place::Query(name) => place::in_query(exchange, name, &with)?,
                Place::Header(name) => place::in_header(exchange, name, &with)?,
                Place::Body(_) => 0,
            };
        }
        let pointers = places.iter().filter_map(|place| match place {
            Place::Body(pointer) => Some(&**pointer),
            _ => None,
        });
        replaced += place::in_body(exchange, pointers, &self.types, &with)?;
        if replaced == 0 {
            return Ok(Outcome::Passed);
        }
        exchange.note(|| format!("replaced {replaced}").into());
        Ok(Outcome::Changed)
    }
}

/// What turns a URL of a client into one of the gateway.
struct Sealing<'a> {
    replacer: &'a Replacer,
    callbacks: Option<&'a Callbacks>,
}

impl Sealing<'_> {
    /// The URL of the gateway that stands for one that was found at a place.
    fn seal(&self, exchange: &Exchange, found: &str, place: &str) -> Result<String, Box<Rejection>> {
        let callbacks = self.callbacks.ok_or_else(|| Rejection::new(&NOT_SET_UP))?;
        let refused = |problem: &'static str| {
            let problem = Problem { location: place.to_owned().into(), message: problem.into() };
            Rejection::new(&URL_REFUSED).problems([problem])
        };
        let url = CallbackUrl::parse(found).map_err(refused)?;
        if !url.endpoint.tls && !self.replacer.allow_http {
            return Err(refused("it does not begin with https://"));
        }
        let hosts = &self.replacer.hosts;
        if !hosts.is_empty() && !hosts.iter().any(|host| host.allows(&url.endpoint, false)) {
            return Err(refused("its host is not one that may be called back"));
        }
        if callbacks.lead_to(&url.endpoint) {
            return Err(refused("it leads to the gateway itself"));
        }
        let expires = exchange.started.plus(self.replacer.lifetime);
        callbacks
            .seal(exchange, &url, expires)
            .ok_or_else(|| Rejection::new(&engine::reason::INTERNAL_ERROR).detail("nothing could be sealed"))
    }
}
