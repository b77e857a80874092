//! Lines of the nodes of a document.

use std::collections::HashMap;

/// Line of each path; a lookup walks up to the nearest parent known.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// A tree rather than paths: paths of deep nodes with long keys would take quadratic memory.
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
struct Node {
    line: u32,
    children: Children,
}

#[derive(Debug, Clone, Default)]
enum Children {
    #[default]
    None,
    Items(Vec<usize>),
    Keys(HashMap<Box<str>, usize>),
}

/// The step from a node to a child.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Root,
    Item,
    Key(&'a str),
}

impl Marks {
    /// Line of the node at a path like `apis[0].policies[1].config`, or of its nearest parent known.
    pub fn line(&self, path: &str) -> Option<u32> {
        let mut node = self.nodes.first()?;
        let mut rest = path;
        while !rest.is_empty() {
            let Some((child, after)) = node.child(rest) else { break };
            node = self.nodes.get(child)?;
            rest = after;
        }
        Some(node.line)
    }

    /// Adds a child to the node `parent`, and gives it a number.
    pub(super) fn add(&mut self, parent: usize, step: Step<'_>, line: u32) -> usize {
        let id = self.nodes.len();
        self.nodes.push(Node { line, children: Children::None });
        if let Some(parent) = self.nodes.get_mut(parent) {
            match step {
                Step::Root => {}
                Step::Item => match &mut parent.children {
                    Children::Items(items) => items.push(id),
                    other => *other = Children::Items(vec![id]),
                },
                Step::Key(key) => match &mut parent.children {
                    Children::Keys(keys) => drop(keys.insert(key.into(), id)),
                    other => *other = Children::Keys(HashMap::from([(key.into(), id)])),
                },
            }
        }
        id
    }
}

impl Node {
    /// The child that `path` starts with, and what of the path is left.
    fn child<'p>(&self, path: &'p str) -> Option<(usize, &'p str)> {
        match &self.children {
            Children::None => None,
            Children::Items(items) => {
                let (index, after) = path.strip_prefix('[')?.split_once(']')?;
                Some((*items.get(index.parse::<usize>().ok()?)?, after))
            }
            Children::Keys(keys) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                // Keys may hold dots and brackets themselves: the longest that fits is meant.
                let ends = path.match_indices(['.', '[']).map(|(end, _)| end).chain([path.len()]);
                let fits = |end: usize| keys.get(&path[..end]).map(|id| (*id, &path[end..]));
                ends.filter_map(fits).next_back()
            }
        }
    }
}
