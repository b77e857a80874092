//! Validate specification: requests, and if wanted responses, against the imported definition. Schemas are in
//! `crate::schemas`; what an operation expects is in `plan`, how texts are read in `parameter`, the checks in `check`.

mod check;
mod parameter;
mod parts;
mod plan;
mod template;
#[cfg(test)]
mod tests;
mod xml;

use std::{borrow::Cow, collections::HashSet, num::NonZeroU32, sync::Arc};

use check::{Check, Findings, documented};
use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, Problem, Reason, Rejection, Stage, Step,
    Verdict,
};
use http::StatusCode;
use model::{ByteSize, Diagnostic};
use plan::{RequestPlan, ResponsePlan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use xml::{ValidateSpecificationXmlInclude, ValidateSpecificationXmlSchema, XmlSchemas};

use crate::multipart::Limits;

/// Checks requests, and if wanted responses, against the API's definition.
///
/// Parameters are read in every style of OpenAPI. Bodies are checked against their schema when they are JSON, a form
/// (`application/x-www-form-urlencoded` or `multipart/form-data`) or `text/plain`; XML is compared with the XML Schemas in
/// `xmlSchemas`, not with what the definition says of it; of others only the content type is checked. The parts of a `multipart/form-data` are the properties of its schema: texts, JSON for
/// objects, and files, of which is checked that they are there and that they have a content type of `encoding`. Such a
/// form that could be taken apart in two ways does not match. Texts are in UTF-8. A body that is missing is only
/// refused where the definition requires one, and an operation that declares no body accepts any. The formats
/// `date`, `date-time`, `uuid`, `email`, `ipv4`, `ipv6` and `uri` are checked, others are not. Parts of a definition
/// that are broken are named when the configuration is loaded, and are not checked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateSpecification {
    /// What happens to a message that does not match.
    #[serde(default)]
    mode: ValidateSpecificationMode,
    /// Check the parameters in the path.
    #[serde(default = "yes")]
    path_parameters: bool,
    /// Check the query parameters that the definition declares.
    #[serde(default = "yes")]
    query_parameters: bool,
    /// Query parameters that the definition does not declare.
    #[serde(default)]
    unknown_query_parameters: ValidateSpecificationUnknown,
    /// Check the headers that the definition declares. Others are always allowed.
    #[serde(default = "yes")]
    headers: bool,
    /// Check the cookies that the definition declares. Others are always allowed.
    #[serde(default = "yes")]
    cookies: bool,
    /// Check that the content type of a body is one of those that the definition declares.
    #[serde(default = "yes")]
    content_type: bool,
    /// Check bodies: whether a required one is there, and whether it matches its schema. The whole body is held in
    /// memory for that.
    #[serde(default = "yes")]
    body: bool,
    /// Most parts of a form `multipart/form-data`.
    #[serde(default = "most_parts")]
    most_parts: NonZeroU32,
    /// Largest part of a form `multipart/form-data`, in bytes. Default: what the body as a whole may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    largest_part: Option<ByteSize>,
    /// XML Schemas for XML bodies, beside what the definition says; also for APIs without a definition. Responses are
    /// compared with them when they are successful.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    xml_schemas: Vec<ValidateSpecificationXmlSchema>,
    /// Files that these schemas may include or import, and that these may in turn, up to 64 imports. `schemaLocation` is
    /// relative to the file that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    xml_includes: Vec<ValidateSpecificationXmlInclude>,
    /// Check responses of the upstream too: their headers, content type and body, as switched on above. Responses
    /// with a status that the definition does not declare pass.
    #[serde(default)]
    response: bool,
}

/// What happens to a message that does not match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValidateSpecificationMode {
    /// It is refused: a request with 400, or 415 for its content type; a response with 502.
    #[default]
    Block,
    /// It passes, and the decision record says what does not match and where.
    Warn,
    /// It passes, and the decision record says only how many things do not match.
    Observe,
}

/// Query parameters that the definition does not declare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValidateSpecificationUnknown {
    /// They pass.
    #[default]
    Allow,
    /// They do not match.
    Refuse,
}

fn most_parts() -> NonZeroU32 {
    NonZeroU32::new(100).expect("it is not zero")
}

fn yes() -> bool {
    true
}

pub static REQUEST: Reason = Reason::new(
    "request_does_not_match",
    StatusCode::BAD_REQUEST,
    "The request does not match the definition of the API.",
);
pub static MEDIA_TYPE: Reason = Reason::new(
    "unsupported_media_type",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "The operation does not accept a body of this content type.",
);
pub static RESPONSE: Reason = Reason::upstream(
    "response_does_not_match",
    StatusCode::BAD_GATEWAY,
    "The response of the native service does not match the definition of the API.",
);

impl Policy for ValidateSpecification {
    const TYPE: &'static str = "validateSpecification";
    const STAGE: Stage = Stage::RequestProcessing;
    const REASONS: &'static [&'static Reason] = &[&REQUEST, &MEDIA_TYPE, &RESPONSE];
    const POSTURE: &'static str = "Everything that the client sends is taken for wrong until it fits. Depth, number of checks and patterns are bounded: a value that costs too much to check is refused. Answers name places and what was expected there, never what was sent.";
    const FILES: &'static [&'static str] = &["xmlSchemas[].file", "xmlIncludes[].file"];
    const EXAMPLE: &'static str = "mode: block\nunknownQueryParameters: refuse\nresponse: false\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let request = self.path_parameters
            || self.query_parameters
            || self.unknown_query_parameters == ValidateSpecificationUnknown::Refuse
            || self.headers
            || self.cookies
            || self.content_type
            || self.body;
        if !request {
            return Err(Diagnostic::error("", "every check is switched off, expected at least one")
                .help("take the policy away, or switch a check on, such as `body: true`"));
        }
        if !self.xml_schemas.is_empty() && !self.body {
            return Err(
                Diagnostic::error("xmlSchemas", "found schemas, but `body` is off").help("add `body: true`")
            );
        }
        if self.xml_schemas.is_empty() && !self.xml_includes.is_empty() {
            return Err(Diagnostic::error("xmlIncludes", "found files to include, but no `xmlSchemas`")
                .help("name the schema that includes them in `xmlSchemas`"));
        }
        let [xml_requests, xml_responses] = XmlSchemas::compile(&self.xml_schemas, &self.xml_includes, cx)?;
        let mut warnings = Vec::new();
        let types = cx.content_types();
        let (mut requests, mut responses) = (None, None);
        match cx.api() {
            Some(api) if api.is_imported() => {
                requests = Some(api.shared(|| RequestPlan::build(api, types, &mut warnings)));
                if self.response {
                    responses = Some(api.shared(|| ResponsePlan::build(api, types, &mut warnings)));
                }
            }
            Some(_) if self.xml_schemas.is_empty() => cx.warn(
                Diagnostic::warning("", "the API has no definition, so that nothing is checked")
                    .help("name an OpenAPI document in `definition` of the API"),
            ),
            Some(_) | None => {}
        }
        // Most schemas are in requests and responses.
        let mut seen = HashSet::new();
        for warning in warnings.into_iter().filter(|warning| seen.insert(warning.clone())) {
            cx.warn(Diagnostic::warning("", format!("in the definition, {warning}")));
        }
        Ok(Compiled::filter(Validator {
            mode: self.mode,
            switches: Switches {
                path_parameters: self.path_parameters,
                query_parameters: self.query_parameters,
                unknown_query_parameters: self.unknown_query_parameters
                    == ValidateSpecificationUnknown::Refuse,
                headers: self.headers,
                cookies: self.cookies,
                content_type: self.content_type,
                body: self.body,
                parts: Limits {
                    parts: self.most_parts.get() as usize,
                    part_size: self.largest_part.map_or(usize::MAX, ByteSize::as_usize),
                },
            },
            requests,
            responses,
            xml_requests,
            xml_responses: if self.response { xml_responses } else { XmlSchemas::default() },
        }))
    }
}

/// What is checked.
struct Switches {
    path_parameters: bool,
    query_parameters: bool,
    /// Whether those that are not declared are refused.
    unknown_query_parameters: bool,
    headers: bool,
    cookies: bool,
    content_type: bool,
    body: bool,
    /// What a form in parts may be.
    parts: Limits,
}

struct Validator {
    mode: ValidateSpecificationMode,
    switches: Switches,
    requests: Option<Arc<RequestPlan>>,
    responses: Option<Arc<ResponsePlan>>,
    xml_requests: XmlSchemas,
    xml_responses: XmlSchemas,
}

impl Filter for Validator {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.check_request(exchange))
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.check_response(exchange))
    }

    fn needs(&self) -> Needs {
        let bodies = self.switches.body || self.switches.content_type;
        let responses = self.responses.is_some() || !self.xml_responses.is_empty();
        Needs {
            request_body: (bodies && self.requests.is_some()) || !self.xml_requests.is_empty(),
            response: responses,
            response_body: bodies && responses,
            ..Needs::default()
        }
    }
}

impl Validator {
    fn check_request(&self, exchange: &mut Exchange) -> Verdict {
        let expected = self.requests.as_ref().zip(exchange.operation);
        let expected = expected.and_then(|(plan, at)| Some((plan, plan.operations.get(at as usize)?)));
        if expected.is_none() && self.xml_requests.is_empty() {
            return Ok(Outcome::Skipped);
        }
        let types = &exchange.snapshot.settings.content_types;
        let mut findings = expected.map_or_else(Findings::default, |(plan, expected)| {
            Check::new(&plan.schemas, &self.switches, types).request(exchange, expected)
        });
        let payload = exchange.request_payload.as_ref();
        self.xml_requests.check(types, &exchange.headers, payload, &mut findings);
        let reason = if findings.media_type { &MEDIA_TYPE } else { &REQUEST };
        self.decide(exchange, findings, reason)
    }

    fn check_response(&self, exchange: &mut Exchange) -> Verdict {
        // What the gateway answers itself is not the upstream's.
        if exchange.reason.is_some() {
            return Ok(Outcome::Skipped);
        }
        let responses = self.responses.as_ref().zip(exchange.operation);
        let responses = responses.and_then(|(plan, at)| Some((plan, plan.operations.get(at as usize)?)));
        let expected =
            responses.and_then(|(plan, responses)| Some((plan, documented(responses, exchange.status)?)));
        let by_xml = exchange.status.is_success() && !self.xml_responses.is_empty();
        if expected.is_none() && !by_xml {
            return Ok(Outcome::Skipped);
        }
        let types = &exchange.snapshot.settings.content_types;
        let mut findings = expected.map_or_else(Findings::default, |(plan, expected)| {
            Check::new(&plan.schemas, &self.switches, types).response(exchange, expected)
        });
        if by_xml {
            let payload = exchange.response_payload.as_ref();
            self.xml_responses.check(types, &exchange.response_headers, payload, &mut findings);
        }
        self.decide(exchange, findings, &RESPONSE)
    }

    fn decide(&self, exchange: &mut Exchange, findings: Findings, reason: &'static Reason) -> Verdict {
        let problems = findings.problems;
        if problems.is_empty() {
            return Ok(Outcome::Passed);
        }
        match self.mode {
            ValidateSpecificationMode::Block => {
                let rejection = Rejection::new(reason).detail(in_a_line(&problems));
                // What is wrong with a response is for the provider, not for the client.
                let told = if reason.code == RESPONSE.code { Vec::new() } else { problems };
                return Err(rejection.problems(told));
            }
            ValidateSpecificationMode::Warn => exchange.note(|| in_a_line(&problems).into()),
            ValidateSpecificationMode::Observe => exchange.note(|| match problems.len() {
                1 => Cow::Borrowed("1 thing does not match the definition"),
                count => format!("{count} things do not match the definition").into(),
            }),
        }
        Ok(Outcome::Passed)
    }
}

fn in_a_line(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.location, p.message)).collect();
    lines.join("; ")
}
