//! TLS on both sides: certificates by name towards clients, verification towards upstreams. Built anew with every
//! configuration, so that a replaced file is taken up without a restart.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, OnceLock},
};

use model::{
    Diagnostic, Diagnostics, KeyEntry, KeyMaterial, ListenerDoc, TlsDoc,
    listener::{CertificateDoc, ClientCertificate, TlsVersion},
    upstream::{UpstreamProtocol, UpstreamTls},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

/// What authorities negotiate who validate a name over TLS (RFC 8737, 3).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Everything TLS for one configuration.
#[derive(Debug, Default)]
pub struct TlsContexts {
    listeners: HashMap<String, Arc<ServerConfig>>,
    upstreams: HashMap<(UpstreamTls, UpstreamProtocol), Arc<ClientConfig>>,
}

impl TlsContexts {
    /// Reads all certificates and keys. Everything wrong with them is reported.
    pub fn build(
        listeners: &[ListenerDoc],
        upstreams: &[(String, UpstreamTls, UpstreamProtocol)],
        material: &KeyMaterial,
    ) -> Result<Self, Diagnostics> {
        let mut contexts = Self::default();
        let mut problems = Diagnostics::default();
        for (index, listener) in listeners.iter().enumerate() {
            let Some(tls) = &listener.tls else { continue };
            match server_config(tls, material) {
                Ok(config) => {
                    contexts.listeners.insert(listener.name.clone(), Arc::new(config));
                }
                Err(problem) => problems.push(problem.under(&format!("listeners[{index}].tls"))),
            }
        }
        for (path, tls, protocol) in upstreams {
            // Protocol upgrades need HTTP/1.1 whatever else is spoken, and a server must not be offered more.
            for protocol in [*protocol, UpstreamProtocol::Http1] {
                let key = key(tls, protocol);
                if contexts.upstreams.contains_key(&key) {
                    continue;
                }
                match client_config(tls, protocol, material) {
                    Ok(config) => {
                        contexts.upstreams.insert(key, Arc::new(config));
                    }
                    Err(problem) => {
                        problems.push(problem.under(&format!("{path}.tls")));
                        break;
                    }
                }
            }
        }
        if problems.has_errors() { Err(problems) } else { Ok(contexts) }
    }

    pub fn listener(&self, name: &str) -> Option<&Arc<ServerConfig>> {
        self.listeners.get(name)
    }

    pub fn upstream(&self, tls: &UpstreamTls, protocol: UpstreamProtocol) -> Option<Arc<ClientConfig>> {
        let known = self.upstreams.get(&key(tls, protocol)).cloned();
        // An endpoint that was made from a request may be the first one with TLS.
        known.or_else(|| {
            let usual =
                *tls == UpstreamTls { server_name: tls.server_name.clone(), ..UpstreamTls::default() };
            usual.then(|| usual_config(protocol))?
        })
    }
}

/// The name in a certificate is looked at for each connection, and no part of its configuration.
fn key(tls: &UpstreamTls, protocol: UpstreamProtocol) -> (UpstreamTls, UpstreamProtocol) {
    (UpstreamTls { server_name: None, ..tls.clone() }, protocol)
}

/// With everything at its default.
fn usual_config(protocol: UpstreamProtocol) -> Option<Arc<ClientConfig>> {
    static KNOWN: [OnceLock<Option<Arc<ClientConfig>>>; 3] = [const { OnceLock::new() }; 3];
    let make =
        || client_config(&UpstreamTls::default(), protocol, &KeyMaterial::default()).ok().map(Arc::new);
    KNOWN[protocol as usize].get_or_init(make).clone()
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// What a server without HTTP/2 accepts connections with. It is there before keystores are: its certificates are in files.
pub fn http1_server(tls: &TlsDoc) -> Result<Arc<ServerConfig>, Diagnostic> {
    for (key, is_there) in
        [("keys", !tls.keys.is_empty()), ("clientTruststore", tls.client_truststore.is_some())]
    {
        if is_there {
            return Err(Diagnostic::error(key, "keystores and truststores cannot be used here")
                .help("name files in `certificates` and `clientCaFile`"));
        }
    }
    let mut config = server_config(tls, &KeyMaterial::default())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn server_config(tls: &TlsDoc, material: &KeyMaterial) -> Result<ServerConfig, Diagnostic> {
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| Diagnostic::error("minVersion", error.to_string()))?;
    let (key, authorities) = match (&tls.client_ca_file, &tls.client_truststore) {
        (Some(_), Some(_)) => {
            return Err(Diagnostic::error(
                "clientTruststore",
                "found beside `clientCaFile`, expected one of them",
            ));
        }
        (None, Some(_)) => ("clientTruststore", tls.client_truststore.as_ref()),
        (file, None) => ("clientCaFile", file.as_ref()),
    };
    let builder = match (tls.client_certificate, authorities) {
        (ClientCertificate::None, None) => builder.with_no_client_auth(),
        (ClientCertificate::None, Some(_)) => {
            return Err(Diagnostic::error(
                key,
                "has no effect without `clientCertificate: requested` or `required`",
            ));
        }
        (_, None) => {
            return Err(Diagnostic::error(
                "clientCaFile",
                "missing, but client certificates are to be verified",
            )
            .help("name a PEM file with the authorities to trust, or a truststore in `clientTruststore`"));
        }
        (wanted, Some(name)) => {
            let roots = Arc::new(match key {
                "clientTruststore" => roots_of(key, name, material)?,
                _ => root_store(key, name)?,
            });
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if wanted == ClientCertificate::Requested {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier =
                verifier.build().map_err(|error| Diagnostic::error(key, format!("{name}: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let resolver = ByName::build(tls, material)?;
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if !material.tls_challenges.is_empty() {
        config.alpn_protocols.push(ACME_TLS.to_vec());
    }
    if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    Ok(config)
}

/// Chooses the certificate by the name that the client asks for.
#[derive(Debug)]
struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
    /// What authorities have to find while something is ordered.
    challenges: HashMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    fn build(tls: &TlsDoc, material: &KeyMaterial) -> Result<Self, Diagnostic> {
        let (mut exact, mut wildcard, mut first) = (HashMap::new(), HashMap::new(), None);
        let files = tls.certificates.iter().enumerate().map(|(index, doc)| {
            certified_key(doc).map_err(|problem| problem.under(&format!("certificates[{index}]")))
        });
        let keys = tls.keys.iter().enumerate().map(|(index, wanted)| {
            let certified = material.key(wanted).and_then(certified_entry);
            certified.map_err(|problem| problem.under(&format!("keys[{index}]")))
        });
        for certified in files.chain(keys) {
            let certified = certified?;
            for name in names_in(&certified) {
                match name.strip_prefix("*.") {
                    Some(rest) => wildcard.entry(rest.to_owned()).or_insert_with(|| Arc::clone(&certified)),
                    None => exact.entry(name).or_insert_with(|| Arc::clone(&certified)),
                };
            }
            first.get_or_insert(certified);
        }
        let first = first.ok_or_else(|| {
            Diagnostic::error("certificates", "expected at least one certificate, here or in `keys`")
        })?;
        let challenges = material.tls_challenges.iter();
        let challenges = challenges.map(|(name, entry)| Ok((name.clone(), certified_entry(entry)?)));
        let challenges = challenges.collect::<Result<_, Diagnostic>>()?;
        Ok(Self { exact, wildcard, first, challenges })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Only who asks for a name's validation, and for nothing else, is shown what is there for it (RFC 8737, 3).
        if !self.challenges.is_empty()
            && hello.alpn().is_some_and(|mut asked| asked.all(|one| one == ACME_TLS))
        {
            return self.challenges.get(&hello.server_name()?.to_ascii_lowercase()).map(Arc::clone);
        }
        let found = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest));
            self.exact.get(&name).or_else(wildcard)
        });
        Some(Arc::clone(found.unwrap_or(&self.first)))
    }
}

fn certified_key(doc: &CertificateDoc) -> Result<Arc<CertifiedKey>, Diagnostic> {
    let chain = chain("certificateFile", &doc.certificate_file)?;
    let key = private_key("keyFile", &doc.key_file)?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| Diagnostic::error("keyFile", format!("{}: {error}", doc.key_file)))?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|_| {
        Diagnostic::error("keyFile", format!("{} is not the key of {}", doc.key_file, doc.certificate_file))
    })?;
    Ok(Arc::new(certified))
}

/// A key of a keystore. That it belongs to its certificate was seen when the keystore was read.
fn certified_entry(entry: &KeyEntry) -> Result<Arc<CertifiedKey>, Diagnostic> {
    let (chain, key) = der_of(entry)?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| Diagnostic::error("alias", format!("the key `{}`: {error}", entry.alias)))?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn der_of(entry: &KeyEntry) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Diagnostic> {
    let chain = entry.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::try_from(entry.key.clone())
        .map_err(|error| Diagnostic::error("alias", format!("the key `{}`: {error}", entry.alias)))?;
    Ok((chain, key))
}

fn roots_of(key: &str, name: &str, material: &KeyMaterial) -> Result<RootCertStore, Diagnostic> {
    let mut store = RootCertStore::empty();
    let authorities = material.authorities(key, name)?;
    let (added, _) =
        store.add_parsable_certificates(authorities.iter().map(|der| CertificateDer::from(der.as_slice())));
    if added == 0 {
        return Err(Diagnostic::error(
            key,
            format!("{name}: none of its certificates can be used as an authority"),
        ));
    }
    Ok(store)
}

/// What policies may ask about the certificate of a client. It was verified in the handshake.
pub fn client_certificate(der: &CertificateDer<'_>) -> engine::identifiers::ClientCertificate {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let subject =
        X509Certificate::from_der(der).map_or(String::new(), |(_, parsed)| parsed.subject().to_string());
    let fingerprint = engine::compile::applications::sha256(der);
    engine::identifiers::ClientCertificate { fingerprint, subject, der: der.to_vec() }
}

fn names_in(certified: &CertifiedKey) -> Vec<String> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let Some(leaf) = certified.cert.first() else { return Vec::new() };
    let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return Vec::new() };
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

fn client_config(
    tls: &UpstreamTls,
    protocol: UpstreamProtocol,
    material: &KeyMaterial,
) -> Result<ClientConfig, Diagnostic> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Diagnostic::error("", error.to_string()))?;
    let builder = if tls.verify {
        let roots = match (&tls.ca_file, &tls.truststore) {
            (Some(_), Some(_)) => {
                return Err(Diagnostic::error("truststore", "found beside `caFile`, expected one of them"));
            }
            (Some(file), None) => root_store("caFile", file)?,
            (None, Some(name)) => roots_of("truststore", name, material)?,
            (None, None) => system_roots(),
        };
        builder.with_root_certificates(roots)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate))
    };
    let mut config = match (&tls.certificate_file, &tls.key_file, &tls.key) {
        (None, None, None) => builder.with_no_client_auth(),
        (None, None, Some(wanted)) => {
            let (chain, key) =
                material.key(wanted).and_then(der_of).map_err(|problem| problem.under("key"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| Diagnostic::error("key", format!("{}: {error}", wanted.keystore)))?
        }
        (_, _, Some(_)) => {
            return Err(Diagnostic::error(
                "key",
                "found beside `certificateFile` and `keyFile`, expected one of them",
            ));
        }
        (Some(certificate), Some(key), None) => builder
            .with_client_auth_cert(chain("certificateFile", certificate)?, private_key("keyFile", key)?)
            .map_err(|error| Diagnostic::error("keyFile", format!("{key}: {error}")))?,
        _ => return Err(Diagnostic::error("", "`certificateFile` and `keyFile` are needed together")),
    };
    config.alpn_protocols = match protocol {
        UpstreamProtocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        UpstreamProtocol::Http1 => vec![b"http/1.1".to_vec()],
        UpstreamProtocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(config)
}

fn system_roots() -> RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            store
        })
        .clone()
}

fn root_store(key: &str, file: &str) -> Result<RootCertStore, Diagnostic> {
    let mut store = RootCertStore::empty();
    let (added, ignored) = store.add_parsable_certificates(chain(key, file)?);
    if added == 0 {
        return Err(Diagnostic::error(
            key,
            format!("{file}: none of its {ignored} certificates can be used as an authority"),
        ));
    }
    Ok(store)
}

fn read(key: &str, file: &str) -> Result<Vec<u8>, Diagnostic> {
    fs::read(file).map_err(|error| Diagnostic::error(key, format!("{file}: {error}")))
}

fn chain(key: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, Diagnostic> {
    let chain =
        CertificateDer::pem_slice_iter(&read(key, file)?).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if chain.is_empty() {
        return Err(Diagnostic::error(key, format!("{file}: found no certificate, expected PEM")));
    }
    Ok(chain)
}

fn private_key(key: &str, file: &str) -> Result<PrivateKeyDer<'static>, Diagnostic> {
    PrivateKeyDer::from_pem_slice(&read(key, file)?).map_err(|_| {
        Diagnostic::error(key, format!("{file}: found no private key, expected PEM without a passphrase"))
    })
}

/// For a listener of this node, asked by the node itself: whose certificate it shows is of no matter.
pub fn to_own_listener() -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider is made for these versions");
    let any = builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate));
    Arc::new(any.with_no_client_auth())
}

/// For upstreams with `verify: false`: any certificate will do, as the operator asked for. And for listeners of the node.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
