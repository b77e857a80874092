//! Answers that a definition gives by itself: its examples, else values made from its schemas.

use std::collections::HashMap;

use bytes::Bytes;
use engine::{Headers, compile::ApiShape, convert::json_to_xml, language::OWN_HEADERS};
use http::{HeaderName, HeaderValue, StatusCode};
use model::{
    Operation,
    api::{Body, Parameter, Response},
    settings::ContentTypes,
    source::Documents,
};
use serde_json::Value;

use super::generate;
use crate::media::{self, Kind};

/// Most bytes of all bodies of a definition, and of one of them.
const MAX_TOTAL: usize = 32 << 20;
const MAX_BODY: usize = 256 << 10;

/// Answers by the position of the operation.
pub struct Defaults(Vec<Vec<Answer>>);

/// The answer for one documented status.
pub struct Answer {
    /// `200`, `4XX` or `default`.
    status: String,
    pub headers: Headers,
    /// Content types, each with a body.
    pub bodies: Vec<(String, Bytes)>,
}

impl Defaults {
    pub fn build(api: &ApiShape<'_>, types: &ContentTypes, warnings: &mut Vec<String>) -> Self {
        let documents = api.documents();
        let mut maker = Maker { documents, types, known: HashMap::new(), total: 0, warned: false, warnings };
        Self(api.operations().iter().map(|operation| maker.operation(operation)).collect())
    }

    /// The answer of an operation: with the status that is asked for, else with the lowest that means success.
    pub fn find(&self, operation: u32, asked: Option<StatusCode>) -> Option<(StatusCode, &Answer)> {
        let list = self.0.get(operation as usize)?;
        let by = |wanted: &str| list.iter().find(|answer| answer.status == wanted);
        if let Some(status) = asked {
            let class = format!("{}XX", &status.as_str()[..1]);
            let found = by(status.as_str()).or_else(|| by(&class)).or_else(|| by("default"))?;
            return Some((status, found));
        }
        let success = list.iter().filter_map(|answer| {
            let status = answer.status.parse::<StatusCode>().ok().filter(StatusCode::is_success)?;
            Some((status, answer))
        });
        let range = || by("2XX").or_else(|| by("default")).map(|answer| (StatusCode::OK, answer));
        success.min_by_key(|(status, _)| *status).or_else(range)
    }
}

struct Maker<'a, 'w> {
    documents: &'a Documents,
    types: &'a ContentTypes,
    /// Bodies by where they come from and their content type: most errors are the same everywhere.
    known: HashMap<(String, String), Bytes>,
    total: usize,
    warned: bool,
    warnings: &'w mut Vec<String>,
}

impl Maker<'_, '_> {
    fn operation(&mut self, operation: &Operation) -> Vec<Answer> {
        operation.responses.iter().map(|response| self.response(operation, response)).collect()
    }

    fn response(&mut self, operation: &Operation, response: &Response) -> Answer {
        let mut headers = Headers::new();
        for header in &response.headers {
            if let Some((name, value)) = self.header(header) {
                headers.insert(name, value);
            }
        }
        let mut bodies = Vec::new();
        for body in &response.bodies {
            let media_type = concrete(&body.media_type);
            if let Some(payload) = self.body(operation, body, &media_type) {
                bodies.push((media_type, payload));
            }
        }
        Answer { status: response.status.clone(), headers, bodies }
    }

    fn header(&self, header: &Parameter) -> Option<(HeaderName, HeaderValue)> {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .ok()
            .filter(|name| !OWN_HEADERS.contains(&name.as_str()))?;
        let place = self.documents.at(header.schema.as_deref()?)?;
        let text = match generate::value(self.documents, place) {
            Value::String(text) => text,
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        Some((name, HeaderValue::try_from(text).ok()?))
    }

    fn body(&mut self, operation: &Operation, body: &Body, media_type: &str) -> Option<Bytes> {
        let source = body.example.as_ref().or(body.schema.as_ref())?;
        let key = (source.clone(), media_type.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        let example = body.example.as_deref().and_then(|address| self.documents.at(address));
        let value = match example {
            Some(place) => place.value.clone(),
            None => generate::value(self.documents, self.documents.at(body.schema.as_deref()?)?),
        };
        let text = written(&value, media_type, self.types)?;
        if text.len() > MAX_BODY || self.total + text.len() > MAX_TOTAL {
            if !std::mem::replace(&mut self.warned, true) {
                self.warnings.push(format!(
                    "{} {}: the body of a response is too large to be made up, as may be others; it is left out",
                    operation.method, operation.path
                ));
            }
            return None;
        }
        self.total += text.len();
        let payload = Bytes::from(text);
        self.known.insert(key, payload.clone());
        Some(payload)
    }
}

/// A range as a media type that can be sent.
fn concrete(range: &str) -> String {
    let range = range.trim();
    match media::essence(range).split_once('/') {
        Some(("text", "*")) => "text/plain".to_owned(),
        Some((_, subtype)) if !subtype.contains('*') && !range.starts_with('*') => range.to_owned(),
        _ => "application/json".to_owned(),
    }
}

/// A value as it is written in a media type.
pub fn written(value: &Value, media_type: &str, types: &ContentTypes) -> Option<String> {
    let kind = media::kind(types, &media::essence(media_type));
    match value {
        // Tools write examples as text, be they JSON or not.
        Value::String(text) if kind != Some(Kind::Json) => Some(text.clone()),
        Value::String(text)
            if serde_json::from_str::<Value>(text)
                .is_ok_and(|value| value.is_object() || value.is_array()) =>
        {
            Some(text.clone())
        }
        value if kind == Some(Kind::Xml) => json_to_xml(value, "root", MAX_BODY).ok(),
        value => Some(value.to_string()),
    }
}
