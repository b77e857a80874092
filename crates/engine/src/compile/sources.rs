//! The policies of one API, collected from every level, each with the operations that it is for.

use std::{borrow::Cow, collections::HashMap};

use model::{AppliesTo, Diagnostic, PolicyDoc, diagnostic::nearest};

use super::{Environment, api::Job, operations::Operations};
use crate::{PolicyKind, journal::Level};

/// The list that a path in the configuration begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// In the API.
    Api,
    /// In `policies`, by the place among the global policies that may apply to the API.
    Global(usize),
    /// In `policyTemplates`, by the place among those that the API names.
    Template(usize),
}

/// A policy as it was written, and what it is for.
pub(super) struct Source<'a> {
    pub doc: Cow<'a, PolicyDoc>,
    pub kind: &'a PolicyKind,
    pub level: Level,
    pub place: Option<Box<str>>,
    pub template: Option<&'a str>,
    pub at: At,
    /// Its path, below what `at` says.
    pub path: String,
    pub target: Target<'a>,
    /// Whose state it keeps: the same for as long as the policy stays where it is and keeps its name.
    pub state_scope: String,
}

/// The requests that a policy is for.
#[derive(Clone)]
pub(super) enum Target<'a> {
    All,
    Operations(std::rc::Rc<[u32]>),
    /// What a filter with conditions on operations selects.
    Selected(&'a AppliesTo),
}

impl Source<'_> {
    /// Of two that rule each other out, the one with the smaller rank wins. What is nearer to the operation counts
    /// more, but for global policies, which nobody can get around; an API's own policy counts more than a copy.
    pub fn rank(&self) -> u8 {
        match (self.level, self.template) {
            (Level::Global, _) => 0,
            (Level::Operation, _) => 1,
            (Level::Scope, _) => 2,
            (Level::Resource, _) => 3,
            (Level::Api, None) => 4,
            (Level::Api, Some(_)) => 5,
        }
    }

    /// What is said about it, by place.
    pub fn problem(&self, diagnostic: Diagnostic) -> (At, Diagnostic) {
        (self.at, diagnostic.under(&self.path))
    }
}

pub(super) struct Collector<'a, 'p> {
    pub job: &'a Job<'a>,
    pub operations: &'p Operations<'p>,
    pub problems: &'p mut Vec<(At, Diagnostic)>,
    pub sources: Vec<Source<'a>>,
    /// How many policies of a name there were, by place.
    namesakes: HashMap<String, u32>,
}

/// Everything that is the same for the policies of one list.
struct List<'a> {
    level: Level,
    place: Option<Box<str>>,
    template: Option<&'a str>,
    target: Target<'a>,
}

impl<'a, 'p> Collector<'a, 'p> {
    pub fn new(
        job: &'a Job<'a>,
        operations: &'p Operations<'p>,
        problems: &'p mut Vec<(At, Diagnostic)>,
    ) -> Self {
        Self { job, operations, problems, sources: Vec::new(), namesakes: HashMap::new() }
    }

    /// Collects all policies in the order that those of one stage run.
    pub fn collect(mut self) -> Vec<Source<'a>> {
        let job = self.job;
        for (place, global) in job.globals.iter().enumerate() {
            let target =
                if global.by_operation { Target::Selected(&global.doc.applies_to) } else { Target::All };
            let list = List { level: Level::Global, place: None, template: None, target };
            self.add(&list, Cow::Owned(global.doc.policy()), At::Global(place), String::new());
        }
        for (place, template) in job.templates.iter().enumerate() {
            let name = Some(template.name.as_str());
            let list = List { level: Level::Api, place: None, template: name, target: Target::All };
            for (index, doc) in template.policies.iter().enumerate() {
                self.add(&list, Cow::Borrowed(doc), At::Template(place), format!("policies[{index}]"));
            }
        }
        let own = List { level: Level::Api, place: None, template: None, target: Target::All };
        self.add_own(&own, &job.doc.policies, "policies");
        for (index, resource) in job.doc.resources.iter().enumerate() {
            let path = format!("resources[{index}]");
            if let Some(found) = self.known(self.operations.at_path(&resource.path), &format!("{path}.path"))
            {
                let list = List {
                    level: Level::Resource,
                    place: Some(resource.path.as_str().into()),
                    template: None,
                    target: Target::Operations(found.into()),
                };
                self.add_own(&list, &resource.policies, &format!("{path}.policies"));
            }
        }
        self.scopes();
        for (index, operation) in job.doc.operation_policies.iter().enumerate() {
            let path = format!("operationPolicies[{index}]");
            if let Some(found) =
                self.known(self.operations.find(&operation.operation), &format!("{path}.operation"))
            {
                let list = List {
                    level: Level::Operation,
                    place: self.operations.names.get(found as usize).map(|names| names.name.clone()),
                    template: None,
                    target: Target::Operations([found].into()),
                };
                self.add_own(&list, &operation.policies, &format!("{path}.policies"));
            }
        }
        self.add_plans();
        self.sources
    }

    /// What asks for subscriptions, where plans are offered and nobody has written it.
    fn add_plans(&mut self) {
        let job = self.job;
        let written = |source: &Source<'_>| {
            source.kind.governs_plans && !source.doc.disabled && matches!(source.target, Target::All)
        };
        if job.doc.plans.is_empty() || self.sources.iter().any(written) {
            return;
        }
        let Some(kind) = job.environment.kinds.iter().find(|kind| kind.governs_plans) else { return };
        let doc = PolicyDoc {
            kind: kind.type_name.to_owned(),
            name: None,
            disabled: false,
            config: serde_json::json!({}),
        };
        let list = List { level: Level::Api, place: None, template: None, target: Target::All };
        self.add(&list, Cow::Owned(doc), At::Api, "plans".to_owned());
    }

    fn scopes(&mut self) {
        let job = self.job;
        for (index, scope) in job.doc.scopes.iter().enumerate() {
            let path = format!("scopes[{index}]");
            if job.doc.scopes[..index].iter().any(|other| other.name == scope.name) {
                self.problems.push((
                    At::Api,
                    Diagnostic::error(
                        format!("{path}.name"),
                        format!("found `{}` a second time, expected a name of its own", scope.name),
                    ),
                ));
            }
            let mut target = Vec::new();
            for (place, text) in scope.operations.iter().enumerate() {
                let at = format!("{path}.operations[{place}]");
                target.extend(self.known(self.operations.find(text), &at));
            }
            for (place, text) in scope.resources.iter().enumerate() {
                let at = format!("{path}.resources[{place}]");
                target.extend(self.known(self.operations.at_path(text), &at).into_iter().flatten());
            }
            if scope.operations.is_empty() && scope.resources.is_empty() {
                self.problems.push((
                    At::Api,
                    Diagnostic::warning(
                        &path,
                        "has neither `operations` nor `resources`, so its policies have no effect",
                    ),
                ));
            }
            let list = List {
                level: Level::Scope,
                place: Some(scope.name.as_str().into()),
                template: None,
                target: Target::Operations(target.into()),
            };
            self.add_own(&list, &scope.policies, &format!("{path}.policies"));
        }
    }

    fn known<T>(&mut self, found: Result<T, Diagnostic>, path: &str) -> Option<T> {
        found.map_err(|problem| self.problems.push((At::Api, problem.under(path)))).ok()
    }

    fn add_own(&mut self, list: &List<'a>, docs: &'a [PolicyDoc], path: &str) {
        for (index, doc) in docs.iter().enumerate() {
            self.add(list, Cow::Borrowed(doc), At::Api, format!("{path}[{index}]"));
        }
    }

    fn add(&mut self, list: &List<'a>, doc: Cow<'a, PolicyDoc>, at: At, path: String) {
        let List { level, place, template, target } = list;
        let Some(kind) = self.job.environment.kind(&doc.kind) else {
            self.problems.push((at, unknown_kind(self.job.environment, &doc.kind).under(&path)));
            return;
        };
        let name = doc.display_name();
        let place_of = match (place, template) {
            (Some(place), _) => format!("{} {place:?}", level.name()),
            (None, Some(template)) => format!("template {template:?}"),
            (None, None) => level.name().to_owned(),
        };
        let scope = format!("{}/{place_of}/{name}", self.job.id);
        // A disabled one counts, too, so that disabling it does not give its state to the next of that name.
        let count = self.namesakes.entry(scope.clone()).or_default();
        let state_scope = format!("{scope}/{count}");
        *count += 1;
        self.sources.push(Source {
            doc,
            kind,
            level: *level,
            place: place.clone(),
            template: *template,
            at,
            path,
            target: target.clone(),
            state_scope,
        });
    }
}

pub(super) fn unknown_kind(environment: &Environment<'_>, found: &str) -> Diagnostic {
    let known = environment.kinds.iter().map(|kind| kind.type_name);
    let help = match nearest(found, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known policies: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Diagnostic::error("type", format!("found `{found}`, which is no policy")).help(help)
}
