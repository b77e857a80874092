//! The operations of one API, by path: literal beats pattern beats parameter beats rest, segment by segment.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use http::Method;
use smallvec::SmallVec;

use super::template::{Pattern, Segment, Template};

type NodeId = u32;

/// The operations of one path.
#[derive(Debug, Clone, Default)]
pub struct Methods {
    exact: SmallVec<[(Method, u32); 2]>,
    any: Option<u32>,
}

impl Methods {
    /// Adds an operation; `false` when the method is taken. `*` stands for every method.
    fn insert(&mut self, method: &str, operation: u32) -> bool {
        if method == "*" {
            return self.any.replace(operation).is_none();
        }
        let Ok(method) = Method::from_bytes(method.as_bytes()) else { return false };
        if self.exact.iter().any(|(m, _)| *m == method) {
            return false;
        }
        self.exact.push((method, operation));
        true
    }

    /// The operation for a method. HEAD is answered by the operation for GET when it has none of its own.
    pub fn find(&self, method: &Method) -> Option<u32> {
        let exact =
            |wanted: &Method| self.exact.iter().find(|(m, _)| m == wanted).map(|(_, operation)| *operation);
        exact(method)
            .or_else(|| if *method == Method::HEAD { exact(&Method::GET) } else { None })
            .or(self.any)
    }

    /// The value of `Allow` for a method that is not there.
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.exact.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        if !names.contains(&"OPTIONS") {
            names.push("OPTIONS");
        }
        names.sort_unstable();
        names.join(", ")
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, NodeId, RandomState>,
    /// The most specific first.
    patterns: Vec<(Pattern, NodeId)>,
    parameter: Option<NodeId>,
    rest: Option<Methods>,
    here: Option<Methods>,
}

/// The operations of one API.
#[derive(Debug)]
pub struct OperationTrie {
    nodes: Vec<Node>,
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
        Self { nodes: vec![Node::default()] }
    }
}

impl OperationTrie {
    /// Adds an operation; `false` when there is one with the same method and an equivalent path.
    pub fn insert(&mut self, template: &Template, method: &str, operation: u32) -> bool {
        let mut at = 0;
        for segment in &template.segments {
            at = match segment {
                Segment::Rest => {
                    return self.nodes[at].rest.get_or_insert_default().insert(method, operation);
                }
                segment => self.child(at, segment) as usize,
            };
        }
        self.nodes[at].here.get_or_insert_default().insert(method, operation)
    }

    fn child(&mut self, at: usize, segment: &Segment) -> NodeId {
        let next = NodeId::try_from(self.nodes.len()).expect("fewer than four billion segments");
        let node = &mut self.nodes[at];
        let known = match segment {
            Segment::Literal(text) => node.literals.get(text).copied(),
            Segment::Pattern(pattern) => node.patterns.iter().find(|(p, _)| p == pattern).map(|(_, id)| *id),
            Segment::Parameter | Segment::Rest => node.parameter,
        };
        if let Some(known) = known {
            return known;
        }
        match segment {
            Segment::Literal(text) => {
                node.literals.insert(text.clone(), next);
            }
            Segment::Pattern(pattern) => {
                node.patterns.push((pattern.clone(), next));
                node.patterns.sort_by_key(|(p, _)| std::cmp::Reverse(p.specificity()));
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
            Some(methods) => match methods.find(method) {
                Some(operation) => OperationMatch::Found(operation),
                None if *method == Method::OPTIONS => OperationMatch::Options,
                None => OperationMatch::OtherMethod(methods.allow()),
            },
        }
    }

    fn methods(&self, path: &str) -> Option<&Methods> {
        let segments: SmallVec<[&str; 16]> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        self.walk(0, &segments)
    }

    /// Depth is bounded by the deepest template, which has at most 64 segments.
    fn walk(&self, at: usize, segments: &[&str]) -> Option<&Methods> {
        let node = &self.nodes[at];
        let Some((segment, rest)) = segments.split_first() else { return node.here.as_ref() };
        if let Some(next) = node.literals.get(*segment)
            && let Some(found) = self.walk(*next as usize, rest)
        {
            return Some(found);
        }
        for (_, next) in node.patterns.iter().filter(|(pattern, _)| pattern.matches(segment)) {
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
        node.rest.as_ref()
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
