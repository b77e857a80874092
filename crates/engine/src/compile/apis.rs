//! The APIs of a configuration, one after the other; where a whole part of them is what it was, all of it at once. A change of
//! one among very many costs little more than one among few.

use std::{collections::HashSet, sync::Arc};

use model::{ApiDefinition, ApiDoc, ConfigDoc, Diagnostic, Diagnostics, Parts, parts::PART};

use super::{
    Input,
    api::{Around, Job},
    findings::Report,
    marks::{Before, Marks},
    metadata, plans, portal, teams,
    upstreams::Upstreams,
};
use crate::{
    Snapshot, Timed,
    journal::ApiNames,
    route::{ApiIndex, ApiPlace, Versionless},
    snapshot::{Binding, CompiledApi},
};

/// What APIs are made from, and compared with.
pub(super) struct From<'a> {
    pub input: &'a Input,
    pub around: Around<'a>,
    pub previous: Option<&'a Snapshot>,
    pub teams: &'a HashSet<&'a str>,
    pub groups: &'a HashSet<&'a str>,
}

/// The APIs so far.
#[derive(Default)]
pub(super) struct Apis {
    pub list: Parts<Arc<CompiledApi>>,
    pub names: Parts<Arc<ApiNames>>,
    pub bindings: Parts<Binding>,
    pub marks: Marks,
    pub timed: Vec<Arc<dyn Timed>>,
    /// Places of those that are found elsewhere than they were.
    moved: Vec<u32>,
    /// Those that have moved are not all that is found elsewhere.
    mixed_up: bool,
}

impl Apis {
    pub fn compile(from: &From<'_>, upstreams: &mut Upstreams<'_>, problems: &mut Diagnostics) -> Self {
        let From { input, around, previous, .. } = from;
        let mut apis = Self { marks: Marks::of(input), ..Self::default() };
        let mut before = Before::new(*previous);
        let mut report = Report::new(around.config);
        let mut globals = 0;
        upstreams.begin_apis();
        for (number, part) in input.config.apis.parts().iter().enumerate() {
            let same = before.part(input, number, around.shared);
            if let Some(same) = same.filter(|same| upstreams.all_stay(same.whole.upstreams)) {
                globals |= same.whole.globals;
                apis.list.push_part(same.apis);
                apis.names.push_part(same.names);
                apis.bindings.push_part(same.bindings);
                apis.marks.push_part(same.marks, same.whole);
                before.pass_by(number, part.len());
                continue;
            }
            let next_upstream = upstreams.len();
            for (index, doc) in (number * PART..).zip(&**part) {
                globals |= apis.add((index, doc), from, &mut before, upstreams, &mut report, problems);
            }
            apis.marks.end_part(&apis.bindings, around.shared, next_upstream);
        }
        report.add_places(globals);
        report.finish(around.config, problems);
        apis
    }

    /// Adds an API, taken over or compiled. Returned are the global policies of one that nobody has looked at.
    fn add(
        &mut self,
        (index, doc): (usize, &Arc<ApiDoc>),
        from: &From<'_>,
        before: &mut Before<'_>,
        upstreams: &mut Upstreams<'_>,
        report: &mut Report,
        problems: &mut Diagnostics,
    ) -> u64 {
        let From { input, around, previous, teams, groups } = from;
        let path = || format!("apis[{index}]");
        let definition = input.definitions.get(index).and_then(Option::as_deref);
        let fingerprint = definition.map(|definition| definition.fingerprint);
        let untouched = previous.zip(before.untouched(doc, fingerprint, around.shared));
        let stays = untouched.and_then(|(previous, (place, _))| upstreams.stay(previous.bindings[place]));
        let binding = stays.unwrap_or_else(|| bind(doc, definition, &path, upstreams, problems));
        self.bindings.push(binding);
        if let Some((previous, (place, mark))) = untouched {
            let api = &previous.apis[place];
            if mark.has_more {
                for name in &api.policy_upstreams {
                    upstreams.find(name.as_str(), &path, problems);
                }
                self.timed.extend(api.timed.iter().cloned());
            }
            self.mixed_up |= place != self.list.len();
            self.marks.push(mark);
            self.push(Arc::clone(api));
            return mark.globals;
        }
        let mut own = Diagnostics::default();
        metadata::check(doc, &around.config.settings.apis, &mut own);
        teams::check_api(doc, teams, &mut own);
        plans::check_api(doc, &around.config.plans, &mut own);
        portal::check_api(doc, groups, teams, &mut own);
        let job = Job::new(doc, definition, *around, &mut own);
        let quiet = own.is_empty();
        problems.0.extend(own.0.into_iter().map(|problem| problem.under(&path())));
        let Some(job) = job else { return 0 };
        let mut found = Vec::new();
        let compiled = job.compile(before.find(&job.id), &mut found);
        report.add(index, &job, found);
        let Some(api) = compiled else { return 0 };
        report.add(index, &job, api.findings.warnings.iter().cloned());
        report.add_hits(&job, &api.findings.hits);
        for name in &api.policy_upstreams {
            upstreams.find(name.as_str(), &path, problems);
        }
        let at = self.list.len();
        match previous.and_then(|previous| previous.apis.get(at)) {
            Some(earlier) if earlier.is_found_like(&api) => {}
            Some(earlier) if earlier.versionless_path.is_none() => self.moved.extend(u32::try_from(at)),
            _ => self.mixed_up = true,
        }
        self.timed.extend(api.timed.iter().cloned());
        self.marks.push(job.mark(&api, quiet));
        self.push(api);
        0
    }

    fn push(&mut self, api: Arc<CompiledApi>) {
        self.names.push(Arc::clone(&api.names));
        self.list.push(api);
    }

    /// Where all of them are found: what it was, as far as that can be.
    pub fn index(
        &self,
        config: &ConfigDoc,
        previous: Option<&Snapshot>,
        problems: &mut Diagnostics,
    ) -> Result<Arc<ApiIndex>, Diagnostics> {
        let default_version = config.settings.matching.default_version;
        let known = previous.filter(|previous| {
            !self.mixed_up
                && previous.apis.len() == self.list.len()
                && previous.settings.matching.default_version == default_version
        });
        let known = known.and_then(|previous| match &self.moved[..] {
            [] => Some(Arc::clone(&previous.index)),
            moved => {
                let at = |api: u32| place(&self.list[api as usize], api);
                previous.index.with_moved(moved, at).map(Arc::new)
            }
        });
        if let Some(known) = known {
            return Ok(known);
        }
        let places: Vec<ApiPlace<'_>> = self.list.iter().zip(0..).map(|(api, at)| place(api, at)).collect();
        ApiIndex::build(&places, default_version).map(Arc::new).map_err(|errors| {
            for error in errors {
                let (api, other) = (&self.list[error.api as usize], &self.list[error.other as usize]);
                let message = format!(
                    "found `{}`, which is the address of apis[{}] ({}) too",
                    api.base_path, error.other, other.names.id
                );
                let problem = Diagnostic::error(format!("apis[{}].basePath", error.api), message);
                problems.push(problem.help("give one of them another version, basePath or hosts"));
            }
            std::mem::take(problems)
        })
    }
}

/// Where an API is found.
fn place(api: &CompiledApi, position: u32) -> ApiPlace<'_> {
    let versionless = api.versionless_path.as_deref();
    ApiPlace {
        api: position,
        hosts: &api.doc.hosts,
        base_path: &api.base_path,
        versionless: versionless.map(|base_path| Versionless { base_path, version: &api.names.version }),
    }
}

/// Finds the upstreams that an API names.
fn bind(
    doc: &ApiDoc,
    definition: Option<&ApiDefinition>,
    path: &dyn Fn() -> String,
    upstreams: &mut Upstreams<'_>,
    problems: &mut Diagnostics,
) -> Binding {
    let upstream = match &doc.upstream {
        Some(name) => upstreams.find(name, &|| format!("{}.upstream", path()), problems),
        None => {
            let server = definition.and_then(|d| {
                d.servers.iter().find(|s| s.starts_with("http://") || s.starts_with("https://"))
            });
            match server {
                Some(url) => upstreams.find(url, &|| format!("{}.definition", path()), problems),
                None => {
                    problems.push(
                        Diagnostic::warning(
                            format!("{}.upstream", path()),
                            "missing, and the definition names no server with a full URL; calls are answered with 503",
                        )
                        .help("add `upstream: https://…`"),
                    );
                    None
                }
            }
        }
    };
    let mut named = |name: Option<&String>, key: &str| {
        name.and_then(|name| upstreams.find(name, &|| format!("{}.{key}.upstream", path()), problems))
    };
    Binding {
        upstream,
        canary: named(doc.canary.as_ref().map(|c| &c.upstream), "canary"),
        mirror: named(doc.mirror.as_ref().map(|m| &m.upstream), "mirror"),
    }
}
