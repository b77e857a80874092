//! What there is to say about policies that several APIs share: once for each policy, and not once for each API.

use model::{ConfigDoc, Diagnostic, Diagnostics, check};

use super::{
    Environment,
    api::Job,
    levels::some_of,
    sources::{At, unknown_kind},
};

/// What compiling an API found out about its policies, kept for as long as the API is taken over.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub warnings: Vec<(At, Diagnostic)>,
    /// Whether each of the global policies that may apply does apply somewhere.
    pub hits: Vec<bool>,
}

/// The findings of all APIs.
pub(super) struct Report {
    own: Vec<Diagnostic>,
    /// Of shared policies, with the APIs that they were found in.
    shared: Vec<(Diagnostic, Vec<String>)>,
    /// Whether each global policy applies somewhere.
    hits: Vec<bool>,
}

impl Report {
    pub fn new(config: &ConfigDoc) -> Self {
        Self { own: Vec::new(), shared: Vec::new(), hits: vec![false; config.policies.len()] }
    }

    /// Adds what was found in an API.
    pub fn add(&mut self, api: usize, job: &Job<'_>, found: impl IntoIterator<Item = (At, Diagnostic)>) {
        for (at, problem) in found {
            let problem = match at {
                At::Api => {
                    self.own.push(problem.under(&format!("apis[{api}]")));
                    continue;
                }
                At::Global(place) => {
                    let Some(global) = job.globals.get(place) else { continue };
                    problem.under(&format!("policies[{}]", global.index))
                }
                At::Template(place) => {
                    let index = job.templates.get(place).and_then(|template| {
                        job.config.policy_templates.iter().position(|other| other.name == template.name)
                    });
                    let Some(index) = index else { continue };
                    problem.under(&format!("policyTemplates[{index}]"))
                }
            };
            match self.shared.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, apis)) => apis.push(job.id.clone()),
                None => self.shared.push((problem, vec![job.id.clone()])),
            }
        }
    }

    /// Adds which global policies apply to an API.
    pub fn add_hits(&mut self, job: &Job<'_>, hits: &[bool]) {
        for (global, hit) in job.globals.iter().zip(hits) {
            if let Some(known) = self.hits.get_mut(global.index) {
                *known |= hit;
            }
        }
    }

    /// The same for APIs that were taken over, with a bit for each of the first policies.
    pub fn add_places(&mut self, bits: u64) {
        for (place, hit) in self.hits.iter_mut().enumerate().take(64) {
            *hit |= bits >> place & 1 == 1;
        }
    }

    pub fn finish(self, config: &ConfigDoc, problems: &mut Diagnostics) {
        problems.0.extend(self.own);
        for (mut problem, apis) in self.shared {
            // What is wrong with the policy itself is wrong wherever it applies, and was said before.
            if problem.is_error() {
                if !problems.0.contains(&problem) {
                    problems.push(problem);
                }
                continue;
            }
            let apis: Vec<&str> = apis.iter().map(String::as_str).collect();
            problem.message = format!("{} (in {})", problem.message, some_of(&apis));
            problems.push(problem);
        }
        if config.apis.is_empty() || problems.has_errors() {
            return;
        }
        for (index, _) in self.hits.iter().enumerate().filter(|(_, hit)| !**hit) {
            problems.push(
                Diagnostic::warning(
                    format!("policies[{index}].appliesTo"),
                    "selects no operation of any API, so the policy has no effect",
                )
                .help("leave `appliesTo` out to select everything"),
            );
        }
    }
}

/// Checks policies that APIs share by themselves: those that no API uses have mistakes, too.
pub(super) fn check_shared(config: &ConfigDoc, environment: &Environment<'_>, problems: &mut Diagnostics) {
    for (index, global) in config.policies.iter().enumerate() {
        check_policy(&global.policy(), &format!("policies[{index}]"), environment, problems);
    }
    for (index, template) in config.policy_templates.iter().enumerate() {
        let path = format!("policyTemplates[{index}]");
        if config.policy_templates[..index].iter().any(|other| other.name == template.name) {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", template.name),
            ));
        }
        for (place, policy) in template.policies.iter().enumerate() {
            check_policy(policy, &format!("{path}.policies[{place}]"), environment, problems);
        }
    }
}

fn check_policy(
    policy: &model::PolicyDoc,
    path: &str,
    environment: &Environment<'_>,
    problems: &mut Diagnostics,
) {
    match environment.kind(&policy.kind) {
        None => problems.push(unknown_kind(environment, &policy.kind).under(path)),
        Some(_) if policy.disabled => {}
        Some(kind) => {
            let found = check::check(&(kind.schema)(), &policy.config);
            problems.0.extend(found.into_iter().map(|problem| problem.under("config").under(path)));
        }
    }
}
