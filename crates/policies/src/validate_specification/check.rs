//! Requests and responses against what was expected of them.

use std::borrow::Cow;

use engine::{Exchange, Headers, Payload, Problem, reason::MOST_PROBLEMS, route};
use http::{
    HeaderName, StatusCode,
    header::{CONTENT_TYPE, COOKIE},
};
use model::{
    api::{ParameterLocation, ParameterStyle},
    settings::ContentTypes,
};
use serde_json::Value;

use super::{
    Switches,
    parameter::{Expected, Pairs, Sent, form},
    plan::{BodyExpected, RequestExpected, ResponseExpected},
};
use crate::{
    media::{self, FORM, Kind},
    multipart::FORM_DATA,
    schemas::{SchemaId, Schemas, problem_at},
};

/// What is wrong with a message.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    /// The content type is none of those that the operation declares.
    pub media_type: bool,
}

pub struct Check<'a> {
    pub schemas: &'a Schemas,
    pub switches: &'a Switches,
    pub types: &'a ContentTypes,
    pub findings: Findings,
}

impl<'a> Check<'a> {
    pub fn new(schemas: &'a Schemas, switches: &'a Switches, types: &'a ContentTypes) -> Self {
        Self { schemas, switches, types, findings: Findings::default() }
    }

    pub fn request(mut self, exchange: &Exchange, expected: &RequestExpected) -> Findings {
        self.path(exchange, expected);
        self.query(exchange, expected);
        if self.switches.headers {
            self.headers(&exchange.headers, &expected.parameters);
        }
        if self.switches.cookies {
            self.cookies(&exchange.headers, &expected.parameters);
        }
        let payload = exchange.request_payload.as_ref();
        self.body(&exchange.headers, payload, &expected.bodies, expected.body_required, &expected.fields);
        self.findings
    }

    pub fn response(mut self, exchange: &Exchange, expected: &ResponseExpected) -> Findings {
        if self.switches.headers {
            self.headers(&exchange.response_headers, &expected.headers);
        }
        let payload = exchange.response_payload.as_ref();
        self.body(&exchange.response_headers, payload, &expected.bodies, false, &[]);
        self.findings
    }

    fn path(&mut self, exchange: &Exchange, expected: &RequestExpected) {
        if !self.switches.path_parameters {
            return;
        }
        let of_path = |parameter: &&Expected| parameter.location == ParameterLocation::Path;
        if !expected.parameters.iter().any(|parameter| of_path(&parameter)) {
            return;
        }
        let path = exchange.uri.path().get(exchange.base_length..).unwrap_or_default();
        // Where encoded slashes separate segments, they do so before anything is read.
        let path = match exchange.snapshot.settings.matching.decode_all_delimiters_in_uri {
            true => route::decode(path, true).unwrap_or(Cow::Borrowed(path)),
            false => Cow::Borrowed(path),
        };
        let values = expected.template.values(&path);
        for parameter in expected.parameters.iter().filter(of_path) {
            let value = values.iter().find(|(name, _)| *name == parameter.name);
            let sent = value.map_or(Sent::Nothing, |(_, value)| parameter.in_path(value));
            self.sent("path", parameter, sent);
        }
    }

    fn query(&mut self, exchange: &Exchange, expected: &RequestExpected) {
        let refuse = self.switches.unknown_query_parameters && expected.described;
        if !(self.switches.query_parameters || refuse) {
            return;
        }
        let Some(pairs) = Pairs::read(exchange.uri.query().unwrap_or_default()) else {
            self.add(problem_at("query", "expected UTF-8 text"));
            return;
        };
        let of_query = |parameter: &&Expected| parameter.location == ParameterLocation::Query;
        if self.switches.query_parameters {
            for parameter in expected.parameters.iter().filter(of_query) {
                self.sent("query", parameter, parameter.in_pairs(&pairs, true));
            }
        }
        if refuse {
            let known = |name: &str| expected.parameters.iter().filter(of_query).any(|p| p.owns(name));
            if pairs.0.iter().any(|(name, _)| !known(name)) {
                self.add(problem_at("query", "has a parameter that is not declared"));
            }
        }
    }

    fn headers(&mut self, headers: &Headers, parameters: &[Expected]) {
        for parameter in parameters.iter().filter(|p| p.location == ParameterLocation::Header) {
            let name = HeaderName::from_bytes(parameter.name.as_bytes());
            let mut lines = Vec::new();
            let mut readable = true;
            for line in name.iter().flat_map(|name| headers.get_all(name)) {
                match std::str::from_utf8(line.as_bytes()) {
                    Ok(line) => lines.push(line),
                    Err(_) => readable = false,
                }
            }
            let lists = parameter.shape.items.is_some() || parameter.shape.object.is_some();
            let sent = match lines.as_slice() {
                _ if !readable => Sent::Unreadable("expected UTF-8 text"),
                [] => Sent::Nothing,
                [line] => parameter.in_header(line),
                several if lists => parameter.in_header(&several.join(",")),
                _ => Sent::Unreadable("expected one value, found several"),
            };
            self.sent("header", parameter, sent);
        }
    }

    fn cookies(&mut self, headers: &Headers, parameters: &[Expected]) {
        let mut of_cookie = parameters.iter().filter(|p| p.location == ParameterLocation::Cookie).peekable();
        if of_cookie.peek().is_none() {
            return;
        }
        let lines = headers.get_all(&COOKIE).filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"')))
        });
        let pairs = Pairs(pairs.collect());
        for parameter in of_cookie {
            self.sent("cookie", parameter, parameter.in_pairs(&pairs, false));
        }
    }

    fn body(
        &mut self,
        headers: &Headers,
        payload: Option<&Payload>,
        bodies: &[BodyExpected],
        required: bool,
        fields: &[Expected],
    ) {
        let Some(payload) = payload.filter(|payload| !payload.bytes().is_empty()) else {
            if required && self.switches.body {
                self.add(problem_at("body", "is required"));
            }
            return;
        };
        // Nothing is declared, so that nothing can be wrong.
        if bodies.is_empty() || !(self.switches.content_type || self.switches.body) {
            return;
        }
        let media_type = media::of(headers);
        let covers = |body: &&BodyExpected| {
            media_type.as_deref().map_or(0, |media_type| media::covers(&body.media_type, media_type))
        };
        let expected = bodies.iter().filter(|body| covers(body) > 0).max_by_key(covers);
        let Some(expected) = expected else {
            if self.switches.content_type {
                self.findings.media_type = true;
                let declared: Vec<&str> = bodies.iter().map(|body| body.media_type.as_str()).collect();
                let declared = declared.join(", ");
                self.add(problem_at("header.content-type", format!("expected one of {declared}")));
            }
            return;
        };
        if !self.switches.body || (expected.schema.is_none() && fields.is_empty()) {
            return;
        }
        let media_type = media_type.unwrap_or_default();
        let is_json = media::kind(self.types, &media_type) == Some(Kind::Json);
        let is_plain = media::is_plain(self.types, &media_type);
        if !(is_json || is_plain || media_type == FORM || media_type == FORM_DATA) {
            return;
        }
        if media::is_encoded(headers) {
            self.findings.media_type = true;
            self.add(problem_at("header.content-encoding", "expected a body that is not compressed"));
            return;
        }
        let size = payload.bytes().len();
        if media_type == FORM {
            let pairs = std::str::from_utf8(payload.bytes()).ok().and_then(Pairs::read);
            let Some(pairs) = pairs else {
                self.add(problem_at("body", "expected a form of UTF-8 text"));
                return;
            };
            for field in fields {
                self.sent("body", field, field.in_pairs(&pairs, true));
            }
            let object = expected.shape.as_ref().and_then(|shape| shape.object.as_ref());
            if let (Some(schema), Some(object)) = (expected.schema, object) {
                match form(object, &pairs) {
                    Sent::Value(value, _) => self.value(schema, &value, size, "body"),
                    Sent::Unreadable(problem) => self.add(problem_at("body", problem)),
                    Sent::Nothing => {}
                }
            }
            return;
        }
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media_type == FORM_DATA {
            return self.parts(content_type, payload.bytes(), expected, fields);
        }
        let Some(schema) = expected.schema else { return };
        if is_plain && !is_json {
            let text = std::str::from_utf8(payload.bytes()).ok();
            let Some(text) = text.filter(|_| !media::has_other_charset(content_type)) else {
                self.add(problem_at("body", "expected UTF-8 text"));
                return;
            };
            let own = Value::String(text.to_owned());
            let shape = expected.shape.as_deref();
            if !(shape.is_none_or(|shape| shape.string) && self.schemas.is_valid(schema, &own, size)) {
                let value = shape.map_or(own, |shape| shape.scalar(text.to_owned()));
                self.value(schema, &value, size, "body");
            }
            return;
        }
        match payload.json() {
            Some(value) => self.value(schema, value, size, "body"),
            None => self.add(problem_at("body", "expected JSON")),
        }
    }

    pub(super) fn sent(&mut self, place: &str, parameter: &Expected, sent: Sent) {
        let location = || format!("{place}.{}", parameter.name);
        match sent {
            Sent::Nothing if parameter.required => self.add(problem_at(location(), "is required")),
            Sent::Nothing => {}
            Sent::Unreadable(problem) => self.add(problem_at(location(), problem)),
            // Of this nothing is known but that it is there.
            Sent::Value(..) if parameter.style == ParameterStyle::Opaque => {}
            Sent::Value(value, other) => {
                let Some(schema) = parameter.schema else { return };
                // What is sent has the size of a header or a request line.
                let size = 1 << 10;
                let fits = other.is_some_and(|text| self.schemas.is_valid(schema, &text, size));
                if !fits {
                    self.value(schema, &value, size, &location());
                }
            }
        }
    }

    pub(super) fn value(&mut self, schema: SchemaId, value: &Value, size: usize, location: &str) {
        if let Err(problems) = self.schemas.check(schema, value, size, location) {
            problems.into_iter().for_each(|problem| self.add(problem));
        }
    }

    pub(super) fn add(&mut self, problem: Problem) {
        if self.findings.problems.len() < MOST_PROBLEMS {
            self.findings.problems.push(problem);
        }
    }
}

/// The response that is documented for a status: `404` before `4XX` before `default`.
pub fn documented(responses: &[ResponseExpected], status: StatusCode) -> Option<&ResponseExpected> {
    let exact = status.as_str();
    let class = format!("{}XX", &exact[..1]);
    let by = |wanted: &str| responses.iter().find(|response| response.status == wanted);
    by(exact).or_else(|| by(&class)).or_else(|| by("default"))
}
