//! Clients, by their ids, from the applications of a configuration.

use std::{collections::HashMap, sync::Arc};

use jose::KeySet;
use model::{
    ApplicationDoc, ConfigDoc,
    oauth_client::{ClientAuthentication, GrantType, OauthClientDoc},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::secret;

/// A client, ready to be compared with.
#[derive(Debug)]
pub struct Client {
    pub doc: OauthClientDoc,
    pub application: Arc<str>,
    /// The hash in hexadecimal digits, and until when it counts, in seconds since 1970.
    secrets: Vec<(String, Option<u64>)>,
    pub keys: KeySet,
}

impl Client {
    fn of(application: &ApplicationDoc, doc: &OauthClientDoc) -> Self {
        let time = |text: &String| {
            let at = OffsetDateTime::parse(text, &Rfc3339).map(OffsetDateTime::unix_timestamp);
            // What cannot be read is over.
            at.ok().and_then(|at| u64::try_from(at).ok()).unwrap_or(0)
        };
        let secrets = doc.secrets.iter().map(|secret| {
            let hash = secret.hash.trim_start_matches("sha256:").to_ascii_lowercase();
            (hash, secret.expires.as_ref().map(time))
        });
        let jwks = doc.jwks.as_ref().and_then(|jwks| KeySet::of_jwks(&serde_json::to_vec(jwks).ok()?));
        Self {
            application: application.name.as_str().into(),
            secrets: secrets.collect(),
            keys: jwks.map(|(keys, _)| keys).unwrap_or_default(),
            doc: doc.clone(),
        }
    }

    pub fn may(&self, grant: GrantType) -> bool {
        self.doc.grant_types.contains(&grant)
    }

    /// Whether it has this secret at a time, in seconds since 1970.
    pub fn has_secret(&self, text: &str, now: u64) -> bool {
        let hash = secret::hash(text);
        let live = |until: &Option<u64>| until.is_none_or(|until| now < until);
        self.doc.authentication == ClientAuthentication::ClientSecret
            && self.secrets.iter().any(|(known, until)| secret::same(known, &hash) && live(until))
    }
}

#[derive(Default)]
pub struct Clients(HashMap<String, Arc<Client>>);

impl Clients {
    /// Those of suspended applications are as good as gone.
    pub fn of(config: &ConfigDoc) -> Self {
        let applications = config.applications.iter().filter(|application| !application.suspended);
        let all = applications.flat_map(|application| {
            application
                .oauth_clients
                .iter()
                .map(|doc| (doc.id.clone(), Arc::new(Client::of(application, doc))))
        });
        Self(all.collect())
    }

    pub fn get(&self, id: &str) -> Option<Arc<Client>> {
        self.0.get(id).cloned()
    }
}
