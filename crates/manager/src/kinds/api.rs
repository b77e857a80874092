//! APIs: the published interfaces. Several versions of one are assets of their own.

use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for ApiDoc {
    const KIND: &'static str = "api";
    const LIST: &'static str = "apis";
    const CALLED: &'static str = "an API";
    const PRIVILEGE: Privilege = Privilege::ManageApis;

    /// As in `Orders:1.0`.
    fn name(&self) -> Result<String, Diagnostics> {
        let Some(name) = &self.name else {
            return Err(Diagnostic::error("name", "missing")
                .help("an API that is kept as an asset says its name")
                .into());
        };
        Ok(format!("{}:{}", written(name)?, self.version.as_deref().unwrap_or("1.0")))
    }

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.apis
    }
}
