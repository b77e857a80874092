//! Request and response transformation: what goes on is made to fit. What a change is, and in which order changes
//! happen, is in [`changes`]; the documents that they come from are in [`docs`].

pub mod changes;
pub mod docs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use changes::{Builder, Changes};
use docs::{
    TransformationHeaders, TransformationPayload, TransformationQuery, TransformationSet,
    TransformationStatus,
};
use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Reason, Rejection, Side, Stage, Step,
    Verdict, language::Condition,
};
use http::StatusCode;
use model::{ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes a request before it goes to the upstream.
///
/// Values are texts with variables. The entries of `set` come first, one after the other; all other values are made
/// from the request as it is then, so that the order in which they are written does not matter, and put into it in
/// the order method, path, query, headers, payload, remove. Of query and headers, names are removed, then set, then
/// added. Values are made to fit where they go; one that cannot, such as a path with dot segments or a part of a body
/// that is not there, refuses the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestTransformation {
    /// When the request is changed. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// Variables that get a value, in this order: `request.path.NAME`, `request.payload.jsonPath[…]`,
    /// `customTransactionFields.NAME`, names of your own, and everything else that can be set in a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<TransformationSet>,
    /// The method, in capitals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// The path below the API's base path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Changes to the query.
    #[serde(default, skip_serializing_if = "TransformationQuery::is_empty")]
    query: TransformationQuery,
    /// Changes to the headers.
    #[serde(default, skip_serializing_if = "TransformationHeaders::is_empty")]
    headers: TransformationHeaders,
    /// Another body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<TransformationPayload>,
    /// Variables that are taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
    /// Prefixes for XPath expressions in variables, with the namespaces that they stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    namespaces: BTreeMap<String, String>,
}

/// Changes a response before it goes to the client; the gateway's own errors, too.
///
/// Values are texts with variables. The entries of `set` come first, one after the other; all other values are made
/// from the response as it is then, so that the order in which they are written does not matter, and put into it in
/// the order status, headers, payload, remove. Of headers, names are removed, then set, then added. Where a value
/// cannot go where it should, such as a part of a body that is not there, the client gets an error; an error of the
/// gateway goes on as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseTransformation {
    /// When the response is changed. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// Variables that get a value, in this order: `response.payload.jsonPath[…]`, `customTransactionFields.NAME`,
    /// names of your own, and everything else that can be set in a response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    set: Vec<TransformationSet>,
    /// The status, 200 to 599: a number, or a text with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<TransformationStatus>,
    /// Changes to the headers.
    #[serde(default, skip_serializing_if = "TransformationHeaders::is_empty")]
    headers: TransformationHeaders,
    /// Another body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<TransformationPayload>,
    /// Variables that are taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    remove: Vec<String>,
    /// Prefixes for XPath expressions in variables, with the namespaces that they stand for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    namespaces: BTreeMap<String, String>,
}

pub static REQUEST: Reason = Reason::new(
    "request_not_transformable",
    StatusCode::BAD_REQUEST,
    "The request cannot be made to fit: a value in it does not go where it should, or a part is missing.",
);
pub static RESPONSE: Reason = Reason::upstream(
    "response_not_transformable",
    StatusCode::BAD_GATEWAY,
    "The response cannot be made to fit: a value in it does not go where it should, or a part is missing.",
);

impl Policy for RequestTransformation {
    const TYPE: &'static str = "requestTransformation";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Values of the client are escaped for where they go: none can become a second header, parameter, path segment or JSON member. Headers that frame a message or belong to the gateway cannot be set. What cannot be changed as configured is refused and never goes on half changed.";
    const REASONS: &'static [&'static Reason] = &[&REQUEST];
    const EXAMPLE: &'static str = "when: {variable: '${request.headers.X-Channel}', operator: equals, value: partner}\nset:\n  - {variable: tenant, value: '${request.query.tenant}'}\npath: /v2/${tenant}${request.path}\nquery:\n  remove: [tenant]\nheaders:\n  set: {X-Tenant: '${tenant}'}\n  remove: [X-Debug]\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let mut build = Builder::new(cx, Side::Request, self.namespaces);
        let when = build.condition("when", self.when.as_ref())?;
        build.set_first("set", &self.set)?;
        build.value("method", "request.httpMethod", self.method.as_deref())?;
        build.value("path", "request.path", self.path.as_deref())?;
        build.query("query", &self.query)?;
        build.headers("headers", &self.headers)?;
        build.payload("payload", self.payload.as_ref())?;
        build.remove("remove", &self.remove)?;
        Ok(Compiled::filter(RequestChange(Change { when, changes: build.finish()? })))
    }
}

impl Policy for ResponseTransformation {
    const TYPE: &'static str = "responseTransformation";
    const STAGE: Stage = Stage::ResponseProcessing;
    const REPEATABLE: bool = true;
    const POSTURE: &'static str = "Values of upstream and client are escaped for where they go: none can become a second header or JSON member. Headers that frame a message or belong to the gateway cannot be set.";
    const REASONS: &'static [&'static Reason] = &[&RESPONSE];
    const EXAMPLE: &'static str = "when: {variable: '${response.statusCode}', operator: range, value: 200-299}\nheaders:\n  set: {Cache-Control: no-store, X-Served-For: '${request.application.name}'}\n  remove: [Server]\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let mut build = Builder::new(cx, Side::Response, self.namespaces);
        let when = build.condition("when", self.when.as_ref())?;
        build.set_first("set", &self.set)?;
        build.status("status", self.status.as_ref())?;
        build.headers("headers", &self.headers)?;
        build.payload("payload", self.payload.as_ref())?;
        build.remove("remove", &self.remove)?;
        Ok(Compiled::filter(ResponseChange(Change { when, changes: build.finish()? })))
    }
}

struct RequestChange(Change);
struct ResponseChange(Change);

struct Change {
    when: Option<Condition>,
    changes: Changes,
}

impl Change {
    fn apply(&self, exchange: &mut Exchange, reason: &'static Reason) -> Verdict {
        if !holds(self.when.as_ref(), exchange) {
            return Ok(Outcome::Skipped);
        }
        match self.changes.apply(exchange) {
            Ok(()) => Ok(Outcome::Changed),
            Err(problem) => Err(Rejection::new(reason).detail(problem.0)),
        }
    }

    fn needs(&self) -> Needs {
        self.when.as_ref().map(Condition::needs).unwrap_or_default() | self.changes.needs()
    }
}

/// Whether a condition holds; without one, always. What could not be evaluated is noted.
pub fn holds(when: Option<&Condition>, exchange: &mut Exchange) -> bool {
    let Some(when) = when else { return true };
    let mut problem = None;
    let holds = when.holds_noting(exchange, &mut |found| problem = Some(found));
    if !holds {
        exchange.note(|| problem.map_or("the condition does not hold".into(), Into::into));
    }
    holds
}

impl Filter for RequestChange {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.0.apply(exchange, &REQUEST))
    }

    fn needs(&self) -> Needs {
        // There is no response yet.
        Needs { request_body: self.0.needs().request_body, ..Needs::default() }
    }
}

impl Filter for ResponseChange {
    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let verdict = self.0.apply(exchange, &RESPONSE);
        Step::Done(match verdict {
            // Why the request was refused matters more than how that looks.
            Err(problem) if exchange.reason.is_some() => {
                exchange.note(|| problem.detail.unwrap_or_default());
                Ok(Outcome::Passed)
            }
            verdict => verdict,
        })
    }

    fn needs(&self) -> Needs {
        self.0.needs() | Needs::RESPONSE
    }
}
