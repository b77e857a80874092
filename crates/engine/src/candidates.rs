//! Why a request goes where it goes: the APIs and operations that were in question, and why each of them lost. Computed
//! when somebody asks; requests are routed by the index and the trie, which answer here, too.

use std::cmp::{Ordering, Reverse};

use http::Method;
use model::settings::DefaultVersion;

use crate::{
    CompiledApi, Snapshot,
    route::{Fit, OperationMatch, Template, decode},
};

/// Most candidates of one answer.
pub const MOST_CANDIDATES: usize = 20;
/// Most APIs among them, so that there is room for operations.
const MOST_APIS: usize = 10;

/// An API, or an operation of the API that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Name and version of the API.
    pub api: String,
    pub base_path: String,
    /// Method and path of the operation; `None` when the API as a whole was in question.
    pub operation: Option<String>,
    pub chosen: bool,
    /// Why it was chosen, or why not.
    pub why: String,
}

/// How well the hosts of an API fit, the best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HostFit {
    Other,
    Any,
    Wildcard,
    Exact,
}

impl Snapshot {
    /// The APIs and operations in question for a request, the chosen ones first. `host` is as in the request, `path`
    /// without query.
    pub fn explain_route(&self, host: &str, method: &Method, path: &str) -> Vec<Candidate> {
        let matching = &self.settings.matching;
        let Ok(path) = decode(path, matching.decode_all_delimiters_in_uri) else { return Vec::new() };
        let host = host_name(host);
        let chosen = self.index.find(&host, &path);
        let mut candidates = self.api_candidates(&host, &path, chosen);
        if let Some((position, length)) = chosen
            && let Some(api) = self.apis.get(position as usize)
        {
            let below = path.get(length..).filter(|below| !below.is_empty()).unwrap_or("/");
            let strict = matching.strict_trailing_slash_validation;
            let room = MOST_CANDIDATES.saturating_sub(candidates.len());
            candidates.extend(operation_candidates(api, method, below, strict).into_iter().take(room));
        }
        candidates
    }

    fn api_candidates(&self, host: &str, path: &str, chosen: Option<(u32, usize)>) -> Vec<Candidate> {
        let mut ranked = Vec::new();
        for (position, api) in self.apis.iter().enumerate() {
            let is_chosen = chosen.is_some_and(|(chosen, _)| chosen as usize == position);
            let covers = covers(&api.base_path, path)
                || api.versionless_path.as_deref().is_some_and(|versionless| covers(versionless, path));
            let shared = common_segments(&api.base_path, path);
            if is_chosen || covers || shared > 0 {
                ranked.push((Reverse((is_chosen, covers, shared)), position));
            }
        }
        ranked.sort_unstable();
        let apis = ranked.into_iter().take(MOST_APIS).filter_map(|(_, position)| self.apis.get(position));
        apis.map(|api| {
            let (is_chosen, why) = self.why_api(api, host, path, chosen);
            candidate(api, None, is_chosen, why)
        })
        .collect()
    }

    fn why_api(
        &self,
        api: &CompiledApi,
        host: &str,
        path: &str,
        chosen: Option<(u32, usize)>,
    ) -> (bool, String) {
        let winner = chosen.and_then(|(position, length)| Some((self.apis.get(position as usize)?, length)));
        let versionless = api.versionless_path.as_deref().filter(|versionless| covers(versionless, path));
        let newest = match self.settings.matching.default_version {
            DefaultVersion::Newest => "newest",
            DefaultVersion::Oldest => "oldest",
        };
        if let Some((winner, length)) = winner
            && winner.names.id == api.names.id
        {
            let own_address = length == api.base_path.len() && covers(&api.base_path, path);
            let why = match own_address {
                true => "the longest base path that matches".to_owned(),
                false => format!("the {newest} version, which answers calls that name none"),
            };
            return (true, why);
        }
        let fit = host_fit(&api.doc.hosts, host);
        let why = if !covers(&api.base_path, path) && versionless.is_none() {
            match first_difference(&api.base_path, path) {
                (Some(expected), Some(found)) => {
                    format!("another base path: it has `{expected}` where the request has `{found}`")
                }
                _ => "its base path is longer than the path of the request".to_owned(),
            }
        } else if fit == HostFit::Other {
            format!("another host: it answers on {}", api.doc.hosts.join(", "))
        } else {
            match winner {
                Some((winner, _)) if host_fit(&winner.doc.hosts, host) > fit => {
                    format!("{} is for this host in particular", winner.names.id)
                }
                Some((winner, _))
                    if versionless.is_some() && winner.versionless_path == api.versionless_path =>
                {
                    match covers(&winner.base_path, path) {
                        true => format!("the request names version {}", winner.names.version),
                        false => format!("version {} is the {newest}", winner.names.version),
                    }
                }
                Some((winner, _)) => format!("{} has a longer base path that matches", winner.names.id),
                None => "it is not published".to_owned(),
            }
        };
        (false, why)
    }
}

fn candidate(api: &CompiledApi, operation: Option<String>, chosen: bool, why: String) -> Candidate {
    let name = format!("{} {}", api.names.name, api.names.version);
    Candidate { api: name, base_path: api.base_path.to_string(), operation, chosen, why }
}

fn operation_candidates(api: &CompiledApi, method: &Method, below: &str, strict: bool) -> Vec<Candidate> {
    let found = match api.operation(method, below, strict) {
        OperationMatch::Found(found) => Some(found as usize),
        _ => None,
    };
    // What compiled once does so again.
    let templates: Vec<(usize, Template)> = (0..)
        .zip(&api.names.operations)
        .filter_map(|(index, names)| Some((index, Template::parse(&names.path).ok()?)))
        .collect();
    let mut path = below.to_owned();
    let fits = |path: &str| templates.iter().any(|(_, template)| template.fit(path) == Fit::Whole);
    if !strict && !fits(&path) {
        path = match path.strip_suffix('/') {
            Some(shorter) if !shorter.is_empty() => shorter.to_owned(),
            _ => format!("{path}/"),
        };
    }
    let best = templates
        .iter()
        .filter(|(_, template)| template.fit(&path) == Fit::Whole)
        .map(|(_, template)| template)
        .min_by(|a, b| a.compare_specificity(b));
    let mut ranked = Vec::new();
    for (index, template) in &templates {
        let Some(names) = api.names.operations.get(*index) else { continue };
        let (score, why) = match template.fit(&path) {
            _ if found == Some(*index) => (usize::MAX, "method and path match".to_owned()),
            Fit::Whole => match best {
                Some(best) if template.compare_specificity(best) == Ordering::Greater => (
                    usize::MAX - 2,
                    format!("{}, which comes first whatever the method", best.why_before(template)),
                ),
                _ => (usize::MAX - 1, format!("another method: it is for {}", names.method)),
            },
            // Nobody means an operation that differs from the start.
            Fit::DiffersAt(0) if best.is_some() => continue,
            Fit::DiffersAt(segment) => {
                (segment, format!("another path: it differs in segment {}", segment + 1))
            }
        };
        // With a path that matches, those that do not are no question.
        if best.is_some() && score < usize::MAX - 2 {
            continue;
        }
        ranked.push((Reverse((found == Some(*index), score)), *index, why));
    }
    ranked.sort_unstable();
    let operations = ranked.into_iter().filter_map(|(_, index, why)| {
        let names = api.names.operations.get(index)?;
        Some(candidate(api, Some(format!("{} {}", names.method, names.path)), found == Some(index), why))
    });
    operations.collect()
}

/// Whether a base path is the beginning of a path, segment by segment.
fn covers(base: &str, path: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn common_segments(base: &str, path: &str) -> usize {
    base.split('/').skip(1).zip(path.split('/').skip(1)).take_while(|(a, b)| a == b).count()
}

/// The segments in which the two differ first.
fn first_difference<'a>(base: &'a str, path: &'a str) -> (Option<&'a str>, Option<&'a str>) {
    let shared = common_segments(base, path);
    (base.split('/').nth(shared + 1), path.split('/').nth(shared + 1))
}

fn host_fit(hosts: &[String], host: &str) -> HostFit {
    let fit = |pattern: &String| match pattern.strip_prefix("*.") {
        None if pattern.eq_ignore_ascii_case(host) => HostFit::Exact,
        Some(rest) if host.split_once('.').is_some_and(|(_, found)| found.eq_ignore_ascii_case(rest)) => {
            HostFit::Wildcard
        }
        _ => HostFit::Other,
    };
    if hosts.is_empty() { HostFit::Any } else { hosts.iter().map(fit).max().unwrap_or(HostFit::Other) }
}

/// The host without its port, in lower case.
fn host_name(host: &str) -> String {
    let name = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    };
    name.to_ascii_lowercase()
}
