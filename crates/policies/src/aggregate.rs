//! Aggregation: several services are asked, one after the other or at once, and the client gets one answer.

use std::{collections::BTreeMap, collections::VecDeque, pin::Pin};

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Headers, Needs, Outcome, Policy, Reason, Rejection,
    Stage, Step, Verdict,
    calls::Called,
    language::{CallResult, Condition, JsonTemplate, Template},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http::{HeaderName, StatusCode, header::CONTENT_TYPE};
use model::{ByteSize, ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_template::{self, CallDoc, CallOutBody, CallTemplate};

/// Answers requests with what several services say, instead of calling the API's upstream.
///
/// Calls that do not wait for others are made at once. Later calls and the answer read what came back as
/// `${response[NAME].statusCode}`, `${response[NAME].headers.X}`, `${response[NAME].payload.jsonPath[$.a]}` and so on. It
/// runs after rate limits and caches. There are at most 16 calls for a request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aggregate {
    /// The calls.
    #[schemars(length(min = 1, max = 16))]
    calls: Vec<AggregateCall>,
    /// What the client gets.
    answer: AggregateAnswer,
}

/// A call to a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AggregateCall {
    /// By which variables refer to the answer: `${response[NAME].payload}`.
    name: String,
    /// Calls that have to be finished before, by name. Default: none, so that it is made at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    after: Vec<String>,
    /// Only then; looked at when the calls before it are finished. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// What becomes of the request when the call fails, or its answer is no success.
    #[serde(default)]
    need: AggregateNeed,
    /// Name of an upstream, or a URL.
    upstream: String,
    /// Path and query after the endpoint's own path, with variables.
    #[serde(default = "slash")]
    path: String,
    /// Method. Default: POST with a body, GET without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Headers of the call, with variables. Nothing of the client's goes along by itself.
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
}

/// What a call is to its request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AggregateNeed {
    /// Without it the request is answered with 502, or 504 when the service was slow. Calls that are still on their way
    /// are given up.
    #[default]
    Required,
    /// Without it its variables are empty.
    Optional,
}

/// What the client gets.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AggregateAnswer {
    /// Status, 200 to 599.
    #[serde(default = "ok")]
    status: u16,
    /// Headers, with variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Body, with variables. In JSON, a variable between quotes is text; one without them is put in as JSON when it is
    /// that, else as a text, and is `null` without a value. The body is at most as large as
    /// `settings.limits.bufferedBodySize`.
    body: String,
    /// What the body is, and how values are written into it.
    #[serde(default)]
    body_type: CallOutBody,
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

fn ok() -> u16 {
    200
}

static FAILED: Reason = Reason::upstream(
    "aggregate_call_failed",
    StatusCode::BAD_GATEWAY,
    "A service that the answer is made from failed.",
);
static TOO_LARGE: Reason = Reason::new(
    "aggregate_too_large",
    StatusCode::BAD_GATEWAY,
    "The answer made from several services is larger than the gateway accepts.",
);

const MOST_CALLS: usize = 16;

impl Policy for Aggregate {
    const TYPE: &'static str = "aggregate";
    // In place of the upstream, and so after everything that may refuse the request: quotas are of this stage.
    const STAGE: Stage = Stage::TrafficMonitoring;
    const ORDER: i8 = i8::MAX;
    const EXCLUDES: &'static [&'static str] = &["mock"];
    const REASONS: &'static [&'static Reason] = &[&FAILED, &TOO_LARGE];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "What the client sends goes into calls and answer escaped for its place, and can add no header, parameter or field. Nothing of the client's request goes along by itself, credentials neither. Answers are read with limits on time, size and number, and believed: call only services that you trust.";
    const EXAMPLE: &'static str = "calls:\n  - {name: customer, upstream: 'http://customers.internal', path: '/customers/${request.query.id}'}\n  - {name: orders, upstream: 'http://orders.internal', path: '/orders?of=${request.query.id}', need: optional}\nanswer:\n  body: '{\"name\": \"${response[customer].payload.jsonPath[$.name]}\", \"orders\": ${response[orders].payload}}'\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.calls.is_empty() || self.calls.len() > MOST_CALLS {
            return Err(Diagnostic::error(
                "calls",
                format!("found {} calls, expected 1 to {MOST_CALLS}", self.calls.len()),
            ));
        }
        let mut calls = Vec::with_capacity(self.calls.len());
        for (index, call) in self.calls.iter().enumerate() {
            let place = format!("calls[{index}]");
            calls.push(Planned::compile(index, &self.calls, cx).map_err(|problem| problem.under(&place))?);
            if self.calls[..index].iter().any(|other| other.name == call.name) {
                return Err(Diagnostic::error(
                    format!("{place}.name"),
                    format!("found `{}` a second time, expected a name of its own", call.name),
                ));
            }
        }
        if let Some(index) = in_a_circle(&calls) {
            return Err(Diagnostic::error(
                format!("calls[{index}].after"),
                format!("found calls that wait for each other, among them `{}`", self.calls[index].name),
            ));
        }
        let answer = Answer::compile(&self.answer, cx).map_err(|problem| problem.under("answer"))?;
        Ok(Compiled::filter(Aggregator { calls, answer }))
    }
}

/// A call, compiled, with what it waits for.
struct Planned {
    template: CallTemplate,
    after: Vec<usize>,
    when: Option<Condition>,
    required: bool,
}

impl Planned {
    fn compile(index: usize, all: &[AggregateCall], cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let doc = &all[index];
        let find = |(place, name): (usize, &String)| {
            all.iter().position(|other| other.name == *name && !std::ptr::eq(other, doc)).ok_or_else(|| {
                let known = all.iter().map(|other| other.name.as_str());
                let problem = Diagnostic::error(
                    format!("after[{place}]"),
                    format!("found `{name}`, expected the name of another call"),
                );
                match model::diagnostic::nearest(name, known) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                }
            })
        };
        let after = doc.after.iter().enumerate().map(find).collect::<Result<_, _>>()?;
        let when = match &doc.when {
            Some(when) => Some(Condition::compile(when, cx.language()).map_err(|p| p.under("when"))?),
            None => None,
        };
        let template = CallTemplate::compile(
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
        Ok(Self { template, after, when, required: doc.need == AggregateNeed::Required })
    }
}

/// A call that waits for itself, by way of others.
fn in_a_circle(calls: &[Planned]) -> Option<usize> {
    let mut done = vec![false; calls.len()];
    loop {
        let next =
            (0..calls.len()).find(|index| !done[*index] && calls[*index].after.iter().all(|a| done[*a]));
        match next {
            Some(index) => done[index] = true,
            None => return done.iter().position(|done| !done),
        }
    }
}

/// What the client gets, compiled.
struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, Template)>,
    body: Body,
    body_type: CallOutBody,
}

enum Body {
    Json(JsonTemplate),
    Text(Template),
}

impl Answer {
    fn compile(doc: &AggregateAnswer, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        let status = StatusCode::from_u16(doc.status).ok().filter(|_| (200..600).contains(&doc.status));
        let status = status.ok_or_else(|| {
            Diagnostic::error("status", format!("found {}, expected a status from 200 to 599", doc.status))
        })?;
        let body = match doc.body_type {
            CallOutBody::Json => JsonTemplate::compile(&doc.body, cx.language()).map(Body::Json),
            _ => Template::compile(&doc.body, cx.language()).map(Body::Text),
        };
        Ok(Self {
            status,
            headers: call_template::headers(&doc.headers, cx)?,
            body: body.map_err(|problem| problem.under("body"))?,
            body_type: doc.body_type,
        })
    }

    fn give(&self, exchange: &mut Exchange) -> Verdict {
        let most = usize::try_from(exchange.snapshot.settings.limits.buffered_body_size.get());
        let most = most.unwrap_or(usize::MAX);
        let body = match &self.body {
            Body::Json(template) => template.render(exchange, most),
            Body::Text(template) => template.render_at_most(exchange, self.body_type.escape(), most),
        };
        let body =
            body.ok_or_else(|| Rejection::new(&TOO_LARGE).detail(format!("more than {most} bytes")))?;
        let mut headers: Headers = call_template::rendered(&self.headers, exchange);
        if !headers.contains_key(CONTENT_TYPE) {
            headers.append_bytes(&CONTENT_TYPE, self.body_type.media_type().as_bytes());
        }
        Ok(exchange.answer_with(self.status, headers, body))
    }

    fn needs(&self) -> Needs {
        let body = match &self.body {
            Body::Json(template) => template.needs(),
            Body::Text(template) => template.needs(),
        };
        self.headers.iter().fold(body, |all, (_, template)| all | template.needs())
    }
}

struct Aggregator {
    calls: Vec<Planned>,
    answer: Answer,
}

/// A call on its way: its position, what was asked, and what comes of it.
type OnItsWay = Pin<Box<dyn Future<Output = (usize, CallResult, Called)>>>;

impl Aggregator {
    async fn ask(&self, exchange: &mut Exchange) -> Verdict {
        // Of each call, how many others it waits for.
        let mut waits: Vec<usize> = self.calls.iter().map(|call| call.after.len()).collect();
        let mut ready: VecDeque<usize> = (0..waits.len()).filter(|index| waits[*index] == 0).collect();
        let mut on_their_way = FuturesUnordered::<OnItsWay>::new();
        loop {
            while let Some(index) = ready.pop_front() {
                match self.start(index, exchange)? {
                    Some(future) => on_their_way.push(future),
                    None => self.finished(index, &mut waits, &mut ready),
                }
            }
            let Some((index, asked, called)) = on_their_way.next().await else { break };
            self.take(index, asked, called, exchange)?;
            self.finished(index, &mut waits, &mut ready);
        }
        self.answer.give(exchange)
    }

    /// `None` for a call that is not made.
    fn start(&self, index: usize, exchange: &Exchange) -> Result<Option<OnItsWay>, Box<Rejection>> {
        let planned = &self.calls[index];
        if planned.when.as_ref().is_some_and(|when| !when.holds(exchange)) {
            return Ok(None);
        }
        match planned.template.call(exchange) {
            Ok(call) => {
                let asked = call_template::asked(&call);
                let calling = exchange.call(call);
                Ok(Some(Box::pin(async move { (index, asked, calling.await) })))
            }
            Err(detail) if planned.required => Err(Rejection::new(&FAILED).detail(detail)),
            Err(_) => Ok(None),
        }
    }

    /// Takes in what came of a call.
    fn take(
        &self,
        index: usize,
        asked: CallResult,
        called: Called,
        exchange: &mut Exchange,
    ) -> Result<(), Box<Rejection>> {
        let Planned { template, required, .. } = &self.calls[index];
        let problem = match exchange.take_call(called) {
            Ok(answer) if template.is_success(answer.status) => {
                exchange.add_result(call_template::answered(asked, &answer));
                return Ok(());
            }
            Ok(answer) => {
                Rejection::new(&FAILED).detail(format!("{} answered {}", template.name, answer.status))
            }
            Err(rejection) => {
                let reason = match rejection.reason.status {
                    StatusCode::GATEWAY_TIMEOUT => rejection.reason,
                    _ => &FAILED,
                };
                let why = rejection.detail.as_deref().unwrap_or(rejection.reason.code);
                Rejection::new(reason).detail(format!("{}: {why}", template.name))
            }
        };
        if *required { Err(problem) } else { Ok(()) }
    }

    fn finished(&self, index: usize, waits: &mut [usize], ready: &mut VecDeque<usize>) {
        for (other, call) in self.calls.iter().enumerate() {
            let waited = call.after.iter().filter(|after| **after == index).count();
            if waited > 0 {
                waits[other] -= waited;
                if waits[other] == 0 {
                    ready.push_back(other);
                }
            }
        }
    }
}

impl Filter for Aggregator {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if exchange.dry_run {
            exchange.note(|| format!("would make up to {} calls", self.calls.len()).into());
            return Step::Done(Ok(Outcome::Answered));
        }
        Step::Later(Box::pin(self.ask(exchange)))
    }

    fn needs(&self) -> Needs {
        let calls = self.calls.iter().map(|call| {
            call.template.needs() | call.when.as_ref().map_or(Needs::default(), Condition::needs)
        });
        // Of the response there is nothing yet but the answers to the calls.
        Needs {
            response_body: false,
            error_body: false,
            ..calls.fold(self.answer.needs(), |all, needs| all | needs)
        }
    }
}
