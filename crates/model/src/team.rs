//! Teams: users who manage the same APIs, applications and plans, and what they may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::privilege::Privilege;

/// Users who manage something together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamDoc {
    /// Unique name.
    pub name: String,
    /// What the team is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who is in the team.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub members: Members,
    /// Who may say who is in the team.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub administrators: Members,
    /// Who may approve subscriptions of the team's APIs, and of its applications to APIs of no team, and see all that
    /// wait for either. It counts while `settings.manager.enableTeamWork` is on.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub approvers: Members,
    /// Administrators of the team are approvers, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub administrators_approve: bool,
    /// What members may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileges: Vec<Privilege>,
}

impl TeamDoc {
    /// Whether a user of these groups is an approver of the team.
    pub fn is_approver(&self, user: &str, groups: &[String]) -> bool {
        self.approvers.include(user, groups)
            || (self.administrators_approve && self.administrators.include(user, groups))
    }
}

/// Users, by themselves or by their groups.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Members {
    /// Names of users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Names of groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Members {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a user of these groups is among them.
    pub fn include(&self, user: &str, groups: &[String]) -> bool {
        self.users.iter().any(|name| name == user) || self.groups.iter().any(|name| groups.contains(name))
    }
}

/// Assigns assets to teams by what they are like, now and later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamRuleDoc {
    /// Unique name.
    pub name: String,
    /// What the rule is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An inactive rule assigns nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
    /// Kinds of assets that it is for. Default: all that belong to teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asset_types: Vec<TeamAsset>,
    /// What they have to be like. Default: it does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<TeamCondition>,
    /// How many of the conditions have to hold.
    #[serde(default, skip_serializing_if = "LogicalOperator::is_default")]
    pub logical_operator: LogicalOperator,
    /// Names of the teams that the assets are assigned to.
    pub teams: Vec<String>,
}

/// A kind of asset that belongs to teams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TeamAsset {
    Api,
    Application,
    Plan,
}

/// How conditions go together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogicalOperator {
    /// All of them hold.
    #[default]
    And,
    /// At least one of them holds.
    Or,
}

impl LogicalOperator {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What an asset has to be like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TeamCondition {
    pub attribute: TeamAttribute,
    pub operator: TextOperator,
    /// What it is compared with; upper and lower case differ.
    pub value: String,
}

/// What of an asset is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TeamAttribute {
    Name,
    Description,
    /// One of the tags of an API. Applications and plans have none: for them the condition counts for nothing.
    Tags,
}

/// How a text is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TextOperator {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

/// What teams are assigned by.
#[derive(Debug, Clone, Copy)]
pub struct TeamSubject<'a> {
    pub kind: TeamAsset,
    pub name: &'a str,
    pub description: &'a str,
    /// `None` for what has no tags.
    pub tags: Option<&'a [String]>,
}

impl TeamRuleDoc {
    /// Whether the rule assigns this asset to its teams.
    pub fn assigns(&self, subject: TeamSubject<'_>) -> bool {
        if self.inactive || !(self.asset_types.is_empty() || self.asset_types.contains(&subject.kind)) {
            return false;
        }
        let mut holding = self.conditions.iter().filter_map(|condition| condition.holds(subject)).peekable();
        match self.logical_operator {
            _ if holding.peek().is_none() => true,
            LogicalOperator::And => holding.all(|holds| holds),
            LogicalOperator::Or => holding.any(|holds| holds),
        }
    }
}

impl TeamCondition {
    /// `None` where it is about something that the asset does not have.
    fn holds(&self, subject: TeamSubject<'_>) -> Option<bool> {
        let is = |text: &str| match self.operator {
            TextOperator::Equals => text == self.value,
            TextOperator::Contains => text.contains(&self.value),
            TextOperator::StartsWith => text.starts_with(&self.value),
            TextOperator::EndsWith => text.ends_with(&self.value),
        };
        match self.attribute {
            TeamAttribute::Name => Some(is(subject.name)),
            TeamAttribute::Description => Some(is(subject.description)),
            TeamAttribute::Tags => subject.tags.map(|tags| tags.iter().any(|tag| is(tag))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> TeamRuleDoc {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn approvers_are_those_who_are_named_and_administrators_where_the_team_says_so() {
        let team = |more: &str| -> TeamDoc {
            let people = r#""administrators": {"users": ["ada"]}, "approvers": {"users": ["bob"], "groups": ["board"]}"#;
            serde_json::from_str(&format!(r#"{{"name": "t", {people}{more}}}"#)).unwrap()
        };
        let board = ["board".to_owned()];
        for (team, user, groups, expected) in [
            (team(""), "bob", &[][..], true),
            (team(""), "cleo", &board[..], true),
            (team(""), "cleo", &[], false),
            (team(""), "ada", &[], false),
            (team(r#", "administratorsApprove": true"#), "ada", &[], true),
            (team(r#", "administratorsApprove": true"#), "cleo", &[], false),
        ] {
            assert_eq!(team.is_approver(user, groups), expected, "{user} {groups:?}");
        }
    }

    #[test]
    fn a_rule_assigns_what_its_conditions_say() {
        let tags = ["pets".to_owned(), "public-eu".to_owned()];
        let api =
            TeamSubject { kind: TeamAsset::Api, name: "Orders", description: "of dogs", tags: Some(&tags) };
        let application =
            TeamSubject { kind: TeamAsset::Application, name: "Shop", description: "of dogs", tags: None };
        for (conditions, of_api, of_application) in [
            (r#""conditions": []"#, true, true),
            (r#""conditions": [], "assetTypes": ["application"]"#, false, true),
            (r#""conditions": [], "inactive": true"#, false, false),
            (
                r#""conditions": [{"attribute": "name", "operator": "equals", "value": "Orders"}]"#,
                true,
                false,
            ),
            (
                r#""conditions": [{"attribute": "name", "operator": "equals", "value": "Order"}]"#,
                false,
                false,
            ),
            (
                r#""conditions": [{"attribute": "description", "operator": "endsWith", "value": "dogs"}]"#,
                true,
                true,
            ),
            (
                r#""conditions": [{"attribute": "tags", "operator": "startsWith", "value": "public"}]"#,
                true,
                true,
            ),
            (
                r#""conditions": [{"attribute": "tags", "operator": "contains", "value": "cats"}]"#,
                false,
                true,
            ),
            (
                r#""logicalOperator": "OR", "conditions": [
                    {"attribute": "name", "operator": "startsWith", "value": "Sh"},
                    {"attribute": "tags", "operator": "equals", "value": "pets"}]"#,
                true,
                true,
            ),
            (
                r#""logicalOperator": "AND", "conditions": [
                    {"attribute": "name", "operator": "startsWith", "value": "Sh"},
                    {"attribute": "tags", "operator": "equals", "value": "pets"}]"#,
                false,
                true,
            ),
        ] {
            let rule = rule(&format!(r#"{{"name": "r", "teams": ["t"], {conditions}}}"#));
            assert_eq!(
                (rule.assigns(api), rule.assigns(application)),
                (of_api, of_application),
                "{conditions}"
            );
        }
    }
}
