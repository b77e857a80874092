//! Who may do what, and who sees what: groups and teams give functional privileges, and with teams at work APIs,
//! applications and plans are there for the teams that they are assigned to.

use model::{
    ApiDoc, ApplicationDoc, PlanDoc, TeamDoc, TeamRuleDoc, UserDoc,
    privilege::Privilege,
    team::{TeamAsset, TeamSubject},
};

use crate::{Assets, Held, kind};

/// What providers of APIs have.
const PROVIDER: &[Privilege] = &[
    Privilege::ManageApis,
    Privilege::ActivateApis,
    Privilege::ManageAliases,
    Privilege::ManageApplications,
    Privilege::PublishToServiceRegistry,
    Privilege::ManagePackagesAndPlans,
    Privilege::ActivatePackages,
    Privilege::PublishToDeveloperPortal,
    Privilege::ManageResultCache,
    Privilege::ManagePromotions,
    Privilege::ImportAssets,
    Privilege::ExportAssets,
];

/// The group of those who may do everything.
pub const ADMINISTRATORS: &str = "Administrators";
const GATEWAY_ADMINISTRATORS: &str = "API-Gateway-Administrators";
const PROVIDERS: &str = "API-Gateway-Providers";

/// Groups whose members have privileges.
pub(crate) const ADMINISTERING: [&str; 3] = PREDEFINED;

/// Groups that are always there.
pub const PREDEFINED: [&str; 3] = [ADMINISTRATORS, GATEWAY_ADMINISTRATORS, PROVIDERS];

/// What a user may do and see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    pub privileges: Vec<Privilege>,
    pub groups: Vec<String>,
    /// Names of the teams that the user is in.
    pub teams: Vec<String>,
    /// Names of the teams that the user approves for.
    pub approves_for: Vec<String>,
    /// Teams do not matter.
    pub sees_everything: bool,
    /// Only the developer portal is there for the user.
    pub portal_only: bool,
}

/// What the members of a group may do.
fn of_group(group: &str) -> &'static [Privilege] {
    match group {
        ADMINISTRATORS | GATEWAY_ADMINISTRATORS => Privilege::ALL,
        PROVIDERS => PROVIDER,
        _ => &[],
    }
}

impl Rights {
    /// `None` when there is no such user, or nobody may be that user now.
    pub(crate) fn of(assets: &Assets, user: &str, team_work: bool) -> Option<Self> {
        let held = assets.get(kind("user")?, user).filter(|held| held.parsed.name == user)?;
        let doc = held.parsed.typed.downcast_ref::<UserDoc>().filter(|user| !user.locked)?;
        let mut rights = Self::of_groups(assets, user, doc.groups.clone(), team_work);
        if doc.portal_only {
            rights.portal_only = true;
            rights.privileges.clear();
            rights.approves_for.clear();
            rights.sees_everything = false;
        }
        Some(rights)
    }

    /// The same for somebody in these groups, who may be no user here.
    pub(crate) fn of_groups(assets: &Assets, user: &str, groups: Vec<String>, team_work: bool) -> Self {
        let administers = |group: &String| matches!(group.as_str(), ADMINISTRATORS | GATEWAY_ADMINISTRATORS);
        let mut rights = Self {
            privileges: groups.iter().flat_map(|group| of_group(group)).copied().collect(),
            groups: groups.clone(),
            teams: Vec::new(),
            approves_for: Vec::new(),
            sees_everything: !team_work || groups.iter().any(administers),
            portal_only: false,
        };
        for team in all::<TeamDoc>(assets, "team") {
            if team.members.include(user, &groups) {
                rights.privileges.extend(&team.privileges);
                rights.teams.push(team.name.clone());
            }
            if team_work && team.is_approver(user, &groups) {
                rights.approves_for.push(team.name.clone());
            }
        }
        rights.privileges.sort_unstable();
        rights.privileges.dedup();
        rights
    }

    /// Whether this asset is there for the user.
    pub(crate) fn sees(&self, assets: &Assets, held: &Held) -> bool {
        if self.sees_everything {
            return true;
        }
        if subject(held).is_none() {
            return true;
        }
        let mut assigned = false;
        for team in teams_of(assets, held) {
            if self.teams.contains(team) {
                return true;
            }
            assigned = true;
        }
        !assigned
    }
}

/// The teams that an asset is assigned to, by itself and by rules.
pub(crate) fn teams_of<'a>(assets: &'a Assets, held: &'a Held) -> impl Iterator<Item = &'a String> {
    let found = subject(held);
    let own = found.map_or(&[][..], |(own, _)| own);
    let rules = all::<TeamRuleDoc>(assets, "teamRule");
    let by_rules = rules.filter(move |rule| found.is_some_and(|(_, subject)| rule.assigns(subject)));
    own.iter().chain(by_rules.flat_map(|rule| &rule.teams))
}

/// The documents of a kind.
fn all<'a, T: 'static>(assets: &'a Assets, kind_name: &str) -> impl Iterator<Item = &'a T> {
    let held = kind(kind_name).into_iter().flat_map(|kind| assets.list(kind));
    held.filter_map(|held| held.parsed.typed.downcast_ref::<T>())
}

/// The teams that an asset names, and what rules go by; `None` for what belongs to no team.
fn subject<'a>(held: &'a Held) -> Option<(&'a [String], TeamSubject<'a>)> {
    let typed = &*held.parsed.typed;
    if let Some(api) = typed.downcast_ref::<ApiDoc>() {
        let subject = TeamSubject {
            kind: TeamAsset::Api,
            name: api.name.as_deref().unwrap_or_default(),
            description: api.description.as_deref().unwrap_or_default(),
            tags: Some(&api.tags),
        };
        return Some((&api.teams, subject));
    }
    let untagged = |kind, name, description: &'a Option<String>| TeamSubject {
        kind,
        name,
        description: description.as_deref().unwrap_or_default(),
        tags: None,
    };
    if let Some(plan) = typed.downcast_ref::<PlanDoc>() {
        return Some((&plan.teams, untagged(TeamAsset::Plan, &plan.name, &plan.description)));
    }
    let application = typed.downcast_ref::<ApplicationDoc>()?;
    Some((&application.teams, untagged(TeamAsset::Application, &application.name, &application.description)))
}

/// The teams that an asset names.
pub(crate) fn named_teams(held: &Held) -> &[String] {
    subject(held).map_or(&[], |(teams, _)| teams)
}

/// Who answers for an asset, as it says.
pub(crate) fn owner(held: &Held) -> Option<&str> {
    let typed = &*held.parsed.typed;
    let api = || typed.downcast_ref::<ApiDoc>()?.owner.as_deref();
    let application = || typed.downcast_ref::<ApplicationDoc>()?.owner.as_deref();
    api().or_else(application)
}
