//! URL aliases: other addresses of APIs.

use model::{ConfigDoc, Diagnostics, UrlAliasDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for UrlAliasDoc {
    const KIND: &'static str = "urlAlias";
    const LIST: &'static str = "urlAliases";
    const PRIVILEGE: Privilege = Privilege::ManageAliases;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.url_aliases
    }
}
