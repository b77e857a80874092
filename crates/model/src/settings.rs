//! Settings: what holds for the whole gateway. Each has a default that is safe to keep.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU16, NonZeroU32},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ByteSize, Duration, IpRange, Percent, Secret, callback::CallbackSettings, ldap::LdapSettings,
    mail::MailSettings, oauth_client::AuthorizationServerSettings,
};

pub use crate::manager_settings::{AccountLock, ManagerSettings, Passwords, SecondFactor, Sessions};

/// What holds for the whole gateway.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Threads that serve traffic. Default: one per core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroU16>,
    /// Directory for the event store. Default: `gatewright-data` beside the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_directory: Option<String>,
    /// Where health, metrics, status and explanations are found.
    pub operations: Operations,
    /// The control plane: assets, and the admin API that changes them.
    pub manager: ManagerSettings,
    /// The internal authorization server. Default: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_server: Option<AuthorizationServerSettings>,
    /// Where assets are kept.
    #[serde(skip_serializing_if = "StoreSettings::is_default")]
    pub store: StoreSettings,
    /// How requests find their API and operation.
    pub matching: Matching,
    /// What APIs may say about themselves.
    #[serde(skip_serializing_if = "ApiSettings::is_default")]
    pub apis: ApiSettings,
    /// What a client may send, and how fast it must be.
    pub limits: Limits,
    /// Waits that neither the endpoint, the upstream nor the API says anything about.
    pub timeouts: Timeouts,
    /// How names of endpoints become addresses.
    #[serde(skip_serializing_if = "Dns::is_default")]
    pub dns: Dns,
    /// When clients that fail to authenticate get no further.
    pub address_lock: AddressLock,
    /// Which endpoints may be at private addresses.
    pub private_addresses: PrivateAddresses,
    /// The server that e-mails are sent by. Default: none are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailSettings>,
    /// A directory whose users authenticate at APIs as local users do, by `httpBasic` of `identifyAndAuthorize`. The
    /// manager lets those in who are in one of `groups`, unless `manager.ldap` names another directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSettings>,
    /// Where and how upstreams may call back.
    #[serde(skip_serializing_if = "CallbackSettings::is_default")]
    pub callbacks: CallbackSettings,
    /// What clients are told when something goes wrong.
    pub faults: Faults,
    /// Content types that policies would not know what to make of otherwise.
    #[serde(skip_serializing_if = "ContentTypes::is_empty")]
    pub content_types: ContentTypes,
    /// Decision records, the basis of `gatewright explain`.
    pub explain: Explain,
    /// Transaction events.
    pub events: Events,
    /// One line for each request.
    pub access_log: AccessLog,
}

/// The operations listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Operations {
    /// IP address and port. It has no login: keep it on loopback or on a protected network.
    #[schemars(with = "String")]
    pub address: SocketAddr,
}

impl Default for Operations {
    fn default() -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9080)) }
    }
}

/// When an address gets no further because requests from it failed to authenticate. Each node counts for itself. Clients
/// behind a load balancer are told apart by `X-Forwarded-For`, which counts from `trustedProxies` of the listener only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AddressLock {
    /// So many wrong credentials, or requests that belong to no application, from one address lock it; of IPv6, the
    /// network of 64 bits. Requests without any credentials do not count. 0: nobody is ever locked.
    pub attempts: u32,
    /// How long they count after the first of them.
    pub within: Duration,
    /// What becomes of the address.
    pub action: AddressLockAction,
    /// How long `lock` lasts.
    pub lock_for: Duration,
    /// Addresses that are never locked: `10.0.0.7`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<IpRange>,
}

/// What becomes of an address that failed too often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AddressLockAction {
    /// It is refused for `lockFor`.
    #[default]
    Lock,
    /// It is refused until somebody releases it, or the node is started again.
    Deny,
}

impl Default for AddressLock {
    fn default() -> Self {
        Self {
            attempts: 0,
            within: Duration::from_secs(60),
            action: AddressLockAction::default(),
            lock_for: Duration::from_secs(15 * 60),
            except: Vec::new(),
        }
    }
}

/// Where assets are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StoreSettings {
    /// Reference to the URL of a PostgreSQL database, `postgres://user:password@host/database`, that nodes share.
    /// Default: the file `assets.db` in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// What secrets in the store are encrypted under.
    #[serde(skip_serializing_if = "MasterKeySettings::is_default")]
    pub master_key: MasterKeySettings,
}

/// The key that secrets in the store are encrypted under, from one place or the other. All nodes on a database need the
/// same. Default: with SQLite, the file `master.key` in the data directory, which the first start makes; with PostgreSQL
/// there is none, and no secret can be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MasterKeySettings {
    /// References to keys of 64 hexadecimal digits each, as `openssl rand -hex 32` makes them. The first one encrypts;
    /// the others decrypt what was encrypted before, until `gatewright secrets rotate`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Secret>,
    /// A program and its arguments that prints the keys, each on a line, such as one that asks a key management
    /// service. It is run when the node starts, and has 30 seconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl MasterKeySettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl StoreSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How requests find their API and operation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matching {
    /// With `true`, `/orders` and `/orders/` are different paths. With `false`, a path without an operation of its
    /// own is looked up again with or without the slash at its end.
    pub strict_trailing_slash_validation: bool,
    /// `%2F` in a path separates segments like `/`. With `false` it is data inside a segment.
    #[serde(rename = "decodeAllDelimitersInURI")]
    pub decode_all_delimiters_in_uri: bool,
    /// Which version answers a call that names none.
    pub default_version: DefaultVersion,
}

/// Which version answers a call that names none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DefaultVersion {
    #[default]
    Newest,
    Oldest,
}

/// What APIs may say about themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiSettings {
    /// Groups that APIs may be in, without commas. Default: `Finance Banking and Insurance`, `Sales and Ordering`, `Search`
    /// and `Transportation and Warehousing`.
    pub api_grouping_possible_values: Vec<String>,
    /// What the maturity of an API may be. Default: `Beta`, `Deprecated`, `Experimental`, `Production` and `Test`.
    pub api_maturity_state_possible_values: Vec<String>,
}

impl Default for ApiSettings {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            api_grouping_possible_values: texts(&[
                "Finance Banking and Insurance",
                "Sales and Ordering",
                "Search",
                "Transportation and Warehousing",
            ]),
            api_maturity_state_possible_values: texts(&[
                "Beta",
                "Deprecated",
                "Experimental",
                "Production",
                "Test",
            ]),
        }
    }
}

impl ApiSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a client may send, and how fast it must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Longest request line. Beyond: 414.
    pub request_line: ByteSize,
    /// Most header lines of a request. Beyond: 431.
    pub header_count: NonZeroU16,
    /// Largest request head. Beyond: 431.
    pub header_size: ByteSize,
    /// Largest request body. Beyond: 413. Default: no limit, since bodies are streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_size: Option<ByteSize>,
    /// Largest body, of a request or a response, that is read whole because a policy asks to see it. Beyond: 413 for
    /// a request, 502 for a response. Without such a policy bodies are streamed and this does not matter.
    pub buffered_body_size: ByteSize,
    /// Most open client connections. Beyond, new ones are closed at once.
    pub connections: NonZeroU32,
    /// Most requests in progress. Beyond: 503 with `Retry-After`.
    pub requests_in_flight: NonZeroU32,
    /// Most concurrent streams of one HTTP/2 connection.
    pub concurrent_streams: NonZeroU32,
    /// Longest time a client may take to send a request head. Beyond: 408.
    pub header_timeout: Duration,
    /// Longest pause within a request body. Beyond: 408.
    pub body_timeout: Duration,
    /// How long an idle client connection is kept open.
    pub keep_alive_timeout: Duration,
    /// How long requests in progress may take to finish when the gateway stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: ByteSize::kib(8),
            header_count: NonZeroU16::MIN.saturating_add(99),
            header_size: ByteSize::kib(32),
            body_size: None,
            buffered_body_size: ByteSize::mib(4),
            connections: NonZeroU32::MIN.saturating_add(19_999),
            requests_in_flight: NonZeroU32::MIN.saturating_add(9_999),
            concurrent_streams: NonZeroU32::MIN.saturating_add(127),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Waits that neither the endpoint, the upstream nor the API says anything about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// Longest wait for a connection to an upstream.
    pub connect: Duration,
    /// Longest wait for the next bytes from an upstream.
    pub read: Duration,
    /// Answer 408 instead of 504 when an upstream is too slow.
    pub return408_for_connection_timeout: bool,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            read: Duration::from_secs(30),
            return408_for_connection_timeout: false,
        }
    }
}

/// How names of endpoints become addresses. An answer is used for as long as its name server says (its TTL), within the
/// limits here. What the hosts file says is used for ten seconds, and so is what only the system's resolver knows. While
/// nobody answers, known addresses go on being used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Dns {
    /// Name servers that are asked instead of those of the system, each as an IP address and a port. With them, neither
    /// the hosts file nor the system's search domains count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub servers: Vec<SocketAddr>,
    /// An answer is used for at least this long, whatever its TTL is.
    pub min_ttl: Duration,
    /// An answer is used for at most this long. It wins over `minTtl`.
    pub max_ttl: Duration,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), min_ttl: Duration::from_secs(5), max_ttl: Duration::from_secs(3_600) }
    }
}

impl Dns {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which endpoints may be at private addresses: loopback, private, unique-local, link-local and multicast ones, those of
/// carrier-grade NAT, of metadata services of clouds, and all else that is not of the public Internet. What counts is
/// the address that is connected to, whatever its name is. Refused connections are answered with 502
/// `private_address_refused`. In webMethods API Gateway this is `pg.nativeServer.validatePrivateIPs`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PrivateAddresses {
    /// Which endpoints are refused at private addresses.
    pub refuse: PrivateAddressesRefuse,
    /// Private addresses and networks that are allowed all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<IpRange>,
}

/// Which endpoints are refused at private addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PrivateAddressesRefuse {
    /// Those that are made from requests: by `endpoint` of the policy `routing`, and callback URLs of clients.
    #[default]
    Dynamic,
    /// Those of the configuration, too.
    All,
}

/// What clients are told when something goes wrong. The policy `conditionalErrorProcessing` says it for an API or an
/// operation, and then counts instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Faults {
    /// Pass on what upstreams answer with a status of 400 and above. With `false`, status and headers are passed on,
    /// and the body is one of the gateway.
    pub send_native_provider_fault: bool,
    /// Message in error bodies of the gateway, instead of one sentence for each reason. Variables may be in it, and
    /// `$ERROR_MESSAGE`, `$SERVICE`, `$OPERATION`, `$TIME`, `$DATE`, `$CLIENT_IP`, `$USER`, `$CONSUMER_APPLICATION`
    /// and `$NATIVE_PROVIDER_ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_message: Option<String>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { send_native_provider_fault: true, default_message: None }
    }
}

/// Media types beyond the usual ones, such as `application/vnd.orders` or `application/x-*`. They count before what
/// is known about a type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContentTypes {
    /// Bodies of these types are JSON, as are `application/json`, `text/json` and everything with `+json`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<String>,
    /// Bodies of these types are XML, as are `application/xml`, `text/xml` and everything with `+xml`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub xml: Vec<String>,
    /// Bodies of these types are plain text, as are the rest of `text/*` and forms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<String>,
}

impl ContentTypes {
    /// Without any, for where there is no configuration.
    pub const NONE: &Self = &Self { json: Vec::new(), xml: Vec::new(), text: Vec::new() };

    pub fn is_empty(&self) -> bool {
        self == Self::NONE
    }

    /// The lists by their keys.
    pub fn lists(&self) -> [(&'static str, &[String]); 3] {
        [("json", &self.json), ("xml", &self.xml), ("text", &self.text)]
    }
}

/// Whether a text can be a media type without parameters, or a range of them.
pub fn is_media_range(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+*-".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}

/// Decision records: what was decided about a request, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Explain {
    /// Share of the requests whose record is kept. Refused and failed requests are always kept.
    pub sampling: Percent,
    /// Most records kept in memory; the oldest goes first.
    pub retain: u32,
}

impl Default for Explain {
    fn default() -> Self {
        Self { sampling: Percent::ALL, retain: 10_000 }
    }
}

/// Transaction events: one for each request, kept in the event store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Events {
    /// Keep transaction events.
    pub enabled: bool,
    /// How long events are kept.
    pub retention: Duration,
    /// Most events that wait to be taken up for storing. Beyond, events are counted as dropped; requests never wait. Up
    /// to 256 events of each worker that it has not handed over yet are not counted.
    pub queue: NonZeroU32,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            enabled: true,
            retention: Duration::from_secs(7 * 86_400),
            queue: NonZeroU32::MIN.saturating_add(65_535),
        }
    }
}

/// Access log: one JSON object on a line of its own for each request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccessLog {
    /// File to append to, or `stdout`. Default: no access log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
