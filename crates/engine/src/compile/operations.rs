//! The operations of one API: into a trie for requests, and found by name or path for whoever refers to them.

use std::{borrow::Cow, collections::HashMap};

use model::{ApiDefinition, ApiDoc, Diagnostic, Diagnostics, Operation, diagnostic::nearest};

use super::selection::OperationFacts;
use crate::{
    journal::OperationNames,
    route::{OperationTrie, Template},
};

/// The operations of an API.
pub(super) struct Operations<'a> {
    /// By position.
    pub all: Vec<Cow<'a, Operation>>,
    /// `None` passes every path and method on.
    pub trie: Option<OperationTrie>,
    pub names: Vec<OperationNames>,
    templates: Vec<Template>,
    /// By name, and as `GET /orders`; `None` where a name is there twice.
    found: HashMap<String, Option<u32>>,
}

impl<'a> Operations<'a> {
    pub fn compile(doc: &ApiDoc, definition: Option<&'a ApiDefinition>, problems: &mut Diagnostics) -> Self {
        let mut operations = Self {
            trie: None,
            names: Vec::new(),
            all: Vec::new(),
            templates: Vec::new(),
            found: HashMap::new(),
        };
        if definition.is_none() && doc.operations.is_empty() {
            return operations;
        }
        let written = doc.operations.iter().enumerate().map(|(index, doc)| {
            let mut operation = Operation::new(doc.method.as_str(), doc.path.as_str());
            if let Some(name) = &doc.name {
                operation.name.clone_from(name);
            }
            operation.tags.clone_from(&doc.tags);
            (Some(index), Cow::Owned(operation))
        });
        let imported = definition
            .into_iter()
            .flat_map(|d| &*d.operations)
            .map(|operation| (None, Cow::Borrowed(operation)));
        let mut trie = OperationTrie::default();
        for (index, operation) in written.chain(imported) {
            // What was written by hand must be right; a definition with flaws is used as far as it goes.
            let problem = |message: String| match index {
                Some(index) => Diagnostic::error(format!("operations[{index}]"), message),
                None => Diagnostic::warning("definition", message),
            };
            let valid_method = operation.method == "*"
                || (http::Method::from_bytes(operation.method.as_bytes()).is_ok()
                    && operation.method.bytes().all(|b| !b.is_ascii_lowercase()));
            if !valid_method {
                problems.push(problem(format!(
                    "found method `{}`, expected one in capitals such as GET, or `*`",
                    operation.method
                )));
                continue;
            }
            let template = match Template::parse(&operation.path) {
                Ok(template) => template,
                Err(error) => {
                    problems.push(problem(format!("found path `{}`, but {error}", operation.path)));
                    continue;
                }
            };
            let Ok(position) = u32::try_from(operations.names.len()) else { continue };
            if trie.insert(&template, &operation.method, position) {
                operations.add(operation, template, position);
            } else {
                problems.push(problem(format!(
                    "found {} {} a second time, or with other parameter names; only the first is used",
                    operation.method, operation.path
                )));
            }
        }
        operations.trie = Some(trie);
        operations
    }

    fn add(&mut self, operation: Cow<'a, Operation>, template: Template, position: u32) {
        let address = format!("{} {}", operation.method, operation.path);
        if operation.name != address {
            self.found
                .entry(operation.name.clone())
                .and_modify(|known| *known = None)
                .or_insert(Some(position));
        }
        // An operation whose name is the address of another one does not hide that one.
        self.found.insert(address, Some(position));
        self.names.push(OperationNames {
            name: operation.name.as_str().into(),
            method: operation.method.as_str().into(),
            path: operation.path.as_str().into(),
        });
        self.all.push(operation);
        self.templates.push(template);
    }

    /// The scopes of the API with the operations in them. What is wrong with them is said where their policies are.
    pub fn scopes<'d>(&self, doc: &'d ApiDoc) -> Vec<(&'d str, Vec<u32>)> {
        let of = |scope: &'d model::api::ScopeDoc| {
            let named = scope.operations.iter().filter_map(|text| self.find(text).ok());
            let below = scope.resources.iter().filter_map(|path| self.at_path(path).ok()).flatten();
            (scope.name.as_str(), named.chain(below).collect())
        };
        doc.scopes.iter().map(of).collect()
    }

    /// What conditions can ask about an operation.
    pub fn facts(&self, position: u32) -> Option<OperationFacts<'_>> {
        let names = self.names.get(position as usize)?;
        let tags = &self.all.get(position as usize)?.tags;
        Some(OperationFacts { method: &names.method, name: &names.name, path: &names.path, tags })
    }

    /// The operation with a name, or one written as `GET /orders`.
    pub fn find(&self, text: &str) -> Result<u32, Diagnostic> {
        match self.found.get(text) {
            Some(Some(position)) => Ok(*position),
            Some(None) => {
                Err(Diagnostic::error("", format!("found `{text}`, which is the name of several operations"))
                    .help("write it as method and path, such as `GET /orders/{id}`"))
            }
            None => Err(self.unknown(text, "operation", self.found.keys().map(String::as_str))),
        }
    }

    /// All operations of a path, whatever its parameters are called.
    pub fn at_path(&self, path: &str) -> Result<Vec<u32>, Diagnostic> {
        let template = Template::parse(path)
            .map_err(|error| Diagnostic::error("", format!("found path `{path}`, but {error}")))?;
        let found: Vec<u32> = (0_u32..)
            .zip(&self.templates)
            .filter(|(_, other)| **other == template)
            .map(|(position, _)| position)
            .collect();
        if found.is_empty() {
            return Err(self.unknown(path, "path of an operation", self.names.iter().map(|n| &*n.path)));
        }
        Ok(found)
    }

    fn unknown<'n>(&self, text: &str, what: &str, known: impl Iterator<Item = &'n str>) -> Diagnostic {
        if self.names.is_empty() {
            return Diagnostic::error("", format!("found `{text}`, but the API has no operations"))
                .help("give it a `definition`, or `operations`");
        }
        let problem = Diagnostic::error("", format!("found `{text}`, which is no {what} of this API"));
        let mut known: Vec<&str> = known.collect();
        // The map that names come from has no order, and the same mistake gets the same answer.
        known.sort_unstable();
        match nearest(text, known) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        }
    }
}
