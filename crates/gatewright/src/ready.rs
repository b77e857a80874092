//! From a configuration to what can be served: loaded, compiled, with its certificates, and not served yet.

use std::sync::{Arc, PoisonError};

use engine::{Alerts, Clock, Snapshot, compile, state::StateRegistry};
use manager::{Assets, ChangeError};
use model::{Diagnostic, Diagnostics, Settings, upstream::UpstreamProtocol};
use proxy::tls::TlsContexts;
use tokio::sync::OwnedMutexGuard;

use crate::{
    Source,
    alerts::Plans,
    collector::Outputs,
    config::{self, Loaded, references},
    gateway::Inner,
};

/// A configuration that is compiled and not served yet.
pub(crate) struct Ready {
    inner: Arc<Inner>,
    loaded: Loaded,
    snapshot: Snapshot,
    tls: TlsContexts,
    destinations: Plans,
    warnings: Vec<Diagnostic>,
    _one_at_a_time: OwnedMutexGuard<()>,
}

impl Ready {
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Serves it; returns its revision.
    pub fn serve(self) -> Result<u64, Diagnostics> {
        let Self { inner, loaded, snapshot, tls, destinations, warnings, .. } = self;
        let stopping = || Diagnostics::from(Diagnostic::error("", "the gateway is stopping"));
        let server = inner.server().ok_or_else(stopping)?;
        let (revision, apis) = (snapshot.revision, snapshot.apis.len());
        let before = server.snapshot();
        server.publish(Arc::new(snapshot), tls).map_err(|error| {
            let path = match &error {
                proxy::StartError::Bind { .. } => "listeners",
                proxy::StartError::Thread(_) => "",
            };
            Diagnostics::from(Diagnostic::error(path, error.to_string()))
        })?;
        inner.retired.lock().unwrap_or_else(PoisonError::into_inner).push(before);
        if let Some(local) = &inner.local {
            local.take(&loaded.input.config, &server.snapshot());
        }
        if let Some(post) = &inner.post {
            post.take(destinations.mail.clone());
        }
        let before = Arc::clone(&inner.outputs.borrow());
        inner.outputs.send_replace(Arc::new(Outputs {
            settings: loaded.input.config.settings.clone(),
            store: before.store.clone(),
            analytics: before.analytics.clone(),
            node: before.node.clone(),
            destinations,
        }));
        inner.served(revision, warnings, &loaded);
        // Somebody waits for the answer, and nobody for this.
        tokio::task::spawn_blocking(move || drop(loaded));
        tracing::info!(revision, apis, "a new configuration is served");
        Ok(revision)
    }
}

/// Why there is no configuration of a revision.
#[derive(Debug)]
pub(crate) enum NoSnapshot {
    NoManager,
    Unknown { newest: u64 },
    Store(String),
    Refused(Diagnostics),
}

impl Inner {
    /// What a revision of the assets would be, were it served together with everything else that this node has now.
    pub async fn snapshot_at(self: &Arc<Self>, revision: u64) -> Result<Arc<Snapshot>, NoSnapshot> {
        let manager = self.manager.as_ref().ok_or(NoSnapshot::NoManager)?;
        let newest = manager.assets().revision;
        if revision == 0 || revision > newest {
            return Err(NoSnapshot::Unknown { newest });
        }
        let assets = manager.assets_at(revision).await.map_err(|error| match error {
            ChangeError::Invalid(problems) => NoSnapshot::Refused(problems),
            other => NoSnapshot::Store(other.to_string()),
        })?;
        let refused = references::refused(&assets, &self.started_with.manager.references);
        if !refused.is_empty() {
            return Err(NoSnapshot::Refused(refused));
        }
        let ready = self.make_ready(self.source(), Some(assets)).await.map_err(NoSnapshot::Refused)?;
        Ok(Arc::new(ready.snapshot))
    }

    /// Loads and compiles a configuration. Nobody else can make another one ready until this one is served or dropped.
    pub async fn make_ready(
        self: &Arc<Self>,
        source: &Source,
        assets: Option<Arc<Assets>>,
    ) -> Result<Ready, Diagnostics> {
        let one_at_a_time = Arc::clone(&self.reloading).lock_owned().await;
        let loaded = config::load_with_assets(source, assets.as_ref()).await?;
        let inner = Arc::clone(self);
        // Compiling thousands of APIs takes a while, in which others want to know how things are.
        let compiled = tokio::task::spawn_blocking(move || inner.compile(loaded, one_at_a_time));
        let failed =
            |error| Diagnostics::from(Diagnostic::error("", format!("it could not be compiled: {error}")));
        compiled.await.map_err(failed)?
    }

    fn compile(
        self: Arc<Self>,
        loaded: Loaded,
        one_at_a_time: OwnedMutexGuard<()>,
    ) -> Result<Ready, Diagnostics> {
        let stopping = || Diagnostics::from(Diagnostic::error("", "the gateway is stopping"));
        let previous = self.server().ok_or_else(stopping)?.snapshot();
        let environment = compile::Environment {
            kinds: self.kinds,
            registry: &self.registry,
            workers: self.workers,
            clock: self.clock.clone(),
            alerts: self.alerts.clone(),
        };
        let (snapshot, tls, destinations, mut warnings) =
            prepare(&loaded, &environment, Some(&previous), previous.revision + 1)?;
        warnings.extend(not_taken_up(&self.started_with, &loaded.input.config.settings));
        Ok(Ready {
            inner: self,
            loaded,
            snapshot,
            tls,
            destinations,
            warnings,
            _one_at_a_time: one_at_a_time,
        })
    }
}

/// Compiles what was loaded, with the certificates it names.
pub(crate) fn prepare(
    loaded: &Loaded,
    environment: &compile::Environment<'_>,
    previous: Option<&Snapshot>,
    revision: u64,
) -> Result<(Snapshot, TlsContexts, Plans, Vec<Diagnostic>), Diagnostics> {
    let destinations = Plans::compile(&loaded.input.config);
    let compiled = compile(&loaded.input, environment, previous, revision);
    let tls_for = |snapshot: &Snapshot| {
        let upstreams: Vec<_> = snapshot
            .upstreams_with_tls()
            .map(|upstream| {
                let place = loaded.input.config.upstreams.iter().position(|doc| *doc.name == *upstream.name);
                let servers = &loaded.input.config.authorization_servers;
                let server = upstream.name.strip_prefix("authorizationServers/");
                let server = server.and_then(|name| servers.iter().position(|doc| doc.name == name));
                let path = match (place, server) {
                    (Some(place), _) => format!("upstreams[{place}]"),
                    (None, Some(server)) => format!("authorizationServers[{server}]"),
                    (None, None) => "upstreams".to_owned(),
                };
                (path, upstream.doc.tls.clone(), upstream.doc.protocol)
            })
            .collect();
        TlsContexts::build(&snapshot.listeners, &upstreams, &loaded.input.config.key_material)
    };
    let (snapshot, mut warnings) = match compiled {
        Ok(compiled) => compiled,
        Err(mut problems) => {
            // Certificates can be looked at all the same, so that everything wrong is said at once.
            let upstreams: Vec<(String, _, UpstreamProtocol)> = loaded
                .input
                .config
                .upstreams
                .iter()
                .enumerate()
                .filter(|(_, doc)| doc.endpoints.iter().any(|e| e.url.starts_with("https://")))
                .map(|(place, doc)| (format!("upstreams[{place}]"), doc.tls.clone(), doc.protocol))
                .collect();
            let config = &loaded.input.config;
            if let Err(more) = TlsContexts::build(&config.listeners, &upstreams, &config.key_material) {
                problems.0.extend(more.0);
            }
            if let Err(more) = destinations {
                problems.0.extend(more.0);
            }
            return Err(loaded.locate(problems));
        }
    };
    let destinations = destinations.map_err(|problems| loaded.locate(problems))?;
    let tls = tls_for(&snapshot).map_err(|problems| loaded.locate(problems))?;
    warnings = loaded.locate(Diagnostics(warnings)).0;
    warnings.splice(0..0, loaded.warnings.iter().cloned());
    Ok((snapshot, tls, destinations, warnings))
}

/// Compiles a configuration without serving it; returns the warnings.
pub async fn check(source: &Source) -> Result<(Loaded, Vec<Diagnostic>), Diagnostics> {
    let loaded = config::load(source).await?;
    let registry = StateRegistry::default();
    let environment = compile::Environment {
        kinds: policies::POLICIES,
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: Alerts::default(),
    };
    let (_, _, _, warnings) = prepare(&loaded, &environment, None, 1)?;
    Ok((loaded, warnings))
}

/// Whether the authorization server inside would be another one, or listen elsewhere. Everything else of it is taken up.
fn is_another_server(started: &Settings, now: &Settings) -> bool {
    match (&started.authorization_server, &now.authorization_server) {
        (Some(started), Some(now)) => {
            (&started.issuer, started.address, &started.tls, started.signing_algorithm)
                != (&now.issuer, now.address, &now.tls, now.signing_algorithm)
        }
        (started, now) => started.is_some() != now.is_some(),
    }
}

/// Settings that were changed and have no effect before the next start.
fn not_taken_up(started: &Settings, now: &Settings) -> Vec<Diagnostic> {
    let changed = [
        ("workers", started.workers != now.workers),
        ("dataDirectory", started.data_directory != now.data_directory),
        ("operations.address", started.operations != now.operations),
        ("manager", started.manager != now.manager),
        ("ldap", started.ldap != now.ldap),
        ("store", started.store != now.store),
        ("authorizationServer", is_another_server(started, now)),
        ("events.retention", started.events.retention != now.events.retention),
        ("events.queue", started.events.queue != now.events.queue),
        ("events.enabled", now.events.enabled && !started.events.enabled),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(name, _)| Diagnostic::warning(format!("settings.{name}"), "takes effect with the next start"))
        .collect()
}
