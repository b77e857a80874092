//! From configuration to snapshot. Everything wrong is reported, not only the first thing; APIs in which nothing
//! changed are taken over from the snapshot before.

mod aliases;
mod api;
mod apis;
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
mod marks;
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
    ApiDefinition, ConfigDoc, Diagnostic, Diagnostics, KeyEntry, KeyRef, Parts, Secret,
    settings::ContentTypes,
};

pub use shape::ApiShape;

pub(crate) use findings::Findings;
pub(crate) use marks::Marks;
pub(crate) use upstreams::UpstreamIndex;

use known_apis::KnownApis;

use crate::{
    Alerts, Clock, PolicyKind, Snapshot, Timed, UpstreamName,
    address_lock::{AddressLock, KnownAddresses},
    alert::AlertSource,
    authorization_server::AuthorizationServer,
    challenges::Challenges,
    journal::Catalog,
    language::LanguageCx,
    listener_access::ListenerAccess,
    state::{State, StateRegistry},
    user_directory::UserDirectory,
};

/// A configuration with everything loaded that it refers to.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Secrets are resolved.
    pub config: ConfigDoc,
    /// Definitions by the position of their API.
    pub definitions: Parts<Option<Arc<ApiDefinition>>>,
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

    /// Users here whose passwords the manager keeps. Nobody is there without one.
    pub fn accounts(&self) -> Arc<UserDirectory> {
        UserDirectory::of_accounts(self.environment.registry)
    }

    /// Users that are kept elsewhere. Nobody is there before the gateway has begun to ask.
    pub fn user_directory(&self) -> Arc<UserDirectory> {
        UserDirectory::of(self.environment.registry)
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
    findings::check_shared(config, environment, &mut problems);
    let shared = api::Shared::new(config, environment, &authorization_servers);
    let around = api::Around { config, environment, servers: &authorization_servers, shared };
    let from = apis::From { input, around, previous, teams: &teams, groups: &groups };
    let apis = apis::Apis::compile(&from, &mut upstreams, &mut problems);
    url_aliases::compare(&config.url_aliases, &apis.list, &mut problems);
    if let Some(callbacks) = &callbacks {
        callbacks::compare(callbacks, apis.list.iter().map(|api| &*api.base_path), &mut problems);
    }
    if problems.has_errors() {
        return Err(problems);
    }

    let index = apis.index(config, previous, &mut problems)?;
    let (upstreams, upstream_index) = upstreams.finish();
    // The same upstreams have the same endpoints.
    let known = previous.filter(|previous| Arc::ptr_eq(&previous.upstream_index, &upstream_index));
    let endpoints = match known {
        Some(previous) => Arc::clone(&previous.catalog.endpoints),
        None => upstreams.iter().flat_map(|u| &u.endpoints).map(|e| Arc::clone(&e.url)).collect(),
    };
    let catalog = Arc::new(Catalog {
        revision,
        apis: apis.names,
        applications: applications.list.iter().map(|a| Arc::from(&*a.name)).collect(),
        endpoints,
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
        apis: apis.list,
        bindings: apis.bindings,
        marks: apis.marks,
        index,
        url_aliases,
        challenges: Challenges::of(&config.key_material),
        callbacks,
        upstreams,
        upstream_index,
        applications,
        subscriptions,
        authorization_servers,
        catalog,
        unrouted,
        timed: apis.timed,
    };
    Ok((snapshot, problems.0))
}
