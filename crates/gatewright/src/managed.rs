//! The manager on this node: its store is opened, its changes are compiled and served here, and its API listens.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Weak},
};

use axum::extract::Request;
use engine::Clock;
use manager::{Answering, Assets, Manager, Node, PolicyType, Prepared, Preparing, Setup};
use model::{Diagnostic, Diagnostics, Settings};
use store::assets::{AssetStore, StoreUrl};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;

use crate::{
    Source, StartError,
    config::references,
    console,
    gateway::{Inner, data_directory, node_name},
    ops,
    ready::Ready,
};

/// A manager that is open and not served yet.
pub(crate) struct Opened {
    pub manager: Arc<Manager>,
    /// Password of the administrator that this start has made.
    pub first_password: Option<String>,
    listener: TcpListener,
    address: SocketAddr,
}

/// A manager that is served.
pub(crate) struct Managed {
    pub manager: Arc<Manager>,
    pub first_password: Option<String>,
    pub address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// Opens the manager, when the settings ask for one.
pub(crate) async fn open(
    settings: &Settings,
    source: &Source,
    clock: &Clock,
) -> Result<Option<Opened>, StartError> {
    if !settings.manager.enabled {
        return Ok(None);
    }
    let url = match &settings.store.url {
        Some(secret) => StoreUrl::Postgres(secret.expose().unwrap_or_default().to_owned()),
        None => StoreUrl::File(file(data_directory(settings, source))?),
    };
    let wanted = settings.manager.address;
    let bound = TcpListener::bind(wanted).await;
    let listener = bound.map_err(|error| StartError::Admin { address: wanted, error })?;
    let store = AssetStore::open(&url).await.map_err(|error| StartError::Manager(error.into()))?;
    let clock = clock.clone();
    let setup = Setup {
        settings: settings.manager.clone(),
        machine: node_name(),
        now: Box::new(move || clock.now().0 / 1_000),
    };
    let (manager, first_password) = Manager::open(store, setup).await.map_err(StartError::Manager)?;
    let address = listener.local_addr().unwrap_or(wanted);
    Ok(Some(Opened { manager, first_password, listener, address }))
}

fn file(directory: PathBuf) -> Result<PathBuf, StartError> {
    std::fs::create_dir_all(&directory).map_err(|cause| {
        let store = store::StoreError::Io { action: "create", path: directory.clone(), cause };
        StartError::Manager(store.into())
    })?;
    Ok(directory.join("assets.db"))
}

impl Opened {
    /// Changes are compiled and served by this node from now on, and may be asked for.
    pub(crate) fn serve(self, inner: &Arc<Inner>) -> Managed {
        self.manager.serve_on(Arc::new(ThisNode(Arc::downgrade(inner))));
        let follow = self.manager.follow();
        let router = console::beside(manager::router(Arc::clone(&self.manager)));
        let answer = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            if let Err(error) = axum::serve(self.listener, service).await {
                tracing::error!(%error, "the admin API ended");
            }
        });
        Managed {
            manager: self.manager,
            first_password: self.first_password,
            address: self.address,
            tasks: [follow, answer],
        }
    }
}

impl Managed {
    /// Nobody may change anything any more.
    pub(crate) async fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.manager.close().await;
    }
}

struct ThisNode(Weak<Inner>);

impl Node for ThisNode {
    fn prepare(&self, assets: Arc<Assets>) -> Preparing<'_> {
        Box::pin(async move {
            let stopping = || Diagnostics::from(Diagnostic::error("", "the gateway is stopping"));
            let inner = self.0.upgrade().ok_or_else(stopping)?;
            let refused = references::refused(&assets, &inner.started_with.manager.references);
            if !refused.is_empty() {
                return Err(refused);
            }
            let ready = inner.make_ready(inner.source(), Some(assets)).await?;
            Ok(Box::new(ready) as Box<dyn Prepared>)
        })
    }

    fn failed(&self, problems: Diagnostics) {
        if let Some(inner) = self.0.upgrade() {
            inner.failed(problems);
        }
    }

    fn policy_types(&self) -> Vec<PolicyType> {
        let Some(inner) = self.0.upgrade() else { return Vec::new() };
        let types = inner.kinds.iter().map(|kind| PolicyType {
            type_name: kind.type_name,
            stage: kind.stage.name(),
            repeatable: kind.repeatable,
            excludes: kind.excludes,
            needs_application: kind.needs_application,
            posture: kind.posture,
            example: kind.example,
            schema: (kind.schema)(),
        });
        types.collect()
    }

    fn answer(&self, request: Request) -> Answering<'_> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else { return ops::stopping() };
            let answered = ops::router(inner).oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        })
    }
}

impl Prepared for Ready {
    fn warnings(&self) -> &[Diagnostic] {
        self.warnings()
    }

    fn serve(self: Box<Self>) -> Result<(), Diagnostics> {
        (*self).serve().map(|_| ())
    }
}
