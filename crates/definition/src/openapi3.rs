//! Parameters, request bodies and responses of OpenAPI 3.0 and 3.1.

use std::collections::HashSet;

use model::Operation;
use model::api::{Body, Parameter, ParameterLocation, ParameterStyle, Response};

use crate::format::clip;
use crate::node::Node;
use crate::operation::{Importer, add_parameter, status};
use crate::report::Report;

/// Fills an operation in. `parameters` are the operation's own, then those of the path.
pub(crate) fn operation<'d>(
    importer: &mut Importer<'d, '_>,
    node: &Node<'d>,
    parameters: Vec<Node<'d>>,
    operation: &mut Operation,
) {
    let report = &mut *importer.report;
    let mut seen = HashSet::new();
    for parameter in parameters {
        if let Some(parameter) = read_parameter(parameter, report) {
            add_parameter(operation, &mut seen, parameter);
        }
    }
    if let Some(body) = node.get("requestBody").and_then(|body| body.resolve(report)) {
        operation.request_body_required = body.is_true("required");
        operation.request_bodies = bodies(&body, report);
    }
    if let Some(responses) = node.get("responses").and_then(|responses| responses.resolve(report)) {
        for (key, response) in responses.entries(report) {
            let Some(status) = status(key, &response, report) else { continue };
            if response.value.is_null() {
                report.warn(&response, "", "the response is empty");
            }
            let (bodies, headers) = match response.resolve(report) {
                Some(response) => (bodies(&response, report), headers(&response, report)),
                None => Default::default(),
            };
            operation.responses.push(Response { status, bodies, headers });
        }
    }
    if let Some(callbacks) = node.get("callbacks") {
        for (_, callback) in callbacks.names(report) {
            let Some(callback) = callback.resolve(report) else { continue };
            let expressions =
                callback.entries(report).into_iter().map(|(expression, _)| expression.to_owned());
            operation.callbacks.extend(expressions);
        }
    }
}

fn read_parameter(node: Node<'_>, report: &mut Report) -> Option<Parameter> {
    let node = node.resolve(report)?;
    let name = node.get("name").and_then(|name| name.text());
    let place = node.get("in").and_then(|place| place.as_str());
    let (Some(name), Some(place)) = (name, place) else {
        report.warn(&node, "", "a parameter needs `name` and `in`; it is left out");
        return None;
    };
    let location = match place {
        "path" => ParameterLocation::Path,
        "query" => ParameterLocation::Query,
        "header" => ParameterLocation::Header,
        "cookie" => ParameterLocation::Cookie,
        other => {
            let message = format!(
                "expected `path`, `query`, `header` or `cookie`, found `{}`; the parameter is left out",
                clip(other)
            );
            report.warn(&node, "in", message);
            return None;
        }
    };
    // The standard says that these are described elsewhere and ignored here.
    let elsewhere = ["accept", "content-type", "authorization"];
    if location == ParameterLocation::Header && elsewhere.contains(&name.to_ascii_lowercase().as_str()) {
        return None;
    }
    let required = location == ParameterLocation::Path || node.is_true("required");
    Some(value_of(&node, name, location, required, report))
}

/// What parameters and headers have in common: the schema, and how a value is written.
fn value_of(
    node: &Node<'_>,
    name: String,
    location: ParameterLocation,
    required: bool,
    report: &mut Report,
) -> Parameter {
    let usual = match location {
        ParameterLocation::Query | ParameterLocation::Cookie | ParameterLocation::Form => {
            ParameterStyle::Form
        }
        ParameterLocation::Path | ParameterLocation::Header => ParameterStyle::Simple,
    };
    let written = node.get("style").and_then(|style| style.as_str().map(str::to_owned));
    let style = match written.as_deref() {
        None => usual,
        Some("simple") => ParameterStyle::Simple,
        // The cookie style of 3.2 differs in the encoding only.
        Some("form" | "cookie") => ParameterStyle::Form,
        Some("label") => ParameterStyle::Label,
        Some("matrix") => ParameterStyle::Matrix,
        Some("spaceDelimited") => ParameterStyle::SpaceDelimited,
        Some("pipeDelimited") => ParameterStyle::PipeDelimited,
        Some("deepObject") => ParameterStyle::DeepObject,
        Some(other) => {
            let message = format!("the style `{}` is not known; the usual one is used", clip(other));
            report.warn(node, "style", message);
            usual
        }
    };
    let explode = match node.get("explode").and_then(|explode| explode.value.as_bool()) {
        Some(explode) => explode,
        None => style == ParameterStyle::Form,
    };
    let (schema, style) = match node.get("schema") {
        Some(schema) => (Some(schema), style),
        None => {
            let media = node.get("content").and_then(|content| content.names(report).into_iter().next());
            match media {
                None => (None, style),
                Some((key, media)) if is_json(key) => (media.get("schema"), ParameterStyle::Json),
                Some((_, media)) => (media.get("schema"), ParameterStyle::Opaque),
            }
        }
    };
    Parameter { name, location, required, schema: address(schema, report), style, explode }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The headers of a response.
fn headers(node: &Node<'_>, report: &mut Report) -> Vec<Parameter> {
    let Some(list) = node.get("headers") else { return Vec::new() };
    let mut headers = Vec::new();
    for (name, header) in list.names(report) {
        // The standard says that this one is ignored here.
        let Some(header) = header.resolve(report).filter(|_| !name.eq_ignore_ascii_case("content-type"))
        else {
            continue;
        };
        let required = header.is_true("required");
        headers.push(value_of(&header, name.to_owned(), ParameterLocation::Header, required, report));
    }
    headers
}

/// The bodies under `content`.
fn bodies(node: &Node<'_>, report: &mut Report) -> Vec<Body> {
    let Some(content) = node.get("content") else { return Vec::new() };
    let mut bodies = Vec::new();
    for (key, media) in content.names(report) {
        let media_type = key.trim();
        if !media_type.contains('/') {
            report.warn(&media, "", "expected a media type such as `application/json`; it is left out");
            continue;
        }
        // From 3.2 on, media types can be references.
        let Some(media) = media.resolve(report) else { continue };
        let (schema, example) = (address(media.get("schema"), report), example(&media, report));
        let encodings = encodings(&media, report);
        bodies.push(Body { media_type: media_type.to_owned(), schema, example, encodings });
    }
    bodies
}

/// The content types that parts of a form may have.
fn encodings(media: &Node<'_>, report: &mut Report) -> Vec<(String, String)> {
    let Some(encodings) = media.get("encoding") else { return Vec::new() };
    let mut found = Vec::new();
    for (name, encoding) in encodings.names(report) {
        let Some(types) = encoding.get("contentType").and_then(|types| types.text()) else {
            continue;
        };
        if report.spend(name.len() + types.len() + size_of::<(String, String)>()) {
            found.push((name.to_owned(), types));
        }
    }
    found
}

/// Where the first example of a media type is.
fn example(media: &Node<'_>, report: &mut Report) -> Option<String> {
    if let Some(example) = media.get("example") {
        return Some(example.address(report));
    }
    // A list is a slip that tools make; what its items are is not known.
    let examples = media.get("examples").filter(|examples| examples.value.is_object())?;
    let (_, first) = examples.names(report).into_iter().next()?;
    let value = first.resolve(report)?.get("value")?;
    Some(value.address(report))
}

/// Where a schema is. A schema that is only a reference is where that leads.
fn address(schema: Option<Node<'_>>, report: &mut Report) -> Option<String> {
    Some(schema?.resolve_bare(report)?.address(report))
}
