//! Open Policy Agent: a decision of a server of rules (Rego), over its data API. What the rules say is left to whoever
//! writes them. Rules that run in the gateway are in [`crate::rego`].

use std::{sync::Arc, time::Duration};

use engine::{
    Call, CompileCx, Compiled, Exchange, FailMode, Filter, Headers, Needs, Outcome, Policy, Reason,
    Rejection, Stage, Step, UpstreamName, Verdict, calls::CallAnswer,
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
    uri::PathAndQuery,
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::rules::{Decision, RulesInput, refusal};

/// Asks an Open Policy Agent whether a request may pass. It runs after the policies that identify the caller.
///
/// The agent gets `input` with `request` (`method`, `path` below the API as a list, `query`, `host`, `scheme`, `ip`, and
/// `headers` and `body` where they are asked for), `time` (nanoseconds since 1970), `api`, `operation`, `application`,
/// `user`, `claims` and `scopes`, each as far as it is known. A `result` of `true`, or one with `allow: true`, lets the request pass. Anything else refuses it,
/// also no result at all, as for a rule that is not there; a `reason` beside `allow` goes into the decision record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenPolicyAgent {
    /// The agent: name of an upstream, or its URL.
    upstream: String,
    /// Path of the rule in the data API, such as `/v1/data/gateway/allow`.
    path: String,
    /// Headers of the request that the agent sees. Default: none, since credentials are among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    /// Give the agent the body of the request, where that is JSON. The gateway then reads it whole, up to
    /// `limits.bufferedBodySize`.
    #[serde(default)]
    body: bool,
    /// Longest wait for a decision.
    #[serde(default = "default_timeout")]
    timeout: model::Duration,
    /// What becomes of a request when there is no decision.
    #[serde(default)]
    on_failure: OpenPolicyAgentFailure,
}

/// What becomes of a request that nobody decided about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OpenPolicyAgentFailure {
    /// It is refused with 503.
    #[default]
    Refuse,
    /// It passes.
    Pass,
}

fn default_timeout() -> model::Duration {
    model::Duration::from_secs(1)
}

/// Largest decision.
const MOST: u64 = 64 * 1024;
const LONGEST: Duration = Duration::from_secs(60);

pub static REFUSED: Reason =
    Reason::new("opa_refused", StatusCode::FORBIDDEN, "The rules of this API do not allow this.");
pub static UNAVAILABLE: Reason = Reason::new(
    "opa_unavailable",
    StatusCode::SERVICE_UNAVAILABLE,
    "It cannot be decided at the moment whether this is allowed. Try again later.",
);

impl Policy for OpenPolicyAgent {
    const TYPE: &'static str = "openPolicyAgent";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    // After whoever identifies, and after what the gateway can decide by itself.
    const ORDER: i8 = 3;
    const REPEATABLE: bool = true;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "What the client sends goes to the agent as JSON and can add no field. The agent is believed, within limits on time and size of its answer: whoever can answer in its place decides.";
    const REASONS: &'static [&'static Reason] = &[&REFUSED, &UNAVAILABLE];
    const EXAMPLE: &'static str = "upstream: http://opa.internal:8181\npath: /v1/data/gateway/allow\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let target = self.path.parse::<PathAndQuery>().ok().filter(|_| self.path.starts_with('/'));
        let target = target.ok_or_else(|| {
            let found = format!("found `{}`, expected a path such as /v1/data/gateway/allow", self.path);
            Diagnostic::error("path", found)
        })?;
        if self.timeout.get().is_zero() || self.timeout.get() > LONGEST {
            return Err(Diagnostic::error("timeout", "expected more than 0, and at most 60s"));
        }
        let json = HeaderValue::from_static("application/json");
        Ok(Compiled::filter(Agent {
            input: RulesInput::new(&self.headers, self.body)?,
            upstream: cx.upstream("upstream", &self.upstream)?,
            name: "open policy agent".into(),
            target,
            sent: [(&CONTENT_TYPE, json.clone()), (&ACCEPT, json)].into_iter().collect(),
            timeout: self.timeout.get(),
            on_failure: self.on_failure,
        }))
    }
}

struct Agent {
    name: Arc<str>,
    upstream: UpstreamName,
    target: PathAndQuery,
    /// Headers of calls.
    sent: Headers,
    input: RulesInput,
    timeout: Duration,
    on_failure: OpenPolicyAgentFailure,
}

impl Filter for Agent {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if exchange.dry_run {
            exchange.note(|| format!("would ask {}", self.upstream.as_str()).into());
            return Step::Done(Ok(Outcome::Skipped));
        }
        Step::Later(Box::pin(self.ask(exchange)))
    }

    fn needs(&self) -> Needs {
        self.input.needs()
    }
}

impl Agent {
    async fn ask(&self, exchange: &mut Exchange) -> Verdict {
        let call = Call {
            name: Arc::clone(&self.name),
            upstream: self.upstream.clone(),
            method: Method::POST,
            target: self.target.clone(),
            headers: self.sent.clone(),
            body: Some(json!({ "input": self.input.of(exchange) }).to_string().into()),
            timeout: self.timeout,
            most: MOST,
        };
        let called = exchange.call(call).await;
        let decision = match exchange.take_call(called) {
            Ok(answer) => decision(&answer),
            Err(rejection) => Err(rejection.detail.as_deref().unwrap_or(rejection.reason.code).to_owned()),
        };
        match (decision, self.on_failure) {
            (Ok(Decision::Allowed), _) => Ok(Outcome::Passed),
            (Ok(Decision::Refused(why)), _) => Err(refusal(&REFUSED, why)),
            (Err(problem), OpenPolicyAgentFailure::Refuse) => {
                Err(Rejection::new(&UNAVAILABLE).detail(format!("the agent did not decide: {problem}")))
            }
            (Err(problem), OpenPolicyAgentFailure::Pass) => {
                exchange.note(|| format!("passes without a decision: {problem}").into());
                Ok(Outcome::Skipped)
            }
        }
    }
}

/// A decision, or why there is none.
fn decision(answer: &CallAnswer) -> Result<Decision, String> {
    if answer.status != StatusCode::OK {
        return Err(format!("it answered {}", answer.status.as_u16()));
    }
    let mut answer = jose::object(&answer.body).ok_or("its answer is no JSON object with every name once")?;
    Ok(Decision::of(answer.remove("result")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_true_allows() {
        for (status, body, expect) in [
            (200, r#"{"result":true}"#, Ok(true)),
            (200, r#"{"result":{"allow":true,"why":"x"}}"#, Ok(true)),
            (200, r#"{"result":false}"#, Ok(false)),
            (200, r#"{"result":{"allow":"true"}}"#, Ok(false)),
            (200, r#"{"result":"true"}"#, Ok(false)),
            (200, r#"{"result":1}"#, Ok(false)),
            (200, "{}", Ok(false)),
            (200, r#"{"result":false,"result":true}"#, Err(())),
            (200, "true", Err(())),
            (200, "", Err(())),
            (500, r#"{"result":true}"#, Err(())),
            (204, "", Err(())),
        ] {
            let status = StatusCode::from_u16(status).expect("it is one");
            let answer = CallAnswer { status, headers: Headers::new(), body: body.into() };
            let allows = decision(&answer).map(|decision| decision == Decision::Allowed).map_err(|_| ());
            assert_eq!(allows, expect, "{status} {body}");
        }
    }
}
