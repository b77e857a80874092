//! Settings of all nodes: those that may change while a node runs. There is one.

use std::sync::Arc;

use model::{
    ConfigDoc, Diagnostic, Diagnostics, SharedSettingsDoc,
    shared_settings::{SHARED_SETTINGS, why_not_shared},
};

use crate::{AssetDoc, Privilege};

impl AssetDoc for SharedSettingsDoc {
    const KIND: &'static str = "settings";
    const LIST: &'static str = "sharedSettings";
    const PRIVILEGE: Privilege = Privilege::ManageSystemSettings;

    fn name(&self) -> Result<String, Diagnostics> {
        if self.name != SHARED_SETTINGS {
            let message =
                format!("found `{}`, expected `{SHARED_SETTINGS}`: there is one", self.name.escape_debug());
            return Err(Diagnostic::error("name", message).into());
        }
        Ok(self.name.clone())
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.shared_settings.push((**doc).clone());
    }

    fn why_not(key: &str) -> Option<&'static str> {
        why_not_shared(key)
    }
}
