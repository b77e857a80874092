//! The authorization server inside, on this node: it has a listener of its own, so that clients never reach the admin
//! API, and runs beside workers. While the database is away when a node starts, clients are told to come again.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use engine::{
    Clock, Snapshot,
    authorization_server::{Awaited, LocalServer, LocalTokens, Standing, TokenHash},
    state::StateRegistry,
};
use identity::{AuthorizationServer, Configured, OnKeys, ServerError};
use jose::KeySet;
use manager::Manager;
use model::{ConfigDoc, Settings, oauth_client::AuthorizationServerSettings};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

use crate::{
    StartError, assertions,
    served_tls::{self, ServedTls},
};

/// How often it is tried again while the database is away.
const AGAIN: Duration = Duration::from_secs(1);

/// An authorization server that is served.
pub(crate) struct Local {
    pub address: SocketAddr,
    clock: Clock,
    opening: Arc<Opening>,
    tasks: Mutex<JoinSet<()>>,
}

/// The server, on its way or there.
struct Opening {
    manager: Arc<Manager>,
    settings: AuthorizationServerSettings,
    local: Arc<LocalServer>,
    clock: Clock,
    /// What was configured last, for when it is there.
    configured: Mutex<Configured>,
    opened: OnceLock<Opened>,
}

struct Opened {
    server: Arc<AuthorizationServer>,
    router: Router,
}

impl Local {
    /// Opens it, when the settings ask for one.
    pub(crate) async fn open(
        settings: &Settings,
        manager: Option<&Arc<Manager>>,
        config: &ConfigDoc,
        snapshot: &Snapshot,
        registry: &StateRegistry,
        clock: &Clock,
    ) -> Result<Option<Self>, StartError> {
        let (Some(settings), Some(manager)) = (&settings.authorization_server, manager) else {
            return Ok(None);
        };
        let failed = |error: String| StartError::Issuer { address: settings.address, error };
        let read = |doc| ServedTls::read("the authorization server", "settings.authorizationServer.tls", doc);
        let tls = settings.tls.clone().map(read).transpose();
        let tls = tls.map_err(|problem| StartError::Config(problem.into()))?;
        let bound = TcpListener::bind(settings.address).await;
        let listener = bound.map_err(|error| failed(format!("cannot listen: {error}")))?;
        let address = listener.local_addr().unwrap_or(settings.address);
        let opening = Arc::new(Opening {
            manager: Arc::clone(manager),
            settings: settings.clone(),
            local: LocalServer::of(registry),
            clock: clock.clone(),
            configured: Mutex::new(Configured::by(config, assertions::issuers(snapshot, clock))),
            opened: OnceLock::new(),
        });
        let mut tasks = JoinSet::new();
        match opening.open().await {
            Ok(server) => {
                tasks.spawn(async move { server.follow().await });
            }
            Err(ServerError::Store(error)) if error.is_away() => {
                // Everything else is served from what this node has kept.
                tracing::error!(%error, "the database is away; no tokens are issued, and none from inside are known, until it is back");
                tasks.spawn(Arc::clone(&opening).open_later());
            }
            Err(error) => return Err(failed(error.to_string())),
        }
        tasks.spawn(serve(listener, tls, Arc::clone(&opening)));
        Ok(Some(Self { address, clock: clock.clone(), opening, tasks: Mutex::new(tasks) }))
    }

    /// Takes over what is configured now.
    pub(crate) fn take(&self, config: &ConfigDoc, snapshot: &Snapshot) {
        self.opening.take(Configured::by(config, assertions::issuers(snapshot, &self.clock)));
    }

    /// Nothing is issued any more.
    pub(crate) fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Opening {
    async fn open(&self) -> Result<Arc<AuthorizationServer>, ServerError> {
        let server = self.manager.open_authorization_server(self.settings.clone(), self.on_keys()).await?;
        let configured = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        server.take(configured.clone());
        let router = identity::router(Arc::clone(&server));
        let _ = self.opened.set(Opened { server: Arc::clone(&server), router });
        drop(configured);
        self.local.begin(Arc::new(Tokens(Arc::clone(&server))));
        Ok(server)
    }

    /// Requests verify with the keys that the server has.
    fn on_keys(&self) -> OnKeys {
        let (keys, issuer) = (Arc::clone(&self.local.keys), self.settings.issuer.clone());
        let now = self.clock.clone();
        Box::new(move |text: &str| {
            if let Some((set, _)) = KeySet::of_jwks(text.as_bytes()) {
                keys.succeeded(Some(issuer.as_str().into()), set, text.as_bytes().into(), now.now());
            }
        })
    }

    async fn open_later(self: Arc<Self>) {
        loop {
            tokio::time::sleep(AGAIN).await;
            match self.open().await {
                Ok(server) => {
                    tracing::info!("the database is back, and tokens are issued");
                    return server.follow().await;
                }
                Err(ServerError::Store(error)) if error.is_away() => {}
                Err(error) => tracing::error!(%error, "the authorization server does not open"),
            }
        }
    }

    /// What comes while it is opened is not missed: both look under the lock.
    fn take(&self, configured: Configured) {
        let mut latest = self.configured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = self.opened.get() {
            opened.server.take(configured.clone());
        }
        *latest = configured;
    }
}

async fn serve(listener: TcpListener, tls: Option<ServedTls>, opening: Arc<Opening>) {
    let router = Router::new().fallback(move |request: Request| {
        let router = opening.opened.get().map(|opened| opened.router.clone());
        async move {
            match router {
                Some(router) => router.oneshot(request).await.into_response(),
                None => away(),
            }
        }
    });
    if let Some(tls) = tls {
        return served_tls::serve(listener, tls, router).await;
    }
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!(%error, "the authorization server ended");
    }
}

/// As RFC 6749 names what is wrong here.
fn away() -> Response {
    let told = "{\"error\":\"temporarily_unavailable\",\"error_description\":\"the database is away; try again later\"}";
    let headers = [
        (axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (RETRY_AFTER, HeaderValue::from_static("5")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, told).into_response()
}

/// What requests see of it.
struct Tokens(Arc<AuthorizationServer>);

impl LocalTokens for Tokens {
    fn find(&self, hash: &TokenHash) -> Standing {
        match self.0.index.get(hash) {
            None => Standing::Unknown,
            Some(live) if live.is_revoked() => Standing::Revoked,
            Some(live) => Standing::Live { claims: self.0.claims(&live, None), until: live.expires_at },
        }
    }

    fn is_revoked(&self, hash: &TokenHash) -> bool {
        self.0.index.is_revoked(hash)
    }

    fn revocations(&self) -> u64 {
        self.0.index.revocations()
    }

    fn catch_up(&self) -> Option<Awaited> {
        self.0.index.is_shared().then(|| {
            let (passes, number) = self.0.look();
            Awaited::new(passes, number)
        })
    }
}
