//! Listeners: where clients connect.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IpRange, KeyRef};

/// An address that clients connect to. HTTP/1.1 and HTTP/2 are both served, with and without TLS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListenerDoc {
    /// Unique name.
    pub name: String,
    /// IP address and port, such as `0.0.0.0:8080` or `[::]:8443`. Port 0 lets the system pick.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Certificates and client authentication. Without it the listener speaks cleartext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDoc>,
    /// Expect a PROXY protocol header (version 1 or 2) at the start of each connection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy_protocol: bool,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and PROXY protocol headers are believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Which APIs are served here. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_mode: Option<AccessMode>,
    /// Which clients are served here, by their address. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_access: Option<IpAccess>,
}

/// Which APIs a listener serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessMode {
    /// What holds for APIs that are not in `except`.
    pub default: Access,
    /// APIs for which it is the other way round: `Orders` for all versions, `Orders:2.0` for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// Which clients a listener serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpAccess {
    /// What holds for addresses that are not in `except`.
    pub default: Access,
    /// Addresses, networks and ranges for which it is the other way round: `10.0.0.7`, `10.0.0.0/8`,
    /// `10.0.0.1-10.0.0.9`; the same for IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<IpRange>,
}

/// Whether something is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    Allow,
    Deny,
}

/// TLS on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsDoc {
    /// Chosen by the name that the client asks for (SNI); the first one answers when no name fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateDoc>,
    /// Keys of keystores with their certificates, chosen in the same way, after `certificates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyRef>,
    /// Oldest protocol version accepted.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Whether clients show a certificate.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
    /// PEM file of the authorities that client certificates are verified against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<String>,
    /// Truststore with these authorities, instead of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_truststore: Option<String>,
}

/// A certificate chain and its private key, both PEM files. Replaced files are taken up without a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateDoc {
    /// PEM file with the chain, leaf first.
    pub certificate_file: String,
    /// PEM file with the private key.
    pub key_file: String,
}

/// Oldest TLS version accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClientCertificate {
    /// None is asked for.
    #[default]
    None,
    /// Asked for, and verified when shown.
    Requested,
    /// A connection without a verified certificate is refused.
    Required,
}
