//! Teams: the gateway serves whoever's API it is; what is looked at here is whether names lead somewhere.

use std::collections::HashSet;

use model::{ApiDoc, ConfigDoc, Diagnostic, Diagnostics, diagnostic::nearest};

/// The teams that there are; looks at what else names teams, but for APIs.
pub fn check<'a>(config: &'a ConfigDoc, problems: &mut Diagnostics) -> HashSet<&'a str> {
    let mut known = HashSet::new();
    for (index, team) in config.teams.iter().enumerate() {
        if !known.insert(team.name.as_str()) {
            let message = format!("found `{}` a second time, expected a name of its own", team.name);
            problems.push(Diagnostic::error(format!("teams[{index}].name"), message));
        }
    }
    let mut named = |list: &str, index: usize, teams: &[String]| {
        problems.0.extend(unknown(teams, &known).map(|problem| problem.under(&format!("{list}[{index}]"))));
    };
    for (index, application) in config.applications.iter().enumerate() {
        named("applications", index, &application.teams);
    }
    for (index, plan) in config.plans.iter().enumerate() {
        named("plans", index, &plan.teams);
    }
    for (index, rule) in config.team_rules.iter().enumerate() {
        named("teamRules", index, &rule.teams);
    }
    known
}

/// The teams of an API; paths are in its document.
pub fn check_api(api: &ApiDoc, known: &HashSet<&str>, problems: &mut Diagnostics) {
    problems.0.extend(unknown(&api.teams, known));
}

fn unknown(teams: &[String], known: &HashSet<&str>) -> impl Iterator<Item = Diagnostic> {
    let strange = teams.iter().enumerate().filter(|(_, team)| !known.contains(team.as_str()));
    strange.map(|(place, team)| {
        let problem =
            Diagnostic::error(format!("teams[{place}]"), format!("found `{team}`, which is no team"));
        match nearest(team, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("add it to `teams`"),
        }
    })
}
