//! Authorization servers: whose tokens are accepted.

use std::sync::Arc;

use model::{AuthorizationServerDoc, ConfigDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for AuthorizationServerDoc {
    const KIND: &'static str = "authorizationServer";
    const LIST: &'static str = "authorizationServers";
    const PRIVILEGE: Privilege = Privilege::ManageSecurity;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.authorization_servers.push((**doc).clone());
    }
}
