//! Applications: the consumers of APIs.

use std::sync::Arc;

use model::{ApplicationDoc, ConfigDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for ApplicationDoc {
    const KIND: &'static str = "application";
    const LIST: &'static str = "applications";
    const PRIVILEGE: Privilege = Privilege::ManageApplications;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.applications.push((**doc).clone());
    }
}
