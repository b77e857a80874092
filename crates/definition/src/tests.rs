//! What importing promises, as tables of documents.

mod documents;
mod hostile;
mod odd;
mod openapi2;
mod openapi3;
mod refused;

use std::collections::HashMap;

use model::Operation;

use crate::{Definition, Loader, NoLoader, import};

/// Imports a document that stands alone.
#[track_caller]
fn read(text: &str) -> Definition {
    import("api.yaml", text.as_bytes(), &NoLoader).expect("the definition should be imported")
}

/// Imports `paths` of an OpenAPI 3.1 document.
#[track_caller]
fn paths(paths: &str) -> Definition {
    let indented: String = paths.lines().map(|line| format!("  {line}\n")).collect();
    read(&format!("openapi: 3.1.0\ninfo: {{title: T, version: '1'}}\npaths:\n{indented}"))
}

/// Imports `paths` without any warning, and gives the only operation.
#[track_caller]
fn only(text: &str) -> Operation {
    let definition = paths(text);
    assert_eq!(warnings(&definition), [""; 0], "{text}");
    assert_eq!(definition.api.operations.len(), 1, "{text}");
    definition.api.operations[0].clone()
}

fn warnings(definition: &Definition) -> Vec<String> {
    definition.warnings.iter().map(ToString::to_string).collect()
}

/// `METHOD /path name` of each operation.
fn names(definition: &Definition) -> Vec<String> {
    definition.api.operations.iter().map(|o| format!("{} {} {}", o.method, o.path, o.name)).collect()
}

/// `in name` of each parameter, `!` where it is required, and its schema.
fn parameters(operation: &Operation) -> Vec<String> {
    let line = |p: &model::api::Parameter| {
        let place = format!("{:?}", p.location).to_lowercase();
        format!(
            "{place} {}{} {}",
            p.name,
            if p.required { "!" } else { "" },
            p.schema.as_deref().unwrap_or("-")
        )
    };
    operation.parameters.iter().map(line).collect()
}

/// `media/type schema` of each body.
fn bodies(bodies: &[model::api::Body]) -> Vec<String> {
    bodies.iter().map(|b| format!("{} {}", b.media_type, b.schema.as_deref().unwrap_or("-"))).collect()
}

/// Documents in memory, by location.
struct Files(HashMap<&'static str, &'static str>);

impl Files {
    fn new(files: &[(&'static str, &'static str)]) -> Self {
        Self(files.iter().copied().collect())
    }
}

impl Loader for Files {
    fn load(&self, location: &str) -> Result<Vec<u8>, String> {
        self.0
            .get(location)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "there is no such file".to_owned())
    }
}
