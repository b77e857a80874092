//! Aliases: values with a name.

use std::sync::Arc;

use model::{AliasDoc, ConfigDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for AliasDoc {
    const KIND: &'static str = "alias";
    const LIST: &'static str = "aliases";
    const PRIVILEGE: Privilege = Privilege::ManageAliases;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.aliases.push((**doc).clone());
    }
}
