//! Upstreams: URLs taken apart, state found again, names resolved.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use http::Uri;
use model::{
    Diagnostic, Diagnostics, EndpointDoc, Parts, UpstreamDoc, diagnostic::nearest, upstream::UpstreamTls,
};

use super::Environment;
use crate::{
    Snapshot,
    snapshot::Binding,
    upstream::{CompiledUpstream, Endpoint, EndpointState, UpstreamState},
};

/// Positions of upstreams by what they are looked up by. Made when an upstream comes, goes or changes, so that nobody walks through
/// thousands with every other change.
#[derive(Default)]
pub(crate) struct UpstreamIndex {
    by_name: HashMap<String, u32, RandomState>,
    /// So many were there before those that only APIs name.
    before_apis: usize,
    /// The first of each way in which TLS is used.
    pub with_tls: Vec<u32>,
    /// Those whose health is checked.
    pub with_checks: Vec<u32>,
}

impl UpstreamIndex {
    fn new(list: &Parts<Arc<CompiledUpstream>>, before_apis: usize) -> Self {
        let mut index = Self { before_apis, ..Self::default() };
        let mut ways = HashSet::with_hasher(RandomState::default());
        for (upstream, position) in list.iter().zip(0..) {
            let doc = &upstream.doc;
            index.by_name.insert(doc.name.clone(), position);
            // An endpoint that is made from a request uses the settings of the API's own, which may be without TLS.
            let uses_tls = doc.tls != UpstreamTls::default() || upstream.endpoints.iter().any(|e| e.tls);
            if uses_tls && ways.insert((&doc.tls, doc.protocol)) {
                index.with_tls.push(position);
            }
            if doc.health_check.is_some() {
                index.with_checks.push(position);
            }
        }
        index
    }

    pub fn position(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }
}

/// The upstreams so far: the first ones of the snapshot before, as they were, and what follows them.
pub(super) struct Upstreams<'a> {
    environment: &'a Environment<'a>,
    previous: Option<&'a Snapshot>,
    /// So many are those of the snapshot before, from the first one on.
    same: usize,
    own: Vec<Arc<CompiledUpstream>>,
    /// Positions of those.
    own_names: HashMap<String, u32, RandomState>,
    /// So many are called as they were in the snapshot before, from the first one on.
    common: usize,
    before_apis: usize,
    /// The one that was found last: APIs after one another often have the same.
    last: Option<u32>,
    next_endpoint: u32,
}

impl<'a> Upstreams<'a> {
    pub(super) fn new(environment: &'a Environment<'a>, previous: Option<&'a Snapshot>) -> Self {
        Self {
            environment,
            previous,
            same: 0,
            own: Vec::new(),
            own_names: HashMap::default(),
            common: 0,
            before_apis: 0,
            last: None,
            next_endpoint: 0,
        }
    }

    /// All upstreams, and their names: those of the snapshot before where these are the same.
    pub(super) fn finish(self) -> (Parts<Arc<CompiledUpstream>>, Arc<UpstreamIndex>) {
        let before_apis = self.before_apis;
        if let Some(previous) = self.previous
            && self.own.is_empty()
            && self.same == previous.upstreams.len()
            && previous.upstream_index.before_apis == before_apis
        {
            return (previous.upstreams.clone(), Arc::clone(&previous.upstream_index));
        }
        let before = self.previous.iter().flat_map(|previous| &previous.upstreams).take(self.same);
        let list: Parts<_> = before.cloned().chain(self.own).collect();
        let index = UpstreamIndex::new(&list, before_apis);
        (list, Arc::new(index))
    }

    /// What comes from now on is named by APIs only.
    pub(super) fn begin_apis(&mut self) {
        self.before_apis = self.len();
    }

    pub(super) fn len(&self) -> usize {
        self.same + self.own.len()
    }

    fn at(&self, position: u32) -> Option<&Arc<CompiledUpstream>> {
        let position = position as usize;
        match position.checked_sub(self.same) {
            None => self.previous?.upstreams.get(position),
            Some(place) => self.own.get(place),
        }
    }

    fn position(&self, name: &str) -> Option<u32> {
        let own = self.own_names.get(name).copied();
        own.or_else(|| {
            let before = self.previous?.upstream_index.position(name)?;
            ((before as usize) < self.same).then_some(before)
        })
    }

    /// Whether what is behind APIs that nobody has touched is where it was. They are those of a whole part: `first` is where
    /// the upstreams began that they were the first to name, and `end` is after the last that is behind one of them.
    pub(super) fn all_stay(&mut self, (first, end): (usize, usize)) -> bool {
        if end <= self.common {
            return true;
        }
        // Those that come with them came with them before.
        let Some(previous) = self.previous else { return false };
        let alike = self.own.is_empty()
            && self.same == first
            && previous.upstream_index.before_apis == self.before_apis;
        let last = previous.upstreams.get(end - 1).filter(|_| alike);
        let Some(endpoint) = last.and_then(|last| last.endpoints.last()) else { return false };
        (self.same, self.common, self.next_endpoint) = (end, end, endpoint.id + 1);
        true
    }

    /// The position of an upstream by name; a URL stands for an upstream with that one endpoint.
    pub(super) fn find(
        &mut self,
        name: &str,
        path: &dyn Fn() -> String,
        problems: &mut Diagnostics,
    ) -> Option<u32> {
        let is_name = |position: &u32| self.at(*position).is_some_and(|upstream| *upstream.name == *name);
        if let Some(position) = self.last.filter(is_name) {
            return Some(position);
        }
        if let Some(position) = self.position(name) {
            self.last = Some(position);
            return Some(position);
        }
        if name.contains("://") {
            let doc = UpstreamDoc::for_url(name, name);
            return self.add(doc, &path(), problems);
        }
        let before = self.previous.iter().flat_map(|previous| &previous.upstreams).take(self.same);
        let known = before.chain(&self.own).map(|upstream| upstream.doc.name.as_str());
        problems.push(unknown(name, known).under(&path()));
        None
    }

    /// The upstreams of an API that nobody has touched, as long as they are where they were.
    pub(super) fn stay(&mut self, binding: Binding) -> Option<Binding> {
        // That there is none is told each time.
        binding.upstream?;
        for position in [binding.upstream, binding.canary, binding.mirror].into_iter().flatten() {
            let place = position as usize;
            if place < self.common {
                continue;
            }
            // The next one that comes with an API.
            let known = self.previous?.upstreams.get(place)?;
            if place != self.len() || !known.name.contains("://") || self.position(&known.name).is_some() {
                return None;
            }
            self.take_over(&UpstreamDoc::for_url(&*known.name, &*known.name))?;
        }
        Some(binding)
    }

    /// An upstream as it was, with the same endpoints.
    fn take_over(&mut self, doc: &UpstreamDoc) -> Option<u32> {
        let previous = self.previous?;
        let known = previous.upstreams.get(previous.upstream_index.position(&doc.name)? as usize)?;
        let stays = known.doc == *doc && known.endpoints.iter().map(|e| e.id).eq(self.next_endpoints(doc)?);
        stays.then(|| {
            self.next_endpoint = self.next_endpoints(doc)?.end;
            self.push(Arc::clone(known))
        })?
    }

    fn next_endpoints(&self, doc: &UpstreamDoc) -> Option<Range<u32>> {
        let end = self.next_endpoint.checked_add(u32::try_from(doc.endpoints.len()).ok()?)?;
        Some(self.next_endpoint..end)
    }

    fn push(&mut self, upstream: Arc<CompiledUpstream>) -> Option<u32> {
        let position = u32::try_from(self.len()).ok()?;
        let known = self.previous.and_then(|previous| previous.upstreams.get(self.len()));
        if self.common == self.len() && known.is_some_and(|known| known.name == upstream.name) {
            self.common += 1;
        }
        if self.own.is_empty() && known.is_some_and(|known| Arc::ptr_eq(known, &upstream)) {
            self.same += 1;
        } else {
            self.own_names.insert(upstream.doc.name.clone(), position);
            self.own.push(upstream);
        }
        Some(position)
    }

    pub(super) fn add(&mut self, doc: UpstreamDoc, path: &str, problems: &mut Diagnostics) -> Option<u32> {
        if self.position(&doc.name).is_some() {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", doc.name),
            ));
            return None;
        }
        if let Some(position) = self.take_over(&doc) {
            return Some(position);
        }
        if let Some(header) = &doc.hash_on.header
            && header.parse::<http::HeaderName>().is_err()
        {
            problems.push(Diagnostic::error(
                format!("{path}.hashOn.header"),
                format!("found `{header}`, expected the name of a header"),
            ));
        }
        let mut endpoints = Vec::with_capacity(doc.endpoints.len());
        let mut failed = false;
        for (index, endpoint) in doc.endpoints.iter().enumerate() {
            match self.endpoint(&doc, endpoint) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(problem) => {
                    let at = if doc.name == endpoint.url {
                        path.to_owned()
                    } else {
                        format!("{path}.endpoints[{index}].url")
                    };
                    problems.push(problem.under(&at));
                    failed = true;
                }
            }
        }
        if failed {
            return None;
        }
        let state: Arc<UpstreamState> =
            self.environment.registry.keep(format!("upstream:{}", doc.name), UpstreamState::default);
        self.push(Arc::new(CompiledUpstream::new(doc, endpoints, state)))
    }

    fn endpoint(&mut self, upstream: &UpstreamDoc, doc: &EndpointDoc) -> Result<Endpoint, Diagnostic> {
        let Address { tls, host, port, authority, base_path } = address(&doc.url)?;
        // Connections may be shared by everything that would open them in the same way.
        let key = format!("endpoint:{tls}:{host}:{port}:{:?}:{:?}", upstream.protocol, upstream.tls);
        let state: Arc<EndpointState> = self.environment.registry.keep(key, EndpointState::default);
        let id = self.next_endpoint;
        self.next_endpoint += 1;
        Ok(Endpoint {
            id,
            url: doc.url.as_str().into(),
            tls,
            port,
            base_path: base_path.into(),
            authority,
            host: host.into(),
            weight: doc.weight.get(),
            connect_timeout: doc.connect_timeout.map(|d| d.get()).filter(nonzero),
            read_timeout: doc.read_timeout.map(|d| d.get()).filter(nonzero),
            state,
        })
    }
}

/// Where an endpoint is.
struct Address {
    tls: bool,
    host: String,
    port: u16,
    authority: http::uri::Authority,
    /// Without a slash at the end.
    base_path: String,
}

/// Takes the URL of an endpoint apart.
fn address(url: &str) -> Result<Address, Diagnostic> {
    let expected = |problem: &str| {
        Diagnostic::error("", format!("found `{}`, {problem}", without_credentials(url)))
            .help("write it like http://orders.internal:8080/v1")
    };
    let uri: Uri = url.parse().map_err(|_| expected("expected a URL"))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(expected("expected a URL with http:// or https://")),
    };
    let authority = uri.authority().cloned().ok_or_else(|| expected("expected a URL with a host"))?;
    if authority.as_str().contains('@') {
        return Err(expected("expected a URL without user and password"));
    }
    if uri.query().is_some() {
        return Err(expected("expected a URL without a query"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err(expected("expected a URL with a host"));
    }
    let port = match authority.port() {
        None if authority.as_str().ends_with(':') => {
            return Err(expected("expected a port after the colon"));
        }
        None => {
            if tls {
                443
            } else {
                80
            }
        }
        Some(port) => port.as_u16(),
    };
    let base_path = uri.path().trim_end_matches('/').to_owned();
    Ok(Address { tls, host, port, authority, base_path })
}

/// Whether a URL can be an endpoint.
pub(super) fn check_url(url: &str) -> Result<(), Diagnostic> {
    address(url).map(|_| ())
}

pub(super) fn unknown<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Diagnostic {
    Diagnostic::error("", format!("found `{name}`, which is no upstream")).help(match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name one of `upstreams`, or write a URL such as https://orders.internal:8443".to_owned(),
    })
}

/// Zero asks the next level, as the webMethods settings do.
fn nonzero(duration: &Duration) -> bool {
    !duration.is_zero()
}

fn without_credentials(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}
