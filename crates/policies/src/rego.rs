//! Rego: rules of the Open Policy Agent, which run in the gateway.

use std::{num::NonZeroU32, sync::Once, time::Duration};

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict,
};
use http::StatusCode;
use model::Diagnostic;
use regorus::{
    CompiledPolicy, Engine,
    utils::limits::{ExecutionTimerConfig, set_fallback_execution_timer_config},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::rules::{Decision, RulesInput, refusal};

/// Decides by rules in Rego whether a request may pass. It runs after the policies that identify the caller.
///
/// The rules are those of Open Policy Agent 1.0, and run in the gateway: no server is asked. They see the same `input` as with
/// `openPolicyAgent`. `input.time` is what to compare times with, since it goes by the clock of a test. A value of `true`, or
/// an object with `allow: true`, lets the request pass. Anything else refuses it, also no value at all; a `reason` beside
/// `allow` goes into the decision record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rego {
    /// The rules: a module in Rego. Instead of `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// File with the module, relative to the configuration. A change of the file is a change of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The rule that decides.
    #[serde(default = "default_rule")]
    rule: String,
    /// What rules find in `data`, beside themselves.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    data: Map<String, Value>,
    /// Headers of the request that the rules see. Default: none, since credentials are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    /// Give the rules the body of the request, where that is JSON. The gateway then reads it whole, up to
    /// `limits.bufferedBodySize`.
    #[serde(default)]
    body: bool,
}

fn default_rule() -> String {
    "data.gateway.allow".to_owned()
}

/// Longest that rules may take. Their worker does nothing else meanwhile.
const LONGEST: Duration = Duration::from_millis(50);

static REFUSED: Reason =
    Reason::new("rego_refused", StatusCode::FORBIDDEN, "The rules of this API do not allow this.");
static FAILED: Reason = Reason::new(
    "rego_failed",
    StatusCode::INTERNAL_SERVER_ERROR,
    "The rules of this API could not decide about this request.",
);

impl Policy for Rego {
    const TYPE: &'static str = "rego";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    // After whoever identifies, and before servers of rules are asked.
    const ORDER: i8 = 2;
    const REPEATABLE: bool = true;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "What the client sends is data to the rules and can add no rule and no field. Rules reach no file and no network, and end after 50 ms; rules that fail refuse.";
    const REASONS: &'static [&'static Reason] = &[&REFUSED, &FAILED];
    const FILES: &'static [&'static str] = &["file"];
    const EXAMPLE: &'static str = "source: |\n  package gateway\n\n  default allow := false\n\n  allow if input.request.method == \"GET\"\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let (key, source) = match (self.source, &self.file) {
            (Some(source), None) => ("source", Some(source)),
            (None, Some(file)) => {
                let text = cx.file("file", file)?.map(|content| String::from_utf8(content.to_vec()));
                let text = text.transpose().map_err(|_| {
                    Diagnostic::error("file", format!("found `{file}`, which is not text in UTF-8"))
                })?;
                ("file", text)
            }
            (Some(_), Some(_)) => {
                return Err(Diagnostic::error("file", "found beside `source`, expected one of them"));
            }
            (None, None) => {
                return Err(
                    Diagnostic::error("source", "missing").help("write the rules here, or name their `file`")
                );
            }
        };
        let input = RulesInput::new(&self.headers, self.body)?;
        let rules = source.map(|source| compile(source, key, &self.rule, self.data)).transpose()?;
        Ok(Compiled::filter(Rules { input, rules }))
    }
}

fn compile(
    source: String,
    key: &str,
    rule: &str,
    data: Map<String, Value>,
) -> Result<CompiledPolicy, Diagnostic> {
    static LIMITED: Once = Once::new();
    LIMITED.call_once(|| {
        let check_interval = NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN);
        set_fallback_execution_timer_config(Some(ExecutionTimerConfig { limit: LONGEST, check_interval }));
    });
    let wrong = |problem: &dyn std::fmt::Display| {
        let found = told(&problem.to_string());
        Diagnostic::error(key, format!("found no valid module in Rego: {found}"))
    };
    let mut engine = Engine::new();
    // As the agent has it: what a function cannot be used on has no value, and is no failure.
    engine.set_strict_builtin_errors(false);
    let package = engine.add_policy(RULES.to_owned(), source).map_err(|problem| wrong(&problem))?;
    let data = regorus::Value::from_json_str(&Value::Object(data).to_string());
    data.and_then(|data| engine.add_data(data))
        .map_err(|problem| Diagnostic::error("data", told(&problem.to_string())))?;
    let compiled = engine.compile_with_entrypoint(&rule.into()).map_err(|problem| {
        // That there is no such rule is said before what is wrong with the rules.
        match problem.to_string().contains("not a valid rule path") {
            true => Diagnostic::error("rule", format!("found `{rule}`, which is no rule of the module"))
                .help(format!("the module is `{package}`; a rule of it is `{package}.allow`")),
            false => wrong(&problem),
        }
    })?;
    // Functions are looked for when they are called.
    match compiled.eval_with_input(regorus::Value::new_object()) {
        Err(problem) if problem.to_string().contains("could not find function") => Err(wrong(&problem)),
        _ => Ok(compiled),
    }
}

/// What the module is called in messages.
const RULES: &str = "rules";

/// What is wrong, and where in the module, without what would be drawn on a terminal.
fn told(problem: &str) -> String {
    let message = problem.rsplit("error: ").next().unwrap_or(problem).trim();
    let place = problem.split("--> rules:").nth(1).and_then(|rest| rest.lines().next());
    match place.and_then(|place| place.trim().split_once(':')) {
        Some((line, column)) => format!("line {line}, column {column}: {message}"),
        None => message.to_owned(),
    }
}

struct Rules {
    input: RulesInput,
    /// `None` where a configuration is checked without its files.
    rules: Option<CompiledPolicy>,
}

impl Filter for Rules {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.decide(exchange))
    }

    fn needs(&self) -> Needs {
        self.input.needs()
    }
}

impl Rules {
    fn decide(&self, exchange: &Exchange) -> Verdict {
        let Some(rules) = &self.rules else { return Ok(Outcome::Skipped) };
        let failed = |problem: String| Rejection::new(&FAILED).detail(told(&problem));
        let input: regorus::Value =
            serde_json::from_value(self.input.of(exchange)).map_err(|problem| failed(problem.to_string()))?;
        let value = rules.eval_with_input(input).map_err(|problem| failed(problem.to_string()))?;
        let value = match value {
            regorus::Value::Undefined => None,
            value => serde_json::to_value(value).ok(),
        };
        match Decision::of(value) {
            Decision::Allowed => Ok(Outcome::Passed),
            Decision::Refused(why) => Err(refusal(&REFUSED, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_rules_is_told_with_its_place() {
        let module = |rest: &str| format!("package gateway\n{rest}");
        for (source, rule, path, message) in [
            (module("allow if {"), "data.gateway.allow", "source", "line 2, column 11: expecting expression"),
            (
                module("allow if { y }"),
                "data.gateway.allow",
                "source",
                "line 2, column 12: use of undefined variable `y` is unsafe",
            ),
            (
                "allow := true".to_owned(),
                "data.gateway.allow",
                "source",
                "line 1, column 1: expecting `package`",
            ),
            (
                module("allow if orders.are_open(1)"),
                "data.gateway.allow",
                "source",
                "line 2, column 25: could not find function",
            ),
            (
                module("allow if http.send({})"),
                "data.gateway.allow",
                "source",
                "line 2, column 19: could not find function",
            ),
            (
                module("allow := true"),
                "data.gateway.alow",
                "rule",
                "found `data.gateway.alow`, which is no rule",
            ),
            (
                module("allow := true"),
                "data.other.allow",
                "rule",
                "found `data.other.allow`, which is no rule",
            ),
            (module("allow := true"), "allow", "rule", "found `allow`, which is no rule"),
            (module("allow := true"), "", "rule", "found ``, which is no rule"),
        ] {
            let problem = compile(source.clone(), "source", rule, Map::new()).expect_err(&source);
            assert_eq!(problem.path, path, "{source}: {problem}");
            let found = problem.message.trim_start_matches("found no valid module in Rego: ");
            assert!(found.starts_with(message), "{source}: {}", problem.message);
        }
    }

    #[test]
    fn rules_that_take_too_long_end() {
        let source = "package gateway\nallow if count([1 | numbers.range(1, 100000)[_]; numbers.range(1, 100000)[_]]) > 1";
        // It is found out with the first request, and not by waiting for it while the configuration is compiled.
        let rules = compile(source.to_owned(), "source", "data.gateway.allow", Map::new()).expect("valid");
        let problem = rules.eval_with_input(regorus::Value::new_object()).expect_err("it takes an hour");
        assert!(told(&problem.to_string()).contains("time limit"), "{problem}");
    }

    #[test]
    fn functions_of_the_agent_are_there() {
        let source = r#"package gateway
            allow if {
                net.cidr_contains("10.0.0.0/8", "10.1.2.3")
                glob.match("/a/*", ["/"], "/a/b")
                regex.match("^a+$", "aaa")
                time.parse_rfc3339_ns("2026-01-01T00:00:00Z") > 0
                base64.decode("YQ==") == "a"
                semver.compare("1.10.0", "1.9.0") == 1
                urlquery.decode("a%20b") == "a b"
                not to_number("x")
                "b" in data.partners
            }"#;
        let data = json!({ "partners": ["a", "b"] });
        let data = data.as_object().cloned().expect("it is an object");
        let rules = compile(source.to_owned(), "source", "data.gateway.allow", data).expect("valid");
        let value = rules.eval_with_input(regorus::Value::new_object()).expect("a value");
        assert_eq!(value, regorus::Value::from(true));
    }
}
