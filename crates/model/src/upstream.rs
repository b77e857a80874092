//! Upstreams: the native services behind APIs, and how their endpoints are chosen, watched and protected.

use std::num::{NonZeroU16, NonZeroU32};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, KeyRef, Percent};

/// A native service behind one or more APIs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamDoc {
    /// Unique name, used in `apis[].upstream`.
    pub name: String,
    /// The addresses of the service.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<EndpointDoc>,
    /// How an endpoint is chosen for a request.
    #[serde(default)]
    pub load_balancing: LoadBalancing,
    /// What `consistentHash` hashes. Default: the client's address.
    #[serde(default)]
    pub hash_on: HashOn,
    /// HTTP version spoken to the endpoints.
    #[serde(default)]
    pub protocol: UpstreamProtocol,
    /// TLS towards `https` endpoints.
    #[serde(default)]
    pub tls: UpstreamTls,
    /// Longest wait for a connection. Default: the API's, else `settings.timeouts.connect`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Longest wait for the next bytes of a response. Default: the API's, else `settings.timeouts.read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<Duration>,
    /// How long an endpoint that failed gets no requests.
    #[serde(default = "default_suspend")]
    pub suspend_duration_on_failure: Duration,
    /// Fail over and suspend only when an endpoint is down (it cannot be reached or breaks the connection).
    /// With `false`, answers of 500 and above count as failures too.
    #[serde(default = "yes")]
    pub failover_on_downtime_error_only: bool,
    /// Second tries.
    #[serde(default)]
    pub retries: Retries,
    /// Requests sent to each endpoint to see whether it is well. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Stops calling an upstream that keeps failing. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Most connections to one endpoint, over all workers. Requests beyond it are refused with 503.
    #[serde(default = "default_max_connections")]
    pub max_connections: NonZeroU32,
    /// Idle connections kept open.
    #[serde(default)]
    pub keep_alive: KeepAlive,
}

impl UpstreamDoc {
    /// An upstream with everything at its default, as `upstream: http://…` in an API means it.
    pub fn for_url(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            endpoints: vec![EndpointDoc {
                url: url.into(),
                weight: one(),
                connect_timeout: None,
                read_timeout: None,
            }],
            load_balancing: LoadBalancing::default(),
            hash_on: HashOn::default(),
            protocol: UpstreamProtocol::default(),
            tls: UpstreamTls::default(),
            connect_timeout: None,
            read_timeout: None,
            suspend_duration_on_failure: default_suspend(),
            failover_on_downtime_error_only: true,
            retries: Retries::default(),
            health_check: None,
            circuit_breaker: None,
            max_connections: default_max_connections(),
            keep_alive: KeepAlive::default(),
        }
    }
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointDoc {
    /// `http://` or `https://` URL. A path in it is put before the path of the request.
    pub url: String,
    /// Share of requests, compared with the other endpoints.
    #[serde(default = "one")]
    pub weight: NonZeroU16,
    /// Longest wait for a connection to this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Longest wait for the next bytes from this endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<Duration>,
}

/// How an endpoint is chosen for a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LoadBalancing {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// The endpoint with the fewest requests in flight for its weight.
    LeastRequests,
    /// The same endpoint for the same key, as long as it is there.
    ConsistentHash,
}

/// What `consistentHash` hashes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HashOn {
    /// Name of a request header. Default: the client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}

/// HTTP version spoken to an upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UpstreamProtocol {
    /// What TLS negotiates; HTTP/1.1 in cleartext, except gRPC requests, which get HTTP/2.
    #[default]
    Auto,
    /// HTTP/1.1 always.
    Http1,
    /// HTTP/2 always (prior knowledge in cleartext).
    Http2,
}

/// TLS towards an upstream. Certificates are verified unless it is switched off here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamTls {
    /// Verify the upstream's certificate. Switching it off lets anyone on the way read and change traffic.
    #[serde(default = "yes")]
    pub verify: bool,
    /// PEM file of the authorities to trust. Default: those of the operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// PEM file with the gateway's client certificate chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// PEM file with the key of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// Truststore with the authorities to trust, instead of `caFile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore: Option<String>,
    /// Key of a keystore with the gateway's client certificate, instead of `certificateFile` and `keyFile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyRef>,
    /// Name expected in the certificate. Default: the host of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            truststore: None,
            key: None,
            server_name: None,
        }
    }
}

/// Second tries of a request whose first one failed before the upstream can have acted on it twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// Most tries after the first. A failed connection is tried elsewhere for every method; anything later only
    /// for idempotent methods without a body.
    #[serde(default = "one_retry")]
    pub attempts: u8,
    /// Retries allowed, as a share of the requests of the last ten seconds. At least three are always allowed.
    #[serde(default = "default_budget")]
    pub budget: Percent,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: one_retry(), budget: default_budget() }
    }
}

/// Active health check of each endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// Path asked for with GET, after the endpoint's own path.
    pub path: String,
    /// Time between two checks of an endpoint.
    #[serde(default = "default_interval")]
    pub interval: Duration,
    /// Longest wait for an answer.
    #[serde(default = "default_check_timeout")]
    pub timeout: Duration,
    /// Good answers in a row that bring an endpoint back.
    #[serde(default = "two")]
    pub healthy_threshold: NonZeroU32,
    /// Bad answers in a row that take an endpoint out.
    #[serde(default = "three")]
    pub unhealthy_threshold: NonZeroU32,
}

/// Circuit breaker: after too many failures in a row the upstream is left alone for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Failures in a row that open the circuit.
    pub failures: NonZeroU32,
    /// How long requests are refused with 503 before one is let through to try.
    #[serde(default = "default_suspend")]
    pub open_for: Duration,
}

/// Idle connections to an upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeepAlive {
    /// Most idle connections kept for one endpoint by one worker. 0 closes each after its request.
    #[serde(default = "default_max_idle")]
    pub max_idle: u32,
    /// How long an idle connection is kept.
    #[serde(default = "default_idle_timeout")]
    pub idle_timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { max_idle: default_max_idle(), idle_timeout: default_idle_timeout() }
    }
}

fn yes() -> bool {
    true
}
fn one() -> NonZeroU16 {
    NonZeroU16::MIN
}
fn one_retry() -> u8 {
    1
}
fn two() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1)
}
fn three() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(2)
}
fn default_suspend() -> Duration {
    Duration::from_secs(30)
}
fn default_max_connections() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(4095)
}
fn default_budget() -> Percent {
    Percent::whole(20)
}
fn default_interval() -> Duration {
    Duration::from_secs(10)
}
fn default_check_timeout() -> Duration {
    Duration::from_secs(2)
}
fn default_max_idle() -> u32 {
    256
}
fn default_idle_timeout() -> Duration {
    Duration::from_secs(60)
}
