//! From configuration to snapshot. Everything wrong is reported, not only the first thing; APIs in which nothing
//! changed are taken over from the snapshot before.

mod aliases;
mod api;
pub mod applications;
mod assertions;
mod authorization_servers;
mod callbacks;
mod destinations;
mod findings;
mod gate;
mod known_apis;
mod levels;
mod listeners;
mod metadata;
mod oauth_clients;
mod operations;
mod plans;
mod portal;
mod selection;
mod settings;
mod shape;
mod signing_keys;
mod sources;
#[cfg(test)]
mod taken_over;
mod teams;
#[cfg(test)]
mod tests;
mod upstreams;
mod url_aliases;

use std::sync::Arc;

use model::{
    ApiDefinition, ApiDoc, ConfigDoc, Diagnostic, Diagnostics, KeyEntry, KeyRef, Secret,
    settings::ContentTypes,
};

pub use shape::ApiShape;

pub(crate) use api::Mark;
pub(crate) use findings::Findings;

use known_apis::KnownApis;

use crate::{
    Alerts, Clock, PolicyKind, Snapshot, Timed, UpstreamName,
    address_lock::{AddressLock, KnownAddresses},
    alert::AlertSource,
    authorization_server::AuthorizationServer,
    journal::Catalog,
    language::LanguageCx,
    listener_access::ListenerAccess,
    route::{ApiIndex, ApiPlace, Versionless},
    snapshot::{Binding, CompiledApi},
    state::{State, StateRegistry},
};

/// A configuration with everything loaded that it refers to.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Secrets are resolved.
    pub config: ConfigDoc,
    /// Definitions by the position of their API.
    pub definitions: Vec<Option<Arc<ApiDefinition>>>,
}

/// What stays the same from snapshot to snapshot.
pub struct Environment<'a> {
    pub kinds: &'a [PolicyKind],
    pub registry: &'a StateRegistry,
    pub workers: usize,
    pub clock: Clock,
    /// Where policies hand their alerts in.
    pub alerts: Alerts,
}

impl<'a> Environment<'a> {
    /// A policy by its type.
    pub(crate) fn kind(&self, name: &str) -> Option<&'a PolicyKind> {
        self.kinds.iter().find(|kind| kind.type_name == name)
    }
}

/// What a policy may ask for while it is compiled.
pub struct CompileCx<'a> {
    environment: &'a Environment<'a>,
    scope: String,
    language: LanguageCx,
    api: Option<&'a ApiShape<'a>>,
    content_types: &'a ContentTypes,
    warnings: Vec<Diagnostic>,
    upstreams: Vec<UpstreamName>,
    timed: Vec<Arc<dyn Timed>>,
    /// What the policy keeps: found again for as long as its API has it.
    kept: Vec<Arc<State>>,
    source: AlertSource,
    /// The policy means nothing without an identified application.
    pub(crate) needs_application: bool,
}

impl<'a> CompileCx<'a> {
    /// A context for one policy; `scope` names whose state it keeps.
    pub fn new(environment: &'a Environment<'a>, scope: impl Into<String>) -> Self {
        Self {
            environment,
            scope: scope.into(),
            language: LanguageCx::default(),
            api: None,
            content_types: ContentTypes::NONE,
            warnings: Vec::new(),
            upstreams: Vec::new(),
            timed: Vec::new(),
            kept: Vec::new(),
            source: AlertSource::default(),
            needs_application: false,
        }
    }

    /// The same for a policy of this API.
    #[must_use]
    pub fn of_api(mut self, api: &'a ApiShape<'a>) -> Self {
        self.api = Some(api);
        self.language = api.language().clone();
        self
    }

    /// The API that the policy governs; `None` where a configuration is checked without one.
    pub fn api(&self) -> Option<&'a ApiShape<'a>> {
        self.api
    }

    /// The value of a secret. Where a configuration is checked without an API, there is none.
    pub fn secret(&self, path: &str, secret: &Secret) -> Result<String, Diagnostic> {
        match self.api {
            None => Ok(String::new()),
            Some(api) => api.secret(secret).map(str::to_owned).ok_or_else(|| {
                Diagnostic::error(path, "found a secret in clear, expected a reference")
                    .help("write `${env:NAME}` or `${file:/path}`, and put the value there")
            }),
        }
    }

    /// A key of a keystore. Where a configuration is checked without an API, there is none.
    pub fn key(&self, path: &str, wanted: &KeyRef) -> Result<Option<&KeyEntry>, Diagnostic> {
        self.api.and_then(|api| api.key(wanted)).transpose().map_err(|problem| problem.under(path))
    }

    /// What is in a file that the policy's configuration names, under a key that is in `Policy::FILES`. Where a
    /// configuration is checked without an API, there is none.
    pub fn file(&self, path: &str, name: &str) -> Result<Option<Arc<[u8]>>, Diagnostic> {
        let Some(api) = self.api else { return Ok(None) };
        let found = api.file(name).ok_or_else(|| {
            Diagnostic::error(path, format!("found `{name}`, which cannot be read"))
                .help("relative paths begin at the folder of the configuration")
        });
        found.cloned().map(Some)
    }

    /// An upstream that the policy sends requests to: one of `upstreams`, or a URL.
    pub fn upstream(&mut self, path: &str, text: &str) -> Result<UpstreamName, Diagnostic> {
        if let Some(api) = self.api {
            api.check_upstream(text).map_err(|problem| problem.under(path))?;
        }
        let name = UpstreamName(text.into());
        self.upstreams.push(name.clone());
        Ok(name)
    }

    /// The same with content types of the settings.
    #[must_use]
    pub fn with_content_types(mut self, content_types: &'a ContentTypes) -> Self {
        self.content_types = content_types;
        self
    }

    /// What the settings say about content types.
    pub fn content_types(&self) -> &'a ContentTypes {
        self.content_types
    }

    /// The same for a policy with a name; alerts say where they come from.
    #[must_use]
    pub(crate) fn raising(mut self, source: AlertSource) -> Self {
        self.source = source;
        self
    }

    /// What raises alerts of this kind.
    pub fn alert_source(&self, kind: &'static str) -> Arc<AlertSource> {
        Arc::new(AlertSource { kind, ..self.source.clone() })
    }

    /// Where the policy hands its alerts in.
    pub fn alerts(&self) -> Alerts {
        self.environment.alerts.clone()
    }

    /// Names of destinations that the policy sends alerts to.
    pub fn destinations(&self, path: &str, names: Vec<String>) -> Result<Arc<[Box<str>]>, Diagnostic> {
        if let Some(api) = self.api {
            for (index, name) in names.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if names[..index].contains(name) {
                    return Err(Diagnostic::error(path, format!("found `{name}` a second time")));
                }
                api.check_destination(name).map_err(|problem| problem.under(&path))?;
            }
        }
        Ok(names.into_iter().map(String::into_boxed_str).collect())
    }

    /// Has something looked at as time passes, for as long as this configuration of the policy is served.
    pub fn as_time_passes(&mut self, timed: Arc<dyn Timed>) {
        self.timed.push(timed);
    }

    /// The authorization servers, or those that are named. Where a configuration is checked without an API, there are
    /// none.
    pub fn authorization_servers(
        &self,
        path: &str,
        names: &[String],
    ) -> Result<Vec<Arc<AuthorizationServer>>, Diagnostic> {
        let Some(api) = self.api else { return Ok(Vec::new()) };
        api.authorization_servers(path, names)
    }

    /// Says that a part of the policy has no effect; paths are inside its configuration.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// The warnings so far, those about variables included.
    pub(crate) fn take_warnings(&mut self) -> Vec<Diagnostic> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.language.take_warnings());
        warnings
    }

    /// State that outlives a reload: the same policy of the same API gets it again.
    pub fn keep_state<T: Send + Sync + 'static>(&mut self, make: impl FnOnce() -> T) -> Arc<T> {
        self.keep(format!("{}#{}", self.scope, std::any::type_name::<T>()), make)
    }

    /// The same for state that is shared by policies of several APIs, under a name of its own.
    pub fn keep_shared_state<T: Send + Sync + 'static>(
        &mut self,
        name: &str,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        // No API has an empty name, so that no scope begins like this.
        self.keep(format!("/{name}#{}", std::any::type_name::<T>()), make)
    }

    fn keep<T: Send + Sync + 'static>(&mut self, name: String, make: impl FnOnce() -> T) -> Arc<T> {
        let state = self.environment.registry.keep(name, make);
        self.kept.push(Arc::clone(&state) as Arc<State>);
        state
    }

    /// Whether the settings say how callback URLs are sealed. Where a configuration is checked without an API, they do.
    pub fn seals_callbacks(&self) -> bool {
        self.api.is_none_or(ApiShape::seals_callbacks)
    }

    /// For templates, variables and conditions of the policy.
    pub fn language(&mut self) -> &mut LanguageCx {
        &mut self.language
    }

    pub fn workers(&self) -> usize {
        self.environment.workers
    }

    pub fn clock(&self) -> Clock {
        self.environment.clock.clone()
    }
}

/// Compiles a configuration. Warnings come with the snapshot, errors instead of it.
pub fn compile(
    input: &Input,
    environment: &Environment<'_>,
    previous: Option<&Snapshot>,
    revision: u64,
) -> Result<(Snapshot, Vec<Diagnostic>), Diagnostics> {
    let mut problems = Diagnostics::default();
    let config = &input.config;

    let known_apis = KnownApis::new(config);
    listeners::check(config, &known_apis, &mut problems);
    aliases::check(&config.aliases, &mut problems);
    destinations::check(&config.destinations, &mut problems);
    let faults = settings::compile(&config.settings, aliases::language(&config.aliases), &mut problems);
    let applications = applications::compile(config, &known_apis, previous, &mut problems);
    let subscriptions = plans::compile(config, &known_apis, &applications, &mut problems);
    let teams = teams::check(config, &mut problems);
    metadata::check_settings(&config.settings.apis, &mut problems);
    let groups = portal::check(config, &known_apis, &mut problems);
    let url_aliases = url_aliases::compile(config, &mut problems);
    let callbacks = callbacks::compile(config, &mut problems);
    let mut upstreams = upstreams::Upstreams::new(environment, previous);
    for (index, doc) in config.upstreams.iter().enumerate() {
        upstreams.add(doc.clone(), &format!("upstreams[{index}]"), &mut problems);
    }
    let authorization_servers =
        authorization_servers::compile(config, environment, previous, &mut upstreams, &mut problems);

    let mut before = api::Before::new(previous);
    findings::check_shared(config, environment, &mut problems);
    let mut report = findings::Report::new(config);
    let shared = api::Shared::new(config, environment, &authorization_servers);
    let mut apis: Vec<Arc<CompiledApi>> = Vec::with_capacity(config.apis.len());
    // Whether all APIs are found as they were, but for those that have moved.
    let mut at_their_places = true;
    let mut moved = Vec::new();
    let mut bindings = Vec::with_capacity(config.apis.len());
    let mut marks = Vec::with_capacity(config.apis.len());
    let mut timed = Vec::new();
    let mut globals = 0;
    for (index, doc) in config.apis.iter().enumerate() {
        let path = || format!("apis[{index}]");
        let definition = input.definitions.get(index).and_then(Option::as_deref);
        let fingerprint = definition.map(|definition| definition.fingerprint);
        let untouched = previous.zip(before.untouched(doc, fingerprint, shared));
        let stays = untouched.and_then(|(previous, (place, _))| upstreams.stay(previous.bindings[place]));
        let binding = stays.unwrap_or_else(|| bind(doc, definition, &path, &mut upstreams, &mut problems));
        bindings.push(binding);
        if let Some((previous, (place, mark))) = untouched {
            let api = &previous.apis[place];
            if mark.has_more {
                for name in &api.policy_upstreams {
                    upstreams.find(name.as_str(), &path, &mut problems);
                }
                timed.extend(api.timed.iter().cloned());
            }
            globals |= mark.globals;
            at_their_places &= place == apis.len();
            marks.push(mark);
            apis.push(Arc::clone(api));
            continue;
        }
        let mut own = Diagnostics::default();
        metadata::check(doc, &config.settings.apis, &mut own);
        teams::check_api(doc, &teams, &mut own);
        plans::check_api(doc, &config.plans, &mut own);
        portal::check_api(doc, &groups, &teams, &mut own);
        let around = api::Around { config, environment, servers: &authorization_servers, shared };
        let job = api::Job::new(doc, definition, around, &mut own);
        let quiet = own.is_empty();
        problems.0.extend(own.0.into_iter().map(|problem| problem.under(&path())));
        let Some(job) = job else { continue };
        let mut found = Vec::new();
        let compiled = job.compile(before.find(&job.id), &mut found);
        report.add(index, &job, found);
        if let Some(api) = compiled {
            report.add(index, &job, api.findings.warnings.iter().cloned());
            report.add_hits(&job, &api.findings.hits);
            for name in &api.policy_upstreams {
                upstreams.find(name.as_str(), &path, &mut problems);
            }
            let earlier = previous.and_then(|previous| previous.apis.get(apis.len()));
            match earlier {
                Some(earlier) if earlier.is_found_like(&api) => {}
                Some(earlier) if earlier.versionless_path.is_none() => {
                    moved.extend(u32::try_from(apis.len()))
                }
                _ => at_their_places = false,
            }
            timed.extend(api.timed.iter().cloned());
            marks.push(job.mark(&api, quiet));
            apis.push(api);
        }
    }
    report.add_places(globals);
    report.finish(config, &mut problems);
    url_aliases::compare(&config.url_aliases, &apis, &mut problems);
    if let Some(callbacks) = &callbacks {
        callbacks::compare(callbacks, apis.iter().map(|api| &*api.base_path), &mut problems);
    }
    if problems.has_errors() {
        return Err(problems);
    }

    let known = previous.filter(|previous| {
        at_their_places
            && previous.apis.len() == apis.len()
            && previous.settings.matching.default_version == config.settings.matching.default_version
    });
    let known = match known {
        Some(previous) if moved.is_empty() => Some(Arc::clone(&previous.index)),
        Some(previous) => {
            previous.index.with_moved(&moved, |api| place(&apis[api as usize], api)).map(Arc::new)
        }
        None => None,
    };
    let index = match known {
        Some(index) => index,
        None => Arc::new(index(&apis, config, &mut problems)?),
    };
    let (upstreams, upstream_names) = upstreams.finish();
    let catalog = Arc::new(Catalog {
        revision,
        apis: apis.iter().map(|api| Arc::clone(&api.names)).collect(),
        applications: applications.list.iter().map(|a| Arc::from(&*a.name)).collect(),
        endpoints: upstreams.iter().flat_map(|u| &u.endpoints).map(|e| Arc::clone(&e.url)).collect(),
    });
    let unrouted =
        environment.registry.keep("unrouted".into(), || crate::stats::ApiStats::new(environment.workers));
    let address_lock = AddressLock::compile(&config.settings.address_lock, || {
        environment.registry.keep("address lock".into(), KnownAddresses::default)
    });
    let snapshot = Snapshot {
        revision,
        address_lock,
        settings: config.settings.clone(),
        faults,
        listeners: config.listeners.clone(),
        listener_access: ListenerAccess::compile(&config.listeners),
        apis,
        bindings,
        marks,
        index,
        url_aliases,
        callbacks,
        upstreams,
        upstream_names,
        applications,
        subscriptions,
        authorization_servers,
        catalog,
        unrouted,
        timed,
    };
    Ok((snapshot, problems.0))
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

/// Where all APIs are found.
fn index(
    apis: &[Arc<CompiledApi>],
    config: &ConfigDoc,
    problems: &mut Diagnostics,
) -> Result<ApiIndex, Diagnostics> {
    let places: Vec<ApiPlace<'_>> =
        apis.iter().zip(0..).map(|(api, position)| place(api, position)).collect();
    ApiIndex::build(&places, config.settings.matching.default_version).map_err(|errors| {
        for error in errors {
            let (api, other) = (&apis[error.api as usize], &apis[error.other as usize]);
            problems.push(
                Diagnostic::error(
                    format!("apis[{}].basePath", error.api),
                    format!(
                        "found `{}`, which is the address of apis[{}] ({}) too",
                        api.base_path, error.other, other.names.id
                    ),
                )
                .help("give one of them another version, basePath or hosts"),
            );
        }
        std::mem::take(problems)
    })
}

/// Finds the upstreams that an API names.
fn bind(
    doc: &ApiDoc,
    definition: Option<&ApiDefinition>,
    path: &dyn Fn() -> String,
    upstreams: &mut upstreams::Upstreams<'_>,
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
