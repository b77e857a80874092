//! URL aliases: other addresses of APIs.

use std::sync::Arc;

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

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.url_aliases.push((**doc).clone());
    }
}
