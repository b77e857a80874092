//! Authorize user: lets only certain users, groups and applications pass. Who calls was found out before; this asks no
//! client and no directory.

use std::collections::BTreeSet;

use engine::{
    CompileCx, Compiled, Exchange, Filter, Outcome, Policy, Reason, Rejection, Stage, Step, Verdict,
};
use http::{StatusCode, header::WWW_AUTHENTICATE};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets only certain users, groups or applications pass. It runs after the policy that identifies the caller, such as
/// `identifyAndAuthorize`, and believes what that found out.
///
/// A caller that nothing is known of is told to authenticate, with 401, where the identifying policy takes credentials.
/// Everybody else who is not let through gets 403. A user counts only when its credentials were looked at: where one
/// rule is enough, put `httpBasic` before the others.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizeUser {
    /// Whether it is enough to be in one of the lists, or one has to be in all that are given.
    #[serde(default, rename = "match")]
    connector: AuthorizeUserMatch,
    /// Names of users that may pass; upper and lower case differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    /// Names of groups whose members may pass. Local users have theirs in `users`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    /// Names of applications that may pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    applications: Vec<String>,
}

/// How the lists are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthorizeUserMatch {
    /// One list is enough.
    #[default]
    Any,
    /// Each list that is given has to have the caller.
    All,
}

pub static UNKNOWN: Reason = Reason::new(
    "caller_not_authenticated",
    StatusCode::UNAUTHORIZED,
    "The API is for certain callers, and the request does not show who calls.",
);
pub static REFUSED: Reason = Reason::new(
    "caller_not_authorized",
    StatusCode::FORBIDDEN,
    "The caller is not among those that may use this API.",
);

impl Policy for AuthorizeUser {
    const TYPE: &'static str = "authorizeUser";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    // After whoever identifies, on whatever level that is written.
    const ORDER: i8 = 1;
    const NEEDS_APPLICATION: bool = true;
    const POSTURE: &'static str = "It looks at nothing that the client wrote, only at what another policy has checked. Whom nothing is known of, it refuses.";
    const REASONS: &'static [&'static Reason] = &[&UNKNOWN, &REFUSED];
    const EXAMPLE: &'static str = "users: [ann]\ngroups: [operators]\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let lists = [("users", &self.users), ("groups", &self.groups), ("applications", &self.applications)];
        if lists.iter().all(|(_, names)| names.is_empty()) {
            return Err(Diagnostic::error("", "found no list, expected `users`, `groups` or `applications`")
                .help("name those that may pass; without this policy everybody who is identified may"));
        }
        for (list, names) in lists {
            if let Some(index) = names.iter().position(String::is_empty) {
                let path = format!("{list}[{index}]");
                return Err(Diagnostic::error(path, "found an empty text, expected a name"));
            }
        }
        Ok(Compiled::filter(Door {
            connector: self.connector,
            users: self.users.into_iter().collect(),
            groups: self.groups.into_iter().collect(),
            applications: self.applications.into_iter().collect(),
        }))
    }
}

struct Door {
    connector: AuthorizeUserMatch,
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    applications: BTreeSet<String>,
}

impl Filter for Door {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.decide(exchange))
    }
}

impl Door {
    fn decide(&self, exchange: &Exchange) -> Verdict {
        let known = exchange.authorization();
        let user = known.and_then(|known| known.user_name.as_deref());
        let groups = known.map_or(&[][..], |known| &known.groups);
        let application = exchange.application().map(|application| &*application.name);
        let lists = [
            (&self.users, user.is_some_and(|user| self.users.contains(user))),
            (&self.groups, groups.iter().any(|group| self.groups.contains(&**group))),
            (&self.applications, application.is_some_and(|name| self.applications.contains(name))),
        ];
        let mut given = lists.into_iter().filter(|(list, _)| !list.is_empty());
        let passes = match self.connector {
            AuthorizeUserMatch::Any => given.any(|(_, found)| found),
            AuthorizeUserMatch::All => given.all(|(_, found)| found),
        };
        if passes {
            return Ok(Outcome::Passed);
        }
        if user.is_none() && groups.is_empty() && application.is_none() {
            let challenges = exchange.api().map(|api| api.chain(exchange.operation).challenges(exchange));
            let challenges = challenges.unwrap_or_default();
            if !challenges.is_empty() {
                let add =
                    |rejection: Box<Rejection>, challenge| rejection.header(WWW_AUTHENTICATE, challenge);
                return Err(challenges.into_iter().fold(Rejection::new(&UNKNOWN), add));
            }
        }
        let shown = |what: &str, name: Option<&str>| match name {
            Some(name) => {
                format!("{what} {}", name.chars().take(64).flat_map(char::escape_debug).collect::<String>())
            }
            None => format!("no {what}"),
        };
        let detail = format!("{}, {}", shown("user", user), shown("application", application));
        Err(Rejection::new(&REFUSED).detail(detail))
    }
}

#[cfg(test)]
mod tests {
    use engine::language::Authorization;

    use crate::testing::{serve, told, try_serve};

    /// Who calls, as `user/group+group`; `-` for nobody.
    fn verdict(config: &str, caller: &str) -> String {
        let policies = format!(
            "[{{type: apiKey, config: {{allowAnonymous: true}}}}, {{type: authorizeUser, config: {config}}}]"
        );
        let served = serve("", &policies);
        let mut exchange = served.exchange("GET /", "", "");
        if let Some((user, groups)) = caller.split_once('/') {
            exchange.extras_mut().authorization = Authorization {
                user_name: Some(user.into()),
                groups: groups.split('+').filter(|group| !group.is_empty()).map(Into::into).collect(),
                ..Authorization::default()
            };
        }
        match served.request(&mut exchange) {
            Ok(_) => "passed".to_owned(),
            Err(rejection) => told(&rejection),
        }
    }

    #[test]
    fn one_list_is_enough_or_all_that_are_given() {
        let refused = "403 caller_not_authorized";
        let unknown = "401 caller_not_authenticated";
        for (config, caller, expect) in [
            ("{users: [ann]}", "ann/", "passed"),
            ("{users: [ann]}", "Ann/", refused),
            ("{users: [ann]}", "bob/ann", refused),
            ("{users: [ann]}", "-", unknown),
            ("{groups: [ops, dev]}", "bob/x+dev", "passed"),
            ("{groups: [ops]}", "ops/", refused),
            ("{users: [ann], groups: [ops]}", "ann/x", "passed"),
            ("{users: [ann], groups: [ops]}", "bob/ops", "passed"),
            ("{users: [ann], groups: [ops], match: all}", "ann/x", refused),
            ("{users: [ann], groups: [ops], match: all}", "bob/ops", refused),
            ("{users: [ann], groups: [ops], match: all}", "ann/ops", "passed"),
            ("{users: [ann], applications: [shop]}", "ann/", "passed"),
            ("{users: [ann], applications: [shop], match: all}", "ann/", refused),
            ("{applications: [shop]}", "-", unknown),
        ] {
            assert_eq!(verdict(config, caller), expect, "{config} {caller}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_path_and_a_missing_identification_is_warned_of() {
        for (config, path) in [
            ("{}", "config"),
            ("{users: []}", "config"),
            ("{users: [a, '']}", "config.users[1]"),
            ("{user: [a]}", "config.user"),
        ] {
            let problems = try_serve("", &format!("[{{type: authorizeUser, config: {config}}}]"), "");
            let problems = problems.err().expect("it is wrong");
            assert_eq!(problems.0[0].path, format!("apis[0].policies[0].{path}"), "{config}");
        }
        let served = try_serve("", "[{type: authorizeUser, config: {users: [ann]}}]", "").unwrap();
        assert!(served.warnings[0].message.contains("no policy identifies"), "{:?}", served.warnings);
        let told =
            served.request(&mut served.exchange("GET /", "", "")).map_err(|rejection| told(&rejection));
        assert_eq!(told.unwrap_err(), "403 caller_not_authorized", "nobody could say what to send");
    }
}
