//! The policies of one API into chains: which of them govern which operations, and which give way to others.
//!
//! Operations with the same policies share a chain, and a policy is compiled once wherever it runs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use http::Method;
use model::{Diagnostic, Diagnostics};

use super::{
    ApiShape, CompileCx,
    api::Job,
    gate::{Gate, Methods},
    operations::Operations,
    selection::{self, ApiFacts, OperationFacts},
    sources::{At, Source, Target},
};
use crate::{
    Compiled, Needs, Timed, UpstreamName,
    alert::AlertSource,
    journal::{ChainNames, Inert, Inertness, PolicyNames},
    snapshot::{Chain, Slot},
    state::State,
};

/// The chains of an API.
pub(super) struct Levels {
    pub chains: Vec<Chain>,
    pub operation_chains: Vec<u32>,
    pub policies: Vec<PolicyNames>,
    pub names: Vec<ChainNames>,
    pub upstreams: Vec<UpstreamName>,
    pub kept: Vec<Arc<State>>,
    pub timed: Vec<Arc<dyn Timed>>,
    /// Whether each global policy that may apply does apply to some operation.
    pub hits: Vec<bool>,
}

pub(super) struct Resolver<'a> {
    job: &'a Job<'a>,
    api: &'a ApiFacts<'a>,
    operations: &'a Operations<'a>,
    shape: &'a ApiShape<'a>,
    /// By stage, then in the order that they run.
    sources: Vec<Source<'a>>,
    /// Positions of the sources, the strongest first.
    by_rank: Vec<u16>,
    /// Methods that make a difference where one chain serves several.
    methods: Vec<Method>,
    resolved: Vec<Resolved>,
    known: HashMap<Vec<Vec<u16>>, u32>,
    clashes: BTreeSet<(u16, u16)>,
}

/// What governs a set of operations.
#[derive(Default)]
struct Resolved {
    active: BTreeMap<u16, Methods>,
    inert: Vec<Inert>,
}

/// The policies for one method.
#[derive(Default)]
struct Contest {
    active: Vec<u16>,
    inert: Vec<Inert>,
}

impl<'a> Resolver<'a> {
    pub fn new(
        job: &'a Job<'a>,
        api: &'a ApiFacts<'a>,
        operations: &'a Operations<'a>,
        shape: &'a ApiShape<'a>,
        mut sources: Vec<Source<'a>>,
    ) -> Result<Self, Diagnostic> {
        sources.sort_by_key(|source| (source.kind.stage, source.kind.order));
        let count = u16::try_from(sources.len()).map_err(|_| {
            Diagnostic::error("policies", format!("found {} policies, expected at most 65535", sources.len()))
        })?;
        let mut by_rank: Vec<u16> = (0..count).collect();
        by_rank.sort_by_key(|position| sources[usize::from(*position)].rank());
        let mut methods = Vec::new();
        for source in &sources {
            if let Target::Selected(filter) = source.target {
                if methods.is_empty() {
                    methods = usual_methods();
                }
                selection::named_methods(filter, &mut methods);
            }
        }
        Ok(Self {
            job,
            api,
            operations,
            shape,
            sources,
            by_rank,
            methods,
            resolved: Vec::new(),
            known: HashMap::new(),
            clashes: BTreeSet::new(),
        })
    }

    /// Everything that can go wrong is said by place; without an answer there was an error.
    pub fn compile(mut self, problems: &mut Vec<(At, Diagnostic)>) -> Option<Levels> {
        let operations = u32::try_from(self.operations.names.len()).unwrap_or(u32::MAX);
        // The first chain is for requests that match no operation.
        self.chain_of(None);
        let chain_of_each: Vec<u32> =
            (0..operations).map(|operation| self.chain_of(Some(operation))).collect();
        let before = problems.len();
        self.report_clashes(problems);
        self.report_inert(&chain_of_each, problems);
        let compiled = self.compile_policies(problems);
        self.report_unidentified(&compiled, &chain_of_each, problems);
        if problems[before..].iter().any(|(_, problem)| problem.is_error()) {
            return None;
        }
        Some(self.finish(compiled, chain_of_each))
    }

    /// The position of the chain for an operation, or for requests that match none.
    fn chain_of(&mut self, operation: Option<u32>) -> u32 {
        let facts = operation.and_then(|operation| self.operations.facts(operation));
        let facts = facts.unwrap_or(OperationFacts { method: "*", name: "", path: "", tags: &[] });
        let applicable = |method: &str| -> Vec<u16> {
            let facts = OperationFacts { method, ..facts };
            let applies = |position: &u16| match &self.sources[usize::from(*position)].target {
                Target::All => true,
                Target::Operations(targets) => {
                    operation.is_some_and(|operation| targets.contains(&operation))
                }
                Target::Selected(filter) => {
                    selection::selects(filter, self.api, Some(&facts)).unwrap_or(false)
                }
            };
            self.by_rank.iter().copied().filter(applies).collect()
        };
        let mut key: Vec<Vec<u16>> = if facts.method == "*" {
            // The last one is for methods that nobody named.
            let methods = self.methods.iter().map(Method::as_str);
            methods.chain([""]).map(applicable).collect()
        } else {
            vec![applicable(facts.method)]
        };
        if key.iter().all(|one| *one == key[0]) {
            key.truncate(1);
        }
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let resolved = self.resolve(&key);
        // There are at most as many chains as operations, and one more.
        let position = u32::try_from(self.resolved.len()).unwrap_or(u32::MAX);
        self.resolved.push(resolved);
        self.known.insert(key, position);
        position
    }

    fn resolve(&mut self, by_method: &[Vec<u16>]) -> Resolved {
        let contests: Vec<Contest> = by_method.iter().map(|applicable| self.contest(applicable)).collect();
        let mut resolved = Resolved::default();
        let others = contests.len() - 1;
        for (index, contest) in contests.iter().enumerate() {
            for position in &contest.active {
                let methods = resolved.active.entry(*position).or_default();
                if index == others {
                    methods.others = true;
                } else {
                    methods.included.push(self.methods[index].clone());
                }
            }
        }
        for methods in resolved.active.values_mut().filter(|methods| methods.others) {
            let named = &self.methods[..others];
            methods.excluded = named.iter().filter(|m| !methods.included.contains(m)).cloned().collect();
        }
        for inert in contests.into_iter().flat_map(|contest| contest.inert) {
            let elsewhere = resolved.active.contains_key(&inert.policy);
            if !elsewhere && resolved.inert.iter().all(|known| known.policy != inert.policy) {
                resolved.inert.push(inert);
            }
        }
        resolved.inert.sort_by_key(|inert| inert.policy);
        resolved
    }

    /// Decides between policies that cannot govern the same request; the strongest come first.
    fn contest(&mut self, applicable: &[u16]) -> Contest {
        let mut contest = Contest::default();
        for position in applicable {
            let source = &self.sources[usize::from(*position)];
            if source.doc.disabled {
                contest.inert.push(Inert { policy: *position, why: Inertness::Disabled });
                continue;
            }
            let winner = contest
                .active
                .iter()
                .copied()
                .find(|winner| self.sources[usize::from(*winner)].kind.rules_out(source.kind));
            let Some(to) = winner else {
                contest.active.push(*position);
                continue;
            };
            let winner = &self.sources[usize::from(to)];
            // On one level nothing says which of the two was meant.
            let different = winner.kind.type_name != source.kind.type_name;
            if winner.rank() == source.rank()
                && (different
                    || (source.level == crate::journal::Level::Scope && winner.place != source.place))
            {
                self.clashes.insert((to, *position));
            }
            contest.inert.push(Inert { policy: *position, why: Inertness::GivesWay { to } });
        }
        contest
    }

    fn report_clashes(&self, problems: &mut Vec<(At, Diagnostic)>) {
        for (winner, loser) in &self.clashes {
            let (winner, source) = (&self.sources[usize::from(*winner)], &self.sources[usize::from(*loser)]);
            let rule = if winner.kind.type_name == source.kind.type_name {
                format!("an operation may have one `{}`", source.kind.type_name)
            } else {
                format!("`{}` and `{}` exclude each other", winner.kind.type_name, source.kind.type_name)
            };
            problems.push(
                source.problem(
                    Diagnostic::error(
                        "",
                        format!(
                            "{rule}, and {} is for the same operations as {}",
                            names(source),
                            names(winner)
                        ),
                    )
                    .help("remove one of the two, or let them be for different operations"),
                ),
            );
        }
    }

    /// Operations and chains that a policy without effect is told for: all, unless there are no operations.
    fn places(&self, chain_of_each: &[u32]) -> Vec<(String, u32)> {
        if chain_of_each.is_empty() {
            return vec![(String::new(), 0)];
        }
        let operations = self.operations.names.iter().zip(chain_of_each);
        operations.map(|(names, chain)| (format!("{} {}", names.method, names.path), *chain)).collect()
    }

    /// Warns of what has no effect anywhere, and of what a global policy takes the place of anywhere. Giving way to
    /// an operation's own policy somewhere is what levels are for.
    fn report_inert(&self, chain_of_each: &[u32], problems: &mut Vec<(At, Diagnostic)>) {
        let places = self.places(chain_of_each);
        for (position, source) in (0_u16..).zip(&self.sources) {
            let mut lost: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
            let (mut total, mut active) = (0_usize, false);
            for (place, chain) in &places {
                let Some(resolved) = self.resolved.get(*chain as usize) else { continue };
                if resolved.active.contains_key(&position) {
                    total += 1;
                    active = true;
                }
                for inert in resolved.inert.iter().filter(|inert| inert.policy == position) {
                    total += 1;
                    if let Inertness::GivesWay { to } = inert.why {
                        lost.entry(to).or_default().push(place);
                    }
                }
            }
            for (to, lost) in lost {
                if self.clashes.contains(&(to, position)) {
                    continue;
                }
                let winner = &self.sources[usize::from(to)];
                if active && winner.level != crate::journal::Level::Global {
                    continue;
                }
                let on = if lost.len() == total { String::new() } else { format!(" on {}", some_of(&lost)) };
                let rule = if winner.kind.type_name == source.kind.type_name {
                    "it may be there once"
                } else {
                    "the two exclude each other"
                };
                problems.push(source.problem(Diagnostic::warning(
                    "",
                    format!(
                        "`{}` has no effect{on}: {rule}, and {} wins",
                        source.doc.display_name(),
                        names(winner)
                    ),
                )));
            }
        }
    }

    /// Compiles every policy once; those without effect, too, since they may have one tomorrow.
    fn compile_policies(&self, problems: &mut Vec<(At, Diagnostic)>) -> Vec<Option<Ready>> {
        let active: BTreeSet<u16> = self.resolved.iter().flat_map(|r| r.active.keys().copied()).collect();
        let ready = |(position, source): (u16, &Source<'_>)| {
            if source.doc.disabled {
                return None;
            }
            let mut cx = CompileCx::new(self.job.environment, source.state_scope.as_str())
                .of_api(self.shape)
                .raising(self.source_of_alerts(source))
                .with_content_types(&self.job.config.settings.content_types);
            let compiled = source.kind.compile(source.doc.config.clone(), &mut cx);
            problems.extend(cx.take_warnings().into_iter().map(|p| source.problem(p.under("config"))));
            match compiled {
                // State of a policy without effect is not kept: nothing has changed it.
                Ok(_) if !active.contains(&position) => None,
                Ok(policy) => {
                    let needs = policy.get().needs();
                    let needs_application = cx.needs_application;
                    let (upstreams, timed, kept) = (cx.upstreams, cx.timed, cx.kept);
                    Some(Ready { policy, needs, needs_application, upstreams, timed, kept })
                }
                Err(Diagnostics(found)) => {
                    problems.extend(found.into_iter().map(|p| source.problem(p.under("config"))));
                    None
                }
            }
        };
        (0_u16..).zip(&self.sources).map(ready).collect()
    }

    fn source_of_alerts(&self, source: &Source<'_>) -> AlertSource {
        AlertSource {
            api_id: self.job.id.as_str().into(),
            api: self.job.name.as_str().into(),
            api_version: self.job.version.as_str().into(),
            operation: source.place.clone().unwrap_or_default(),
            policy: source.doc.display_name().into(),
            ..AlertSource::default()
        }
    }

    /// Warns of what works by application where nothing finds out which one calls.
    fn report_unidentified(
        &self,
        ready: &[Option<Ready>],
        chain_of_each: &[u32],
        problems: &mut Vec<(At, Diagnostic)>,
    ) {
        let mut lacking: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        let places = self.places(chain_of_each);
        for (place, chain) in &places {
            let Some(resolved) = self.resolved.get(*chain as usize) else { continue };
            let identified = |position: &u16| self.sources[usize::from(*position)].kind.identifies;
            if resolved.active.keys().any(identified) {
                continue;
            }
            for position in resolved.active.keys() {
                if ready[usize::from(*position)].as_ref().is_some_and(|ready| ready.needs_application) {
                    lacking.entry(*position).or_default().push(place);
                }
            }
        }
        let kinds = self.job.environment.kinds.iter().filter(|kind| kind.identifies);
        let identifying: Vec<String> = kinds.map(|kind| format!("`{}`", kind.type_name)).collect();
        for (position, lacking) in lacking {
            let source = &self.sources[usize::from(position)];
            let on = if lacking.len() == places.len() {
                String::new()
            } else {
                format!(" on {}", some_of(&lacking))
            };
            problems.push(source.problem(
                Diagnostic::warning(
                    "",
                    format!(
                        "`{}` needs an identified application, and no policy identifies one{on}; all callers are the same to it",
                        source.doc.display_name()
                    ),
                )
                .help(format!("add {}", identifying.join(" or "))),
            ));
        }
    }

    fn finish(self, ready: Vec<Option<Ready>>, chain_of_each: Vec<u32>) -> Levels {
        let mut chains = Vec::with_capacity(self.resolved.len());
        let mut names = Vec::with_capacity(self.resolved.len());
        let mut hits = vec![false; self.job.globals.len()];
        let served: BTreeSet<u32> = chain_of_each.iter().copied().collect();
        for (chain, resolved) in (0_u32..).zip(self.resolved) {
            let mut slots = Vec::with_capacity(resolved.active.len());
            for (position, methods) in &resolved.active {
                let source = &self.sources[usize::from(*position)];
                let Some(ready) = &ready[usize::from(*position)] else { continue };
                let policy = if methods.is_all() {
                    ready.policy.clone()
                } else {
                    Compiled::filter(Gate { methods: methods.clone(), policy: ready.policy.clone() })
                };
                slots.push(Slot {
                    position: *position,
                    stage: source.kind.stage,
                    policy,
                    needs: ready.needs,
                    identifies: source.kind.identifies,
                });
            }
            let active: Vec<u16> = resolved.active.into_keys().collect();
            let serves = chain_of_each.is_empty() || served.contains(&chain);
            for position in active.iter().copied().chain(resolved.inert.iter().map(|inert| inert.policy)) {
                if serves && let At::Global(place) = self.sources[usize::from(position)].at {
                    hits[place] = true;
                }
            }
            chains.push(Chain::new(slots));
            names.push(ChainNames { active, inert: resolved.inert });
        }
        let policies = self
            .sources
            .into_iter()
            .map(|source| PolicyNames {
                kind: source.kind.type_name,
                name: source.doc.display_name().into(),
                stage: source.kind.stage,
                level: source.level,
                place: source.place,
                template: source.template.map(Into::into),
            })
            .collect();
        let (mut upstreams, mut timed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for ready in ready.into_iter().flatten() {
            kept.extend(ready.kept);
            upstreams.extend(ready.upstreams);
            timed.extend(ready.timed);
        }
        // Most APIs have one chain for everything, which needs no list to be found.
        let operation_chains =
            if chain_of_each.iter().all(|chain| *chain == 0) { Vec::new() } else { chain_of_each };
        Levels { chains, operation_chains, policies, names, upstreams, timed, kept, hits }
    }
}

/// A policy, compiled.
struct Ready {
    policy: Compiled,
    needs: Needs,
    needs_application: bool,
    upstreams: Vec<UpstreamName>,
    timed: Vec<Arc<dyn Timed>>,
    kept: Vec<Arc<State>>,
}

fn usual_methods() -> Vec<Method> {
    use Method as M;
    vec![M::GET, M::HEAD, M::POST, M::PUT, M::DELETE, M::PATCH, M::OPTIONS, M::TRACE]
}

/// How a policy is called in what is said about another one.
fn names(source: &Source<'_>) -> String {
    PolicyNames {
        kind: source.kind.type_name,
        name: source.doc.display_name().into(),
        stage: source.kind.stage,
        level: source.level,
        place: source.place.clone(),
        template: source.template.map(Into::into),
    }
    .to_string()
}

/// The first few of a list.
pub(super) fn some_of(list: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown = list.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match list.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
