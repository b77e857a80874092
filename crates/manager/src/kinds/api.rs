//! APIs: the published interfaces. Several versions of one are assets of their own.

use std::sync::Arc;

use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics};

use super::written;
use crate::{AssetDoc, DOCUMENT, Privilege};

impl AssetDoc for ApiDoc {
    const KIND: &'static str = "api";
    const LIST: &'static str = "apis";
    const PRIVILEGE: Privilege = Privilege::ManageApis;

    /// As in `Orders:1.0`.
    fn name(&self) -> Result<String, Diagnostics> {
        let Some(name) = &self.name else {
            return Err(Diagnostic::error("name", "missing")
                .help("an API that is kept as an asset says its name")
                .into());
        };
        if let Some(definition) = &self.definition
            && !definition.starts_with(DOCUMENT)
            && !definition.contains("://")
        {
            let message = format!("found `{definition}`, expected a URL, or what an upload has made of it");
            let problem = Diagnostic::error("definition", message);
            return Err(problem
                .help("a path leads nowhere: upload the document with PUT /api/v1/apis/NAME/definition")
                .into());
        }
        Ok(format!("{}:{}", written(name)?, self.version.as_deref().unwrap_or("1.0")))
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.apis.push(Arc::clone(doc));
    }
}
