//! Clients, by their ids, from the applications of a configuration.

use std::{collections::HashMap, sync::Arc};

use jose::KeySet;
use model::{
    ApplicationDoc, ConfigDoc,
    oauth_client::{ClientAuthentication, GrantType, OauthClientDoc},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{Issuer, secret};

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

    /// What users are told that it is called.
    pub fn shown_name(&self) -> &str {
        self.doc.name.as_deref().unwrap_or(&self.application)
    }

    /// Whether it has registered itself as anybody may, or a consumer has made it, so that nobody here knows who it is.
    pub fn is_unknown(&self) -> bool {
        let anybodys =
            self.doc.registration.as_ref().is_some_and(|registration| registration.initial_token.is_none());
        anybodys || self.doc.self_service
    }

    /// Whether browsers may be sent to an address: one of the client's to the letter, but for the port of a program on the
    /// user's machine, which takes the port that is free (RFC 8252, 7.3).
    pub fn comes_back_to(&self, uri: &str) -> bool {
        self.doc.redirect_uris.iter().any(|known| {
            known == uri
                || matches!((on_loopback(known), on_loopback(uri)), (Some(one), Some(other)) if one == other)
        })
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

/// Host and path of an http URL with a loopback address, without the port.
fn on_loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse::<u16>().ok()?;
            &rest[end..]
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

/// What a configuration says of clients, and of servers elsewhere that they have something from.
#[derive(Default)]
pub struct Clients {
    all: HashMap<String, Arc<Client>>,
    /// What users are told of scopes.
    scopes: HashMap<String, String>,
    pub issuers: Vec<Arc<dyn Issuer>>,
}

impl Clients {
    /// Those of suspended applications are as good as gone.
    pub fn of(config: &ConfigDoc, issuers: Vec<Arc<dyn Issuer>>) -> Self {
        let applications = config.applications.iter().filter(|application| !application.suspended);
        let all = applications.flat_map(|application| {
            application
                .oauth_clients
                .iter()
                .map(|doc| (doc.id.clone(), Arc::new(Client::of(application, doc))))
        });
        let servers = config.authorization_servers.iter().filter(|server| server.internal);
        let scopes = servers.flat_map(|server| {
            server.scopes.iter().filter_map(|scope| Some((scope.name.clone(), scope.description.clone()?)))
        });
        Self { scopes: scopes.collect(), all: all.collect(), issuers }
    }

    pub fn get(&self, id: &str) -> Option<Arc<Client>> {
        self.all.get(id).cloned()
    }

    /// What a scope means, for people.
    pub fn meaning(&self, scope: &str) -> Option<&str> {
        self.scopes.get(scope).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_go_back_to_the_letter_but_for_the_port_of_a_program_on_the_same_machine() {
        let application: ApplicationDoc = serde_json::from_value(serde_json::json!({
            "name": "shop",
            "oauthClients": [{ "id": "shop", "redirectUris": [
                "https://shop.example/back?a=b", "http://127.0.0.1/back", "http://localhost:3000/back", "com.example.app:/back",
            ]}],
        }))
        .expect("it is an application");
        let client = Client::of(&application, &application.oauth_clients[0]);
        for good in [
            "https://shop.example/back?a=b",
            "http://127.0.0.1/back",
            "http://127.0.0.1:51004/back",
            "http://localhost:3000/back",
            "com.example.app:/back",
        ] {
            assert!(client.comes_back_to(good), "{good}");
        }
        for wrong in [
            "https://shop.example/back",
            "https://shop.example/back?a=b&c=d",
            "https://shop.example:443/back?a=b",
            "https://SHOP.example/back?a=b",
            "http://127.0.0.1:51004/back/more",
            "http://127.0.0.1:51004/back?x",
            "http://127.0.0.1:99999/back",
            "http://127.0.0.1.evil.example/back",
            "http://127.0.0.1:80@evil.example/back",
            "http://[::1]:51004/back",
            "https://127.0.0.1:51004/back",
            "http://localhost:3001/back",
            "com.example.app:/back/more",
        ] {
            assert!(!client.comes_back_to(wrong), "{wrong}");
        }
    }
}
