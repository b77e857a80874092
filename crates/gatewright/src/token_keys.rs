//! Keys of authorization servers: fetched when the gateway starts, from time to time, and when a token names one that is
//! not known. Beside requests, which go on with what is known, also while a server is down.

use std::{io, sync::Arc, time::Duration};

use engine::{
    Snapshot, Timestamp,
    authorization_server::{AuthorizationServer, KeySource},
};
use http::Uri;
use jose::KeySet;
use model::upstream::UpstreamProtocol;
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};
use tokio_rustls::rustls::ClientConfig;

use crate::{client, gateway::Inner};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Longest wait for metadata or keys.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest document.
const LARGEST: usize = 1 << 20;
const METADATA: &str = "/.well-known/";

/// Fetches keys for as long as the gateway runs.
pub(crate) async fn keep(inner: Arc<Inner>) {
    let mut fetching = JoinSet::new();
    loop {
        let Some(server) = inner.server() else { return };
        let snapshot = server.snapshot();
        let now = inner.clock.now();
        for issuer in &snapshot.authorization_servers.list {
            if issuer.keys.begin(now) {
                let tls = server.upstream_tls(&issuer.tls, UpstreamProtocol::Http1);
                fetching.spawn(fetch(Arc::clone(issuer), tls, inner.clock.clone()));
            }
        }
        drop(server);
        while fetching.try_join_next().is_some() {}
        let fetcher = Arc::clone(&snapshot.authorization_servers.fetcher);
        drop(snapshot);
        // Either somebody waits for keys, or it is time to look.
        let _ = timeout(LOOK_EVERY, fetcher.asked()).await;
    }
}

async fn fetch(issuer: Arc<AuthorizationServer>, tls: Option<Arc<ClientConfig>>, clock: engine::Clock) {
    let name = &issuer.name;
    let found = timeout(PATIENCE, read(&issuer, tls, clock.now())).await;
    let found = found.unwrap_or_else(|_| Err(io::Error::other("no answer within 10 seconds")));
    let now = clock.now();
    match found {
        Ok(Found { named, keys, unusable, text }) => {
            let count = keys.len();
            if issuer.keys.succeeded(named.map(Into::into), keys, text, now) {
                tracing::info!(server = %name, keys = count, "an authorization server has published keys");
                for problem in unusable {
                    tracing::info!(server = %name, %problem, "a key of an authorization server is not used");
                }
            }
        }
        Err(error) => {
            let failing = issuer.keys.failed(error.to_string(), now);
            // Once, and then less and less often.
            if failing.is_power_of_two() {
                let known = issuer.keys.published().map_or(0, |published| published.keys.len());
                tracing::warn!(server = %name, %error, failing, known, "the keys of an authorization server could not be fetched; those that are known go on being used");
            }
        }
    }
}

struct Found {
    /// As the server calls itself.
    named: Option<String>,
    keys: KeySet,
    unusable: Vec<jose::NotUsable>,
    text: Box<[u8]>,
}

async fn read(
    issuer: &AuthorizationServer,
    tls: Option<Arc<ClientConfig>>,
    now: Timestamp,
) -> io::Result<Found> {
    let get = async |uri: &Uri| {
        client::get(uri, tls.clone(), issuer.tls.server_name.as_deref(), LARGEST)
            .await
            .map_err(|error| io::Error::other(format!("{uri}: {error}")))
    };
    let (named, uri) = match &issuer.keys.source {
        KeySource::Jwks(uri) => (None, uri.clone()),
        KeySource::Discovery(uri) => {
            let text = get(uri).await?;
            let (named, uri) = metadata(uri, &text, issuer.issuer.as_deref()).map_err(io::Error::other)?;
            (Some(named), uri)
        }
        KeySource::SamlMetadata(uri) => {
            let text = get(uri).await?;
            return saml_metadata(&text, issuer.issuer.as_deref(), now).map_err(io::Error::other);
        }
        KeySource::None | KeySource::Written | KeySource::Internal => {
            return Err(io::Error::other("it has no keys to be fetched"));
        }
    };
    let text = get(&uri).await?;
    let (keys, unusable) = key_set(&uri, &text)?;
    Ok(Found { named, keys, unusable, text: text.to_vec().into() })
}

/// The keys in metadata of SAML. Those that have expired take them away: whoever wrote them did not want them to be believed
/// for longer.
fn saml_metadata(text: &[u8], expected: Option<&str>, now: Timestamp) -> Result<Found, String> {
    let text = std::str::from_utf8(text).map_err(|_| "its metadata are no UTF-8")?;
    let signer = saml::Signer::read(text, expected).map_err(|problem| format!("its metadata: {problem}"))?;
    let expired = signer.valid_until.is_some_and(|until| until <= now.seconds());
    if expired {
        tracing::warn!(issuer = signer.entity_id, "metadata of SAML have expired (`validUntil`)");
    }
    let (keys, text) = match expired {
        true => (KeySet::default(), &b"expired"[..]),
        false => (signer.keys, text.as_bytes()),
    };
    Ok(Found { named: Some(signer.entity_id), keys, unusable: Vec::new(), text: text.into() })
}

/// The keys of a JWK Set, and those that cannot be used.
pub(crate) fn key_set(uri: &Uri, text: &[u8]) -> io::Result<(KeySet, Vec<jose::NotUsable>)> {
    let (keys, unusable) =
        KeySet::of_jwks(text).ok_or_else(|| io::Error::other(format!("{uri}: it is no JWK Set")))?;
    if keys.is_empty() {
        // An empty answer is a mistake far more often than the end of all tokens.
        return Err(io::Error::other(format!("{uri}: it holds no key that can be used")));
    }
    Ok((keys, unusable))
}

/// The issuer and where its keys are, from what a server says of itself (OpenID Connect Discovery; RFC 8414). It must not
/// pass for another one (RFC 9700, 2.6).
pub(crate) fn metadata(url: &Uri, text: &[u8], expected: Option<&str>) -> Result<(String, Uri), String> {
    let document = jose::object(text).ok_or("its metadata are no JSON object")?;
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    let named = member("issuer").ok_or("its metadata name no issuer")?;
    match expected {
        Some(expected) if expected != named => {
            return Err(format!(
                "it calls itself `{}`, and `issuer` says `{}`",
                jose::shown(named),
                jose::shown(expected)
            ));
        }
        None if !is_at_home(&url.to_string(), named) => {
            return Err(format!(
                "its metadata are not below the issuer that they name, `{}`; if that is right, write it as `issuer`",
                jose::shown(named)
            ));
        }
        _ => {}
    }
    let keys: Uri = member("jwks_uri")
        .and_then(|keys| keys.parse().ok())
        .filter(|keys: &Uri| keys.authority().is_some())
        .ok_or("its metadata name no JWK Set")?;
    if url.scheme_str() == Some("https") && keys.scheme_str() != Some("https") {
        return Err("its metadata lead to keys without https".to_owned());
    }
    Ok((named.to_owned(), keys))
}

/// Whether metadata are where their issuer has them: below it, or between its host and its path.
fn is_at_home(url: &str, issuer: &str) -> bool {
    let issuer = issuer.trim_end_matches('/');
    if url.strip_prefix(issuer).is_some_and(|rest| rest.starts_with(METADATA)) {
        return true;
    }
    let Some((origin, name)) = url.split_once(METADATA) else { return false };
    issuer.strip_prefix(origin).is_some_and(|path| path.starts_with('/') && name.ends_with(path))
}

/// How it goes with the keys, for the status.
pub(crate) fn status(snapshot: &Snapshot, now: Timestamp) -> Vec<Value> {
    let of = |issuer: &Arc<AuthorizationServer>| {
        let status = issuer.keys.status();
        let published = issuer.keys.published();
        json!({
            "name": issuer.name,
            "issuer": issuer.issuer(published.as_deref()),
            "keys": status.keys,
            "keysFetched": issuer.keys.is_remote(),
            "keysAgeSeconds": status.read.map(|read| now.since(read).as_secs()),
            "failing": status.failing,
            "problem": status.problem,
        })
    };
    snapshot.authorization_servers.list.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_must_belong_to_their_issuer() {
        for (url, issuer, keys, expected, problem) in [
            ("https://a/.well-known/openid-configuration", "https://a", "https://k/j", None, ""),
            ("https://a/.well-known/openid-configuration", "https://a/", "https://k/j", None, ""),
            ("https://a/t/.well-known/openid-configuration", "https://a/t", "https://k/j", None, ""),
            ("https://a/.well-known/oauth-authorization-server/t", "https://a/t", "https://k/j", None, ""),
            ("https://a/.well-known/openid-configuration", "https://b", "https://k/j", None, "not below"),
            (
                "https://a/.well-known/openid-configuration",
                "https://a.evil",
                "https://k/j",
                None,
                "not below",
            ),
            (
                "https://a/.well-known/oauth-authorization-server/t",
                "https://a/u",
                "https://k/j",
                None,
                "not below",
            ),
            ("https://a/.well-known/openid-configuration", "https://b", "https://k/j", Some("https://b"), ""),
            (
                "https://a/.well-known/openid-configuration",
                "https://b",
                "https://k/j",
                Some("https://a"),
                "calls itself",
            ),
            ("https://a/.well-known/openid-configuration", "https://a", "http://k/j", None, "without https"),
            ("http://a/.well-known/openid-configuration", "http://a", "http://k/j", None, ""),
            ("https://a/.well-known/openid-configuration", "https://a", "/j", None, "no JWK Set"),
        ] {
            let text = json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
            let found = metadata(&url.parse().expect("a URL"), text.as_bytes(), expected);
            match found {
                Ok(_) => assert_eq!(problem, "", "{url} {issuer}"),
                Err(found) => {
                    assert!(!problem.is_empty() && found.contains(problem), "{url} {issuer}: {found}")
                }
            }
        }
    }
}
