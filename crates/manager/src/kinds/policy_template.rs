//! Policy templates: sets of policies that APIs copy.

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

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.policy_templates
    }
}
