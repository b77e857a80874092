//! Endpoints from variables: what may be written, and what may come of it.

use engine::{
    Exchange, Needs, Rejection,
    dynamic_endpoint::{AllowedHost, DynamicEndpoint},
    language::{Escape, LanguageCx, Template},
};
use model::Diagnostic;

use super::{NOT_ALLOWED, NOT_ROUTABLE};

/// Makes endpoints.
pub struct EndpointMaker {
    template: Template,
    /// Scheme and port are written down, and only the host comes from variables.
    anchored: bool,
    allow: Vec<AllowedHost>,
}

impl EndpointMaker {
    pub fn compile(text: &str, allow: &[String], cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let expected = |problem: &str| {
            Diagnostic::error("endpoint", format!("found `{text}`, {problem}")).help(
                "write it like https://${request.headers.X-Region}.svc.example:8443, or ${dynamicEndpoint}",
            )
        };
        // Policies before this one, of whatever level, may have set it.
        cx.declare("dynamicEndpoint");
        let template = Template::compile(text, cx).map_err(|problem| problem.under("endpoint"))?;
        if template.is_constant() {
            return Err(expected("which has no variable, expected it as `upstream`"));
        }
        let anchored = text.starts_with("https://") || text.starts_with("http://");
        let one_variable = text.starts_with("${") && text.ends_with('}') && !text[2..].contains("${");
        if !anchored && !one_variable {
            return Err(expected("expected http:// or https:// at its beginning, or one variable"));
        }
        let end = text.rsplit('}').next().unwrap_or_default();
        let end = end.strip_suffix('/').unwrap_or(end);
        if end.contains(['/', '?', '#']) {
            return Err(expected("expected no path and query").help("write them in `path`"));
        }
        let allow = if allow.is_empty() {
            vec![below(end.split(':').next().unwrap_or_default()).ok_or_else(|| {
                Diagnostic::error("allow", "missing, but clients could choose any host")
                    .help("name the hosts, as in `allow: [\"*.svc.example\"]`")
            })?]
        } else {
            let parse = |(index, pattern): (usize, &String)| {
                AllowedHost::parse(pattern).map_err(|problem| problem.under(&format!("allow[{index}]")))
            };
            allow.iter().enumerate().map(parse).collect::<Result<_, _>>()?
        };
        Ok(Self { template, anchored, allow })
    }

    /// The endpoint for a request.
    pub fn make(&self, exchange: &Exchange) -> Result<DynamicEndpoint, Box<Rejection>> {
        let escape = if self.anchored { Escape::Host } else { Escape::None };
        let text = self.template.render(exchange, escape);
        let endpoint = DynamicEndpoint::parse(&text)
            .map_err(|problem| Rejection::new(&NOT_ROUTABLE).detail(format!("the endpoint: {problem}")))?;
        if self.allow.iter().any(|allowed| allowed.allows(&endpoint, self.anchored)) {
            return Ok(endpoint);
        }
        Err(Rejection::new(&NOT_ALLOWED).detail(format!("{} is not allowed", endpoint.url)))
    }

    pub fn needs(&self) -> Needs {
        self.template.needs()
    }
}

/// The names below the end of a host that is written down. One label is no owner: anybody has a name below `.com`.
fn below(end: &str) -> Option<AllowedHost> {
    let name = end.strip_prefix('.').filter(|name| name.contains('.'))?;
    AllowedHost::parse(&format!("*.{name}")).ok()
}
