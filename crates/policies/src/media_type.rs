//! Set media type: Content-Type and Accept for requests that come without.

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Reason, Stage, Step,
    language::{Escape, SetError, Target, Template},
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gives requests the headers that say what they are and what they want, where the client left them out. Every policy
/// after it and the upstream see them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetMediaType {
    /// Content-Type of requests without one, also of those without a body. A text with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// Accept of requests without one. A text with variables. The gateway's own errors follow what the client sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
}

impl Policy for SetMediaType {
    const TYPE: &'static str = "setMediaType";
    const STAGE: Stage = Stage::Transport;
    const POSTURE: &'static str = "What the client says about its body is not checked here, and never overwritten. Control characters are dropped from values.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "contentType: application/json\naccept: application/json\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let mut defaults = Vec::new();
        for (key, header, text) in
            [("contentType", "content-type", &self.content_type), ("accept", "accept", &self.accept)]
        {
            let Some(text) = text else { continue };
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                return Err(Diagnostic::error(
                    key,
                    format!("found {text:?}, expected a media type such as `application/json`"),
                ));
            }
            let template = Template::compile(text, cx.language()).map_err(|problem| problem.under(key))?;
            let target = Target::compile(&format!("request.headers.{header}"), cx.language())?;
            defaults.push(Missing { header, target, template });
        }
        if defaults.is_empty() {
            return Err(Diagnostic::error("", "found neither, expected `contentType`, `accept` or both"));
        }
        Ok(Compiled::filter(Defaults(defaults)))
    }
}

struct Missing {
    header: &'static str,
    target: Target,
    template: Template,
}

struct Defaults(Vec<Missing>);

impl Filter for Defaults {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let mut outcome = Outcome::Passed;
        for Missing { header, target, template } in &self.0 {
            if exchange.headers.contains_key(header) {
                continue;
            }
            let value = template.render(exchange, Escape::Header).into_owned();
            match target.set(exchange, &value) {
                Ok(()) => outcome = Outcome::Changed,
                Err(SetError(problem)) => exchange.note(|| problem),
            }
        }
        Step::Done(Ok(outcome))
    }

    fn needs(&self) -> Needs {
        let needs = self.0.iter().fold(Needs::default(), |needs, one| needs | one.template.needs());
        Needs { request_body: needs.request_body, ..Needs::default() }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{serve, try_serve};

    #[test]
    fn only_missing_headers_are_set_and_what_came_is_remembered() {
        let served = serve(
            "",
            "[{type: setMediaType, config: {contentType: 'text/${request.query.t}', accept: '*/*'}},
              {type: requestTransformation, config: {headers: {set: {X-Came: '[${inboundContentType}]'}}}}]",
        );
        for (lines, content_type, accept, came) in [
            ("", "text/xmlX: 1", "*/*", "[]"),
            ("Content-Type: a/b", "a/b", "*/*", "[a/b]"),
            ("Accept: c/d\nContent-Type: a/b", "a/b", "c/d", "[a/b]"),
        ] {
            let mut exchange = served.exchange("POST /a?t=xml%0D%0AX:%201", lines, "");
            served.request(&mut exchange).unwrap();
            let value = |name: &str| exchange.headers.get(name).unwrap().to_text();
            assert_eq!(
                (value("content-type"), value("accept"), value("x-came")),
                (content_type.into(), accept.into(), came.into()),
                "{lines}"
            );
        }
    }

    #[test]
    fn wrong_values_are_told_with_their_path() {
        for (config, path) in [
            ("{}", "config"),
            ("{accept: ''}", "config.accept"),
            ("{contentType: '${request.nothing}'}", "config.contentType"),
        ] {
            let policies = format!("[{{type: setMediaType, config: {config}}}]");
            let Err(problems) = try_serve("", &policies, "") else { panic!("{config}") };
            assert_eq!(problems.0[0].path, format!("apis[0].policies[0].{path}"));
        }
    }
}
