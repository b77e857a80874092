//! Authorize: lets pass what conditions allow. What a condition can say is left to the language; what is known of the
//! caller was found out before.

use std::borrow::Cow;

use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Rejection, Stage, Step,
    Verdict, language::Condition,
};
use http::StatusCode;
use model::{ConditionDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets a request pass only if every rule that is for it allows it: conditions over what is known of the caller and of the
/// request, such as the CEL expression `claims.tenant == request.path.split('/')[2]`. It runs after the policies that
/// identify the caller.
///
/// A condition that cannot be evaluated, such as one over a claim that the token does not have, allows nothing, also inside
/// of `not`; one that says which requests a rule is for makes it count.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authorize {
    /// What has to be allowed, in the order that it is looked at. At least one rule.
    rules: Vec<AuthorizeRule>,
}

/// Something that has to hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizeRule {
    /// What it is called in explanations and logs; callers do not see it.
    name: String,
    /// Which requests it is for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    when: Option<ConditionDoc>,
    /// What has to hold.
    allow: ConditionDoc,
    /// Status for those that it does not allow.
    #[serde(default)]
    status: AuthorizeStatus,
}

/// What somebody is told who may not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuthorizeStatus {
    /// 403, with the code `not_authorized`.
    #[default]
    Forbidden,
    /// 404, with the code `no_such_resource`: it is not even told that there is something.
    NotFound,
}

pub static REFUSED: Reason =
    Reason::new("not_authorized", StatusCode::FORBIDDEN, "The caller may not do this.");
pub static HIDDEN: Reason =
    Reason::new("no_such_resource", StatusCode::NOT_FOUND, "There is nothing here for the caller.");

impl Policy for Authorize {
    const TYPE: &'static str = "authorize";
    const STAGE: Stage = Stage::IdentifyAndAccess;
    // After whoever identifies, and after `authorizeUser`.
    const ORDER: i8 = 2;
    const REPEATABLE: bool = true;
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "Whatever of the client's a condition looks at may be made up, but for what another policy has checked: claims, users, applications. What cannot be evaluated is refused.";
    const REASONS: &'static [&'static Reason] = &[&REFUSED, &HIDDEN];
    const EXAMPLE: &'static str = "rules:\n  - name: only operators delete\n    when:\n      cel: request.method == 'DELETE'\n    allow:\n      cel: \"'operators' in user.groups\"\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        if self.rules.is_empty() {
            return Err(Diagnostic::error("rules", "found none, expected at least one"));
        }
        let mut needs = Needs::default();
        let mut rules = Vec::with_capacity(self.rules.len());
        for (index, rule) in self.rules.into_iter().enumerate() {
            let compiled = rule.compile(cx).map_err(|problem| problem.under(&format!("rules[{index}]")))?;
            needs = needs | compiled.allow.needs();
            needs = compiled.when.iter().fold(needs, |needs, when| needs | when.needs());
            rules.push(compiled);
        }
        Ok(Compiled::filter(Judge { rules, needs }))
    }
}

impl AuthorizeRule {
    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Rule, Diagnostic> {
        if self.name.is_empty() {
            return Err(Diagnostic::error("name", "found an empty text, expected a name"));
        }
        let mut condition = |path: &str, doc: &ConditionDoc| {
            Condition::compile(doc, cx.language()).map_err(|problem| problem.under(path))
        };
        Ok(Rule {
            when: self.when.as_ref().map(|when| condition("when", when)).transpose()?,
            allow: condition("allow", &self.allow)?,
            name: self.name.into(),
            reason: match self.status {
                AuthorizeStatus::Forbidden => &REFUSED,
                AuthorizeStatus::NotFound => &HIDDEN,
            },
        })
    }
}

struct Rule {
    name: Box<str>,
    when: Option<Condition>,
    allow: Condition,
    reason: &'static Reason,
}

struct Judge {
    rules: Vec<Rule>,
    needs: Needs,
}

impl Filter for Judge {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.decide(exchange))
    }

    fn needs(&self) -> Needs {
        self.needs
    }
}

impl Judge {
    fn decide(&self, exchange: &mut Exchange) -> Verdict {
        let mut looked = 0;
        for rule in &self.rules {
            let (is_for_it, _) = evaluate(rule.when.as_ref(), exchange, true);
            if !is_for_it {
                continue;
            }
            looked += 1;
            let (allowed, problem) = evaluate(Some(&rule.allow), exchange, false);
            if !allowed {
                let because = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
                let detail = format!("rule `{}` does not allow it{because}", rule.name);
                return Err(Rejection::new(rule.reason).detail(detail));
            }
        }
        exchange.note(|| match looked {
            0 => Cow::Borrowed("no rule is for it"),
            1 => Cow::Borrowed("1 rule allows it"),
            _ => Cow::Owned(format!("{looked} rules allow it")),
        });
        Ok(if looked == 0 { Outcome::Skipped } else { Outcome::Passed })
    }
}

/// Whether a condition holds; `otherwise` where it cannot be evaluated, with the first reason why. `not` would make
/// something that holds of something that cannot be evaluated, and nobody asks for that who guards something.
fn evaluate(condition: Option<&Condition>, exchange: &Exchange, otherwise: bool) -> (bool, Option<String>) {
    let Some(condition) = condition else { return (true, None) };
    let mut problem: Option<String> = None;
    let holds = condition.holds_noting(exchange, &mut |note| {
        problem.get_or_insert(note);
    });
    (if problem.is_some() { otherwise } else { holds }, problem)
}

#[cfg(test)]
mod tests {
    use crate::testing::{told, try_serve};

    fn decide(rules: &str, line: &str, headers: &str, body: &str) -> String {
        let policies = format!("[{{type: authorize, config: {{rules: {rules}}}}}]");
        let served = try_serve("", &policies, "").unwrap_or_else(|problems| panic!("{problems}"));
        let mut exchange = served.exchange(line, headers, body);
        match served.request(&mut exchange) {
            Ok(outcome) => format!("{outcome:?}"),
            Err(rejection) => told(&rejection),
        }
    }

    #[test]
    fn every_rule_that_is_for_a_request_has_to_allow_it() {
        let rules = "[
            {name: a, when: {cel: \"request.method == 'DELETE'\"}, allow: {cel: \"request.headers['x-role'] == 'op'\"}},
            {name: b, allow: {variable: '${request.headers.X-Bad}', operator: notExists}, status: notFound}]";
        for (line, headers, expect) in [
            ("GET /x", "", "Passed"),
            ("DELETE /x", "X-Role: op", "Passed"),
            ("DELETE /x", "X-Role: guest", "403 not_authorized"),
            ("DELETE /x", "", "403 not_authorized"),
            ("DELETE /x", "X-Role: op\nX-Bad: 1", "404 no_such_resource"),
            ("GET /x", "X-Bad: 1", "404 no_such_resource"),
        ] {
            assert_eq!(decide(rules, line, headers, ""), expect, "{line} {headers}");
        }
        let only = "[{name: a, when: {cel: \"request.method == 'PUT'\"}, allow: {cel: 'false'}}]";
        assert_eq!(decide(only, "GET /x", "", ""), "Skipped");
    }

    #[test]
    fn what_cannot_be_evaluated_is_not_allowed_whichever_way_it_is_asked() {
        for allow in [
            "{cel: 'claims.level > 3'}",
            "{not: {cel: 'claims.level > 3'}}",
            "{any: [{not: {cel: 'claims.level > 3'}}, {cel: 'true'}]}",
        ] {
            let rules = format!("[{{name: a, allow: {allow}}}]");
            assert_eq!(decide(&rules, "GET /x", "", ""), "403 not_authorized", "{allow}");
        }
        let rules = "[{name: a, when: {cel: 'claims.level > 3'}, allow: {cel: 'false'}}]";
        assert_eq!(decide(rules, "GET /x", "", ""), "403 not_authorized", "the rule counts");
    }

    #[test]
    fn mistakes_are_told_with_their_path() {
        for (rules, expect) in [
            ("[]", "rules: found none"),
            ("[{name: '', allow: {cel: 'true'}}]", "rules[0].name"),
            ("[{name: a, allow: {cel: '1 +'}}]", "rules[0].allow.cel"),
            ("[{name: a, when: {}, allow: {cel: 'true'}}]", "rules[0].when"),
            ("[{name: a}]", "allow"),
        ] {
            let policies = format!("[{{type: authorize, config: {{rules: {rules}}}}}]");
            let problems = try_serve("", &policies, "").err().expect("it is wrong").to_string();
            assert!(problems.contains(expect), "{rules}: {problems}");
        }
    }
}
