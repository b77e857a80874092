//! The operations of one API, by path: literal beats pattern beats parameter beats rest, segment by segment.
//!
//! With a hundred thousand operations each look-up meets memory that no cache holds. So a node is one cache line, short
//! segments are kept where they are compared, and what few APIs have is behind a pointer.

use http::Method;
use smallvec::SmallVec;

use super::{
    Children,
    template::{Pattern, Segment, Template},
};

type NodeId = u32;

/// A method, by its position in `STANDARD`, or after these in `OperationTrie::others`.
type MethodId = u16;

const STANDARD: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];
const GET: MethodId = 0;

/// The operations of one path.
#[derive(Debug, Default)]
struct Methods {
    exact: SmallVec<[(MethodId, u32); 2]>,
    any: Option<u32>,
}

impl Methods {
    /// Adds an operation; `false` when the method is taken. Without a method it stands for every one.
    fn insert(&mut self, method: Option<MethodId>, operation: u32) -> bool {
        let Some(method) = method else { return self.any.replace(operation).is_none() };
        if self.exact(method).is_some() {
            return false;
        }
        self.exact.push((method, operation));
        true
    }

    fn exact(&self, method: MethodId) -> Option<u32> {
        self.exact.iter().find(|(known, _)| *known == method).map(|(_, operation)| *operation)
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Node {
    literals: Option<Box<Children>>,
    parameter: Option<NodeId>,
    here: Option<Methods>,
    rare: Option<Box<Rare>>,
}

const _: () = assert!(size_of::<Node>() == 64);

/// What few nodes have.
#[derive(Debug, Default)]
struct Rare {
    /// The most specific first.
    patterns: Vec<(Pattern, NodeId)>,
    rest: Option<Methods>,
}

/// The operations of one API.
#[derive(Debug)]
pub struct OperationTrie {
    nodes: Vec<Node>,
    /// Methods beyond the standard ones.
    others: Vec<Method>,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum OperationMatch {
    Found(u32),
    /// The path is known, the method is not; the value is for `Allow`.
    OtherMethod(String),
    /// The path is known; OPTIONS without an operation of its own goes to the upstream.
    Options,
    NotFound,
}

impl Default for OperationTrie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], others: Vec::new() }
    }
}

impl OperationTrie {
    /// Adds an operation; `false` when there is one with the same method and an equivalent path. The method `*` stands
    /// for every one.
    pub fn insert(&mut self, template: &Template, method: &str, operation: u32) -> bool {
        let Ok(method) = self.method_to_insert(method) else { return false };
        let mut at = 0;
        for segment in &template.segments {
            at = match segment {
                Segment::Rest => {
                    let rare = self.nodes[at].rare.get_or_insert_default();
                    return rare.rest.get_or_insert_default().insert(method, operation);
                }
                segment => self.child(at, segment) as usize,
            };
        }
        self.nodes[at].here.get_or_insert_default().insert(method, operation)
    }

    fn method_to_insert(&mut self, method: &str) -> Result<Option<MethodId>, http::method::InvalidMethod> {
        if method == "*" {
            return Ok(None);
        }
        let method = Method::from_bytes(method.as_bytes())?;
        let known = self.method(&method);
        Ok(Some(known.unwrap_or_else(|| {
            self.others.push(method);
            MethodId::try_from(STANDARD.len() + self.others.len() - 1).expect("fewer than 65,000 methods")
        })))
    }

    fn method(&self, method: &Method) -> Option<MethodId> {
        let position = STANDARD.iter().chain(&self.others).position(|known| known == method)?;
        MethodId::try_from(position).ok()
    }

    fn child(&mut self, at: usize, segment: &Segment) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).expect("fewer than four billion segments");
        let node = &mut self.nodes[at];
        let known = match segment {
            Segment::Literal(text) => node.literals.as_ref().and_then(|literals| literals.find(text)),
            Segment::Pattern(pattern) => {
                let patterns = node.rare.iter().flat_map(|rare| &rare.patterns);
                patterns.into_iter().find(|(known, _)| known == pattern).map(|(_, id)| *id)
            }
            Segment::Parameter | Segment::Rest => node.parameter,
        };
        if let Some(known) = known {
            return known;
        }
        match segment {
            Segment::Literal(text) => node.literals.get_or_insert_default().insert(text, next),
            Segment::Pattern(pattern) => {
                let patterns = &mut node.rare.get_or_insert_default().patterns;
                patterns.push((pattern.clone(), next));
                patterns.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.specificity()));
            }
            Segment::Parameter | Segment::Rest => node.parameter = Some(next),
        }
        self.nodes.push(Node::default());
        next
    }

    /// Finds the operation for a decoded path below the base path.
    pub fn find(&self, method: &Method, path: &str, strict_trailing_slash: bool) -> OperationMatch {
        let mut methods = self.methods(path);
        if methods.is_none() && !strict_trailing_slash {
            methods = match path.strip_suffix('/') {
                Some(shorter) if !shorter.is_empty() => self.methods(shorter),
                _ => self.methods(&format!("{path}/")),
            };
        }
        match methods {
            None => OperationMatch::NotFound,
            Some(methods) => match self.operation(methods, method) {
                Some(operation) => OperationMatch::Found(operation),
                None if *method == Method::OPTIONS => OperationMatch::Options,
                None => OperationMatch::OtherMethod(self.allow(methods)),
            },
        }
    }

    /// HEAD is answered by the operation for GET when it has none of its own.
    fn operation(&self, methods: &Methods, method: &Method) -> Option<u32> {
        self.method(method)
            .and_then(|id| methods.exact(id))
            .or_else(|| if *method == Method::HEAD { methods.exact(GET) } else { None })
            .or(methods.any)
    }

    /// The value of `Allow` for a method that is not there.
    fn allow(&self, methods: &Methods) -> String {
        let known: Vec<&Method> = STANDARD.iter().chain(&self.others).collect();
        let mut names: Vec<&str> =
            methods.exact.iter().filter_map(|(id, _)| Some(known.get(usize::from(*id))?.as_str())).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        if !names.contains(&"OPTIONS") {
            names.push("OPTIONS");
        }
        names.sort_unstable();
        names.join(", ")
    }

    fn methods(&self, path: &str) -> Option<&Methods> {
        self.walk(0, Some(path.strip_prefix('/').unwrap_or(path)))
    }

    /// Depth is bounded by the deepest template, which has at most 64 segments. `left` is what no node has been found
    /// for yet.
    fn walk(&self, at: usize, left: Option<&str>) -> Option<&Methods> {
        let node = &self.nodes[at];
        let Some(left) = left else { return node.here.as_ref() };
        let (segment, rest) =
            left.split_once('/').map_or((left, None), |(segment, rest)| (segment, Some(rest)));
        if let Some(literals) = &node.literals
            && let Some(next) = literals.find(segment)
            && let Some(found) = self.walk(next as usize, rest)
        {
            return Some(found);
        }
        let patterns = node.rare.iter().flat_map(|rare| &rare.patterns);
        for (_, next) in patterns.filter(|(pattern, _)| pattern.matches(segment)) {
            if let Some(found) = self.walk(*next as usize, rest) {
                return Some(found);
            }
        }
        if let Some(next) = node.parameter
            && !segment.is_empty()
            && let Some(found) = self.walk(next as usize, rest)
        {
            return Some(found);
        }
        node.rare.as_ref()?.rest.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(operations: &[&str]) -> OperationTrie {
        let mut trie = OperationTrie::default();
        for (index, operation) in operations.iter().enumerate() {
            let (method, path) = operation.split_once(' ').unwrap();
            assert!(
                trie.insert(&Template::parse(path).unwrap(), method, u32::try_from(index).unwrap()),
                "{operation}"
            );
        }
        trie
    }

    #[test]
    fn literal_beats_pattern_beats_parameter_beats_rest() {
        let trie = trie(&[
            "GET /pets/{id}",
            "GET /pets/mine",
            "GET /pets/{name}.json",
            "GET /pets/*",
            "GET /pets/{id}/toys",
            "GET /",
            "POST /pets",
            "* /any/{x}",
        ]);
        for (path, expect) in [
            ("/pets/7", OperationMatch::Found(0)),
            ("/pets/mine", OperationMatch::Found(1)),
            ("/pets/a.json", OperationMatch::Found(2)),
            ("/pets/7/toys", OperationMatch::Found(4)),
            ("/pets/mine/toys", OperationMatch::Found(4)),
            ("/pets/7/other", OperationMatch::Found(3)),
            ("/pets/a.json/toys", OperationMatch::Found(4)),
            ("/", OperationMatch::Found(5)),
            ("/pets", OperationMatch::OtherMethod("OPTIONS, POST".into())),
            ("/any/1", OperationMatch::Found(7)),
            ("/any", OperationMatch::NotFound),
            ("/nothing", OperationMatch::NotFound),
        ] {
            assert_eq!(trie.find(&Method::GET, path, true), expect, "{path}");
        }
        assert_eq!(trie.find(&Method::HEAD, "/pets/7", true), OperationMatch::Found(0));
        assert_eq!(trie.find(&Method::OPTIONS, "/pets/7", true), OperationMatch::Options);
        assert_eq!(
            trie.find(&Method::DELETE, "/pets/7", true),
            OperationMatch::OtherMethod("GET, HEAD, OPTIONS".into())
        );
    }

    #[test]
    fn a_slash_at_the_end_matters_only_when_strict() {
        let trie = trie(&["GET /a", "GET /b/", "GET /c", "GET /c/"]);
        for (path, strict, lenient) in [
            ("/a", OperationMatch::Found(0), OperationMatch::Found(0)),
            ("/a/", OperationMatch::NotFound, OperationMatch::Found(0)),
            ("/b", OperationMatch::NotFound, OperationMatch::Found(1)),
            ("/c/", OperationMatch::Found(3), OperationMatch::Found(3)),
            ("/a//", OperationMatch::NotFound, OperationMatch::NotFound),
        ] {
            assert_eq!(trie.find(&Method::GET, path, true), strict, "{path} strict");
            assert_eq!(trie.find(&Method::GET, path, false), lenient, "{path} lenient");
        }
    }

    #[test]
    fn the_same_operation_twice_is_noticed() {
        let mut trie = trie(&["GET /a/{id}"]);
        assert!(!trie.insert(&Template::parse("/a/{other}").unwrap(), "GET", 9));
    }
}
