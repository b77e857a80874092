//! The snapshot: everything that requests need, compiled, immutable, swapped as a whole.

use std::{net::IpAddr, sync::Arc};

use http::Method;
use model::{ListenerDoc, Settings};

use crate::{
    Compiled, Stage,
    journal::{ApiNames, Catalog},
    keys::Applications,
    route::{ApiIndex, OperationMatch, OperationTrie},
    stats::ApiStats,
    upstream::CompiledUpstream,
};

/// Everything that requests need.
pub struct Snapshot {
    pub revision: u64,
    pub settings: Settings,
    pub listeners: Vec<ListenerDoc>,
    pub apis: Vec<Arc<CompiledApi>>,
    /// What is behind each API, by the API's position.
    pub bindings: Vec<Binding>,
    pub index: ApiIndex,
    pub upstreams: Vec<Arc<CompiledUpstream>>,
    pub applications: Applications,
    pub catalog: Arc<Catalog>,
    /// Requests that found no API.
    pub unrouted: Arc<ApiStats>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(revision {}, {} APIs)", self.revision, self.apis.len())
    }
}

/// The upstreams of an API, by position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Binding {
    pub upstream: Option<u32>,
    pub canary: Option<u32>,
    pub mirror: Option<u32>,
}

/// An API, compiled. Taken over by the next snapshot when nothing about it changed.
pub struct CompiledApi {
    pub names: Arc<ApiNames>,
    pub doc: model::ApiDoc,
    /// Decoded base path, without a slash at the end.
    pub base_path: Box<str>,
    pub versionless_path: Option<Box<str>>,
    /// Policies, in the order of their stages.
    pub chain: Box<[Slot]>,
    /// How many policies of the chain belong to identify & access and what comes before it.
    pub access_policies: usize,
    /// The chain has policies that want responses.
    pub wants_response: bool,
    pub stats: Arc<ApiStats>,
    pub max_body_size: Option<u64>,
    /// `None` passes every path and method on.
    pub(crate) operations: Option<OperationTrie>,
    pub(crate) fingerprint: u64,
    pub(crate) state_keys: Vec<String>,
}

/// One policy of a chain.
pub struct Slot {
    pub stage: Stage,
    pub policy: Compiled,
    pub wants_response: bool,
}

impl CompiledApi {
    /// Finds the operation for a decoded path below the base path.
    pub fn operation(&self, method: &Method, path: &str, strict_trailing_slash: bool) -> OperationMatch {
        match &self.operations {
            None => OperationMatch::Options,
            Some(trie) => trie.find(method, path, strict_trailing_slash),
        }
    }
}

/// Hash of a client address, for `consistentHash`.
pub fn hash_address(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => crate::upstream::stable_hash(&ip.octets()),
        IpAddr::V6(ip) => crate::upstream::stable_hash(&ip.octets()),
    }
}
