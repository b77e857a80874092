//! Upstreams for endpoints that are made from requests. Each worker keeps those that it used last.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use engine::{
    Timestamp,
    dynamic_endpoint::DynamicEndpoint,
    upstream::{CompiledUpstream, Endpoint, EndpointState},
};
use model::{Parts, UpstreamDoc, upstream::LoadBalancing};

/// Endpoints kept by a worker; the least recently used one makes room.
const MOST: usize = 256;

/// The upstreams that a worker made.
#[derive(Default)]
pub struct DynamicUpstreams {
    known: RefCell<HashMap<Key, Kept>>,
}

/// The API's own upstream, whose settings count, and the URL.
type Key = (Option<u32>, Arc<str>);

struct Kept {
    upstream: Arc<CompiledUpstream>,
    revision: u64,
    used: Timestamp,
}

impl DynamicUpstreams {
    /// The upstream for an endpoint: with the settings of `own`, and the connections of whatever is reached in the same
    /// way.
    pub fn find(
        &self,
        (revision, upstreams): (u64, &Parts<Arc<CompiledUpstream>>),
        own: Option<u32>,
        wanted: &DynamicEndpoint,
        now: Timestamp,
    ) -> Arc<CompiledUpstream> {
        let key = (own, Arc::clone(&wanted.url));
        let mut known = self.known.borrow_mut();
        if let Some(kept) = known.get_mut(&key).filter(|kept| kept.revision == revision) {
            kept.used = now;
            return Arc::clone(&kept.upstream);
        }
        let doc = document(own.and_then(|own| upstreams.get(own as usize)), wanted);
        let others = upstreams.iter().chain(known.values().map(|kept| &kept.upstream));
        let state = others.flat_map(|other| same_way(other, &doc, wanted)).next().cloned();
        let upstream = Arc::new(CompiledUpstream::new(
            doc,
            vec![endpoint(wanted, state.unwrap_or_default())],
            Arc::default(),
        ));
        if known.len() >= MOST && !known.contains_key(&key) {
            let oldest = known.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        known.insert(key, Kept { upstream: Arc::clone(&upstream), revision, used: now });
        upstream
    }

    /// All that are kept.
    pub fn all(&self) -> Vec<Arc<CompiledUpstream>> {
        self.known.borrow().values().map(|kept| Arc::clone(&kept.upstream)).collect()
    }
}

/// The settings of the API's own upstream, but for what is about several endpoints or about a certain one.
fn document(own: Option<&Arc<CompiledUpstream>>, wanted: &DynamicEndpoint) -> UpstreamDoc {
    let fresh = UpstreamDoc::for_url(&*wanted.url, &*wanted.url);
    let Some(own) = own else { return fresh };
    let mut doc = UpstreamDoc {
        name: fresh.name,
        endpoints: fresh.endpoints,
        load_balancing: LoadBalancing::default(),
        health_check: None,
        circuit_breaker: None,
        ..own.doc.clone()
    };
    doc.tls.server_name = None;
    doc
}

/// The state of an endpoint whose connections are as good.
fn same_way<'u>(
    other: &'u CompiledUpstream,
    doc: &UpstreamDoc,
    wanted: &DynamicEndpoint,
) -> Option<&'u Arc<EndpointState>> {
    if other.doc.protocol != doc.protocol || other.doc.tls != doc.tls {
        return None;
    }
    let same = |endpoint: &&Endpoint| {
        endpoint.tls == wanted.tls
            && endpoint.port == wanted.port
            && endpoint.host.eq_ignore_ascii_case(&wanted.host)
    };
    other.endpoints.iter().find(same).map(|endpoint| &endpoint.state)
}

fn endpoint(wanted: &DynamicEndpoint, state: Arc<EndpointState>) -> Endpoint {
    Endpoint {
        id: Endpoint::IN_NO_CATALOGUE,
        url: Arc::clone(&wanted.url),
        tls: wanted.tls,
        host: wanted.host.clone(),
        port: wanted.port,
        authority: wanted.authority.clone(),
        base_path: "".into(),
        weight: 1,
        connect_timeout: None,
        read_timeout: None,
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(known: &DynamicUpstreams, revision: u64, url: &str, at: u64) -> Arc<CompiledUpstream> {
        let endpoint = DynamicEndpoint::parse(url).unwrap();
        known.find((revision, &Parts::default()), None, &endpoint, Timestamp::from_millis(at))
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let known = DynamicUpstreams::default();
        let first = find(&known, 1, "http://first.example", 1);
        for at in 0..MOST as u64 - 1 {
            find(&known, 1, &format!("http://h{at}.example"), 2 + at);
        }
        assert!(Arc::ptr_eq(&first, &find(&known, 1, "http://first.example", 1_000)));
        find(&known, 1, "http://one-more.example", 1_001);
        assert_eq!(known.all().len(), MOST);
        assert!(known.all().iter().any(|kept| *kept.name == *"http://first.example"));
        assert!(!known.all().iter().any(|kept| *kept.name == *"http://h0.example"));
    }

    #[test]
    fn another_configuration_keeps_the_connections() {
        let known = DynamicUpstreams::default();
        let before = find(&known, 1, "http://a.example", 1);
        let after = find(&known, 2, "http://A.example:80", 2);
        assert!(!Arc::ptr_eq(&before, &after) && known.all().len() == 1);
        assert_eq!(before.endpoints[0].state.pool, after.endpoints[0].state.pool);
        let other = find(&known, 2, "https://a.example:80", 3);
        assert_ne!(other.endpoints[0].state.pool, after.endpoints[0].state.pool);
    }
}
