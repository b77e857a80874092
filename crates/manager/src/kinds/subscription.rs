//! Subscriptions: which application may call which API by which plan. There is one for each pair.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, SubscriptionDoc};

use super::written;
use crate::{AssetDoc, Privilege};

impl AssetDoc for SubscriptionDoc {
    const KIND: &'static str = "subscription";
    const LIST: &'static str = "subscriptions";
    const PRIVILEGE: Privilege = Privilege::ManagePackagesAndPlans;

    /// As in `shop:Orders`: application and API.
    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.application).map_err(|problem| at(problem, "application"))?;
        written(&self.api).map_err(|problem| at(problem, "api"))?;
        Ok(name_of(&self.application, &self.api))
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.subscriptions.push((**doc).clone());
    }
}

/// What the subscription of an application to an API is called.
pub(crate) fn name_of(application: &str, api: &str) -> String {
    format!("{application}:{api}")
}

fn at(mut problems: Diagnostics, path: &str) -> Diagnostics {
    problems.0.iter_mut().for_each(|problem| path.clone_into(&mut problem.path));
    problems
}
