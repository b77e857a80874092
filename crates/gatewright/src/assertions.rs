//! Servers elsewhere whose assertions the authorization server inside takes: they are those of `authorizationServers`, and
//! so are their keys, which `token_keys` fetches for requests, too.

use std::{sync::Arc, time::Duration};

use engine::{
    Clock, Snapshot,
    authorization_server::{Asked, AuthorizationServer, Fetcher, claim},
};
use identity::{Issuer, Later, LookedAt};
use jose::{Algorithm, KeySet};
use model::authorization_server::AssertionsDoc;
use serde_json::{Map, Value};
use tokio::time::timeout;

/// How long a client waits for keys that are not known yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Those of a snapshot.
pub(crate) fn issuers(snapshot: &Snapshot, clock: &Clock) -> Vec<Arc<dyn Issuer>> {
    let servers = &snapshot.authorization_servers;
    let issuer = |server: &Arc<AuthorizationServer>| {
        let doc = server.assertions.clone()?;
        let public = server.algorithms.iter().filter(|algorithm| !algorithm.is_symmetric());
        let elsewhere = Elsewhere {
            doc,
            algorithms: public.copied().collect(),
            server: Arc::clone(server),
            fetcher: Arc::clone(&servers.fetcher),
            clock: clock.clone(),
        };
        Some(Arc::new(elsewhere) as Arc<dyn Issuer>)
    };
    servers.list.iter().filter_map(issuer).collect()
}

struct Elsewhere {
    doc: AssertionsDoc,
    /// None with a secret: who verifies such a signature could have made it.
    algorithms: Vec<Algorithm>,
    server: Arc<AuthorizationServer>,
    fetcher: Arc<Fetcher>,
    clock: Clock,
}

impl Issuer for Elsewhere {
    fn name(&self) -> &str {
        &self.server.name
    }

    fn issuer(&self) -> Option<String> {
        let published = self.server.keys.published();
        self.server.issuer(published.as_deref()).map(str::to_owned)
    }

    fn doc(&self) -> &AssertionsDoc {
        &self.doc
    }

    fn skew(&self) -> Duration {
        self.server.skew
    }

    fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    fn user(&self, claims: &Map<String, Value>) -> Option<String> {
        let name = self.doc.user_claim.as_deref().unwrap_or("sub");
        claim(claims, name)?.as_str().filter(|user| !user.is_empty()).map(str::to_owned)
    }

    fn with_keys<'a>(&'a self, look: &'a mut (dyn FnMut(&KeySet) -> LookedAt + Send)) -> Later<'a, bool> {
        Box::pin(async move {
            let keys = &self.server.keys;
            let mut seen = 0;
            if let Some(published) = keys.published() {
                seen = published.version;
                if look(&published.keys) == LookedAt::Decided {
                    return true;
                }
            }
            if let Asked::Fetching(awaited) = keys.ask(&self.fetcher, self.clock.now(), seen) {
                let _ = timeout(PATIENCE, awaited.end()).await;
            }
            match keys.published().filter(|published| published.version != seen) {
                Some(published) => {
                    look(&published.keys);
                    true
                }
                None => seen != 0,
            }
        })
    }
}
