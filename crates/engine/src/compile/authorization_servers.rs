//! Authorization servers, from what is written: everything that tokens are compared with is made ready here.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use base64ct::{Base64, Encoding};
use foldhash::fast::FixedState;
use http::{HeaderValue, Uri, uri::PathAndQuery};
use jose::{Algorithm, DecryptionKeys, Key, KeySet};
use model::{
    AuthorizationServerDoc, ConfigDoc, Diagnostic, Diagnostics, Secret, UpstreamDoc,
    authorization_server::{AssertionFormat, IntrospectionDoc, ScopeMapping, TokenAlgorithm},
    diagnostic::nearest,
    upstream::{UpstreamProtocol, UpstreamTls},
};

use super::{Environment, assertions, upstreams::Upstreams};
use crate::{
    UpstreamName,
    authorization_server::{
        AuthorizationServer, AuthorizationServers, Introspection, KeySource, KeyState, LocalServer, provider,
    },
    route::encode_query,
    snapshot::Snapshot,
};

const LONGEST_SKEW: Duration = Duration::from_secs(600);
const SHORTEST_REFRESH: Duration = Duration::from_secs(60);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Kinds of access tokens that are usual (RFC 9068, 2.1).
const ACCESS_TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// Compiles all of them. Those that did not change are taken over from the snapshot before, and keys from wherever they
/// were known.
pub(super) fn compile(
    config: &ConfigDoc,
    environment: &Environment<'_>,
    previous: Option<&Snapshot>,
    upstreams: &mut Upstreams<'_>,
    problems: &mut Diagnostics,
) -> AuthorizationServers {
    let fetcher = match previous {
        Some(previous) => Arc::clone(&previous.authorization_servers.fetcher),
        None => Arc::default(),
    };
    let mut list = Vec::with_capacity(config.authorization_servers.len());
    for (index, doc) in config.authorization_servers.iter().enumerate() {
        let path = format!("authorizationServers[{index}]");
        let earlier = &config.authorization_servers[..index];
        let mut job = Job { doc, config, problems: Diagnostics::default() };
        job.check_name(earlier);
        let upstream = job.upstream();
        let fingerprint = job.fingerprint();
        let known = previous.and_then(|previous| previous.authorization_servers.by_name(&doc.name));
        let server = match known.filter(|known| known.fingerprint == fingerprint) {
            Some(known) => Some(Arc::clone(known)),
            None => job.compile(environment, fingerprint).map(Arc::new),
        };
        job.check_mapping();
        job.check_assertions(server.as_deref());
        problems.0.extend(job.problems.0.into_iter().map(|problem| problem.under(&path)));
        let Some(server) = server else { continue };
        if let Some(upstream) = upstream {
            upstreams.add(upstream, &path, problems);
        }
        list.push(server);
    }
    AuthorizationServers { list, fetcher }
}

/// Names the keys of a server in the registry.
fn key_of(doc: &AuthorizationServerDoc, source: &KeySource) -> String {
    format!("authorization server:{}:{source:?}:{:?}:{:?}", doc.name, doc.tls, doc.key_refresh)
}

/// One server on its way.
struct Job<'a> {
    doc: &'a AuthorizationServerDoc,
    config: &'a ConfigDoc,
    problems: Diagnostics,
}

impl Job<'_> {
    fn error(&mut self, path: &str, problem: impl Into<String>) {
        self.problems.push(Diagnostic::error(path, problem));
    }

    fn check_name(&mut self, earlier: &[AuthorizationServerDoc]) {
        let name = &self.doc.name;
        if name.trim().is_empty() {
            self.error("name", "found an empty name, expected one that policies can use");
        } else if earlier.iter().any(|other| other.name == *name) {
            self.error("name", format!("found `{name}` a second time, expected a name of its own"));
        }
    }

    /// Covers everything that the server is made from.
    fn fingerprint(&self) -> u64 {
        let mut hasher = FixedState::with_seed(7).build_hasher();
        serde_json::to_vec(self.doc).unwrap_or_default().hash(&mut hasher);
        let introspection = self.doc.introspection.iter().map(|doc| &doc.client_secret);
        let decryption = self.doc.decryption.iter().map(|doc| &doc.key);
        for secret in self.doc.secret.iter().chain(introspection).chain(decryption) {
            self.config.resolved_secrets.get(secret).hash(&mut hasher);
        }
        if self.doc.internal {
            serde_json::to_vec(&self.config.settings.authorization_server)
                .unwrap_or_default()
                .hash(&mut hasher);
        }
        self.doc.certificate_file.as_ref().map(|file| self.config.files.get(file)).hash(&mut hasher);
        hasher.finish()
    }

    fn compile(&mut self, environment: &Environment<'_>, fingerprint: u64) -> Option<AuthorizationServer> {
        let doc = self.doc;
        if doc.internal {
            return self.compile_internal(environment, fingerprint);
        }
        let source = self.source();
        let written = self.written();
        let is_written = doc.jwks.is_some() || doc.certificate_file.is_some() || doc.secret.is_some();
        if is_written && !matches!(source, KeySource::None) {
            self.error("", "expected keys that are fetched or keys that are written down, found both");
        }
        if !is_written && matches!(source, KeySource::None) && doc.introspection.is_none() {
            let (problem, help) = match self.is_saml() {
                true => {
                    ("nothing says how assertions are verified", "add `samlMetadata` or `certificateFile`")
                }
                false => (
                    "nothing says how tokens are checked",
                    "add `issuer: https://…`, `jwksUri`, `jwks`, `certificateFile` or `introspection`",
                ),
            };
            self.problems.push(Diagnostic::error("", problem).help(help));
        }
        if doc.issuer.is_none() && (is_written || matches!(source, KeySource::Jwks(_))) {
            self.problems.push(
                Diagnostic::error("issuer", "missing, and there are keys")
                    .help("write what the tokens have in `iss`; a token of another issuer is refused"),
            );
        }
        self.check_limits();
        self.check_saml();
        let algorithms = self.algorithms(is_written);
        let decryption = self.decryption();
        let introspection = doc.introspection.as_ref().and_then(|doc| self.introspection(doc));
        if self.problems.has_errors() {
            return None;
        }
        let keys = match (written, &source) {
            (Some(keys), _) => Arc::new(KeyState::written(keys)),
            (None, source) => {
                let make = || KeyState::new(source.clone(), doc.key_refresh.get());
                environment.registry.keep(key_of(doc, source), make)
            }
        };
        let types = doc.types.iter().map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").unwrap_or(&kind).to_owned()
        });
        Some(AuthorizationServer {
            name: doc.name.as_str().into(),
            issuer: doc.issuer.as_deref().map(Into::into),
            audiences: doc.audiences.clone(),
            any_audience: doc.any_audience,
            algorithms,
            types: match doc.types.is_empty() {
                true => ACCESS_TYPES.map(str::to_owned).to_vec(),
                false => types.collect(),
            },
            skew: doc.clock_skew.get(),
            max_age: doc.max_age.map(|age| age.get()),
            introspection,
            decryption,
            claims: provider::claims(doc.provider, &doc.claims),
            scope_mapping: doc.scope_mapping.clone(),
            assertions: doc.assertions.clone(),
            tls: doc.tls.clone(),
            keys,
            local: None,
            fingerprint,
        })
    }

    /// The server inside: what there is to know of it is in the settings.
    fn compile_internal(
        &mut self,
        environment: &Environment<'_>,
        fingerprint: u64,
    ) -> Option<AuthorizationServer> {
        let doc = self.doc;
        let elsewhere = [
            ("issuer", doc.issuer.is_some()),
            ("discovery", doc.discovery.is_some()),
            ("jwksUri", doc.jwks_uri.is_some()),
            ("jwks", doc.jwks.is_some()),
            ("certificateFile", doc.certificate_file.is_some()),
            ("samlMetadata", doc.saml_metadata.is_some()),
            ("secret", doc.secret.is_some()),
            ("introspection", doc.introspection.is_some()),
            ("decryption", !doc.decryption.is_empty()),
            ("algorithms", !doc.algorithms.is_empty()),
            ("assertions", doc.assertions.is_some()),
        ];
        for (path, _) in elsewhere.into_iter().filter(|(_, is_there)| *is_there) {
            self.error(path, "the internal authorization server has it from `settings.authorizationServer`");
        }
        let Some(settings) = &self.config.settings.authorization_server else {
            self.problems.push(
                Diagnostic::error("internal", "found `true`, and there is no internal authorization server")
                    .help("add `settings.authorizationServer` with an `issuer`"),
            );
            return None;
        };
        if self.problems.has_errors() {
            return None;
        }
        let local = LocalServer::of(environment.registry);
        let audience = settings.audience.as_ref().unwrap_or(&settings.issuer);
        Some(AuthorizationServer {
            name: doc.name.as_str().into(),
            issuer: Some(settings.issuer.as_str().into()),
            audiences: match doc.audiences.is_empty() && !doc.any_audience {
                true => vec![audience.clone()],
                false => doc.audiences.clone(),
            },
            any_audience: doc.any_audience,
            algorithms: Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect(),
            types: vec!["at+jwt".to_owned()],
            skew: doc.clock_skew.get(),
            max_age: doc.max_age.map(|age| age.get()),
            introspection: None,
            decryption: DecryptionKeys::default(),
            claims: provider::claims(doc.provider, &doc.claims),
            scope_mapping: doc.scope_mapping.clone(),
            assertions: None,
            tls: doc.tls.clone(),
            keys: Arc::clone(&local.keys),
            local: Some(local),
            fingerprint,
        })
    }

    fn check_limits(&mut self) {
        let doc = self.doc;
        match (doc.audiences.is_empty(), doc.any_audience) {
            // Then its tokens are good for nothing else.
            (true, false) if doc.assertions.is_some() => {}
            (true, false) => self.problems.push(
                Diagnostic::error("audiences", "missing, so that tokens for anybody would be accepted")
                    .help("write what the tokens have in `aud`, or `anyAudience: true`"),
            ),
            (false, true) => self.error("anyAudience", "found `true`, and there are `audiences`"),
            _ => {}
        }
        for (path, texts) in [("audiences", &doc.audiences), ("types", &doc.types)] {
            for (index, text) in texts.iter().enumerate() {
                if text.is_empty() {
                    self.error(&format!("{path}[{index}]"), "found an empty text");
                }
            }
        }
        if doc.issuer.as_deref().is_some_and(str::is_empty) {
            self.error("issuer", "found an empty text, expected what tokens have in `iss`");
        }
        if doc.clock_skew.get() > LONGEST_SKEW {
            self.error("clockSkew", format!("found {}, expected at most 10m", doc.clock_skew));
        }
        if doc.key_refresh.get() < SHORTEST_REFRESH {
            self.error("keyRefresh", format!("found {}, expected at least 1m", doc.key_refresh));
        }
        if doc.max_age.is_some_and(|age| age.get().is_zero()) {
            self.error("maxAge", "found 0s, which no token is younger than");
        }
    }

    fn is_saml(&self) -> bool {
        self.doc.assertions.as_ref().is_some_and(|assertions| assertions.format == AssertionFormat::Saml2)
    }

    /// What signs assertions of SAML does nothing else.
    fn check_saml(&mut self) {
        let doc = self.doc;
        let is_saml = self.is_saml();
        if doc.saml_metadata.is_some() && !is_saml {
            self.problems.push(
                Diagnostic::error("samlMetadata", "found some, and no assertions of SAML are taken")
                    .help("write `assertions` with `format: saml2`"),
            );
        }
        let others = [
            ("audiences", !doc.audiences.is_empty()),
            ("anyAudience", doc.any_audience),
            ("algorithms", !doc.algorithms.is_empty()),
            ("types", !doc.types.is_empty()),
            ("discovery", doc.discovery.is_some()),
            ("jwksUri", doc.jwks_uri.is_some()),
            ("jwks", doc.jwks.is_some()),
            ("secret", doc.secret.is_some()),
            ("introspection", doc.introspection.is_some()),
            ("decryption", !doc.decryption.is_empty()),
        ];
        for (path, _) in others.into_iter().filter(|(_, is_there)| is_saml && *is_there) {
            self.error(path, "has no place beside `assertions` with `format: saml2`");
        }
    }

    /// Where keys are fetched.
    fn source(&mut self) -> KeySource {
        let doc = self.doc;
        if let Some(url) = &doc.saml_metadata {
            return self.url("samlMetadata", url).map_or(KeySource::None, KeySource::SamlMetadata);
        }
        if self.is_saml() {
            return KeySource::None;
        }
        let is_written = doc.jwks.is_some() || doc.certificate_file.is_some() || doc.secret.is_some();
        let (path, url) = match (&doc.jwks_uri, &doc.discovery, &doc.issuer) {
            (Some(_), Some(_), _) => {
                self.error("jwksUri", "expected either `jwksUri` or `discovery`, found both");
                return KeySource::None;
            }
            (Some(url), ..) => ("jwksUri", url.clone()),
            (_, Some(url), _) => ("discovery", url.clone()),
            (.., Some(issuer)) if !is_written && doc.introspection.is_none() => {
                ("issuer", format!("{}{DISCOVERY}", issuer.trim_end_matches('/')))
            }
            _ => return KeySource::None,
        };
        match self.url(path, &url) {
            Some(uri) if path == "jwksUri" => KeySource::Jwks(uri),
            Some(uri) => KeySource::Discovery(uri),
            None => KeySource::None,
        }
    }

    fn url(&mut self, path: &str, url: &str) -> Option<Uri> {
        let uri = parse_url(url);
        match &uri {
            None => self.problems.push(
                Diagnostic::error(
                    path,
                    "expected a URL with http:// or https:// and a host, without user and password",
                )
                .help("write it like https://id.example/realms/shop"),
            ),
            Some(uri) if uri.scheme_str() == Some("http") && !is_here(uri) => {
                self.problems.push(Diagnostic::warning(
                    path,
                    "is not https, so that whoever is on the way can make up tokens",
                ));
            }
            Some(_) => {}
        }
        uri
    }

    /// Keys that are written down; `None` without any.
    fn written(&mut self) -> Option<KeySet> {
        let doc = self.doc;
        let mut keys = KeySet::default();
        if let Some(jwks) = &doc.jwks {
            match KeySet::of_jwks(&serde_json::to_vec(jwks).unwrap_or_default()) {
                Some((found, unusable)) => {
                    for problem in &unusable {
                        self.error("jwks", problem.to_string());
                    }
                    if found.is_empty() && unusable.is_empty() {
                        self.error("jwks", "it holds no key");
                    }
                    keys.add(found);
                }
                None => self.error("jwks", "expected a JWK Set, which is an object with a list `keys`"),
            }
        }
        if let Some(file) = &doc.certificate_file {
            match self.config.files.get(file).map(|content| KeySet::of_pem(content)) {
                Some(Ok(found)) => keys.add(found),
                Some(Err(problem)) => self.error("certificateFile", format!("{file}: {problem}")),
                None => self.error("certificateFile", format!("found `{file}`, which cannot be read")),
            }
        }
        if let Some(secret) = &doc.secret {
            match self
                .config
                .resolved_secrets
                .get(secret)
                .and_then(|secret| Key::of_secret(secret.as_bytes()))
            {
                Some(key) => keys.add(KeySet::new(vec![key])),
                None => self.error("secret", "expected a secret of at least 32 bytes"),
            }
        }
        (!keys.is_empty()).then_some(keys)
    }

    fn algorithms(&mut self, is_written: bool) -> Vec<Algorithm> {
        let doc = self.doc;
        let has_public = !is_written || doc.jwks.is_some() || doc.certificate_file.is_some();
        if doc.algorithms.is_empty() {
            let possible = |algorithm: &Algorithm| match algorithm.is_symmetric() {
                true => doc.secret.is_some(),
                false => has_public,
            };
            return Algorithm::ALL.into_iter().filter(possible).collect();
        }
        let mut algorithms = Vec::new();
        for (index, name) in doc.algorithms.iter().enumerate() {
            let algorithm = algorithm(*name);
            let path = format!("algorithms[{index}]");
            if algorithm.is_symmetric() && doc.secret.is_none() {
                self.problems.push(
                    Diagnostic::error(path, format!("found {}, and there is no `secret`", algorithm.name()))
                        .help("a public key is never used as a secret"),
                );
            } else if !algorithm.is_symmetric() && !has_public {
                self.error(&path, format!("found {}, and there is no public key", algorithm.name()));
            }
            algorithms.push(algorithm);
        }
        algorithms
    }

    fn decryption(&mut self) -> DecryptionKeys {
        let mut keys = Vec::new();
        for (index, doc) in self.doc.decryption.iter().enumerate() {
            let text = self.config.resolved_secrets.get(&doc.key).unwrap_or_default();
            match jose::DecryptionKey::parse(doc.key_id.as_deref(), text) {
                Ok(key) => keys.push(key),
                // What is wrong with it, and nothing of it.
                Err(problem) => self.error(&format!("decryption[{index}].key"), problem),
            }
        }
        DecryptionKeys::new(keys)
    }

    /// What the gateway connects to, where a policy or the settings of TLS are needed for it.
    fn upstream(&mut self) -> Option<UpstreamDoc> {
        let doc = self.doc;
        let asked = doc.introspection.as_ref().map(|introspection| &introspection.url);
        let fetched = [&doc.jwks_uri, &doc.discovery, &doc.saml_metadata, &doc.issuer];
        let fetched = fetched.into_iter().find_map(Option::as_ref);
        let url = match asked {
            Some(url) => url,
            None if doc.tls != UpstreamTls::default() => fetched?,
            None => return None,
        };
        let uri = parse_url(url)?;
        let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let mut upstream = UpstreamDoc::for_url(upstream_name(&doc.name), origin);
        upstream.tls = doc.tls.clone();
        upstream.protocol = UpstreamProtocol::Http1;
        Some(upstream)
    }

    fn introspection(&mut self, doc: &IntrospectionDoc) -> Option<Introspection> {
        if doc.timeout.get().is_zero() || doc.timeout.get() > LONGEST_TIMEOUT {
            self.error("introspection.timeout", format!("found {}, expected 1ms to 1m", doc.timeout));
        }
        let uri = self.url("introspection.url", &doc.url)?;
        let secret = self.secret("introspection.clientSecret", &doc.client_secret)?;
        // RFC 6749, 2.3.1.
        let pair = format!("{}:{}", encode_query(&doc.client_id), encode_query(&secret));
        let basic = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
        let mut authorization = HeaderValue::try_from(basic).ok()?;
        authorization.set_sensitive(true);
        Some(Introspection {
            upstream: UpstreamName(upstream_name(&self.doc.name).into()),
            target: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
            authorization,
            cache: doc.cache.get(),
            timeout: doc.timeout.get(),
            always: doc.always,
        })
    }

    fn secret(&mut self, path: &str, secret: &Secret) -> Option<String> {
        let value = self.config.resolved_secrets.get(secret).map(str::to_owned);
        if value.is_none() {
            self.error(path, "expected a secret that can be read");
        }
        value
    }

    /// They depend on clients and settings, too.
    fn check_assertions(&mut self, server: Option<&AuthorizationServer>) {
        let Some(doc) = self.doc.assertions.as_ref().filter(|_| !self.doc.internal) else { return };
        let has_keys = server.is_none_or(AuthorizationServer::has_keys);
        let has_public =
            server.is_none_or(|server| server.algorithms.iter().any(|algorithm| !algorithm.is_symmetric()));
        let found = assertions::check(doc, self.config, has_keys, has_public);
        self.problems.0.extend(found.into_iter().map(|problem| problem.under("assertions")));
    }

    fn check_mapping(&mut self) {
        if self.doc.scope_mapping.is_empty() {
            return;
        }
        let all_named = self.config.apis.iter().all(|api| api.name.is_some());
        for (index, ScopeMapping { scope, apis, .. }) in self.doc.scope_mapping.iter().enumerate() {
            let path = format!("scopeMapping[{index}]");
            let known = &self.doc.scopes;
            if !known.is_empty() && known.iter().all(|known| known.name != *scope) {
                let near = nearest(scope, known.iter().map(|known| known.name.as_str()));
                self.problems.push(unknown(&format!("{path}.scope"), scope, "is not in `scopes`", near));
            }
            if scope.is_empty() || scope.contains(char::is_whitespace) {
                self.error(
                    &format!("{path}.scope"),
                    format!("found `{scope}`, expected a scope without spaces"),
                );
            }
            if apis.is_empty() {
                self.error(&format!("{path}.apis"), "found none, expected at least one");
            }
            for (place, api) in apis.iter().enumerate() {
                let path = format!("{path}.apis[{place}]");
                let named: Vec<_> =
                    self.config.apis.iter().filter(|doc| doc.name.as_deref() == Some(&*api.name)).collect();
                if named.is_empty() && all_named {
                    let names = self.config.apis.iter().filter_map(|api| api.name.as_deref());
                    let problem =
                        unknown(&format!("{path}.name"), &api.name, "is no API", nearest(&api.name, names));
                    self.problems.push(problem);
                }
                if let Some(scope) = &api.scope
                    && !named.is_empty()
                    && !named.iter().any(|doc| doc.scopes.iter().any(|known| known.name == *scope))
                {
                    let scopes = named.iter().flat_map(|doc| &doc.scopes).map(|known| known.name.as_str());
                    let what = format!("is none of the `scopes` of {}", api.name);
                    let problem = unknown(&format!("{path}.scope"), scope, &what, nearest(scope, scopes));
                    self.problems.push(problem);
                }
            }
        }
    }
}

fn unknown(path: &str, found: &str, what: &str, near: Option<&str>) -> Diagnostic {
    let problem = Diagnostic::error(path, format!("found `{found}`, which {what}"));
    match near {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}

/// The upstream that a server is asked over. No other one is called like this by accident.
fn upstream_name(server: &str) -> String {
    format!("authorizationServers/{server}")
}

/// A URL with a host and without credentials.
fn parse_url(url: &str) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let fits = matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && !authority.as_str().contains('@');
    fits.then_some(uri)
}

/// Whether it is on this machine.
fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn algorithm(name: TokenAlgorithm) -> Algorithm {
    match name {
        TokenAlgorithm::RS256 => Algorithm::Rs256,
        TokenAlgorithm::RS384 => Algorithm::Rs384,
        TokenAlgorithm::RS512 => Algorithm::Rs512,
        TokenAlgorithm::PS256 => Algorithm::Ps256,
        TokenAlgorithm::PS384 => Algorithm::Ps384,
        TokenAlgorithm::PS512 => Algorithm::Ps512,
        TokenAlgorithm::ES256 => Algorithm::Es256,
        TokenAlgorithm::ES384 => Algorithm::Es384,
        TokenAlgorithm::ES512 => Algorithm::Es512,
        TokenAlgorithm::EdDSA => Algorithm::EdDsa,
        TokenAlgorithm::HS256 => Algorithm::Hs256,
        TokenAlgorithm::HS384 => Algorithm::Hs384,
        TokenAlgorithm::HS512 => Algorithm::Hs512,
    }
}
