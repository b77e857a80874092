//! Callbacks: how URLs that upstreams are to call become URLs of the gateway, and who may call those.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{IpRange, Secret};

/// What becomes of callbacks. The policy `callbackURLReplacer` puts URLs of the gateway in the place of those that clients
/// send for upstreams to call; what comes to such a URL goes on to the client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallbackSettings {
    /// Replace callback URLs in requests. With `false` upstreams get them as clients send them, and call clients
    /// without the gateway; URLs that were replaced before go on working.
    pub process_requests: bool,
    /// Where upstreams reach the gateway, with a path that no API has: `https://gateway.example/callbacks`. It is the
    /// same at all nodes. Without it there are no callbacks, and requests with a callback URL are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Take callbacks over HTTPS only, to the gateway or to a trusted proxy before it. Others are refused with 403.
    pub https_only: bool,
    /// Take callbacks from `trustedAddresses` only. With an empty list all of them are refused.
    pub only_trusted_addresses: bool,
    /// Where upstreams call from, or the proxies that they go through: `10.0.0.7`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_addresses: Vec<IpRange>,
    /// References to the keys that callback URLs are sealed under, 64 hexadecimal digits each, as `openssl rand -hex 32`
    /// makes them; the same at all nodes. The first one seals, all of them open: put a new one before the old one, and
    /// take the old one out when what it sealed has expired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Secret>,
}

impl Default for CallbackSettings {
    fn default() -> Self {
        Self {
            process_requests: true,
            url: None,
            https_only: true,
            only_trusted_addresses: false,
            trusted_addresses: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl CallbackSettings {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
