//! Parameters, bodies, responses and servers of OpenAPI 2.0.

use std::collections::HashSet;

use model::Operation;
use model::api::{Body, Parameter, ParameterLocation, ParameterStyle, Response};

use crate::format::clip;
use crate::node::Node;
use crate::operation::{Importer, add_parameter, status};
use crate::report::Report;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
/// Nothing is said about the media type.
const ANY: &str = "*/*";

/// Fills an operation in. `parameters` are the operation's own, then those of the path.
pub(crate) fn operation<'d>(
    importer: &mut Importer<'d, '_>,
    node: &Node<'d>,
    parameters: Vec<Node<'d>>,
    operation: &mut Operation,
) {
    let root = importer.root.clone();
    let report = &mut *importer.report;
    let consumes = media_types(node, &root, "consumes", report);
    let produces = media_types(node, &root, "produces", report);

    let mut seen = HashSet::new();
    let mut form = Form::default();
    let mut has_body = false;
    for parameter in parameters {
        let Some(parameter) = parameter.resolve(report) else { continue };
        let name = parameter.get("name").and_then(|name| name.text());
        let place = parameter.get("in").and_then(|place| place.as_str());
        let location = match (place, &name) {
            (Some("body"), _) => {
                if !std::mem::replace(&mut has_body, true) {
                    body(&parameter, &consumes, operation, report);
                }
                continue;
            }
            (None, _) | (_, None) => {
                report.warn(&parameter, "", "a parameter needs `name` and `in`; it is left out");
                continue;
            }
            (Some("path"), _) => ParameterLocation::Path,
            (Some("query"), _) => ParameterLocation::Query,
            (Some("header"), _) => ParameterLocation::Header,
            (Some("formData"), _) => ParameterLocation::Form,
            (Some(other), _) => {
                let message = format!(
                    "expected `path`, `query`, `header`, `formData` or `body`, found `{}`; the parameter is left out",
                    clip(other)
                );
                report.warn(&parameter, "in", message);
                continue;
            }
        };
        let required = location == ParameterLocation::Path || parameter.is_true("required");
        if location == ParameterLocation::Form {
            form.add(&parameter, required);
        }
        let parameter = value_of(&parameter, name.unwrap_or_default(), location, required, report);
        add_parameter(operation, &mut seen, parameter);
    }
    if form.present && !has_body {
        form.bodies(&consumes, operation, report);
    }
    responses(node, &produces, operation, report);
}

/// `consumes` or `produces` of the operation, else of the definition, else what says nothing.
fn media_types(node: &Node<'_>, root: &Node<'_>, key: &str, report: &mut Report) -> Vec<String> {
    let Some(list) = node.get(key).or_else(|| root.get(key)) else { return vec![ANY.to_owned()] };
    // One media type without a list is a frequent slip.
    let found: Vec<String> = match list.as_str() {
        Some(one) => vec![one.trim().to_owned()],
        None => {
            list.items(report).iter().filter_map(|item| item.as_str()).map(|t| t.trim().to_owned()).collect()
        }
    };
    if found.is_empty() { vec![ANY.to_owned()] } else { found }
}

fn body(parameter: &Node<'_>, consumes: &[String], operation: &mut Operation, report: &mut Report) {
    let schema = address(parameter.get("schema"), report);
    if schema.is_none() {
        report.warn(parameter, "", "the body has no schema");
    }
    operation.request_body_required = parameter.is_true("required");
    operation.request_bodies = bodies(consumes, &schema, report);
}

fn responses(node: &Node<'_>, produces: &[String], operation: &mut Operation, report: &mut Report) {
    let Some(list) = node.get("responses") else { return };
    for (key, response) in list.entries(report) {
        let Some(status) = status(key, &response, report) else { continue };
        if response.value.is_null() {
            report.warn(&response, "", "the response is empty");
        }
        let Some(response) = response.resolve(report) else {
            operation.responses.push(Response { status, bodies: Vec::new(), headers: Vec::new() });
            continue;
        };
        let schema = address(response.get("schema"), report);
        let mut bodies = if schema.is_some() { bodies(produces, &schema, report) } else { Vec::new() };
        if let Some(examples) = response.get("examples") {
            for (media_type, example) in examples.names(report) {
                let example = Some(example.address(report));
                match bodies.iter_mut().find(|body| body.media_type == media_type) {
                    Some(body) => body.example = example,
                    None => {
                        let (media_type, schema) = (media_type.to_owned(), schema.clone());
                        bodies.push(Body { media_type, schema, example, encodings: Vec::new() });
                    }
                }
            }
        }
        let mut headers = Vec::new();
        for (name, header) in response.get("headers").map(|h| h.names(report)).unwrap_or_default() {
            let place = ParameterLocation::Header;
            headers.push(value_of(&header, name.to_owned(), place, false, report));
        }
        operation.responses.push(Response { status, bodies, headers });
    }
}

/// A parameter or a header; its schema is itself.
fn value_of(
    node: &Node<'_>,
    name: String,
    location: ParameterLocation,
    required: bool,
    report: &mut Report,
) -> Parameter {
    let in_query = matches!(location, ParameterLocation::Query | ParameterLocation::Form);
    let written = node.get("collectionFormat").and_then(|format| format.as_str().map(str::to_owned));
    let (style, explode) = match written.as_deref() {
        Some("multi") if in_query => (ParameterStyle::Form, true),
        Some("ssv") => (ParameterStyle::SpaceDelimited, false),
        Some("tsv") => (ParameterStyle::TabDelimited, false),
        Some("pipes") => (ParameterStyle::PipeDelimited, false),
        _ if in_query => (ParameterStyle::Form, false),
        _ => (ParameterStyle::Simple, false),
    };
    Parameter { name, location, required, schema: Some(node.address(report)), style, explode }
}

fn bodies(media_types: &[String], schema: &Option<String>, report: &mut Report) -> Vec<Body> {
    let body = |media_type: &String| {
        let length = media_type.len() + schema.as_ref().map_or(0, String::len);
        let body = || Body {
            media_type: media_type.clone(),
            schema: schema.clone(),
            example: None,
            encodings: Vec::new(),
        };
        report.spend(size_of::<Body>() + length).then(body)
    };
    media_types.iter().map_while(body).collect()
}

fn address(schema: Option<Node<'_>>, report: &mut Report) -> Option<String> {
    Some(schema?.resolve_bare(report)?.address(report))
}

/// Form fields of an operation, which together are its body.
#[derive(Default)]
struct Form {
    present: bool,
    required: bool,
    file: bool,
}

impl Form {
    fn add(&mut self, parameter: &Node<'_>, required: bool) {
        self.present = true;
        self.required |= required;
        self.file |= parameter.get("type").is_some_and(|kind| kind.as_str() == Some("file"));
    }

    fn bodies(&self, consumes: &[String], operation: &mut Operation, report: &mut Report) {
        let is_form =
            |media_type: &&String| media_type.starts_with(FORM) || media_type.starts_with("multipart/");
        let mut media_types: Vec<String> = consumes.iter().filter(is_form).cloned().collect();
        if media_types.is_empty() {
            media_types.push(if self.file { MULTIPART } else { FORM }.to_owned());
        }
        operation.request_bodies = bodies(&media_types, &None, report);
        operation.request_body_required = self.required;
    }
}

/// URLs made of `schemes`, `host` and `basePath`.
pub(crate) fn servers(root: &Node<'_>, location: &str, report: &mut Report) -> Vec<String> {
    let text = |key: &str| root.get(key).and_then(|node| node.text()).map(|text| text.trim().to_owned());
    let mut base_path = text("basePath").unwrap_or_default();
    if !base_path.is_empty() && !base_path.starts_with('/') {
        report.warn(root, "basePath", "the base path starts with `/`; one is put before it");
        base_path.insert(0, '/');
    }
    let Some(host) = text("host") else {
        return if base_path.is_empty() { Vec::new() } else { vec![base_path] };
    };
    // A host with a scheme or a path is a frequent slip.
    let host = match host.split_once("://") {
        Some((_, rest)) => {
            report.warn(root, "host", "the host is a URL; only the host in it is used");
            rest.to_owned()
        }
        None => host,
    };
    let host = host.trim_end_matches('/');
    let mut schemes = Vec::new();
    for scheme in root.get("schemes").map(|list| list.items(report)).unwrap_or_default() {
        match scheme.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some(known @ ("http" | "https")) => schemes.push(known.to_owned()),
            _ => report.warn(&scheme, "", "expected `http` or `https`; it is left out"),
        }
    }
    if schemes.is_empty() {
        // The standard: the scheme that the definition was fetched with.
        let fetched =
            location.split_once("://").map(|(scheme, _)| scheme).filter(|s| matches!(*s, "http" | "https"));
        schemes.push(fetched.unwrap_or("https").to_owned());
        if fetched.is_none() {
            report.warn(root, "schemes", "the schemes are missing; `https` is used");
        }
    }
    schemes.iter().map(|scheme| format!("{scheme}://{host}{base_path}")).collect()
}
