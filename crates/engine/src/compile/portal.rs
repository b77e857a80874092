//! The developer portal: the gateway serves none of it; what is looked at here is whether names lead somewhere.

use std::collections::HashSet;

use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics, diagnostic::nearest};

use super::known_apis::KnownApis;

/// Looks at what the portal names; the groups that there are.
pub fn check<'a>(
    config: &'a ConfigDoc,
    apis: &KnownApis<'_>,
    problems: &mut Diagnostics,
) -> HashSet<&'a str> {
    let groups: HashSet<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    for (index, portal) in config.portals.iter().enumerate() {
        let path = format!("portals[{index}].signUpGroups");
        problems.0.extend(unknown(path, "group", &portal.sign_up_groups, &groups));
    }
    if config.portals.len() > 1 {
        problems.push(Diagnostic::error("portals[1]", "there is one portal, and this is another one"));
    }
    for (index, document) in config.api_documents.iter().enumerate() {
        problems.0.extend(apis.unknown_with_version(|| format!("apiDocuments[{index}].api"), &document.api));
    }
    groups
}

/// Whom an API is shown to; paths are in its document.
pub fn check_api(api: &ApiDoc, groups: &HashSet<&str>, teams: &HashSet<&str>, problems: &mut Diagnostics) {
    let Some(portal) = &api.portal else { return };
    problems.0.extend(unknown("portal.groups".to_owned(), "group", &portal.groups, groups));
    problems.0.extend(unknown("portal.teams".to_owned(), "team", &portal.teams, teams));
}

fn unknown(
    path: String,
    what: &str,
    names: &[String],
    known: &HashSet<&str>,
) -> impl Iterator<Item = Diagnostic> {
    let strange = names.iter().enumerate().filter(|(_, name)| !known.contains(name.as_str()));
    strange.map(move |(place, name)| {
        let problem =
            Diagnostic::error(format!("{path}[{place}]"), format!("found `{name}`, which is no {what}"));
        match nearest(name, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("add it to `{what}s`")),
        }
    })
}
