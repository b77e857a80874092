//! Listeners: where clients connect.

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

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.listeners
    }
}
