//! Definitions of APIs: OpenAPI 2.0, 3.0 and 3.1, in JSON or YAML, read into operations.
//!
//! Schemas are not copied. An operation holds pointers to them, and the documents stay as they came: exporting an
//! API is handing them out again. Definitions in the wild break the standard in every place; whatever cannot be
//! used is left out with a warning, and only what is no definition at all is refused. Fetching documents over the
//! network is left to the caller's `Loader`.

mod document;
mod error;
mod format;
mod loader;
mod location;
mod node;
mod openapi2;
mod openapi3;
mod operation;
mod path;
mod report;
mod security;
mod server;
#[cfg(test)]
mod tests;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use model::{ApiDefinition, Diagnostic, source::Dialect};

pub use document::Document;
pub use error::ImportError;
pub use format::Format;
pub use loader::{FileLoader, Loader, NoLoader};
pub use security::{SecurityScheme, SecuritySchemeKind};

use document::Documents;
use node::Node;
use operation::Importer;
use report::Report;

/// What a definition says, as far as a gateway can use it.
#[derive(Debug, Clone)]
pub struct Definition {
    pub format: Format,
    /// What requests are governed by.
    pub api: Arc<ApiDefinition>,
    pub description: Option<String>,
    pub security_schemes: Vec<SecurityScheme>,
    pub tags: Vec<Tag>,
    /// Everything that was skipped or is odd, with its path in the document.
    pub warnings: Vec<Diagnostic>,
    /// The main document and all that it refers to, byte for byte; the main one first.
    pub documents: Vec<Document>,
}

/// A group of operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub description: Option<String>,
}

/// Reads the definition found at `location`, a path or a URL that references are relative to.
pub fn import(location: &str, bytes: &[u8], loader: &dyn Loader) -> Result<Definition, ImportError> {
    let mut report = Report::default();
    let text = document::text(bytes).map_err(ImportError::Unreadable)?;
    if text.trim_start().starts_with('<') {
        return Err(ImportError::Markup);
    }
    let (value, warnings) = model::yaml::parse_value(text).map_err(ImportError::Syntax)?;
    let format = format::detect(&value, &mut report)?;
    report.extend(warnings, None);
    let documents = Documents::load(location, bytes, value, loader, format, &mut report);
    let root = documents.root();

    let info = root.get("info");
    let info_text = |key: &str| {
        let written = || model::yaml::scalar_text(text, &["info", key]);
        info.as_ref().and_then(|info| info.get(key)).and_then(|node| node.text_as_written(written))
    };
    let title = info_text("title").unwrap_or_else(|| {
        report.warn(&root, "info.title", "the title is missing; `Untitled` is used");
        "Untitled".to_owned()
    });
    let version = info_text("version").unwrap_or_else(|| {
        report.warn(&root, "info.version", "the version is missing; `1.0` is used");
        "1.0".to_owned()
    });

    let servers = match format {
        Format::OpenApi20 => openapi2::servers(&root, location, &mut report),
        Format::OpenApi30 | Format::OpenApi31 => server::servers(&root, &mut report),
    };
    let security_schemes = security::schemes(&root, format, &mut report);
    let tags = tags(&root, &mut report);
    let operations = Importer::new(root.clone(), format, &security_schemes, &mut report).operations();
    if root.get("webhooks").is_some_and(|webhooks| !webhooks.is_empty()) {
        report.warn(&root, "webhooks", "webhooks are calls that the API makes; they are not imported");
    }

    let description =
        info.and_then(|info| info.get("description")).and_then(|d| d.as_str().map(str::to_owned));
    drop(root);
    let (documents, sources) = documents.into_originals(match format {
        Format::OpenApi20 => Dialect::OpenApi20,
        Format::OpenApi30 => Dialect::OpenApi30,
        Format::OpenApi31 => Dialect::OpenApi31,
    });
    let mut hasher = DefaultHasher::new();
    for document in &documents {
        document.bytes.hash(&mut hasher);
    }
    Ok(Definition {
        format,
        api: Arc::new(ApiDefinition {
            title,
            version,
            servers,
            operations: operations.into(),
            sources: Arc::new(sources),
            fingerprint: hasher.finish(),
        }),
        description,
        security_schemes,
        tags,
        warnings: report.into_warnings(),
        documents,
    })
}

fn tags(root: &Node<'_>, report: &mut Report) -> Vec<Tag> {
    let Some(list) = root.get("tags") else { return Vec::new() };
    let mut tags = Vec::new();
    for tag in list.items(report) {
        // A tag written as a mere name is a frequent slip.
        match tag.get("name").unwrap_or_else(|| tag.clone()).text() {
            Some(name) => {
                let description = tag.get("description").and_then(|d| d.as_str().map(str::to_owned));
                tags.push(Tag { name, description });
            }
            None => report.warn(&tag, "", "a tag needs a name; it is left out"),
        }
    }
    tags
}
