//! The developer portal: the gateway serves none of it; what is looked at here is whether names lead somewhere.

use std::collections::HashSet;

use model::{ConfigDoc, Diagnostic, Diagnostics, diagnostic::nearest};

pub fn check(config: &ConfigDoc, problems: &mut Diagnostics) {
    let shown = config.apis.iter().any(|api| api.portal.is_some());
    if !shown && config.portals.is_empty() && config.api_documents.is_empty() {
        return;
    }
    let groups: HashSet<&str> = config.groups.iter().map(|group| group.name.as_str()).collect();
    let teams: HashSet<&str> = config.teams.iter().map(|team| team.name.as_str()).collect();
    let mut named = |path: String, what: &str, names: &[String], known: &HashSet<&str>| {
        for (place, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(name.as_str())) {
            let problem =
                Diagnostic::error(format!("{path}[{place}]"), format!("found `{name}`, which is no {what}"));
            problems.push(match nearest(name, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("add it to `{what}s`")),
            });
        }
    };
    for (index, portal) in
        config.apis.iter().enumerate().filter_map(|(i, api)| Some((i, api.portal.as_ref()?)))
    {
        named(format!("apis[{index}].portal.groups"), "group", &portal.groups, &groups);
        named(format!("apis[{index}].portal.teams"), "team", &portal.teams, &teams);
    }
    for (index, portal) in config.portals.iter().enumerate() {
        named(format!("portals[{index}].signUpGroups"), "group", &portal.sign_up_groups, &groups);
    }
    if config.portals.len() > 1 {
        problems.push(Diagnostic::error("portals[1]", "there is one portal, and this is another one"));
    }
    let all_named = config.apis.iter().all(|api| api.name.is_some());
    for (index, document) in config.api_documents.iter().enumerate() {
        let is_about = |api: &model::ApiDoc| {
            let name = api.name.as_deref().unwrap_or_default();
            let version = api.version.as_deref().unwrap_or("1.0");
            document.api == name
                || document.api.strip_prefix(name).is_some_and(|rest| rest.strip_prefix(':') == Some(version))
        };
        // Names that come from definitions are not known here.
        if all_named && !config.apis.iter().any(|api| is_about(api)) {
            let message = format!("found `{}`, which is no API", document.api);
            let problem = Diagnostic::error(format!("apiDocuments[{index}].api"), message);
            let near = nearest(&document.api, config.apis.iter().filter_map(|api| api.name.as_deref()));
            problems.push(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}
