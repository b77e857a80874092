//! The authorization server inside, on this node: it has a listener of its own, so that clients never reach the admin
//! API, and runs beside workers.

use std::{net::SocketAddr, sync::Arc};

use engine::{
    Clock, Snapshot,
    authorization_server::{Awaited, LocalServer, LocalTokens, Standing, TokenHash},
    state::StateRegistry,
};
use identity::{AuthorizationServer, ServerError};
use jose::KeySet;
use manager::Manager;
use model::{ConfigDoc, Settings};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    StartError, assertions,
    served_tls::{self, ServedTls},
};

/// An authorization server that is served.
pub(crate) struct Local {
    server: Arc<AuthorizationServer>,
    pub address: SocketAddr,
    clock: Clock,
    tasks: Vec<JoinHandle<()>>,
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
        let local = LocalServer::of(registry);
        let (keys, issuer) = (Arc::clone(&local.keys), settings.issuer.clone());
        let now = clock.clone();
        let on_keys = Box::new(move |text: &str| {
            if let Some((set, _)) = KeySet::of_jwks(text.as_bytes()) {
                keys.succeeded(Some(issuer.as_str().into()), set, text.as_bytes().into(), now.now());
            }
        });
        let server = manager.open_authorization_server(settings.clone(), on_keys).await;
        let server = match server {
            Ok(server) => server,
            Err(ServerError::Store(error)) if error.is_away() => {
                // Everything else is served from what this node has kept.
                tracing::error!(%error, "the database is away; start the node again when it is back, so that tokens are issued and known");
                return Ok(None);
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        server.take(config, assertions::issuers(snapshot, clock));
        local.begin(Arc::new(Tokens(Arc::clone(&server))));
        let router = identity::router(Arc::clone(&server));
        let serving = tokio::spawn(async move {
            if let Some(tls) = tls {
                return served_tls::serve(listener, tls, router).await;
            }
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "the authorization server ended");
            }
        });
        let tasks = vec![serving, server.follow()];
        Ok(Some(Self { server, address, clock: clock.clone(), tasks }))
    }

    /// Takes over the clients of a configuration that is served, and whose assertions they may bring.
    pub(crate) fn take(&self, config: &ConfigDoc, snapshot: &Snapshot) {
        self.server.take(config, assertions::issuers(snapshot, &self.clock));
    }

    /// Nothing is issued any more.
    pub(crate) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
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
