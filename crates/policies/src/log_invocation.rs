//! Log invocation: keeps headers and payloads of requests and responses with the transaction event.

use std::sync::Arc;

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Stage, Step,
    log::{LogSpec, LogWhen},
};
use http::HeaderName;
use model::{ByteSize, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keeps headers and payloads of requests and responses with the transaction event, also of requests that another
/// policy refuses.
///
/// What the client sent and got is kept, and what the native service got and sent where that is different. Bodies are
/// not held up for it. Several such policies add up.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogInvocation {
    /// Keep the headers of the request.
    #[serde(default)]
    request_headers: bool,
    /// Keep the body of the request.
    #[serde(default)]
    request_payload: bool,
    /// Keep the headers of the response.
    #[serde(default)]
    response_headers: bool,
    /// Keep the body of the response.
    #[serde(default)]
    response_payload: bool,
    /// Which requests something is kept of.
    #[serde(default)]
    when: LogInvocationWhen,
    /// Store bodies compressed. They are shown as they were.
    #[serde(default)]
    compress: bool,
    /// How much of each body is kept. The rest is cut off, and the event says so.
    #[serde(default = "default_max_payload")]
    max_payload: ByteSize,
    /// Headers whose values are hidden. Those with credentials always are: `Authorization`, `Proxy-Authorization`,
    /// cookies, and the headers that the API reads keys from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mask_headers: Vec<String>,
}

/// Which requests something is kept of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogInvocationWhen {
    #[default]
    Always,
    /// Those that are refused, fail, or are answered with a status from 400 on.
    OnFailure,
    /// All others.
    OnSuccess,
}

fn default_max_payload() -> ByteSize {
    ByteSize::kib(64)
}

/// Most of a body that can be kept.
const LARGEST: ByteSize = ByteSize::mib(4);

impl Policy for LogInvocation {
    const TYPE: &'static str = "logInvocation";
    const STAGE: Stage = Stage::TrafficMonitoring;
    const REPEATABLE: bool = true;
    const ON_FAILURE: FailMode = FailMode::Open;
    const POSTURE: &'static str = "Bodies are kept as they are, with everything that is in them. When more than 64 MiB wait to be stored, bodies are left out.";
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "requestHeaders: true\nrequestPayload: true\nresponseHeaders: true\nresponsePayload: true\nwhen: onFailure\nmaxPayload: 16KiB\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.max_payload.get() > LARGEST.get() {
            return Err(Diagnostic::error(
                "maxPayload",
                format!("found {}, expected at most {LARGEST}", self.max_payload),
            ));
        }
        let nothing =
            !(self.request_headers || self.request_payload || self.response_headers || self.response_payload);
        if nothing {
            cx.warn(Diagnostic::warning("", "the policy keeps nothing").help(
                "set `requestHeaders`, `requestPayload`, `responseHeaders` or `responsePayload` to true",
            ));
        }
        let masked = self.mask_headers.iter().enumerate().map(|(index, name)| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Diagnostic::error(
                    format!("maskHeaders[{index}]"),
                    format!("found `{name}`, expected the name of a header"),
                )
            })
        });
        Ok(Compiled::filter(Logger(Arc::new(LogSpec {
            request_headers: self.request_headers,
            request_payload: self.request_payload,
            response_headers: self.response_headers,
            response_payload: self.response_payload,
            when: match self.when {
                LogInvocationWhen::Always => LogWhen::Always,
                LogInvocationWhen::OnFailure => LogWhen::OnFailure,
                LogInvocationWhen::OnSuccess => LogWhen::OnSuccess,
            },
            compress: self.compress,
            max_payload: self.max_payload.as_usize(),
            masked: masked.collect::<Result<_, _>>()?,
        }))))
    }
}

struct Logger(Arc<LogSpec>);

impl Filter for Logger {
    fn request<'a>(&'a self, _: &'a mut Exchange) -> Step<'a> {
        // The data plane has begun with it when the request found its operation.
        Step::Done(Ok(Outcome::Passed))
    }

    fn log(&self, _: &Exchange) -> Option<Arc<LogSpec>> {
        Some(Arc::clone(&self.0))
    }

    fn needs(&self) -> Needs {
        Needs { log: true, ..Needs::default() }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::try_serve;

    fn problems(config: &str) -> String {
        let policies = format!("[{{type: logInvocation, config: {config}}}]");
        let more = "operations: [{method: GET, path: /}]";
        match try_serve("", &policies, more) {
            Ok(served) => served.warnings.iter().map(|warning| format!("{warning}\n")).collect(),
            Err(problems) => problems.to_string(),
        }
    }

    #[test]
    fn bad_configuration_names_its_field() {
        for (config, problem) in [
            ("{requestHeaders: true}", ""),
            ("{}", "the policy keeps nothing"),
            ("{requestHeaders: true, maxPayload: 5MiB}", "maxPayload: found 5MiB, expected at most 4MiB"),
            ("{requestHeaders: true, maskHeaders: [a, 'b c']}", "maskHeaders[1]: found `b c`"),
            ("{requestHeaders: true, when: never}", "when: found `never`"),
        ] {
            let found = problems(config);
            assert!(found.contains(problem) && found.is_empty() == problem.is_empty(), "{config}: {found}");
        }
    }
}
