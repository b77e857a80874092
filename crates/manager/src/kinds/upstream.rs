//! Upstreams: the native services behind the APIs.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, UpstreamDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for UpstreamDoc {
    const KIND: &'static str = "upstream";
    const LIST: &'static str = "upstreams";
    const PRIVILEGE: Privilege = Privilege::ManageAliases;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.upstreams.push((**doc).clone());
    }
}
