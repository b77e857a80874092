//! One API: what it is made from, and whether anything of that has changed.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use foldhash::fast::FixedState;
use model::{
    ApiDefinition, ApiDoc, ConfigDoc, Diagnostic, Diagnostics, GlobalPolicyDoc, PolicyTemplateDoc,
    diagnostic::nearest,
};

use super::{
    ApiShape, Environment, Findings,
    levels::Resolver,
    marks::Mark,
    operations::Operations,
    selection::{self, ApiFacts},
    sources::{At, Collector},
};
use crate::{
    authorization_server::AuthorizationServers, journal::ApiNames, lifecycle::Standing, route::decode,
    snapshot::CompiledApi, stats::ApiStats,
};

/// Everything that an API is compiled from.
pub(super) struct Job<'a> {
    pub doc: &'a Arc<ApiDoc>,
    pub definition: Option<&'a ApiDefinition>,
    pub config: &'a ConfigDoc,
    pub environment: &'a Environment<'a>,
    pub servers: &'a AuthorizationServers,
    shared: Shared,
    pub name: String,
    pub version: String,
    /// Name and version.
    pub id: String,
    /// The global policies that may apply to it.
    pub globals: Vec<Global<'a>>,
    /// The templates that it names.
    pub templates: Vec<&'a PolicyTemplateDoc>,
}

/// What APIs are made from beside their own documents, as fingerprints.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    /// What every API is made from.
    every: u64,
    /// The same, and what only some are made from or compared with: global policies, templates, names of teams, groups
    /// and plans, what the settings say that there is to choose from.
    pub(super) all: u64,
}

impl Shared {
    pub(super) fn new(
        config: &ConfigDoc,
        environment: &Environment<'_>,
        servers: &AuthorizationServers,
    ) -> Self {
        let every = shared_fingerprint(config, environment, servers);
        let mut hasher = FixedState::with_seed(7).build_hasher();
        every.hash(&mut hasher);
        serde_json::to_vec(&config.policies).unwrap_or_default().hash(&mut hasher);
        serde_json::to_vec(&config.policy_templates).unwrap_or_default().hash(&mut hasher);
        serde_json::to_vec(&config.settings.apis).unwrap_or_default().hash(&mut hasher);
        let teams = config.teams.iter().map(|team| &team.name);
        let groups = config.groups.iter().map(|group| &group.name);
        teams.collect::<Vec<_>>().hash(&mut hasher);
        groups.collect::<Vec<_>>().hash(&mut hasher);
        config.plans.iter().map(|plan| &plan.name).collect::<Vec<_>>().hash(&mut hasher);
        Self { every, all: hasher.finish() }
    }
}

/// What is around all APIs.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub config: &'a ConfigDoc,
    pub environment: &'a Environment<'a>,
    pub servers: &'a AuthorizationServers,
    pub shared: Shared,
}

/// Files can be large: they are read once, and not for each API.
fn shared_fingerprint(
    config: &ConfigDoc,
    environment: &Environment<'_>,
    servers: &AuthorizationServers,
) -> u64 {
    let mut hasher = FixedState::with_seed(7).build_hasher();
    serde_json::to_vec(&config.settings.content_types).unwrap_or_default().hash(&mut hasher);
    config.settings.limits.body_size.map(|s| s.get()).hash(&mut hasher);
    config.settings.callbacks.url.is_some().hash(&mut hasher);
    // Any text may name them.
    serde_json::to_vec(&config.aliases).unwrap_or_default().hash(&mut hasher);
    // Policies name them; what they are is up to those who deliver.
    for destination in &config.destinations {
        destination.name().hash(&mut hasher);
    }
    // Policies hold on to them.
    for server in &servers.list {
        server.fingerprint.hash(&mut hasher);
    }
    // A secret that was exchanged is a change, too.
    config.resolved_secrets.hash(&mut hasher);
    config.files.hash(&mut hasher);
    config.key_material.hash(&mut hasher);
    environment.workers.hash(&mut hasher);
    hasher.finish()
}

/// A global policy that may apply.
pub(super) struct Global<'a> {
    /// Place in the configuration.
    pub index: usize,
    pub doc: &'a GlobalPolicyDoc,
    /// Whether it applies depends on the operation.
    pub by_operation: bool,
}

impl<'a> Job<'a> {
    /// What an API is and what is there to govern it; `None` when it has no name.
    pub(super) fn new(
        doc: &'a Arc<ApiDoc>,
        definition: Option<&'a ApiDefinition>,
        around: Around<'a>,
        problems: &mut Diagnostics,
    ) -> Option<Self> {
        let Around { config, environment, servers, shared } = around;
        let name = doc.name.clone().or_else(|| definition.map(|d| d.title.clone()));
        let Some(name) = name.filter(|name| !name.trim().is_empty()) else {
            problems.push(
                Diagnostic::error("name", "missing, and there is no definition with a title")
                    .help("add `name: Orders`"),
            );
            return None;
        };
        let version = doc
            .version
            .clone()
            .or_else(|| definition.map(|d| d.version.clone()))
            .unwrap_or_else(|| "1.0".to_owned());
        let id = format!("{name}:{version}");
        let mut job = Self {
            doc,
            definition,
            config,
            environment,
            servers,
            shared,
            name,
            version,
            id,
            globals: Vec::new(),
            templates: Vec::new(),
        };
        let facts = job.facts();
        let applies = |(index, doc): (usize, &'a GlobalPolicyDoc)| {
            let by_operation = match selection::selects(&doc.applies_to, &facts, None) {
                Some(false) => return None,
                Some(true) => false,
                None => true,
            };
            Some(Global { index, doc, by_operation })
        };
        job.globals = config.policies.iter().enumerate().filter_map(applies).collect();
        job.templates = job.named_templates(problems);
        Some(job)
    }

    /// What conditions of global policies can ask.
    fn facts(&self) -> ApiFacts<'_> {
        ApiFacts {
            name: &self.name,
            version: &self.version,
            description: self.doc.description.as_deref().unwrap_or(""),
            kind: self.doc.kind.name(),
            tags: &self.doc.tags,
        }
    }

    fn named_templates(&self, problems: &mut Diagnostics) -> Vec<&'a PolicyTemplateDoc> {
        let known = &self.config.policy_templates;
        let mut templates: Vec<&'a PolicyTemplateDoc> = Vec::with_capacity(self.doc.templates.len());
        for (place, name) in self.doc.templates.iter().enumerate() {
            let path = format!("templates[{place}]");
            if templates.iter().any(|other| other.name == *name) {
                problems.push(Diagnostic::warning(
                    path,
                    format!("found `{name}` a second time; one copy is made"),
                ));
                continue;
            }
            match known.iter().find(|template| template.name == *name) {
                Some(template) => templates.push(template),
                None => {
                    let problem =
                        Diagnostic::error(path, format!("found `{name}`, which is no policy template"));
                    let near = nearest(name, known.iter().map(|template| template.name.as_str()));
                    problems.push(match near {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help("name one of `policyTemplates`"),
                    });
                }
            }
        }
        templates
    }

    /// The API compiled, or taken over when it is what it was.
    pub(super) fn compile(
        &self,
        known: Option<&Arc<CompiledApi>>,
        problems: &mut Vec<(At, Diagnostic)>,
    ) -> Option<Arc<CompiledApi>> {
        let fingerprint = self.fingerprint();
        if let Some(known) = known.filter(|known| known.fingerprint == fingerprint) {
            return Some(Arc::clone(known));
        }
        let mut own = Diagnostics::default();
        let operations = Operations::compile(self.doc, self.definition, &mut own);
        let paths = self.base_paths(&mut own);
        let standing = Standing::compile(&self.doc.lifecycle, &mut own);
        let mut found: Vec<(At, Diagnostic)> = own.0.into_iter().map(|problem| (At::Api, problem)).collect();
        let facts = self.facts();
        let sources = self.definition.map(|d| &*d.sources);
        let shape = ApiShape::new(&operations.all, sources, self.config)
            .called(&self.name, operations.scopes(self.doc))
            .with_authorization_servers(self.servers);
        let sources = Collector::new(self, &operations, &mut found).collect();
        let levels = match Resolver::new(self, &facts, &operations, &shape, sources) {
            Ok(resolver) => resolver.compile(&mut found),
            Err(problem) => {
                found.push((At::Api, problem));
                None
            }
        };
        let failed = found.iter().any(|(_, problem)| problem.is_error());
        let ((base_path, versionless_path), levels) = match paths.zip(levels) {
            Some(parts) if !failed => parts,
            _ => {
                problems.append(&mut found);
                return None;
            }
        };
        let stats = self
            .environment
            .registry
            .keep(format!("stats:{}", self.id), || ApiStats::new(self.environment.workers));
        let operation_chains: Arc<[u32]> = levels.operation_chains.into();
        let findings = Findings { warnings: found, hits: levels.hits };
        Some(Arc::new(CompiledApi {
            names: Arc::new(ApiNames {
                id: self.id.as_str().into(),
                name: self.name.as_str().into(),
                version: self.version.as_str().into(),
                operations: operations.names,
                policies: levels.policies,
                chains: levels.names,
                operation_chains: Arc::clone(&operation_chains),
            }),
            doc: Arc::clone(self.doc),
            base_path: base_path.into(),
            versionless_path: versionless_path.map(Into::into),
            chains: levels.chains.into(),
            operation_chains,
            stats,
            max_body_size: self.doc.max_body_size.or(self.config.settings.limits.body_size).map(|s| s.get()),
            standing: standing.map(Box::new),
            operations: operations.trie,
            fingerprint,
            _kept: levels.kept,
            policy_upstreams: levels.upstreams,
            timed: levels.timed,
            findings,
        }))
    }

    /// What the next compilation asks of it first. `quiet` says that there was nothing to say about it before it was compiled.
    pub(super) fn mark(&self, api: &CompiledApi, quiet: bool) -> Mark {
        let applies = self.globals.iter().zip(&api.findings.hits).filter(|(_, hit)| **hit);
        let bits: Vec<Option<u64>> = applies
            .map(|(global, _)| u32::try_from(global.index).ok().and_then(|at| 1_u64.checked_shl(at)))
            .collect();
        Mark {
            // Where it was taken over, its own document may be another one with the same content.
            doc: Arc::as_ptr(&api.doc).addr(),
            definition: self.definition.map(|definition| definition.fingerprint),
            shared: self.shared.all,
            globals: bits.iter().flatten().sum(),
            // With one that has no bit it is looked at again each time.
            quiet: quiet && api.findings.warnings.is_empty() && bits.iter().all(Option::is_some),
            has_more: !api.policy_upstreams.is_empty() || !api.timed.is_empty(),
        }
    }

    /// Covers everything that the compiled API is made from.
    fn fingerprint(&self) -> u64 {
        let mut hasher = FixedState::with_seed(7).build_hasher();
        self.id.hash(&mut hasher);
        serde_json::to_vec(&**self.doc).unwrap_or_default().hash(&mut hasher);
        // What applies to other APIs only may change without this one.
        for global in &self.globals {
            serde_json::to_vec(global.doc).unwrap_or_default().hash(&mut hasher);
        }
        serde_json::to_vec(&self.templates).unwrap_or_default().hash(&mut hasher);
        self.definition.map(|d| d.fingerprint).hash(&mut hasher);
        self.shared.every.hash(&mut hasher);
        hasher.finish()
    }

    /// The API's base path, and the one for calls without a version.
    fn base_paths(&self, problems: &mut Diagnostics) -> Option<(String, Option<String>)> {
        let Some(written) = &self.doc.base_path else {
            // A slash inside a name would look like one more segment.
            let (name, version) = (self.name.trim().replace('/', "-"), self.version.trim().replace('/', "-"));
            return Some((format!("/gateway/{name}/{version}"), Some(format!("/gateway/{name}"))));
        };
        let trimmed = written.trim_end_matches('/');
        let problem = if !written.starts_with('/') {
            "expected a path that starts with `/`"
        } else if written.contains(['{', '}', '?', '#', '*']) {
            "expected a path without templates, wildcards, query or fragment"
        } else {
            match decode(trimmed, false) {
                Ok(decoded) if !decoded.contains("//") => return Some((decoded.into_owned(), None)),
                _ => "expected a path without empty or dot segments and with valid encoding",
            }
        };
        problems.push(Diagnostic::error("basePath", format!("found `{written}`, {problem}")));
        None
    }
}
