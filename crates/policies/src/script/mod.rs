//! Scripts in JavaScript, on requests, responses and errors. What a script can do is in [`host`] and `prelude.js`, how
//! it is run and kept from doing more in [`vm`].

mod host;
#[cfg(test)]
mod tests;
mod vm;

use std::sync::{Arc, OnceLock};

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Problem, Reason, Rejection,
    Stage, Step, Verdict, language::Condition,
};
use host::{Decision, Left};
use http::StatusCode;
use model::{ByteSize, ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vm::{Failure, Program};

use crate::{before::Before, transformation::holds};

/// Runs a JavaScript on the request, before it goes to the upstream.
///
/// The script reads and changes `request`, asks `context` who calls what, keeps `variables` for later policies, writes
/// into the decision record with `log`, and ends the request with `reject` or `respond`. It reaches no file, no
/// network and no other request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RequestScript(Script);

/// Runs a JavaScript on the response of the upstream, before it goes to the client.
///
/// The script reads `request`, reads and changes `response`, and otherwise has what `requestScript` has. It does not
/// run on errors of the gateway; `errorScript` does.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ResponseScript(Script);

/// Runs a JavaScript on errors: responses with a status of 400 and above, of upstreams and of the gateway.
///
/// `context.error` is the code of an error of the gateway, and null for one of an upstream. Where the script fails,
/// the error goes to the client as it was.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ErrorScript(Script);

/// A script and its limits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Script {
    /// Only then. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// The script: the inside of a function, in strict mode. Instead of `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// File with the script, relative to the configuration. A change of the file is a change of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The script needs the body of its message, which is then read whole, up to `limits.bufferedBodySize`. Without,
    /// bodies stream past.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    body: bool,
    /// What one call may use.
    #[serde(default)]
    limits: ScriptLimits,
    /// What becomes of a request when the script throws, or uses more than it may.
    #[serde(default)]
    on_failure: ScriptFailure,
}

/// What one call of a script may use.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScriptLimits {
    /// Time, 1ms to 10s. Its worker does nothing else meanwhile, so that other requests wait as long.
    time: model::Duration,
    /// Memory, 1MiB to 1GiB, and also the most that it may write into a message. Each worker keeps one machine for
    /// each script.
    memory: ByteSize,
    /// Stack, 32KiB to 512KiB, which bounds how deep functions call each other.
    stack: ByteSize,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self { time: model::Duration::from_millis(50), memory: ByteSize::mib(16), stack: ByteSize::kib(256) }
    }
}

/// What becomes of a request whose script failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScriptFailure {
    /// It is answered with 500.
    #[default]
    Closed,
    /// It goes on as it was before the script; variables that were set stay.
    Open,
}

static FAILED: Reason = Reason::new(
    "script_failed",
    StatusCode::INTERNAL_SERVER_ERROR,
    "A script of the gateway failed on this request.",
);
static TIME: Reason = Reason::new(
    "script_time",
    StatusCode::INTERNAL_SERVER_ERROR,
    "A script of the gateway took too long on this request.",
);
static MEMORY: Reason = Reason::new(
    "script_memory",
    StatusCode::INTERNAL_SERVER_ERROR,
    "A script of the gateway needed too much memory for this request.",
);
static REFUSED: Reason =
    Reason::new("script_refused", StatusCode::FORBIDDEN, "A script of the gateway refused this request.");

const POSTURE: &str = "The script is trusted, what it is given is not: limits on time, memory and stack end a call that a message makes expensive, and a value that it writes can never become a second header, parameter or segment. Nothing of a request is left for the next one.";
const REASONS: &[&Reason] = &[&FAILED, &TIME, &MEMORY, &REFUSED];

impl Policy for RequestScript {
    const TYPE: &'static str = "requestScript";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = REASONS;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = POSTURE;
    const FILES: &'static [&'static str] = &["file"];
    const EXAMPLE: &'static str = "body: true\nsource: |\n  const order = request.json();\n  if (order === null) reject(400, 'no_order', 'send an order as JSON');\n  request.headers.set('X-Items', order.items?.length ?? 0);\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Runs::compile(self.0, Side::Request, cx)?))
    }
}

impl Policy for ResponseScript {
    const TYPE: &'static str = "responseScript";
    const STAGE: Stage = Stage::ResponseProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = REASONS;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = POSTURE;
    const FILES: &'static [&'static str] = &["file"];
    const EXAMPLE: &'static str =
        "source: |\n  if (response.status === 404) response.headers.set('Cache-Control', 'max-age=5');\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Runs::compile(self.0, Side::Response, cx)?))
    }
}

impl Policy for ErrorScript {
    const TYPE: &'static str = "errorScript";
    const STAGE: Stage = Stage::ErrorHandling;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&REFUSED];
    const ON_FAILURE: FailMode = FailMode::Open;
    const POSTURE: &'static str = POSTURE;
    const FILES: &'static [&'static str] = &["file"];
    const EXAMPLE: &'static str = "source: |\n  respond(response.status, {}, { error: context.error ?? 'upstream', id: context.requestId });\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Runs::compile(self.0, Side::Error, cx)?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
    Error,
}

/// A script, compiled.
struct Runs {
    when: Option<Condition>,
    /// `None` where a configuration is checked without its files.
    program: Option<Arc<Program>>,
    side: Side,
    body: bool,
    open: bool,
}

impl Runs {
    fn compile(doc: Script, side: Side, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let when = match &doc.when {
            Some(when) => Some(Condition::compile(when, cx.language()).map_err(|p| p.under("when"))?),
            None => None,
        };
        let (key, source) = match (doc.source, &doc.file) {
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
                    Diagnostic::error("source", "missing").help("write the script here, or name its `file`")
                );
            }
        };
        let limits = &doc.limits;
        let millis = limits.time.millis();
        if !(1..=10_000).contains(&millis) {
            return Err(Diagnostic::error("limits.time", format!("found {millis}ms, expected 1ms to 10s")));
        }
        let (memory, stack) = (limits.memory.as_usize(), limits.stack.as_usize());
        if !(1 << 20..=1 << 30).contains(&memory) {
            return Err(Diagnostic::error(
                "limits.memory",
                format!("found {memory} bytes, expected 1MiB to 1GiB"),
            ));
        }
        if !(32 << 10..=512 << 10).contains(&stack) {
            return Err(Diagnostic::error(
                "limits.stack",
                format!("found {stack} bytes, expected 32KiB to 512KiB"),
            ));
        }
        let (on_response, body, clock) = (side != Side::Request, doc.body, cx.clock());
        let program = source.map(|source| {
            // Policies that say the same share their machines, also after a reload.
            let name = format!("script {on_response} {body} {millis} {memory} {stack} {source}");
            let (time, checked) = (limits.time.get(), OnceLock::new());
            let make = || Program { source, on_response, body, time, memory, stack, clock, checked };
            cx.keep_shared_state(&name, make)
        });
        if let Some(program) = &program {
            program.check().map_err(|mut problem| {
                if problem.path == "source" {
                    problem.path = key.to_owned();
                }
                problem
            })?;
        }
        Ok(Self { when, program, side, body: doc.body, open: doc.on_failure == ScriptFailure::Open })
    }

    fn run(&self, exchange: &mut Exchange) -> Verdict {
        let Some(program) = &self.program else { return Ok(Outcome::Skipped) };
        if !holds(self.when.as_ref(), exchange) {
            return Ok(Outcome::Skipped);
        }
        // An error always reaches the client.
        let open = self.open || self.side == Side::Error;
        let before = open.then(|| Before::of(exchange));
        let (result, left) = vm::run(program, exchange);
        let left = left.unwrap_or_else(|| Left { log: String::new(), decision: None, changed: false });
        if let Err(failure) = result {
            let (reason, detail) = match failure {
                Failure::Time => (&TIME, format!("it ran for more than {:?}", program.time)),
                Failure::Memory => (&MEMORY, format!("it needed more than {} bytes", program.memory)),
                Failure::Thrown(problem) => (&FAILED, problem),
            };
            let log = if left.log.is_empty() { String::new() } else { format!("; log: {}", left.log) };
            let Some(before) = before else {
                return Err(Rejection::new(reason).detail(format!("{detail}{log}")));
            };
            before.restore(exchange);
            exchange.note(|| format!("{}: {detail}{log}", reason.code).into());
            return Ok(Outcome::Skipped);
        }
        if !left.log.is_empty() {
            exchange.note(|| left.log.clone().into());
        }
        match left.decision {
            None if left.changed => Ok(Outcome::Changed),
            None => Ok(Outcome::Passed),
            Some(Decision::Reject { status, code, message }) => {
                let location = code.unwrap_or_else(|| "request".to_owned());
                let detail = if left.log.is_empty() { message.clone() } else { left.log };
                let problem = Problem { location: location.into(), message: message.into() };
                Err(Rejection::new(&REFUSED).with_status(status).detail(detail).problems([problem]))
            }
            Some(Decision::Respond { status, headers, body }) => {
                let outcome = exchange.answer_with(status, headers, body);
                Ok(if self.side == Side::Request { outcome } else { Outcome::Changed })
            }
        }
    }
}

impl Filter for Runs {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(if self.side == Side::Request { self.run(exchange) } else { Ok(Outcome::Skipped) })
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let wanted = match self.side {
            Side::Request => false,
            Side::Response => exchange.reason.is_none(),
            Side::Error => exchange.status.as_u16() >= 400,
        };
        Step::Done(if wanted { self.run(exchange) } else { Ok(Outcome::Skipped) })
    }

    fn needs(&self) -> Needs {
        let needs = self.when.as_ref().map_or(Needs::default(), Condition::needs);
        match self.side {
            Side::Request => Needs { request_body: self.body || needs.request_body, ..Needs::default() },
            Side::Response => needs | Needs { response_body: self.body, ..Needs::RESPONSE },
            Side::Error => Needs {
                response_body: false,
                error_body: self.body || needs.response_body,
                response: true,
                ..needs
            },
        }
    }
}
