//! Mock: answers without an upstream, with responses that are written here or that the definition gives. Values for
//! schemas are made in `generate`, answers of the definition in `defaults`, conditions are in `when`.

mod defaults;
mod generate;
#[cfg(test)]
mod tests;
mod when;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use defaults::{Defaults, written};
use engine::{
    CompileCx, Compiled, Exchange, Filter, Headers, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict, language::OWN_HEADERS,
};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use model::{Diagnostic, diagnostic::nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use when::Condition;
pub use when::MockWhen;

use crate::media;

/// Answers requests without calling the upstream.
///
/// The first of `responses` that fits is given. Where none does, the definition answers: with the lowest status that
/// means success, with its example, else with a value made from its schema, the same each time. Which content type is
/// given is decided by the Accept header; a client that accepts none of them gets the first. Operations that neither
/// say anything about are answered with 404.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    /// Responses that are written here, looked at in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    responses: Vec<MockResponse>,
    /// Whether clients may pick the status with `?expectedStatusCode=404`. Only responses with this status are
    /// looked at then.
    #[serde(default = "yes")]
    allow_expected_status_code: bool,
}

/// A response that is written by hand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MockResponse {
    /// Operation that it is for: its name, or method and path such as `GET /orders/{id}`. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// What has to be in the request; all of it. Default: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    when: Vec<MockWhen>,
    /// Status, 200 to 599.
    #[serde(default = "ok")]
    status: u16,
    /// Headers. Those that say how the body is sent are set by the gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    /// Body: a text is sent as it is, as `text/plain` unless `headers` has a Content-Type; anything else as JSON.
    /// Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// Bodies by content type, for the Accept header to choose from; instead of `body`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    bodies: BTreeMap<String, Value>,
}

fn yes() -> bool {
    true
}

fn ok() -> u16 {
    200
}

pub static NO_MOCK: Reason = Reason::new(
    "no_mock",
    StatusCode::NOT_FOUND,
    "The API is mocked, and there is no mocked response for this request.",
);

/// Query parameter that picks the status.
const EXPECTED_STATUS: &str = "expectedStatusCode";

impl Policy for Mock {
    const TYPE: &'static str = "mock";
    // After everything that looks at requests, in place of the upstream.
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[&NO_MOCK];
    const POSTURE: &'static str =
        "What the client sends only chooses among prepared answers and is never part of one.";
    const EXAMPLE: &'static str = "responses:\n  - when: [{header: X-Case, equals: empty}]\n    status: 404\n    \
                                   body: {error: no such order}\n  - bodies: {application/json: {id: 7}, text/plain: '7'}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let written = self.responses.iter().enumerate().map(|(index, response)| {
            Written::compile(response, cx).map_err(|problem| problem.under(&format!("responses[{index}]")))
        });
        let written = written.collect::<Result<Vec<_>, _>>()?;
        let mut warnings = Vec::new();
        let types = cx.content_types();
        let defaults = match cx.api() {
            Some(api) if api.is_imported() => Some(api.shared(|| Defaults::build(api, types, &mut warnings))),
            Some(_) if written.is_empty() => {
                cx.warn(
                    Diagnostic::warning(
                        "responses",
                        "missing, and the API has no definition; every call is answered with 404",
                    )
                    .help("write a response, or name an OpenAPI document in `definition` of the API"),
                );
                None
            }
            _ => None,
        };
        for warning in warnings {
            cx.warn(Diagnostic::warning("", format!("in the definition, {warning}")));
        }
        let pick_status = self.allow_expected_status_code;
        Ok(Compiled::filter(Mocker { written, defaults, pick_status }))
    }
}

/// A written response, ready to be given.
struct Written {
    /// Position of the operation.
    operation: Option<u32>,
    conditions: Vec<Condition>,
    status: StatusCode,
    headers: Headers,
    /// With the content type, unless that is among the headers.
    bodies: Vec<(String, Bytes)>,
}

impl Written {
    fn compile(response: &MockResponse, cx: &CompileCx<'_>) -> Result<Self, Diagnostic> {
        let operation = match &response.operation {
            Some(name) => find_operation(name, cx)?,
            None => None,
        };
        let conditions =
            response.when.iter().enumerate().map(|(index, when)| {
                when.compile().map_err(|problem| problem.under(&format!("when[{index}]")))
            });
        let conditions = conditions.collect::<Result<_, _>>()?;
        let status = StatusCode::from_u16(response.status).ok().filter(|s| (200..600).contains(&s.as_u16()));
        let status = status.ok_or_else(|| {
            Diagnostic::error(
                "status",
                format!("found {}, expected a status from 200 to 599", response.status),
            )
        })?;
        let mut headers = Headers::new();
        for (name, value) in &response.headers {
            let path = format!("headers.{name}");
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Diagnostic::error(&path, format!("found `{name}`, expected the name of a header"))
            })?;
            if OWN_HEADERS.contains(&parsed.as_str()) {
                return Err(Diagnostic::error(
                    &path,
                    format!("found `{name}`, which the gateway sets itself"),
                ));
            }
            let value = HeaderValue::from_str(value).map_err(|_| {
                Diagnostic::error(&path, "expected a value without line breaks and control characters")
            })?;
            headers.insert(parsed, value);
        }
        let mut bodies = Vec::new();
        match (&response.body, response.bodies.is_empty()) {
            (Some(_), false) => {
                return Err(Diagnostic::error("bodies", "found together with `body`, expected one of them"));
            }
            (Some(Value::String(text)), true) => {
                bodies.push(("text/plain; charset=utf-8".to_owned(), Bytes::from(text.clone())));
            }
            (Some(value), true) => {
                bodies.push(("application/json".to_owned(), Bytes::from(value.to_string())))
            }
            (None, _) => {}
        }
        for (media_type, value) in &response.bodies {
            let path = format!("bodies.{media_type}");
            let valid = media::is_range(&media::essence(media_type)) && !media_type.contains('*');
            if !valid || HeaderValue::from_str(media_type).is_err() {
                return Err(Diagnostic::error(
                    path,
                    format!("found `{media_type}`, expected a content type such as `application/json`"),
                ));
            }
            let text = written(value, media_type, cx.content_types()).ok_or_else(|| {
                Diagnostic::error(path, "the value cannot be written as XML of at most 256 KiB")
            })?;
            bodies.push((media_type.clone(), Bytes::from(text)));
        }
        Ok(Self { operation, conditions, status, headers, bodies })
    }

    fn fits(&self, exchange: &Exchange, asked: Option<StatusCode>) -> bool {
        self.operation.is_none_or(|operation| exchange.operation == Some(operation))
            && asked.is_none_or(|status| status == self.status)
            && self.conditions.iter().all(|condition| condition.holds(exchange))
    }
}

/// The position of an operation by its name, or by method and path.
fn find_operation(name: &str, cx: &CompileCx<'_>) -> Result<Option<u32>, Diagnostic> {
    // Where a configuration is checked without an API, any name may be right.
    let Some(api) = cx.api() else { return Ok(None) };
    let line = |operation: &model::Operation| format!("{} {}", operation.method, operation.path);
    let found =
        api.operations().iter().position(|operation| operation.name == name || line(operation) == name);
    if let Some(position) = found {
        return Ok(u32::try_from(position).ok());
    }
    let problem = Diagnostic::error("operation", format!("found `{name}`, which is no operation of the API"));
    let near = nearest(name, api.operations().iter().map(|operation| operation.name.as_str()));
    Err(problem.help(match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write its name, or method and path such as `GET /orders/{id}`".to_owned(),
    }))
}

struct Mocker {
    written: Vec<Written>,
    defaults: Option<Arc<Defaults>>,
    pick_status: bool,
}

impl Filter for Mocker {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.answer(exchange))
    }

    fn needs(&self) -> Needs {
        let request_body = self.written.iter().any(|w| w.conditions.iter().any(Condition::reads_body));
        Needs { request_body, ..Needs::default() }
    }
}

impl Mocker {
    fn answer(&self, exchange: &mut Exchange) -> Verdict {
        let asked = exchange.query_parameter(EXPECTED_STATUS).filter(|_| self.pick_status);
        let asked = match asked {
            None => None,
            Some(text) => {
                match text.parse::<StatusCode>().ok().filter(|s| (200..600).contains(&s.as_u16())) {
                    Some(status) => Some(status),
                    None => {
                        return Err(Rejection::new(&NO_MOCK)
                            .detail("expectedStatusCode is no status from 200 to 599"));
                    }
                }
            }
        };
        if let Some(found) = self.written.iter().find(|written| written.fits(exchange, asked)) {
            return Ok(give(exchange, found.status, &found.headers, &found.bodies));
        }
        let found = self.defaults.as_ref().zip(exchange.operation);
        match found.and_then(|(defaults, operation)| defaults.find(operation, asked)) {
            Some((status, answer)) => Ok(give(exchange, status, &answer.headers, &answer.bodies)),
            None => {
                Err(Rejection::new(&NO_MOCK).detail("neither a written response nor the definition fits"))
            }
        }
    }
}

fn give(
    exchange: &mut Exchange,
    status: StatusCode,
    headers: &Headers,
    bodies: &[(String, Bytes)],
) -> Outcome {
    let mut headers = headers.clone();
    let chosen = media::accepted(
        exchange.inbound_accept().as_deref(),
        bodies.iter().map(|(media_type, _)| media_type.as_str()),
    );
    let Some((media_type, payload)) = bodies.get(chosen.unwrap_or(0)) else {
        return exchange.answer_with(status, headers, Vec::new());
    };
    if !headers.contains_key(CONTENT_TYPE)
        && let Ok(media_type) = HeaderValue::from_str(media_type)
    {
        headers.insert(CONTENT_TYPE, media_type);
    }
    exchange.answer_with(status, headers, payload.clone())
}
