//! Routing: where a request goes, by conditions. Endpoints from variables are made in `endpoint`.

mod endpoint;
#[cfg(test)]
mod tests;

use endpoint::EndpointMaker;
use engine::{
    CompileCx, Compiled, Destination, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection,
    Stage, Step, UpstreamName, Verdict,
    language::{Condition, Escape, Target, Template},
};
use http::StatusCode;
use model::{ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sends requests to other upstreams than the API's own, or to other paths. The first rule that holds decides; without
/// one, `default` does, and without that the request goes where the API says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Routing {
    /// Rules, tried in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RoutingRule>,
    /// For requests that no rule is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<RoutingTarget>,
}

/// Where some requests go.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingRule {
    /// Name shown in explanations. Default: `rule 1`, `rule 2` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Which requests it is about.
    when: ConditionDoc,
    /// Name of an upstream, or a URL. Default: the API's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    /// Endpoint made from variables, as in `https://${request.headers.X-Region}.svc.example:8443`, or one variable that
    /// holds it, such as `${dynamicEndpoint}`; instead of `upstream`. It has scheme, host and port; the path is written in
    /// `path`. Time limits, TLS and everything else are those of the API's own upstream, but for health checks and the
    /// circuit breaker. Endpoints at private addresses are refused unless `settings.privateAddresses` allows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Hosts that `endpoint` may come to: `api.example`, `*.svc.example`, with a port or without; `*` for all. Without a
    /// port, the one written in `endpoint` is allowed, or the usual one when the endpoint is a variable as a whole.
    /// Default: what is below the name that `endpoint` ends with, as in `*.svc.example`; it has to have two parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    /// Path after that of the endpoint, with variables; `${sys:resource_path}` is what the client called below the
    /// base path. Default: just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Method of the call. Default: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

/// Where requests go.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoutingTarget {
    /// Name of an upstream, or a URL. Default: the API's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    /// Endpoint made from variables, as in `https://${request.headers.X-Region}.svc.example:8443`, or one variable that
    /// holds it, such as `${dynamicEndpoint}`; instead of `upstream`. It has scheme, host and port; the path is written in
    /// `path`. Time limits, TLS and everything else are those of the API's own upstream, but for health checks and the
    /// circuit breaker. Endpoints at private addresses are refused unless `settings.privateAddresses` allows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// Hosts that `endpoint` may come to: `api.example`, `*.svc.example`, with a port or without; `*` for all. Without a
    /// port, the one written in `endpoint` is allowed, or the usual one when the endpoint is a variable as a whole.
    /// Default: what is below the name that `endpoint` ends with, as in `*.svc.example`; it has to have two parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    /// Path after that of the endpoint, with variables; `${sys:resource_path}` is what the client called below the
    /// base path. Default: just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Method of the call. Default: the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
}

static NOT_ROUTABLE: Reason = Reason::new(
    "not_routable",
    StatusCode::BAD_REQUEST,
    "The request cannot be sent where it would have to go: the endpoint, path or method made for it is not valid.",
);
static NOT_ALLOWED: Reason = Reason::new(
    "endpoint_not_allowed",
    StatusCode::FORBIDDEN,
    "The request would have to go to an endpoint that the API does not allow.",
);

impl Policy for Routing {
    const TYPE: &'static str = "routing";
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[&NOT_ROUTABLE, &NOT_ALLOWED];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "The client chooses only among the upstreams that are written down. What it sends into a path is encoded, so that it can add no segment, query or host. What it sends into an `endpoint` can be part of a host name and nothing else; the host has to be in `allow`, and its address must not be a private one, whatever a name server says.";
    const EXAMPLE: &'static str = "rules:\n  - name: partners\n    when: {variable: '${request.headers.X-Channel}', operator: equals, value: partner}\n    upstream: https://partners.internal:8443\n    path: /v2/${sys:resource_path}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let mut rules = Vec::with_capacity(self.rules.len());
        for (index, rule) in self.rules.into_iter().enumerate() {
            let path = format!("rules[{index}]");
            let when = Condition::compile(&rule.when, cx.language())
                .map_err(|problem| problem.under("when").under(&path))?;
            let target = RoutingTarget {
                upstream: rule.upstream,
                endpoint: rule.endpoint,
                allow: rule.allow,
                path: rule.path,
                method: rule.method,
            };
            let name = rule.name.unwrap_or_else(|| format!("rule {}", index + 1));
            rules.push(Rule {
                why: format!("{name} holds").into(),
                when,
                way: Way::compile(&target, cx).map_err(|p| p.under(&path))?,
            });
        }
        let default = match &self.default {
            Some(target) => Some(Way::compile(target, cx).map_err(|problem| problem.under("default"))?),
            None => None,
        };
        Ok(Compiled::filter(Router { rules, default }))
    }
}

struct Router {
    rules: Vec<Rule>,
    default: Option<Way>,
}

struct Rule {
    /// For the decision record.
    why: Box<str>,
    when: Condition,
    way: Way,
}

/// What is changed about a request so that it goes another way.
struct Way {
    upstream: Option<UpstreamName>,
    endpoint: Option<EndpointMaker>,
    path: Option<Template>,
    method: Option<String>,
    to_path: Target,
    to_method: Target,
}

impl Way {
    fn compile(target: &RoutingTarget, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let upstream = match &target.upstream {
            Some(text) => Some(cx.upstream("upstream", text)?),
            None => None,
        };
        let endpoint = match &target.endpoint {
            Some(_) if upstream.is_some() => {
                return Err(Diagnostic::error(
                    "endpoint",
                    "found beside `upstream`, expected one of the two",
                ));
            }
            Some(text) => Some(EndpointMaker::compile(text, &target.allow, cx.language())?),
            None if !target.allow.is_empty() => {
                return Err(Diagnostic::error("allow", "found without `endpoint`, which it is about"));
            }
            None => None,
        };
        let path = match &target.path {
            Some(text) => {
                Some(Template::compile(text, cx.language()).map_err(|problem| problem.under("path"))?)
            }
            None => None,
        };
        if let Some(method) = &target.method
            && (method.parse::<http::Method>().is_err() || method.bytes().any(|b| b.is_ascii_lowercase()))
        {
            return Err(Diagnostic::error(
                "method",
                format!("found `{method}`, expected a method in capitals such as GET"),
            ));
        }
        Ok(Self {
            upstream,
            endpoint,
            path,
            method: target.method.clone(),
            to_path: Target::compile("${request.path}", cx.language())?,
            to_method: Target::compile("${request.httpMethod}", cx.language())?,
        })
    }

    fn take(&self, exchange: &mut Exchange, why: &str) -> Verdict {
        let wrong = |detail: String| Rejection::new(&NOT_ROUTABLE).detail(detail);
        if let Some(path) = &self.path {
            // The target encodes what must not stand in a path as it is.
            let path = path.render(exchange, Escape::None).into_owned();
            self.to_path.set(exchange, &path).map_err(|error| wrong(error.to_string()))?;
        }
        if let Some(method) = &self.method {
            self.to_method.set(exchange, method).map_err(|error| wrong(error.to_string()))?;
        }
        if let Some(upstream) = &self.upstream
            && !exchange.route_to(upstream)
        {
            return Err(Rejection::new(&engine::reason::NO_UPSTREAM));
        }
        if let Some(maker) = &self.endpoint {
            let endpoint = maker.make(exchange)?;
            exchange.note(|| format!("{why}; goes to {}", endpoint.url).into());
            exchange.destination = Some(Destination::Dynamic(Box::new(endpoint)));
        }
        Ok(Outcome::Changed)
    }

    fn needs(&self) -> Needs {
        let path = self.path.as_ref().map_or(Needs::default(), Template::needs);
        path | self.endpoint.as_ref().map_or(Needs::default(), EndpointMaker::needs)
    }
}

impl Filter for Router {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let found = self.rules.iter().find(|rule| rule.when.holds(exchange));
        Step::Done(match (found, &self.default) {
            (Some(rule), _) => {
                exchange.note(|| rule.why.to_string().into());
                rule.way.take(exchange, &rule.why)
            }
            (None, Some(default)) => {
                let why = "no rule holds";
                exchange.note(|| why.into());
                default.take(exchange, why)
            }
            (None, None) => Ok(Outcome::Skipped),
        })
    }

    fn needs(&self) -> Needs {
        let rules = self.rules.iter().map(|rule| rule.when.needs() | rule.way.needs());
        let needs = rules.fold(Needs::default(), |all, needs| all | needs);
        // There is no response yet that could be looked at.
        Needs { response_body: false, ..needs | self.default.as_ref().map_or(Needs::default(), Way::needs) }
    }
}
