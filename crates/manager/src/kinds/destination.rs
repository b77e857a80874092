//! Destinations: where alerts go.

use std::sync::Arc;

use model::{ConfigDoc, DestinationDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for DestinationDoc {
    const KIND: &'static str = "destination";
    const LIST: &'static str = "destinations";
    const PRIVILEGE: Privilege = Privilege::ManageDestinations;

    fn name(&self) -> Result<String, Diagnostics> {
        written(self.name())
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.destinations.push((**doc).clone());
    }
}
