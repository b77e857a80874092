//! Custom headers: headers for the upstream, on every request that goes there.

use std::collections::BTreeMap;

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Reason, Rejection, Side, Stage, Step,
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::transformation::{
    REQUEST,
    changes::{Builder, Changes},
};

/// Gives headers to requests on their way to the upstream, after everything that looks at requests has looked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomHeaders {
    /// Headers with their values, texts with variables. What the client sent under the same name is replaced.
    headers: BTreeMap<String, String>,
}

impl Policy for CustomHeaders {
    const TYPE: &'static str = "customHeaders";
    const STAGE: Stage = Stage::Routing;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "What the client sent under the same name does not reach the upstream. Line breaks and control characters are dropped from values, so that none becomes a second header.";
    const REASONS: &'static [&'static Reason] = &[&REQUEST];
    const EXAMPLE: &'static str = "headers:\n  X-Consumer: ${request.application.name}\n  X-Entry: gateway\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.headers.is_empty() {
            return Err(Diagnostic::error("headers", "found none, expected at least one header"));
        }
        let mut build = Builder::new(cx, Side::Request, BTreeMap::new());
        build.set_headers("headers", &self.headers)?;
        Ok(Compiled::filter(Added(build.finish_any())))
    }
}

struct Added(Changes);

impl Filter for Added {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let set = self.0.apply(exchange);
        let refused = |problem: engine::language::SetError| Rejection::new(&REQUEST).detail(problem.0);
        Step::Done(set.map(|()| Outcome::Changed).map_err(refused))
    }

    fn needs(&self) -> Needs {
        Needs { request_body: self.0.needs().request_body, ..Needs::default() }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{serve, try_serve};

    #[test]
    fn headers_replace_what_the_client_sent_and_never_split() {
        let served = serve(
            "",
            "[{type: customHeaders, config: {headers: {X-Who: 'at ${request.query.q}', X-Fixed: '1'}}}]",
        );
        let mut exchange = served.exchange("GET /a?q=b%0D%0AX-Admin:%201", "X-Who: me\nX-Who: you", "");
        served.request(&mut exchange).unwrap();
        let all: Vec<_> = exchange.headers.iter().map(|(name, value)| (name, value.to_text())).collect();
        assert_eq!(all, [("x-who", "at bX-Admin: 1".into()), ("x-fixed", "1".into())]);
    }

    #[test]
    fn wrong_headers_are_told_with_their_path() {
        for (config, path) in [
            ("{headers: {}}", "headers"),
            ("{headers: {Host: a}}", "headers.Host"),
            ("{headers: {'a b': a}}", "headers.a b"),
            ("{headers: {X-A: '${request.heders.X}'}}", "headers.X-A"),
            ("{headers: {X-A: \"a\\nb\"}}", "headers.X-A"),
        ] {
            let policies = format!("[{{type: customHeaders, config: {config}}}]");
            let Err(problems) = try_serve("", &policies, "") else { panic!("{config}") };
            assert_eq!(problems.0[0].path, format!("apis[0].policies[0].config.{path}"), "{config}");
        }
    }
}
