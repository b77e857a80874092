//! WebAssembly modules with the proxy-wasm ABI, on requests and their responses. What modules can call is in [`abi`]
//! and [`maps`], how they are run and kept from doing more in [`vm`].

mod abi;
mod maps;
#[cfg(test)]
mod tests;
mod vm;

use std::sync::{Arc, OnceLock};

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict, language::Condition,
};
use http::StatusCode;
use model::{ByteSize, ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vm::{Context, Failure, Left, Program};

use crate::{before::Before, transformation::holds};

/// Runs a WebAssembly module on requests and on the responses of the upstream.
///
/// The module is a filter with the proxy-wasm ABI 0.2.1. It reaches no file, no network and no WASI. Each worker keeps
/// an instance for its requests, which has a context for each of them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wasm {
    /// Only for these requests, and their responses. Default: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// File with the module, at most 16 MiB, relative to the configuration. A change of the file is a change of the
    /// configuration.
    file: String,
    /// What the module gets as its plug-in configuration: a text as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<serde_json::Value>,
    /// The module sees the body of requests, which is then read whole, up to `limits.bufferedBodySize`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    request_body: bool,
    /// The module sees the body of responses, read in the same way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    response_body: bool,
    /// What the module may use for a request, and again for its response.
    #[serde(default)]
    limits: WasmLimits,
    /// What becomes of a request when the module fails, or uses more than it may.
    #[serde(default)]
    on_failure: WasmFailure,
}

/// What a module may use for a request, and again for its response.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WasmLimits {
    /// Fuel: about one for each instruction, and one for each 16 bytes that are copied. 1,000 to 10,000,000,000.
    fuel: u64,
    /// Time, 1ms to 10s. Its worker does nothing else meanwhile, so that other requests wait as long.
    time: model::Duration,
    /// Memory of an instance, 64KiB to 1GiB, and also the most that it may write into a message.
    memory: ByteSize,
}

impl Default for WasmLimits {
    fn default() -> Self {
        Self { fuel: 10_000_000, time: model::Duration::from_millis(50), memory: ByteSize::mib(16) }
    }
}

/// What becomes of a request whose module failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WasmFailure {
    /// It is answered with 500.
    #[default]
    Closed,
    /// It goes on as it was before the module; variables that were set stay.
    Open,
}

static FAILED: Reason = Reason::new(
    "wasm_failed",
    StatusCode::INTERNAL_SERVER_ERROR,
    "An extension of the gateway failed on this request.",
);
static LIMIT: Reason = Reason::new(
    "wasm_limit",
    StatusCode::INTERNAL_SERVER_ERROR,
    "An extension of the gateway took too long on this request.",
);

impl Policy for Wasm {
    const TYPE: &'static str = "wasm";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&FAILED, &LIMIT];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "The module is trusted with the requests that it sees and with nothing else: limits on fuel, time and memory end a call that a message makes expensive, and a value that it writes can never become a second header or parameter. Requests of one worker share the module's memory: what it keeps there between them is its own affair.";
    const FILES: &'static [&'static str] = &["file"];
    const EXAMPLE: &'static str =
        "file: tenant.wasm\nconfiguration: {header: X-Tenant}\nlimits: {fuel: 1000000}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let when = match &self.when {
            Some(when) => Some(Condition::compile(when, cx.language()).map_err(|p| p.under("when"))?),
            None => None,
        };
        let (fuel, time, memory) = (self.limits.fuel, self.limits.time, self.limits.memory.as_usize());
        if !(1_000..=10_000_000_000).contains(&fuel) {
            let found = format!("found {fuel}, expected 1000 to 10000000000");
            return Err(Diagnostic::error("limits.fuel", found));
        }
        if !(1..=10_000).contains(&time.millis()) {
            let found = format!("found {}ms, expected 1ms to 10s", time.millis());
            return Err(Diagnostic::error("limits.time", found));
        }
        if !(64 << 10..=1 << 30).contains(&memory) {
            let found = format!("found {memory} bytes, expected 64KiB to 1GiB");
            return Err(Diagnostic::error("limits.memory", found));
        }
        let configuration = match self.configuration {
            None => String::new(),
            Some(serde_json::Value::String(text)) => text,
            Some(value) => value.to_string(),
        };
        let bodies = (self.request_body, self.response_body);
        let clock = cx.clock();
        let program = cx.file("file", &self.file)?.map(|module| {
            // Policies that say the same share their machines. One that was changed is another file.
            let digest = digest(&module);
            let name =
                format!("wasm {} {digest:x} {bodies:?} {fuel} {time:?} {memory} {configuration}", self.file);
            let (time, checked) = (time.get(), OnceLock::new());
            let configuration = configuration.into();
            cx.keep_shared_state(&name, || Program {
                module,
                configuration,
                bodies,
                fuel,
                time,
                memory,
                clock,
                checked,
            })
        });
        if let Some(program) = &program {
            program.check()?;
        }
        Ok(Compiled::filter(Extension { when, program, bodies, open: self.on_failure == WasmFailure::Open }))
    }
}

fn digest(module: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};

    let mut hasher = DefaultHasher::new();
    module.hash(&mut hasher);
    hasher.finish()
}

/// A module with its configuration, compiled.
struct Extension {
    when: Option<Condition>,
    /// `None` where a configuration is checked without its files.
    program: Option<Arc<Program>>,
    bodies: (bool, bool),
    open: bool,
}

impl Extension {
    fn on_request(&self, exchange: &mut Exchange) -> Verdict {
        let Some(program) = &self.program else { return Ok(Outcome::Skipped) };
        if !holds(self.when.as_ref(), exchange) {
            return Ok(Outcome::Skipped);
        }
        match Context::new(program) {
            Ok(context) => {
                let verdict = self.run(&context, exchange, false);
                // The module sees the response of what it let pass.
                if matches!(verdict, Ok(Outcome::Passed | Outcome::Changed)) {
                    exchange.hold(context);
                }
                verdict
            }
            Err(failure) => self.failed(&failure, &Left::default(), None, exchange),
        }
    }

    fn on_response(&self, exchange: &mut Exchange) -> Verdict {
        let Some(program) = &self.program else { return Ok(Outcome::Skipped) };
        // What the gateway answers itself is none of the module's business.
        if exchange.reason.is_some() {
            return Ok(Outcome::Skipped);
        }
        let Some(context) = exchange.take_held(|context: &Context| context.is_of(program)) else {
            return Ok(Outcome::Skipped);
        };
        let verdict = self.run(&context, exchange, true);
        exchange.hold(context);
        verdict
    }

    fn run(&self, context: &Context, exchange: &mut Exchange, on_response: bool) -> Verdict {
        let before = self.open.then(|| Before::of(exchange));
        let (result, left) = context.run(exchange, on_response);
        if let Err(failure) = result {
            return self.failed(&failure, &left, before, exchange);
        }
        if !left.log.is_empty() {
            exchange.note(|| left.log.into());
        }
        match left.answer {
            Some(answer) => {
                let outcome = exchange.answer_with(answer.status, answer.headers, answer.body);
                Ok(if on_response { Outcome::Changed } else { outcome })
            }
            None if left.changed => Ok(Outcome::Changed),
            None => Ok(Outcome::Passed),
        }
    }

    fn failed(
        &self,
        failure: &Failure,
        left: &Left,
        before: Option<Before>,
        exchange: &mut Exchange,
    ) -> Verdict {
        let reason = if matches!(failure, Failure::Failed(_)) { &FAILED } else { &LIMIT };
        let log = if left.log.is_empty() { String::new() } else { format!("; log: {}", left.log) };
        if !self.open {
            return Err(Rejection::new(reason).detail(format!("{failure}{log}")));
        }
        if let Some(before) = before {
            before.restore(exchange);
        }
        exchange.note(|| format!("{}: {failure}{log}", reason.code).into());
        Ok(Outcome::Skipped)
    }
}

impl Filter for Extension {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.on_request(exchange))
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.on_response(exchange))
    }

    fn needs(&self) -> Needs {
        let needs = self.when.as_ref().map_or(Needs::default(), Condition::needs);
        Needs {
            request_body: self.bodies.0 || needs.request_body,
            response_body: self.bodies.1,
            ..Needs::RESPONSE
        }
    }
}
