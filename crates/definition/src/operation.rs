//! Path items into operations: what all versions of OpenAPI have in common.

use std::collections::{HashMap, HashSet};

use model::Operation;
use model::api::{Parameter, ParameterLocation, ParameterStyle, SecurityRequirement};

use crate::format::{Format, clip};
use crate::node::Node;
use crate::path::PathTemplate;
use crate::report::Report;
use crate::security::{self, SecurityScheme};
use crate::{openapi2, openapi3};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Reads the operations of a definition.
pub(crate) struct Importer<'d, 'r> {
    pub root: Node<'d>,
    pub format: Format,
    pub report: &'r mut Report,
    schemes: HashSet<&'r str>,
    /// Security schemes that were warned of as unknown.
    unknown: HashSet<String>,
    security: Option<Vec<Vec<SecurityRequirement>>>,
    /// Names taken, and the number that the next of the same name gets.
    names: HashMap<String, usize>,
    /// Method and shape of the paths taken, and the first path of each shape.
    taken: HashSet<(String, String)>,
    shapes: HashMap<String, String>,
}

impl<'d, 'r> Importer<'d, 'r> {
    pub fn new(
        root: Node<'d>,
        format: Format,
        schemes: &'r [SecurityScheme],
        report: &'r mut Report,
    ) -> Self {
        let mut importer = Self {
            root,
            format,
            report,
            schemes: schemes.iter().map(|scheme| scheme.name.as_str()).collect(),
            unknown: HashSet::new(),
            security: None,
            names: HashMap::new(),
            taken: HashSet::new(),
            shapes: HashMap::new(),
        };
        importer.security = importer.security_of(&importer.root.clone());
        importer
    }

    pub fn operations(mut self) -> Vec<Operation> {
        let Some(paths) = self.root.get("paths") else {
            self.report.warn_at("paths", "the definition has no paths, so the API has no operations");
            return Vec::new();
        };
        let mut operations = Vec::new();
        for (key, item) in paths.entries(self.report) {
            let Some(template) = PathTemplate::read(key, &item, self.report) else { continue };
            self.path_item(&template, item, &mut operations);
            if self.report.is_used_up() {
                break;
            }
        }
        operations
    }

    fn path_item(&mut self, template: &PathTemplate, item: Node<'d>, operations: &mut Vec<Operation>) {
        if !item.value.is_object() {
            self.report.warn(&item, "", "expected a mapping of methods to operations; the path is left out");
            return;
        }
        // A reference may stand beside methods of the path's own, which come first.
        let mut layers = vec![item.clone()];
        if item.value.get("$ref").is_some() {
            layers.extend(item.clone().resolve(self.report).filter(|target| target.value.is_object()));
        }
        self.same_shape(template, &item);

        let mut shared = Vec::new();
        for layer in &layers {
            if let Some(parameters) = layer.get("parameters") {
                shared.extend(parameters.items(self.report));
            }
            self.servers_are_ignored(layer);
        }
        for (index, layer) in layers.iter().enumerate() {
            for (key, operation) in layer.entries(self.report) {
                let own = index == 0 || layers[0].get(key).is_none();
                if let Some(method) = self.method(key, &operation).filter(|_| own) {
                    operations.extend(self.operation(method, template, &operation, &shared));
                }
            }
            if let Some(more) = layer.get("additionalOperations") {
                for (key, operation) in more.names(self.report) {
                    if is_token(key) {
                        operations.extend(self.operation(key.to_owned(), template, &operation, &shared));
                    } else {
                        self.report.warn(&operation, "", "the key is no HTTP method; it is left out");
                    }
                }
            }
            if self.report.is_used_up() {
                return;
            }
        }
    }

    /// The method that a key of a path item stands for.
    fn method(&mut self, key: &str, value: &Node<'d>) -> Option<String> {
        let lower = key.to_ascii_lowercase();
        if METHODS.contains(&lower.as_str()) || (key == "query" && self.format == Format::OpenApi31) {
            if lower != key {
                self.report.warn(value, "", "methods are written in small letters");
            }
            return Some(key.to_ascii_uppercase());
        }
        if !matches!(
            key,
            "$ref" | "parameters" | "summary" | "description" | "servers" | "additionalOperations"
        ) {
            self.report.warn(value, "", format!("`{}` is no method; it is left out", clip(key)));
        }
        None
    }

    fn operation(
        &mut self,
        method: String,
        template: &PathTemplate,
        node: &Node<'d>,
        shared: &[Node<'d>],
    ) -> Option<Operation> {
        if !node.value.is_object() {
            self.report.warn(node, "", "expected a mapping that describes the operation; it is left out");
            return None;
        }
        if !self.taken.insert((method.clone(), template.shape.clone())) {
            let message = format!("another path has {method} for the same requests; this one is left out");
            self.report.warn(node, "", message);
            return None;
        }
        let mut operation = Operation::new(method, template.path.as_str());
        operation.name = self.name(node, &operation);
        operation.summary = node.get("summary").and_then(|summary| summary.text());
        operation.deprecated = node.is_true("deprecated");
        operation.tags = self.tags(node);
        operation.security = self.security_of(node).or_else(|| self.security.clone());
        self.servers_are_ignored(node);

        let mut parameters = node.get("parameters").map(|list| list.items(self.report)).unwrap_or_default();
        parameters.extend(shared.iter().cloned());
        match self.format {
            Format::OpenApi20 => openapi2::operation(self, node, parameters, &mut operation),
            Format::OpenApi30 | Format::OpenApi31 => {
                openapi3::operation(self, node, parameters, &mut operation)
            }
        }
        self.path_parameters(template, node, &mut operation);
        // Where the budget ended, lists are cut: of security requirements nothing may be missing.
        self.report.spend(weight(&operation)).then_some(operation)
    }

    /// `operationId`, or method and path, and unlike all others.
    fn name(&mut self, node: &Node<'d>, operation: &Operation) -> String {
        let id = node.get("operationId").and_then(|id| id.text());
        let name = id.map_or_else(|| operation.name.clone(), |id| id.trim().to_owned());
        let Some(count) = self.names.get(&name).copied() else {
            self.names.insert(name.clone(), 2);
            return name;
        };
        let mut number = count;
        let unique = loop {
            let candidate = format!("{name}_{number}");
            number += 1;
            if !self.names.contains_key(&candidate) {
                break candidate;
            }
        };
        self.names.insert(name.clone(), number);
        self.names.insert(unique.clone(), 2);
        let message =
            format!("the operationId `{}` is taken; the operation is named `{}`", clip(&name), clip(&unique));
        self.report.warn(node, "operationId", message);
        unique
    }

    fn tags(&mut self, node: &Node<'d>) -> Vec<String> {
        let Some(list) = node.get("tags") else { return Vec::new() };
        let mut tags = Vec::new();
        for tag in list.items(self.report) {
            match (tag.text(), tag.as_str()) {
                (Some(text), written) => {
                    if written.is_none() {
                        self.report.warn(
                            &tag,
                            "",
                            "a tag is a text; this one is read as if it were in quotes",
                        );
                    }
                    tags.push(text);
                }
                (None, _) => self.report.warn(&tag, "", "a tag is a text; this one is left out"),
            }
        }
        tags
    }

    /// Requirements of a node that may have them.
    fn security_of(&mut self, node: &Node<'d>) -> Option<Vec<Vec<SecurityRequirement>>> {
        let security = security::requirements(&node.get("security")?, self.report)?;
        for requirement in security.iter().flatten() {
            if !self.schemes.contains(requirement.scheme.as_str())
                && self.unknown.insert(requirement.scheme.clone())
            {
                let message = format!("the security scheme `{}` is not defined", clip(&requirement.scheme));
                self.report.warn(node, "security", message);
            }
        }
        Some(security)
    }

    fn same_shape(&mut self, template: &PathTemplate, item: &Node<'d>) {
        match self.shapes.get(&template.shape) {
            None => drop(self.shapes.insert(template.shape.clone(), template.path.clone())),
            Some(first) if *first != template.path => {
                let message =
                    format!("the path differs from `{}` only in the names of its templates", clip(first));
                self.report.warn(item, "", message);
            }
            Some(_) => {}
        }
    }

    fn servers_are_ignored(&mut self, node: &Node<'d>) {
        if node.get("servers").is_some_and(|servers| !servers.is_empty()) {
            let message = "servers of a path or an operation are not used; the API's are";
            self.report.warn(node, "servers", message);
        }
    }

    /// Path parameters and the templates of the path must be the same.
    fn path_parameters(&mut self, template: &PathTemplate, node: &Node<'d>, operation: &mut Operation) {
        let named: HashSet<&str> = template.names.iter().map(String::as_str).collect();
        operation.parameters.retain(|parameter| {
            let fits =
                parameter.location != ParameterLocation::Path || named.contains(parameter.name.as_str());
            if !fits {
                let message = format!(
                    "the path has no template for the parameter `{}`; it is left out",
                    clip(&parameter.name)
                );
                self.report.warn(node, "parameters", message);
            }
            fits
        });
        let in_path =
            operation.parameters.iter().filter(|parameter| parameter.location == ParameterLocation::Path);
        let mut declared: HashSet<String> = in_path.map(|parameter| parameter.name.clone()).collect();
        for name in &template.names {
            if declared.insert(name.clone()) {
                self.report.warn(
                    node,
                    "parameters",
                    format!("the parameter `{}` of the path is not declared", clip(name)),
                );
                operation.parameters.push(Parameter {
                    name: name.clone(),
                    location: ParameterLocation::Path,
                    required: true,
                    schema: None,
                    style: ParameterStyle::Simple,
                    explode: false,
                });
            }
        }
    }
}

/// Adds a parameter unless one of the same name and place is there: the operation's own come first.
pub(crate) fn add_parameter(
    operation: &mut Operation,
    seen: &mut HashSet<(String, ParameterLocation)>,
    parameter: Parameter,
) {
    let name = match parameter.location {
        ParameterLocation::Header => parameter.name.to_ascii_lowercase(),
        _ => parameter.name.clone(),
    };
    if seen.insert((name, parameter.location)) {
        operation.parameters.push(parameter);
    }
}

/// The status that a key of `responses` stands for: `200`, `4XX`, `default`.
pub(crate) fn status(key: &str, response: &Node<'_>, report: &mut Report) -> Option<String> {
    let upper = key.trim().to_ascii_uppercase();
    let bytes = upper.as_bytes();
    let fits = bytes.len() == 3
        && matches!(bytes[0], b'1'..=b'5')
        && (&bytes[1..] == b"XX" || bytes[1..].iter().all(u8::is_ascii_digit));
    if fits {
        Some(upper)
    } else if upper == "DEFAULT" {
        Some("default".to_owned())
    } else {
        report.warn(
            response,
            "",
            "expected a status such as `200`, `4XX` or `default`; the response is left out",
        );
        None
    }
}

/// A method may be any token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Estimated memory of an operation.
fn weight(operation: &Operation) -> usize {
    const EACH: usize = 64;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bodies = |bodies: &[model::api::Body]| {
        let each =
            bodies.iter().map(|body| EACH + body.media_type.len() + text(&body.schema) + text(&body.example));
        each.sum::<usize>()
    };
    let parameters =
        |list: &[Parameter]| list.iter().map(|p| EACH + p.name.len() + text(&p.schema)).sum::<usize>();
    let responses = operation.responses.iter();
    let responses = responses.map(|r| EACH + bodies(&r.bodies) + parameters(&r.headers)).sum::<usize>();
    let requirements = operation.security.iter().flatten().flatten();
    let security =
        requirements.map(|r| EACH + r.scopes.iter().map(|s| EACH + s.len()).sum::<usize>()).sum::<usize>();
    let tags = operation.tags.iter().map(|tag| EACH + tag.len()).sum::<usize>();
    let callbacks = operation.callbacks.iter().map(|callback| EACH + callback.len()).sum::<usize>();
    let own = 4 * EACH + operation.name.len() + operation.path.len() + text(&operation.summary);
    own + parameters(&operation.parameters)
        + bodies(&operation.request_bodies)
        + responses
        + security
        + tags
        + callbacks
}
