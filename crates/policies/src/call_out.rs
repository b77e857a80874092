//! Call-outs: other services are asked before the upstream or before the client, and what they say is used.

use std::collections::BTreeMap;

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict,
    language::{Condition, Escape, Target, Template},
};
use http::StatusCode;
use model::{ByteSize, ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_template::{self, CallDoc, CallOutBody, CallTemplate};

/// Asks another service while the request is processed. Later policies read what it said as
/// `${response[NAME].statusCode}`, `${response[NAME].payload.jsonPath[$.a]}` and so on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RequestCallOut(CallOut);

/// Asks another service before the response goes to the client.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ResponseCallOut(CallOut);

/// A call to another service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallOut {
    /// By which variables refer to the answer: `${response[NAME].payload}`.
    name: String,
    /// Only then. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// Name of an upstream, or a URL.
    upstream: String,
    /// Path and query after the endpoint's own path, with variables.
    #[serde(default = "slash")]
    path: String,
    /// Method. Default: POST with a body, GET without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Headers of the call, with variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Body of the call, with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// How values are written into the body.
    #[serde(default)]
    body_type: CallOutBody,
    /// Longest wait for the whole answer.
    #[serde(default = "patience")]
    timeout: model::Duration,
    /// Largest answer.
    #[serde(default = "most")]
    max_answer: ByteSize,
    /// Statuses that count as success. Default: 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    success: Vec<u16>,
    /// What becomes of the request when the call fails or its answer is no success.
    #[serde(default)]
    on_failure: CallOutFailure,
    /// What is set from the answer, by variable, with variables: `request.headers.X-User: ${response[NAME]…}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    set: BTreeMap<String, String>,
    /// The answer's body becomes the body of the request, or of the response.
    #[serde(default)]
    copy_answer: bool,
}

/// What becomes of a request whose call-out failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallOutFailure {
    /// It is answered with 502, or 504 when the service was slow.
    #[default]
    Abort,
    /// It is answered with the status of the service, where that is 400 to 499; else as with `abort`.
    PassStatus,
    /// It goes on without the answer.
    Continue,
}

fn slash() -> String {
    "/".to_owned()
}

fn patience() -> model::Duration {
    model::Duration::from_secs(5)
}

fn most() -> ByteSize {
    ByteSize::mib(1)
}

static FAILED: Reason = Reason::upstream(
    "call_out_failed",
    StatusCode::BAD_GATEWAY,
    "A service that decides about this request failed.",
);
static REFUSED: Reason = Reason::new(
    "call_out_refused",
    StatusCode::FORBIDDEN,
    "A service that decides about this request refused it.",
);

const POSTURE: &str = "What the client sends goes into the call escaped for its place, and can add no header, parameter or field. The answer is read with limits on time and size, and believed: call only services that you trust.";
const EXAMPLE: &str = "name: stock\nupstream: http://stock.internal:8080\npath: /check?sku=${request.query.sku}\nset: {request.headers.X-Stock: '${response[stock].payload.jsonPath[$.left]}'}\n";

impl Policy for RequestCallOut {
    const TYPE: &'static str = "requestCallOut";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&FAILED, &REFUSED];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = POSTURE;
    const EXAMPLE: &'static str = EXAMPLE;

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Asks { plan: Plan::compile(self.0, cx)?, on_response: false }))
    }
}

impl Policy for ResponseCallOut {
    const TYPE: &'static str = "responseCallOut";
    const STAGE: Stage = Stage::ResponseProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&FAILED, &REFUSED];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = POSTURE;
    const EXAMPLE: &'static str = "name: price\nupstream: http://prices.internal:8080\ncopyAnswer: true\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Asks { plan: Plan::compile(self.0, cx)?, on_response: true }))
    }
}

/// A call-out, compiled.
struct Plan {
    call: CallTemplate,
    when: Option<Condition>,
    on_failure: CallOutFailure,
    set: Vec<(Target, Template)>,
    copy_answer: bool,
}

impl Plan {
    fn compile(doc: CallOut, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let when = match &doc.when {
            Some(when) => Some(Condition::compile(when, cx.language()).map_err(|p| p.under("when"))?),
            None => None,
        };
        let call = CallTemplate::compile(
            &CallDoc {
                name: &doc.name,
                upstream: &doc.upstream,
                path: &doc.path,
                method: doc.method.as_deref(),
                headers: &doc.headers,
                body: doc.body.as_deref(),
                body_type: doc.body_type,
                timeout: doc.timeout,
                max_answer: doc.max_answer,
                success: &doc.success,
            },
            cx,
        )?;
        let mut set = Vec::new();
        for (target, text) in &doc.set {
            let place = format!("set.{target}");
            set.push((
                Target::compile(target, cx.language()).map_err(|p| p.under(&place))?,
                Template::compile(text, cx.language()).map_err(|p| p.under(&place))?,
            ));
        }
        Ok(Self { call, when, on_failure: doc.on_failure, set, copy_answer: doc.copy_answer })
    }

    fn needs(&self) -> Needs {
        let when = self.when.as_ref().map_or(Needs::default(), Condition::needs);
        let written = self.set.iter().map(|(target, template)| target.needs() | template.needs());
        written.fold(self.call.needs() | when, |all, needs| all | needs)
    }
}

struct Asks {
    plan: Plan,
    on_response: bool,
}

impl Filter for Asks {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.on_response { Step::Done(Ok(Outcome::Skipped)) } else { self.ask(exchange) }
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        // An answer that is an error already needs no second opinion.
        if exchange.reason.is_some() { Step::Done(Ok(Outcome::Skipped)) } else { self.ask(exchange) }
    }

    fn needs(&self) -> Needs {
        let needs = self.plan.needs();
        if self.on_response {
            Needs { response: true, response_body: needs.response_body || self.plan.copy_answer, ..needs }
        } else {
            Needs { request_body: needs.request_body || self.plan.copy_answer, response_body: false, ..needs }
        }
    }
}

impl Asks {
    fn ask<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if self.plan.when.as_ref().is_some_and(|when| !when.holds(exchange)) {
            return Step::Done(Ok(Outcome::Skipped));
        }
        if exchange.dry_run {
            exchange.note(|| format!("would call {}", self.plan.call.upstream.as_str()).into());
            return Step::Done(Ok(Outcome::Skipped));
        }
        Step::Later(Box::pin(self.asked(exchange)))
    }

    async fn asked(&self, exchange: &mut Exchange) -> Verdict {
        let plan = &self.plan;
        let name = &plan.call.name;
        let call = plan.call.call(exchange).map_err(|detail| Rejection::new(&FAILED).detail(detail))?;
        let asked = call_template::asked(&call);
        let called = exchange.call(call).await;
        let answer = match exchange.take_call(called) {
            Ok(answer) => answer,
            Err(mut rejection) => {
                let detail = rejection.detail.take().unwrap_or_default();
                return self.failed(exchange, rejection.reason, format!("{name}: {detail}"), None);
            }
        };
        let status = answer.status;
        exchange.add_result(call_template::answered(asked, &answer));
        if !plan.call.is_success(status) {
            return self.failed(exchange, &FAILED, format!("{name} answered {status}"), Some(status));
        }
        exchange.note(|| format!("{name} answered {status}").into());
        for (target, template) in &plan.set {
            let value = template.render(exchange, Escape::None).into_owned();
            target.set(exchange, &value).map_err(|error| {
                Rejection::new(&FAILED).detail(format!("{} cannot be set: {error}", target.name()))
            })?;
        }
        if plan.copy_answer {
            let payload =
                if self.on_response { &mut exchange.response_payload } else { &mut exchange.request_payload };
            payload.get_or_insert_default().replace(answer.body);
        }
        Ok(Outcome::Changed)
    }

    fn failed(
        &self,
        exchange: &mut Exchange,
        reason: &'static Reason,
        detail: String,
        status: Option<StatusCode>,
    ) -> Verdict {
        let passed_on = status.filter(|status| status.is_client_error());
        match (self.plan.on_failure, passed_on) {
            (CallOutFailure::Continue, _) => {
                exchange.note(|| detail.into());
                Ok(Outcome::Skipped)
            }
            (CallOutFailure::PassStatus, Some(status)) => {
                Err(Rejection::new(&REFUSED).with_status(status).detail(detail))
            }
            _ if reason.status == StatusCode::GATEWAY_TIMEOUT => Err(Rejection::new(reason).detail(detail)),
            _ => Err(Rejection::new(&FAILED).detail(detail)),
        }
    }
}
