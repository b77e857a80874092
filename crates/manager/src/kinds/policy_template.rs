//! Policy templates: sets of policies that APIs copy.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, PolicyTemplateDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for PolicyTemplateDoc {
    const KIND: &'static str = "policyTemplate";
    const LIST: &'static str = "policyTemplates";
    const PRIVILEGE: Privilege = Privilege::ManagePolicyTemplates;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.policy_templates.push((**doc).clone());
    }
}
