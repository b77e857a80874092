//! Teams, and the rules that assign assets to them.

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

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.teams
    }
}

impl AssetDoc for TeamRuleDoc {
    const KIND: &'static str = "teamRule";
    const LIST: &'static str = "teamRules";
    const PRIVILEGE: Privilege = Privilege::ManageUsers;

    fn name(&self) -> Result<String, Diagnostics> {
        written(&self.name)
    }

    fn list(config: &mut ConfigDoc) -> &mut Vec<Self> {
        &mut config.team_rules
    }
}
