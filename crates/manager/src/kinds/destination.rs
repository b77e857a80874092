//! Destinations: where alerts go.

use model::{ConfigDoc, DestinationDoc, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for DestinationDoc {
    const KIND: &'static str = "destination";
    const LIST: &'static str = "destinations";
    const CALLED: &'static str = "a destination";
    const PRIVILEGE: Privilege = Privilege::ManageDestinations;

    fn name(&self) -> Result<String, Diagnostics> {
        written(self.name())
    }

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.destinations
    }
}
