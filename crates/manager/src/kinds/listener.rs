//! Listeners: where clients connect.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, ListenerDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for ListenerDoc {
    const KIND: &'static str = "listener";
    const LIST: &'static str = "listeners";
    const PRIVILEGE: Privilege = Privilege::ManageSystemSettings;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.listeners.push((**doc).clone());
    }
}
