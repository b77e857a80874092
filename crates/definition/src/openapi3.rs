//! Parameters, request bodies and responses of OpenAPI 3.0 and 3.1.

use std::collections::HashSet;

use model::Operation;
use model::api::{Body, Parameter, ParameterLocation, Response};

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
            let bodies =
                response.resolve(report).map(|response| bodies(&response, report)).unwrap_or_default();
            operation.responses.push(Response { status, bodies });
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
    let schema = node.get("schema").or_else(|| {
        let content = node.get("content")?;
        let (_, media) = content.names(report).into_iter().next()?;
        media.get("schema")
    });
    let required = location == ParameterLocation::Path || node.is_true("required");
    Some(Parameter { name, location, required, schema: address(schema, report) })
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
        bodies.push(Body { media_type: media_type.to_owned(), schema: address(media.get("schema"), report) });
    }
    bodies
}

/// Where a schema is. A schema that is only a reference is where that leads.
fn address(schema: Option<Node<'_>>, report: &mut Report) -> Option<String> {
    Some(schema?.resolve_bare(report)?.address(report))
}
