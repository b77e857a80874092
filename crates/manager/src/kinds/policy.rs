//! Global policies.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, GlobalPolicyDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for GlobalPolicyDoc {
    const KIND: &'static str = "policy";
    const LIST: &'static str = "policies";
    const PRIVILEGE: Privilege = Privilege::ManageGlobalPolicies;

    /// Its type, unless it has a name of its own.
    fn name(&self) -> Result<String, Diagnostics> {
        written(self.name.as_deref().unwrap_or(&self.kind))
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.policies.push((**doc).clone());
    }
}
