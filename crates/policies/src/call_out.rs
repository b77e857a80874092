//! Call-outs: other services are asked before the upstream or before the client, and what they say is used.

use std::{collections::BTreeMap, time::Duration};

use engine::{
    Call, CompileCx, Compiled, Exchange, FailMode, Filter, Headers, Needs, Outcome, Payload, Policy, Reason,
    Rejection, Stage, Step, UpstreamName, Verdict,
    language::{CallResult, Condition, Escape, OWN_HEADERS, Target, Template},
};
use http::{HeaderName, Method, StatusCode, uri::PathAndQuery};
use model::{ByteSize, ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// How values are written into a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CallOutBody {
    /// Inside strings of JSON; sent as `application/json`.
    #[default]
    Json,
    /// As text of XML; sent as `application/xml`.
    Xml,
    /// As they are; sent as `text/plain`.
    Text,
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
    const REASONS: &'static [&'static Reason] = &[];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = POSTURE;
    const EXAMPLE: &'static str = "name: price\nupstream: http://prices.internal:8080\ncopyAnswer: true\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(Asks { plan: Plan::compile(self.0, cx)?, on_response: true }))
    }
}

/// A call-out, compiled.
struct Plan {
    name: Box<str>,
    when: Option<Condition>,
    upstream: UpstreamName,
    path: Template,
    method: Method,
    headers: Vec<(HeaderName, Template)>,
    body: Option<(Template, Escape, &'static str)>,
    timeout: Duration,
    most: u64,
    success: Vec<u16>,
    on_failure: CallOutFailure,
    set: Vec<(Target, Template)>,
    copy_answer: bool,
}

impl Plan {
    fn compile(doc: CallOut, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        if doc.name.is_empty() || doc.name.contains(['[', ']', '{', '}', '$']) {
            return Err(Diagnostic::error("name", format!("found `{}`, expected a plain name", doc.name))
                .help("variables refer to it, as in `${response[stock].payload}`"));
        }
        let when = match &doc.when {
            Some(when) => Some(Condition::compile(when, cx.language()).map_err(|p| p.under("when"))?),
            None => None,
        };
        let upstream = cx.upstream("upstream", &doc.upstream)?;
        let path = Template::compile(&doc.path, cx.language()).map_err(|p| p.under("path"))?;
        if !doc.path.starts_with('/') {
            return Err(Diagnostic::error(
                "path",
                format!("found `{}`, expected one that starts with /", doc.path),
            ));
        }
        let method = match &doc.method {
            Some(text) => {
                text.parse().ok().filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase())).ok_or_else(
                    || Diagnostic::error("method", format!("found `{text}`, expected one such as GET")),
                )?
            }
            None if doc.body.is_some() => Method::POST,
            None => Method::GET,
        };
        let mut headers = Vec::new();
        for (name, text) in &doc.headers {
            let place = format!("headers.{name}");
            let parsed: HeaderName = name.parse().map_err(|_| {
                Diagnostic::error(&place, format!("found `{name}`, expected the name of a header"))
            })?;
            if OWN_HEADERS.contains(&parsed.as_str()) {
                return Err(Diagnostic::error(
                    &place,
                    format!("found `{name}`, which the gateway sets itself"),
                ));
            }
            headers.push((parsed, Template::compile(text, cx.language()).map_err(|p| p.under(&place))?));
        }
        let body = match &doc.body {
            Some(text) => {
                let template = Template::compile(text, cx.language()).map_err(|p| p.under("body"))?;
                Some(match doc.body_type {
                    CallOutBody::Json => (template, Escape::Json, "application/json"),
                    CallOutBody::Xml => (template, Escape::Xml, "application/xml"),
                    CallOutBody::Text => (template, Escape::None, "text/plain; charset=utf-8"),
                })
            }
            None => None,
        };
        let mut set = Vec::new();
        for (target, text) in &doc.set {
            let place = format!("set.{target}");
            set.push((
                Target::compile(target, cx.language()).map_err(|p| p.under(&place))?,
                Template::compile(text, cx.language()).map_err(|p| p.under(&place))?,
            ));
        }
        Ok(Self {
            name: doc.name.into(),
            when,
            upstream,
            path,
            method,
            headers,
            body,
            timeout: doc.timeout.get(),
            most: doc.max_answer.get(),
            success: doc.success,
            on_failure: doc.on_failure,
            set,
            copy_answer: doc.copy_answer,
        })
    }

    fn needs(&self) -> Needs {
        let templates = self.headers.iter().map(|(_, template)| template.needs());
        let written = self.set.iter().map(|(target, template)| target.needs() | template.needs());
        let first = [
            self.path.needs(),
            self.when.as_ref().map_or(Needs::default(), Condition::needs),
            self.body.as_ref().map_or(Needs::default(), |(template, ..)| template.needs()),
        ];
        templates.chain(written).chain(first).fold(Needs::default(), |all, needs| all | needs)
    }

    /// The call that this request asks for.
    fn call(&self, exchange: &Exchange) -> Result<Call, Box<Rejection>> {
        let target = self.path.render(exchange, Escape::UrlQuery);
        let target: PathAndQuery = target
            .as_ref()
            .try_into()
            .map_err(|_| Rejection::new(&FAILED).detail(format!("{}: the path is not valid", self.name)))?;
        let mut headers = Headers::new();
        for (name, template) in &self.headers {
            headers.append_bytes(name, template.render(exchange, Escape::Header).as_bytes());
        }
        let body = self.body.as_ref().map(|(template, escape, media_type)| {
            if !headers.contains_key(http::header::CONTENT_TYPE) {
                headers.append_bytes(&http::header::CONTENT_TYPE, media_type.as_bytes());
            }
            template.render(exchange, *escape).into_owned().into()
        });
        Ok(Call {
            upstream: self.upstream.clone(),
            method: self.method.clone(),
            target,
            headers,
            body,
            timeout: self.timeout,
            most: self.most,
        })
    }

    fn is_success(&self, status: StatusCode) -> bool {
        if self.success.is_empty() { status.is_success() } else { self.success.contains(&status.as_u16()) }
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
            exchange.note(|| format!("would call {}", self.plan.upstream.as_str()).into());
            return Step::Done(Ok(Outcome::Skipped));
        }
        Step::Later(Box::pin(self.asked(exchange)))
    }

    async fn asked(&self, exchange: &mut Exchange) -> Verdict {
        let plan = &self.plan;
        let call = plan.call(exchange)?;
        let mut result = CallResult {
            name: plan.name.clone(),
            method: call.method.clone(),
            uri: call.target.clone().into(),
            request_headers: call.headers.clone(),
            request_payload: call.body.clone().map(Payload::new),
            ..CallResult::default()
        };
        let answer = match exchange.call(call).await {
            Ok(answer) => answer,
            Err(mut rejection) => {
                let detail = rejection.detail.take().unwrap_or_default();
                return self.failed(exchange, rejection.reason, format!("{}: {detail}", plan.name), None);
            }
        };
        let status = answer.status;
        result.status = status;
        result.response_headers = answer.headers;
        result.response_payload = Some(Payload::new(answer.body.clone()));
        exchange.add_result(result);
        if !plan.is_success(status) {
            return self.failed(exchange, &FAILED, format!("{} answered {status}", plan.name), Some(status));
        }
        exchange.note(|| format!("{} answered {status}", plan.name).into());
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
