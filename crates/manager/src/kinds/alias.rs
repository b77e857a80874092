//! Aliases: values with a name.

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

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.aliases
    }
}
