//! Users, without their passwords: these are kept apart.

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

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.users
    }
}
