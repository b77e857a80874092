//! Users, without their passwords: these are kept apart.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, UserDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for UserDoc {
    const KIND: &'static str = "user";
    const LIST: &'static str = "users";
    const PRIVILEGE: Privilege = Privilege::ManageUsers;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.users.push((**doc).clone());
    }
}
