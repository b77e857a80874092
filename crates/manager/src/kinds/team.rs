//! Teams, and the rules that assign assets to them.

use std::sync::Arc;

use model::{ConfigDoc, Diagnostics, TeamDoc, TeamRuleDoc, privilege::Privilege};

use super::written;
use crate::AssetDoc;

impl AssetDoc for TeamDoc {
    const KIND: &'static str = "team";
    const LIST: &'static str = "teams";
    const PRIVILEGE: Privilege = Privilege::ManageUsers;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.teams.push((**doc).clone());
    }
}

impl AssetDoc for TeamRuleDoc {
    const KIND: &'static str = "teamRule";
    const LIST: &'static str = "teamRules";
    const PRIVILEGE: Privilege = Privilege::ManageUsers;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.team_rules.push((**doc).clone());
    }
}
