//! From host and path to an API: hosts first, then the longest base path.

use std::{cmp::Ordering, collections::HashMap};

use foldhash::fast::RandomState;
use model::settings::DefaultVersion;

use super::Children;

/// Where an API is found.
#[derive(Debug, Clone)]
pub struct ApiPlace<'a> {
    pub api: u32,
    pub hosts: &'a [String],
    /// Decoded base path, with a slash at the start and none at the end; empty for the root.
    pub base_path: &'a str,
    /// Also found here, without its version, when no other version is preferred.
    pub versionless: Option<Versionless<'a>>,
}

/// The address of an API without its version.
#[derive(Debug, Clone)]
pub struct Versionless<'a> {
    pub base_path: &'a str,
    pub version: &'a str,
}

/// Two APIs at the same place.
#[derive(Debug, PartialEq, Eq)]
pub struct IndexError {
    pub api: u32,
    pub other: u32,
}

#[derive(Debug, Default)]
struct Node {
    children: Children,
    api: Option<u32>,
}

#[derive(Debug)]
struct Paths {
    nodes: Vec<Node>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Paths {
    fn node(&mut self, path: &str) -> &mut Node {
        let mut at = 0;
        for segment in path.split('/').skip(1) {
            let next = u32::try_from(self.nodes.len()).expect("fewer than four billion base paths");
            at = match self.nodes[at].children.find(segment) {
                Some(known) => known as usize,
                None => {
                    self.nodes[at].children.insert(segment, next);
                    self.nodes.push(Node::default());
                    next as usize
                }
            };
        }
        &mut self.nodes[at]
    }

    /// The API with the longest base path, and how many bytes of the decoded path it takes.
    fn find(&self, path: &str) -> Option<(u32, usize)> {
        let mut node = &self.nodes[0];
        let mut found = node.api.map(|api| (api, 0));
        let mut length = 0;
        for segment in path.split('/').skip(1) {
            let Some(next) = node.children.find(segment) else { break };
            node = &self.nodes[next as usize];
            length += 1 + segment.len();
            if let Some(api) = node.api {
                found = Some((api, length));
            }
        }
        found
    }
}

/// All APIs of a snapshot, by host and base path.
#[derive(Debug, Default)]
pub struct ApiIndex {
    any_host: Paths,
    exact: HashMap<Box<str>, Paths, RandomState>,
    /// `*.example.com`, by what follows the first dot.
    wildcard: HashMap<Box<str>, Paths, RandomState>,
}

impl ApiIndex {
    pub fn build(places: &[ApiPlace<'_>], default_version: DefaultVersion) -> Result<Self, Vec<IndexError>> {
        let mut index = Self::default();
        let mut errors = Vec::new();
        for place in places {
            for paths in index.paths(place.hosts) {
                let node = paths.node(place.base_path);
                match node.api {
                    Some(other) => errors.push(IndexError { api: place.api, other }),
                    None => node.api = Some(place.api),
                }
            }
        }
        // In order of preference, so that the first one gets the place.
        let mut versionless: Vec<(&ApiPlace<'_>, &Versionless<'_>)> =
            places.iter().filter_map(|place| Some((place, place.versionless.as_ref()?))).collect();
        versionless.sort_by(|(_, a), (_, b)| {
            let order = compare_versions(a.version, b.version);
            if default_version == DefaultVersion::Oldest { order } else { order.reverse() }
        });
        for (place, versionless) in versionless {
            for paths in index.paths(place.hosts) {
                let node = paths.node(versionless.base_path);
                if node.api.is_none() {
                    node.api = Some(place.api);
                }
            }
        }
        if errors.is_empty() { Ok(index) } else { Err(errors) }
    }

    fn paths(&mut self, hosts: &[String]) -> Vec<&mut Paths> {
        if hosts.is_empty() {
            return vec![&mut self.any_host];
        }
        // Hosts are few, and get_disjoint_mut needs them distinct: collect by name first.
        let mut exact: Vec<&str> = Vec::new();
        let mut wildcard: Vec<&str> = Vec::new();
        for host in hosts {
            match host.strip_prefix("*.") {
                Some(rest) => wildcard.push(rest),
                None => exact.push(host),
            }
        }
        for host in &exact {
            self.exact.entry(host.to_ascii_lowercase().into()).or_default();
        }
        for host in &wildcard {
            self.wildcard.entry(host.to_ascii_lowercase().into()).or_default();
        }
        let named = |names: &[&str], key: &str| names.iter().any(|n| n.eq_ignore_ascii_case(key));
        let exact = self.exact.iter_mut().filter(|(key, _)| named(&exact, key)).map(|(_, paths)| paths);
        let wildcard =
            self.wildcard.iter_mut().filter(|(key, _)| named(&wildcard, key)).map(|(_, paths)| paths);
        exact.chain(wildcard).collect()
    }

    /// The API for a host (lower case, without port) and a decoded path.
    pub fn find(&self, host: &str, path: &str) -> Option<(u32, usize)> {
        if !self.exact.is_empty()
            && let Some(found) = self.exact.get(host).and_then(|paths| paths.find(path))
        {
            return Some(found);
        }
        if !self.wildcard.is_empty()
            && let Some((_, rest)) = host.split_once('.')
            && let Some(found) = self.wildcard.get(rest).and_then(|paths| paths.find(path))
        {
            return Some(found);
        }
        self.any_host.find(path)
    }
}

/// Orders versions the way people do: runs of digits by value, everything else by letter.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, rest_a) = split_number(a);
                let (y, rest_b) = split_number(b);
                let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
            (Some(x), Some(y)) => {
                let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (&a[1..], &b[1..]);
            }
        }
    }
}

/// Digits without leading zeros, and what follows.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(api: u32, hosts: &'a [String], base_path: &'a str) -> ApiPlace<'a> {
        ApiPlace { api, hosts, base_path, versionless: None }
    }

    #[test]
    fn the_longest_base_path_wins() {
        let places = [place(0, &[], ""), place(1, &[], "/a"), place(2, &[], "/a/b")];
        let index = ApiIndex::build(&places, DefaultVersion::Newest).unwrap();
        for (path, expect) in [
            ("/", (0, 0)),
            ("/x", (0, 0)),
            ("/a", (1, 2)),
            ("/ab", (0, 0)),
            ("/a/c", (1, 2)),
            ("/a/b/c", (2, 4)),
        ] {
            assert_eq!(index.find("any", path), Some(expect), "{path}");
        }
    }

    #[test]
    fn named_hosts_come_before_all_hosts() {
        let (exact, wild) = (["api.example.com".to_owned()], ["*.example.com".to_owned()]);
        let places = [place(0, &exact, "/a"), place(1, &wild, "/a"), place(2, &[], "/a")];
        let index = ApiIndex::build(&places, DefaultVersion::Newest).unwrap();
        assert_eq!(index.find("api.example.com", "/a"), Some((0, 2)));
        assert_eq!(index.find("other.example.com", "/a"), Some((1, 2)));
        assert_eq!(index.find("deep.other.example.com", "/a"), Some((2, 2)));
    }

    #[test]
    fn a_call_without_version_goes_to_the_newest_or_the_oldest() {
        let versions = ["1.9", "1.10", "v0"];
        let paths: Vec<String> = versions.iter().map(|v| format!("/gateway/Pets/{v}")).collect();
        let places: Vec<ApiPlace<'_>> = (0..3)
            .map(|i| ApiPlace {
                api: u32::try_from(i).unwrap(),
                hosts: &[],
                base_path: &paths[i],
                versionless: Some(Versionless { base_path: "/gateway/Pets", version: versions[i] }),
            })
            .take(2)
            .collect();
        let newest = ApiIndex::build(&places, DefaultVersion::Newest).unwrap();
        assert_eq!(newest.find("h", "/gateway/Pets/7"), Some((1, 13)));
        assert_eq!(newest.find("h", "/gateway/Pets/1.9/7"), Some((0, 17)));
        let oldest = ApiIndex::build(&places, DefaultVersion::Oldest).unwrap();
        assert_eq!(oldest.find("h", "/gateway/Pets/7"), Some((0, 13)));
    }

    #[test]
    fn two_apis_at_one_place_are_an_error() {
        let places = [place(0, &[], "/a"), place(1, &[], "/a")];
        assert_eq!(
            ApiIndex::build(&places, DefaultVersion::Newest).unwrap_err(),
            [IndexError { api: 1, other: 0 }]
        );
    }
}
