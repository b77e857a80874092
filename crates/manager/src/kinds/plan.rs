//! Plans, by which applications may call APIs.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, PlanDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for PlanDoc {
    const KIND: &'static str = "plan";
    const LIST: &'static str = "plans";
    const PRIVILEGE: Privilege = Privilege::ManagePackagesAndPlans;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.plans.push((**doc).clone());
    }
}
