//! Teams: the gateway serves whoever's API it is; what is looked at here is whether names lead somewhere.

use std::collections::HashSet;

use model::{ConfigDoc, Diagnostic, Diagnostics, diagnostic::nearest};

pub fn check(config: &ConfigDoc, problems: &mut Diagnostics) {
    let mut known = HashSet::new();
    for (index, team) in config.teams.iter().enumerate() {
        if !known.insert(team.name.as_str()) {
            let message = format!("found `{}` a second time, expected a name of its own", team.name);
            problems.push(Diagnostic::error(format!("teams[{index}].name"), message));
        }
    }
    let mut named = |list: &str, index: usize, teams: &[String]| {
        for (place, team) in teams.iter().enumerate().filter(|(_, team)| !known.contains(team.as_str())) {
            let path = format!("{list}[{index}].teams[{place}]");
            let problem = Diagnostic::error(path, format!("found `{team}`, which is no team"));
            problems.push(match nearest(team, known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("add it to `teams`"),
            });
        }
    };
    for (index, api) in config.apis.iter().enumerate() {
        named("apis", index, &api.teams);
    }
    for (index, application) in config.applications.iter().enumerate() {
        named("applications", index, &application.teams);
    }
    for (index, rule) in config.team_rules.iter().enumerate() {
        named("teamRules", index, &rule.teams);
    }
}
