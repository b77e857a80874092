//! TLS on both sides: certificates by name towards clients, verification towards upstreams. Built anew with every
//! configuration, so that a replaced file is taken up without a restart.

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, OnceLock},
};

use model::{
    Diagnostic, Diagnostics, ListenerDoc, TlsDoc,
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
    ) -> Result<Self, Diagnostics> {
        let mut contexts = Self::default();
        let mut problems = Diagnostics::default();
        for (index, listener) in listeners.iter().enumerate() {
            let Some(tls) = &listener.tls else { continue };
            match server_config(tls) {
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
                match client_config(tls, protocol) {
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
    let make = || client_config(&UpstreamTls::default(), protocol).ok().map(Arc::new);
    KNOWN[protocol as usize].get_or_init(make).clone()
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

/// What a server without HTTP/2 accepts connections with.
pub fn http1_server(tls: &TlsDoc) -> Result<Arc<ServerConfig>, Diagnostic> {
    let mut config = server_config(tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn server_config(tls: &TlsDoc) -> Result<ServerConfig, Diagnostic> {
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| Diagnostic::error("minVersion", error.to_string()))?;
    let builder = match (tls.client_certificate, &tls.client_ca_file) {
        (ClientCertificate::None, None) => builder.with_no_client_auth(),
        (ClientCertificate::None, Some(_)) => {
            return Err(Diagnostic::error(
                "clientCaFile",
                "has no effect without `clientCertificate: requested` or `required`",
            ));
        }
        (_, None) => {
            return Err(Diagnostic::error(
                "clientCaFile",
                "missing, but client certificates are to be verified",
            )
            .help("name a PEM file with the authorities to trust"));
        }
        (wanted, Some(file)) => {
            let roots = Arc::new(root_store("clientCaFile", file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            let verifier = if wanted == ClientCertificate::Requested {
                verifier.allow_unauthenticated()
            } else {
                verifier
            };
            let verifier = verifier
                .build()
                .map_err(|error| Diagnostic::error("clientCaFile", format!("{file}: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let resolver = ByName::build(&tls.certificates)?;
    let mut config = builder.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
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
}

impl ByName {
    fn build(certificates: &[CertificateDoc]) -> Result<Self, Diagnostic> {
        let (mut exact, mut wildcard, mut first) = (HashMap::new(), HashMap::new(), None);
        for (index, doc) in certificates.iter().enumerate() {
            let certified = certified_key(doc).map_err(|p| p.under(&format!("certificates[{index}]")))?;
            for name in names_in(&certified) {
                match name.strip_prefix("*.") {
                    Some(rest) => wildcard.entry(rest.to_owned()).or_insert_with(|| Arc::clone(&certified)),
                    None => exact.entry(name).or_insert_with(|| Arc::clone(&certified)),
                };
            }
            first.get_or_insert(certified);
        }
        let first =
            first.ok_or_else(|| Diagnostic::error("certificates", "expected at least one certificate"))?;
        Ok(Self { exact, wildcard, first })
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
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

fn client_config(tls: &UpstreamTls, protocol: UpstreamProtocol) -> Result<ClientConfig, Diagnostic> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Diagnostic::error("", error.to_string()))?;
    let builder = if tls.verify {
        let roots = match &tls.ca_file {
            Some(file) => root_store("caFile", file)?,
            None => system_roots(),
        };
        builder.with_root_certificates(roots)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate))
    };
    let mut config = match (&tls.certificate_file, &tls.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => builder
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
