//! Groups of users.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, GroupDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for GroupDoc {
    const KIND: &'static str = "group";
    const LIST: &'static str = "groups";
    const PRIVILEGE: Privilege = Privilege::ManageUsers;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.groups.push((**doc).clone());
    }
}
