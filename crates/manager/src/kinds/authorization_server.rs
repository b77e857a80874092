//! Authorization servers: whose tokens are accepted.

use model::{AuthorizationServerDoc, ConfigDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for AuthorizationServerDoc {
    const KIND: &'static str = "authorizationServer";
    const LIST: &'static str = "authorizationServers";
    const PRIVILEGE: Privilege = Privilege::ManageSystemSettings;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.authorization_servers
    }
}
