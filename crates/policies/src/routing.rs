//! Routing: where a request goes, by conditions.

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    UpstreamName, Verdict,
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
    "The request cannot be sent where it would have to go: the path or method made for it is not valid.",
);

impl Policy for Routing {
    const TYPE: &'static str = "routing";
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[&NOT_ROUTABLE];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "The client chooses only among the upstreams that are written down. What it sends into a path is encoded, so that it can add no segment, query or host.";
    const EXAMPLE: &'static str = "rules:\n  - name: partners\n    when: {variable: '${request.headers.X-Channel}', operator: equals, value: partner}\n    upstream: https://partners.internal:8443\n    path: /v2/${sys:resource_path}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let mut rules = Vec::with_capacity(self.rules.len());
        for (index, rule) in self.rules.into_iter().enumerate() {
            let path = format!("rules[{index}]");
            let when = Condition::compile(&rule.when, cx.language())
                .map_err(|problem| problem.under("when").under(&path))?;
            let target = RoutingTarget { upstream: rule.upstream, path: rule.path, method: rule.method };
            let name = rule.name.unwrap_or_else(|| format!("rule {}", index + 1));
            rules.push(Rule {
                name: name.into(),
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
    name: Box<str>,
    when: Condition,
    way: Way,
}

/// What is changed about a request so that it goes another way.
struct Way {
    upstream: Option<UpstreamName>,
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
            path,
            method: target.method.clone(),
            to_path: Target::compile("${request.path}", cx.language())?,
            to_method: Target::compile("${request.httpMethod}", cx.language())?,
        })
    }

    fn take(&self, exchange: &mut Exchange) -> Verdict {
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
        Ok(Outcome::Changed)
    }

    fn needs(&self) -> Needs {
        self.path.as_ref().map_or(Needs::default(), Template::needs)
    }
}

impl Filter for Router {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let found = self.rules.iter().find(|rule| rule.when.holds(exchange));
        Step::Done(match (found, &self.default) {
            (Some(rule), _) => {
                exchange.note(|| format!("{} holds", rule.name).into());
                rule.way.take(exchange)
            }
            (None, Some(default)) => {
                exchange.note(|| "no rule holds".into());
                default.take(exchange)
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

#[cfg(test)]
mod tests {
    use crate::testing;

    const RULES: &str = r#"[{type: routing, config: {
        rules: [
            {name: partners, when: {variable: "${request.headers.X-Channel}", operator: equals, value: partner},
             upstream: "http://partners.internal:81", path: "/v2/${sys:resource_path}"},
            {when: {variable: "${request.query.to}", operator: exists}, path: "/to/${request.query.to}", method: POST},
        ]}}]"#;

    #[test]
    fn the_first_rule_that_holds_decides() {
        let served = testing::serve("", RULES);
        let urls: Vec<_> = served.snapshot.upstreams.iter().map(|u| u.name.to_string()).collect();
        let way = |line: &str, headers: &str| {
            let mut exchange = served.exchange(line, headers, "");
            let ran = served.request(&mut exchange);
            assert!(ran.is_ok(), "{line}: {ran:?}");
            let upstream = exchange.upstream.map(|position| urls[position as usize].clone());
            (exchange.method.to_string(), exchange.uri.path()[2..].to_owned(), upstream)
        };
        assert_eq!(
            way("GET /orders/1?to=x", "X-Channel: partner"),
            ("GET".into(), "/v2/orders/1".into(), Some("http://partners.internal:81".into()))
        );
        assert_eq!(way("GET /orders?to=a%2F..%3Fb", ""), ("POST".into(), "/to/a/..%3Fb".into(), None));
        assert_eq!(way("GET /orders", ""), ("GET".into(), "/orders".into(), None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        for (config, path) in [
            ("{rules: [{when: {cel: 'true'}, upstream: nowhere}]}", "rules[0].upstream"),
            ("{rules: [{when: {cel: '1 +'}}]}", "rules[0].when"),
            ("{default: {path: '${request.nonsense}'}}", "default.path"),
            ("{default: {method: get}}", "default.method"),
            ("{default: {upstream: 'ftp://x'}}", "default.upstream"),
        ] {
            let problems = testing::try_serve("", &format!("[{{type: routing, config: {config}}}]"), "");
            let problems = problems.map(|_| ()).unwrap_err();
            assert!(problems.0[0].path.contains(path), "{config}: {problems}");
        }
    }
}
