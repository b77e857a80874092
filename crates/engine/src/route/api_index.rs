//! From host and path to an API: hosts first, then the longest base path.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

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

    /// The API with the longest base path, and how many bytes of the decoded path it takes. Those that have moved are not
    /// here any more.
    fn find(&self, path: &str, has_moved: impl Fn(u32) -> bool) -> Option<(u32, usize)> {
        let here = |node: &Node| node.api.filter(|api| !has_moved(*api));
        let mut node = &self.nodes[0];
        let mut found = here(node).map(|api| (api, 0));
        let mut length = 0;
        for segment in path.split('/').skip(1) {
            let Some(next) = node.children.find(segment) else { break };
            node = &self.nodes[next as usize];
            length += 1 + segment.len();
            if let Some(api) = here(node) {
                found = Some((api, length));
            }
        }
        found
    }

    /// The API with exactly this base path.
    fn at(&self, path: &str) -> Option<u32> {
        let mut node = &self.nodes[0];
        for segment in path.split('/').skip(1) {
            node = &self.nodes[node.children.find(segment)? as usize];
        }
        node.api
    }
}

/// All APIs of a snapshot, by host and base path. Where only few are found elsewhere than in the snapshot before, both share
/// the tables of all.
#[derive(Debug, Default)]
pub struct ApiIndex {
    all: Arc<Tables>,
    moved: Option<Box<Moved>>,
}

/// APIs that have moved since the tables of all were made. They are found here and nowhere else.
#[derive(Debug)]
struct Moved {
    /// In ascending order.
    apis: Vec<u32>,
    tables: Tables,
}

/// More than these, and new tables of all pay off.
const MOST_MOVED: usize = 64;

#[derive(Debug, Default)]
struct Tables {
    any_host: Paths,
    exact: HashMap<Box<str>, Paths, RandomState>,
    /// `*.example.com`, by what follows the first dot.
    wildcard: HashMap<Box<str>, Paths, RandomState>,
    /// Some API would be found without its version at the base path of another one, were that one not there.
    covers_versionless: bool,
}

impl ApiIndex {
    pub fn build(places: &[ApiPlace<'_>], default_version: DefaultVersion) -> Result<Self, Vec<IndexError>> {
        Ok(Self { all: Arc::new(Tables::build(places, default_version)?), moved: None })
    }

    /// The same with some APIs at other places, which have no address without their version, nor had one. `None` where
    /// that is not all that it takes: then everything is to be built anew.
    pub fn with_moved<'a>(&self, apis: &[u32], place: impl Fn(u32) -> ApiPlace<'a>) -> Option<Self> {
        let mut apis: Vec<u32> =
            self.moved.iter().flat_map(|moved| &moved.apis).chain(apis).copied().collect();
        apis.sort_unstable();
        apis.dedup();
        if apis.len() > MOST_MOVED || self.all.covers_versionless {
            return None;
        }
        let places: Vec<ApiPlace<'a>> = apis.iter().map(|api| place(*api)).collect();
        let is_taken = |place: &ApiPlace<'_>| {
            let found = self.all.named(place.hosts).filter_map(|paths| paths.at(place.base_path));
            found.into_iter().any(|other| apis.binary_search(&other).is_err())
        };
        if places.iter().any(|place| place.versionless.is_some() || is_taken(place)) {
            return None;
        }
        let tables = Tables::build(&places, DefaultVersion::default()).ok()?;
        Some(Self { all: Arc::clone(&self.all), moved: Some(Box::new(Moved { apis, tables })) })
    }

    /// The API for a host (lower case, without port) and a decoded path.
    pub fn find(&self, host: &str, path: &str) -> Option<(u32, usize)> {
        match &self.moved {
            None => self.all.of_host(host).find_map(|paths| paths?.find(path, |_| false)),
            Some(moved) => self.find_also_in(moved, host, path),
        }
    }

    #[inline(never)]
    fn find_also_in(&self, moved: &Moved, host: &str, path: &str) -> Option<(u32, usize)> {
        let has_moved = |api: u32| moved.apis.binary_search(&api).is_ok();
        self.all.of_host(host).zip(moved.tables.of_host(host)).find_map(|(all, own)| {
            let stayed = all.and_then(|paths| paths.find(path, has_moved));
            let own = own.and_then(|paths| paths.find(path, |_| false));
            stayed.into_iter().chain(own).max_by_key(|(_, length)| *length)
        })
    }
}

impl Tables {
    fn build(places: &[ApiPlace<'_>], default_version: DefaultVersion) -> Result<Self, Vec<IndexError>> {
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
        // Of what is at a base path, and not of other versions, which come before it.
        let is_base_path = |api: u32, path: &str| {
            let at = places.binary_search_by_key(&api, |place| place.api);
            at.is_ok_and(|at| places[at].base_path == path)
        };
        let mut covers_versionless = false;
        for (place, versionless) in versionless {
            for paths in index.paths(place.hosts) {
                let node = paths.node(versionless.base_path);
                match node.api {
                    None => node.api = Some(place.api),
                    Some(other) => covers_versionless |= is_base_path(other, versionless.base_path),
                }
            }
        }
        index.covers_versionless = covers_versionless;
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

    /// Where to look for a host (lower case, without port), the most exact first.
    fn of_host(&self, host: &str) -> impl Iterator<Item = Option<&Paths>> {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(host) };
        let wildcard = if self.wildcard.is_empty() {
            None
        } else {
            host.split_once('.').and_then(|(_, rest)| self.wildcard.get(rest))
        };
        [exact, wildcard, Some(&self.any_host)].into_iter()
    }

    /// Those of hosts as APIs name them.
    fn named(&self, hosts: &[String]) -> impl Iterator<Item = &Paths> {
        let any = hosts.is_empty().then_some(&self.any_host);
        let named = hosts.iter().filter_map(|host| match host.strip_prefix("*.") {
            Some(rest) => self.wildcard.get(&*rest.to_ascii_lowercase()),
            None => self.exact.get(&*host.to_ascii_lowercase()),
        });
        any.into_iter().chain(named)
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
    fn apis_that_have_moved_are_found_where_they_are_and_nowhere_else() {
        let host = ["a.example".to_owned()];
        let before = [place(0, &[], "/a"), place(1, &[], "/a/b"), place(2, &host, "/c"), place(3, &[], "/c")];
        let index = ApiIndex::build(&before, DefaultVersion::Newest).unwrap();
        let changed = [
            (1, place(1, &[], "/x"), vec![("h", "/a/b/1", Some((0, 2))), ("h", "/x/1", Some((1, 2)))]),
            (2, place(2, &[], "/a/z"), vec![("a.example", "/c", Some((3, 2))), ("h", "/a/z", Some((2, 4)))]),
            (
                0,
                place(0, &host, "/x"),
                vec![("h", "/a/q", None), ("a.example", "/x", Some((0, 2))), ("h", "/x", Some((1, 2)))],
            ),
            (1, place(1, &[], "/a/b"), vec![("h", "/x", None), ("h", "/a/b", Some((1, 4)))]),
        ];
        let (mut now, mut index) = (before.to_vec(), index);
        for (moved, place, expect) in changed {
            now[moved as usize] = place;
            index =
                index.with_moved(&[moved], |api| now[api as usize].clone()).expect("nothing is in the way");
            let anew = ApiIndex::build(&now, DefaultVersion::Newest).unwrap();
            for (host, path, expect) in expect {
                assert_eq!(index.find(host, path), expect, "{host} {path}");
            }
            for host in ["h", "a.example"] {
                for path in ["/", "/a", "/a/b", "/a/b/c", "/a/z", "/x", "/x/y", "/c", "/q"] {
                    assert_eq!(index.find(host, path), anew.find(host, path), "{host} {path}");
                }
            }
        }
        // What is not a matter of these APIs alone is built anew, and told by that.
        for (moved, place) in [
            (0, place(0, &[], "/c")),
            (
                3,
                ApiPlace {
                    versionless: Some(Versionless { base_path: "/v", version: "1" }),
                    ..place(3, &[], "/v/1")
                },
            ),
        ] {
            let mut now = now.clone();
            now[moved as usize] = place;
            assert!(index.with_moved(&[moved], |api| now[api as usize].clone()).is_none());
        }
        let many: Vec<u32> = (0..65).collect();
        let paths: Vec<String> = many.iter().map(|n| format!("/m{n}")).collect();
        assert!(ApiIndex::default().with_moved(&many, |api| place(api, &[], &paths[api as usize])).is_none());
    }

    #[test]
    fn where_an_address_without_version_is_covered_nothing_moves_alone() {
        let paths = ["/gateway/Pets/1.0", "/gateway/Pets"];
        let versionless = Versionless { base_path: paths[1], version: "1.0" };
        let places =
            [ApiPlace { versionless: Some(versionless), ..place(0, &[], paths[0]) }, place(1, &[], paths[1])];
        let index = ApiIndex::build(&places, DefaultVersion::Newest).unwrap();
        assert_eq!(index.find("h", "/gateway/Pets/7"), Some((1, 13)));
        let moved = |_| place(1, &[], "/elsewhere");
        assert!(index.with_moved(&[1], moved).is_none(), "the first one is found there now");
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
