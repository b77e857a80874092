//! The snapshot: everything that requests need, compiled, immutable, swapped as a whole.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderName, HeaderValue, Method};
use model::{ListenerDoc, Parts, Settings};

use crate::{
    Compiled, Exchange, LogMask, Needs, Stage, Timed, Timestamp, UpstreamName,
    address_lock::AddressLock,
    authorization_server::AuthorizationServers,
    callbacks::Callbacks,
    challenges::Challenges,
    compile::{Findings, Marks, UpstreamIndex},
    fault::Faults,
    journal::{ApiNames, Catalog, Measures, OperationNames},
    keys::Applications,
    lifecycle::Standing,
    listener_access::ListenerAccess,
    log::LogSpec,
    plans::Subscriptions,
    route::{ApiIndex, OperationMatch, OperationTrie, UrlAliases},
    state::State,
    stats::ApiStats,
    upstream::CompiledUpstream,
};

/// Everything that requests need.
pub struct Snapshot {
    pub revision: u64,
    pub settings: Settings,
    /// What `settings.faults` says.
    pub faults: Faults,
    pub listeners: Vec<ListenerDoc>,
    pub listener_access: ListenerAccess,
    pub apis: Parts<Arc<CompiledApi>>,
    /// What is behind each API, by the API's position.
    pub bindings: Parts<Binding>,
    /// What compiling the next snapshot asks of the APIs first.
    pub(crate) marks: Marks,
    pub index: Arc<ApiIndex>,
    pub url_aliases: UrlAliases,
    /// `None` while no certificate is ordered.
    pub challenges: Option<Challenges>,
    /// `None` where no callback URL can be sealed.
    pub callbacks: Option<Callbacks>,
    pub upstreams: Parts<Arc<CompiledUpstream>>,
    pub(crate) upstream_index: Arc<UpstreamIndex>,
    pub applications: Applications,
    pub subscriptions: Subscriptions,
    pub authorization_servers: AuthorizationServers,
    /// `None` where no address is ever locked.
    pub address_lock: Option<AddressLock>,
    pub catalog: Arc<Catalog>,
    /// What policies have to do as time passes.
    pub(crate) timed: Vec<Arc<dyn Timed>>,
    /// Requests that found no API.
    pub unrouted: Arc<ApiStats>,
}

impl Snapshot {
    /// Has policies do what they do as time passes.
    pub fn look(&self, now: Timestamp) {
        self.timed.iter().for_each(|timed| timed.look(now));
    }

    /// The first upstream of each way in which TLS is used towards them.
    pub fn upstreams_with_tls(&self) -> impl Iterator<Item = &Arc<CompiledUpstream>> {
        self.upstream_index.with_tls.iter().map(|position| &self.upstreams[*position as usize])
    }

    /// The upstreams whose health is checked.
    pub fn upstreams_with_checks(&self) -> impl Iterator<Item = &Arc<CompiledUpstream>> {
        self.upstream_index.with_checks.iter().map(|position| &self.upstreams[*position as usize])
    }

    /// The position of an upstream that a policy named.
    pub fn upstream(&self, name: &UpstreamName) -> Option<u32> {
        self.upstream_index.position(name.as_str())
    }
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
    pub doc: Arc<model::ApiDoc>,
    /// Decoded base path, without a slash at the end.
    pub base_path: Box<str>,
    pub versionless_path: Option<Box<str>>,
    /// Chains of policies; the first is for requests that match no operation.
    pub(crate) chains: Box<[Chain]>,
    /// Position of each operation's chain; the first one for operations beyond its end.
    pub(crate) operation_chains: Arc<[u32]>,
    pub stats: Arc<ApiStats>,
    pub max_body_size: Option<u64>,
    /// What calls meet before anything else, when the API is not simply published.
    pub standing: Option<Box<Standing>>,
    /// `None` passes every path and method on.
    pub(crate) operations: Option<OperationTrie>,
    /// Upstreams that its policies send requests to.
    pub(crate) policy_upstreams: Vec<UpstreamName>,
    /// What its policies have to do as time passes.
    pub(crate) timed: Vec<Arc<dyn Timed>>,
    /// What its policies keep: only had, so that the next ones in their places find it.
    pub(crate) _kept: Vec<Arc<State>>,
    pub(crate) fingerprint: u64,
    /// What there was to say about its policies, said again for as long as they stay.
    pub(crate) findings: Findings,
}

impl CompiledApi {
    /// Whether calls find both at the same hosts and paths.
    pub(crate) fn is_found_like(&self, other: &Self) -> bool {
        self.base_path == other.base_path
            && self.versionless_path == other.versionless_path
            && self.names.version == other.names.version
            && self.doc.hosts == other.doc.hosts
    }

    /// Whether it takes requests of applications with a subscription only.
    pub fn offers_plans(&self) -> bool {
        !self.doc.plans.is_empty()
    }
}

/// The policies of an operation, in the order of their stages.
pub struct Chain {
    slots: Box<[Slot]>,
    access: usize,
    before_response: usize,
    pub needs: Needs,
    /// A policy of identify & access looks into the request's body.
    pub body_decides_access: bool,
    /// Headers that carry credentials.
    pub credentials: Box<[HeaderName]>,
}

impl Chain {
    pub(crate) fn new(slots: Vec<Slot>) -> Self {
        Self {
            access: slots.partition_point(|slot| slot.stage <= Stage::IdentifyAndAccess),
            before_response: slots.partition_point(|slot| slot.stage < Stage::ResponseProcessing),
            body_decides_access: slots
                .iter()
                .any(|slot| slot.stage <= Stage::IdentifyAndAccess && slot.needs.request_body),
            credentials: slots.iter().flat_map(|slot| slot.policy.get().credentials()).collect(),
            needs: slots.iter().fold(Needs::default(), |needs, slot| needs | slot.needs),
            slots: slots.into(),
        }
    }

    /// What decides whether the caller may use the API at all.
    pub fn access(&self) -> &[Slot] {
        &self.slots[..self.access]
    }

    /// What comes after it, before the upstream.
    pub fn processing(&self) -> &[Slot] {
        &self.slots[self.access..self.before_response]
    }

    /// What a client that shows no credentials is told to send.
    pub fn challenges(&self, exchange: &Exchange) -> Vec<HeaderValue> {
        self.access().iter().flat_map(|slot| slot.policy.get().challenges(exchange)).collect()
    }

    /// What is wanted of a request for its event.
    pub fn log_specs(&self, exchange: &Exchange) -> impl Iterator<Item = Arc<LogSpec>> {
        let wanting = self.slots.iter().filter(|slot| slot.needs.log);
        wanting.filter_map(|slot| slot.policy.get().log(exchange))
    }

    /// What hides parts of bodies that are written down.
    pub(crate) fn log_masks<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = &'a dyn LogMask> {
        self.slots.iter().filter_map(|slot| slot.policy.get().log_mask(exchange))
    }

    /// Tells the policies that want to know that a request has ended.
    pub fn ended(&self, exchange: &Exchange, measures: &Measures) {
        if self.needs.end {
            let wanting = self.slots.iter().filter(|slot| slot.needs.end);
            wanting.for_each(|slot| slot.policy.get().ended(exchange, measures));
        }
    }

    /// What governs callbacks on their way to the client.
    pub fn callback(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.needs.callback)
    }

    /// Whether no client may send a header, be it as a trailer.
    pub fn owns_header(&self, name: &str) -> bool {
        self.slots.iter().any(|slot| slot.policy.get().owns_header(name))
    }

    /// What sees responses.
    pub fn response(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.needs.response)
    }
}

/// One policy of a chain.
#[derive(Clone)]
pub struct Slot {
    /// Position in the API's names of policies.
    pub position: u16,
    pub stage: Stage,
    pub policy: Compiled,
    pub needs: Needs,
    /// It finds out which application calls.
    pub identifies: bool,
}

impl CompiledApi {
    /// The policies of an operation, or of requests that match none.
    pub fn chain(&self, operation: Option<u32>) -> &Chain {
        let position = operation.and_then(|operation| self.operation_chains.get(operation as usize));
        &self.chains[position.map_or(0, |position| *position as usize)]
    }

    /// Has its policies forget the answers that they keep.
    pub fn purge_caches(&self) {
        self.chains.iter().flat_map(|chain| &chain.slots).for_each(|slot| slot.policy.get().purge());
    }

    /// The names of an operation.
    pub fn operation_names(&self, operation: Option<u32>) -> Option<&OperationNames> {
        self.names.operations.get(operation? as usize)
    }

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
