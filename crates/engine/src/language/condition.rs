//! Conditions: compiled from their documents, asked for every request. What they are about is in `terms`, so that the same
//! ones serve whatever has values with names.

mod terms;

use std::borrow::Cow;

use model::{ConditionDoc, ConditionOperator as Operator, Diagnostic, diagnostic::join};
use regex::bytes::Regex;

use super::{
    LanguageCx,
    operator::{Range, compare, equals_ignore_case},
    select::regex,
};
use crate::{Exchange, Needs};

/// Conditions inside each other, and in one list. Nobody reads more.
const DEEPEST: usize = 32;
const LONGEST_LIST: usize = 1_000;

use terms::OfRequests;
pub(crate) use terms::Terms;

/// A condition about requests, compiled.
#[derive(Debug)]
pub struct Condition(Node<OfRequests>);

/// A condition about whatever its terms are of.
#[derive(Debug)]
pub(crate) enum Node<T: Terms> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Cel(T::Expression),
    Test { variable: T::Variable, operator: Operator, test: Test<T::Text> },
}

/// An operator without its negation, with what it compares with prepared.
#[derive(Debug)]
pub(crate) enum Test<X> {
    Exists,
    Text(Operator, X),
    Ranges(Vec<Range>),
    RangesOf(X),
    Regex(Regex),
}

impl Condition {
    /// Checks and prepares a condition; problems carry paths inside the document.
    pub fn compile(doc: &ConditionDoc, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        Node::compile(doc, cx).map(Self)
    }

    /// Whether it holds. An expression that cannot be evaluated does not.
    pub fn holds(&self, exchange: &Exchange) -> bool {
        self.holds_noting(exchange, &mut |_| {})
    }

    /// The same, and tells of expressions that could not be evaluated.
    pub fn holds_noting(&self, exchange: &Exchange, note: &mut dyn FnMut(String)) -> bool {
        self.0.holds(exchange, note)
    }

    /// What has to be there to decide it.
    pub fn needs(&self) -> Needs {
        self.0.needs()
    }

    /// In words, for explanations.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        self.0.describe(&mut text);
        text
    }
}

fn node<T: Terms>(
    doc: &ConditionDoc,
    cx: &mut T::Cx,
    path: &str,
    depth: usize,
) -> Result<Node<T>, Diagnostic> {
    if depth > DEEPEST {
        return Err(Diagnostic::error(
            path,
            format!("found more than {DEEPEST} conditions inside each other"),
        ));
    }
    let given: Vec<&str> = [
        ("variable", doc.variable.is_some()),
        ("all", doc.all.is_some()),
        ("any", doc.any.is_some()),
        ("not", doc.not.is_some()),
        ("cel", doc.cel.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, given)| given.then_some(name))
    .collect();
    if given.len() != 1 {
        let found = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
        return Err(Diagnostic::error(
            path,
            format!("found {found}, expected exactly one of variable, all, any, not and cel"),
        ));
    }
    if doc.variable.is_none() && (doc.operator.is_some() || doc.value.is_some()) {
        let key = if doc.operator.is_some() { "operator" } else { "value" };
        return Err(Diagnostic::error(join(path, key), format!("found `{key}` without `variable`")));
    }
    if let Some(text) = &doc.variable {
        return test(doc, text, cx, path);
    }
    let mut list = |docs: &[ConditionDoc], key: &str| {
        if docs.is_empty() || docs.len() > LONGEST_LIST {
            return Err(Diagnostic::error(
                join(path, key),
                format!("found {} conditions, expected 1 to {LONGEST_LIST}", docs.len()),
            ));
        }
        let entries = docs.iter().enumerate();
        entries
            .map(|(index, doc)| node(doc, cx, &join(path, &format!("{key}[{index}]")), depth + 1))
            .collect()
    };
    if let Some(docs) = &doc.all {
        return list(docs, "all").map(Node::All);
    }
    if let Some(docs) = &doc.any {
        return list(docs, "any").map(Node::Any);
    }
    if let Some(doc) = &doc.not {
        return node(doc, cx, &join(path, "not"), depth + 1).map(|node| Node::Not(Box::new(node)));
    }
    let text = doc.cel.as_deref().unwrap_or_default();
    T::expression(text).map(Node::Cel).map_err(|problem| problem.under(&join(path, "cel")))
}

fn test<T: Terms>(doc: &ConditionDoc, text: &str, cx: &mut T::Cx, path: &str) -> Result<Node<T>, Diagnostic> {
    let variable = T::variable(text, cx).map_err(|problem| problem.under(&join(path, "variable")))?;
    let Some(operator) = doc.operator else {
        return Err(Diagnostic::error(
            join(path, "operator"),
            "missing, expected how the variable is compared",
        )
        .help("add `operator: equals`, or `operator: exists`"));
    };
    let (positive, _) = operator.positive();
    let at = join(path, "value");
    let test = match (&doc.value, positive) {
        (None, Operator::Exists) => Test::Exists,
        (Some(_), Operator::Exists) => {
            return Err(Diagnostic::error(at, "found a value, expected none: nothing is compared"));
        }
        (None, _) => {
            return Err(Diagnostic::error(at, "missing, expected what the variable is compared with"));
        }
        (Some(value), positive) => {
            let text = T::text(value, cx).map_err(|problem| problem.under(&at))?;
            compared::<T>(positive, text).map_err(|problem| problem.under(&at))?
        }
    };
    Ok(Node::Test { variable, operator, test })
}

fn compared<T: Terms>(positive: Operator, text: T::Text) -> Result<Test<T::Text>, Diagnostic> {
    Ok(match (positive, T::constant(&text)) {
        (Operator::Matches, Some(pattern)) => Test::Regex(regex(pattern)?),
        // A pattern by the client could be anything.
        (Operator::Matches, None) => {
            return Err(Diagnostic::error("", "found variables in a regular expression, expected none"));
        }
        (Operator::Range, Some(ranges)) => Test::Ranges(Range::parse_list(ranges).ok_or_else(|| {
            Diagnostic::error("", format!("found `{ranges}`, expected ranges of addresses or numbers")).help(
                "write them like 10.0.0.0/8, 192.168.0.1-192.168.0.9 or 1-5, with commas between several",
            )
        })?),
        (Operator::Range, None) => Test::RangesOf(text),
        (Operator::GreaterThan | Operator::LessThan, Some(number)) if compare(number, "0").is_none() => {
            return Err(Diagnostic::error("", format!("found `{number}`, expected a number")));
        }
        (positive, _) => Test::Text(positive, text),
    })
}

impl<T: Terms> Node<T> {
    /// Checks and prepares a condition; problems carry paths inside the document.
    pub(crate) fn compile(doc: &ConditionDoc, cx: &mut T::Cx) -> Result<Self, Diagnostic> {
        node(doc, cx, "", 0)
    }

    /// Whether it holds, and of expressions that cannot be evaluated, which then do not hold, why.
    pub(crate) fn holds(&self, of: &T::Of, note: &mut dyn FnMut(String)) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(of, note)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(of, note)),
            Self::Not(node) => !node.holds(of, note),
            Self::Cel(expression) => T::evaluate(expression, of).unwrap_or_else(|problem| {
                note(problem);
                false
            }),
            Self::Test { variable, operator, test } => {
                let (_, negated) = operator.positive();
                let holds = T::value(variable, of).is_some_and(|value| test.holds::<T>(&value, of));
                holds != negated
            }
        }
    }

    fn describe(&self, out: &mut String) {
        match self {
            Self::All(nodes) => describe_list(nodes, " and ", out),
            Self::Any(nodes) => describe_list(nodes, " or ", out),
            Self::Not(node) => {
                out.push_str("not (");
                node.describe(out);
                out.push(')');
            }
            Self::Cel(expression) => {
                out.push_str("CEL ");
                out.push_str(T::expression_text(expression));
            }
            Self::Test { variable, operator, test } => {
                let value: Option<Cow<'_, str>> = match test {
                    Test::Exists => None,
                    Test::Text(_, text) | Test::RangesOf(text) => Some(T::written(text)),
                    Test::Ranges(ranges) => {
                        let list: Vec<String> = ranges.iter().map(ToString::to_string).collect();
                        Some(list.join(", ").into())
                    }
                    Test::Regex(regex) => Some(regex.as_str().into()),
                };
                out.push_str(&["${", T::name(variable), "} ", operator.words()].concat());
                if let Some(value) = value {
                    out.push_str(&[" `", &value, "`"].concat());
                }
            }
        }
    }
}

impl Node<OfRequests> {
    fn needs(&self) -> Needs {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().fold(Needs::default(), |needs, node| needs | node.needs())
            }
            Self::Not(node) => node.needs(),
            Self::Cel(_) => Needs::default(),
            Self::Test { variable, test, .. } => match test {
                Test::Text(_, template) | Test::RangesOf(template) => variable.needs() | template.needs(),
                Test::Exists | Test::Ranges(_) | Test::Regex(_) => variable.needs(),
            },
        }
    }
}

fn describe_list<T: Terms>(nodes: &[Node<T>], between: &str, out: &mut String) {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        let is_list = matches!(node, Node::All(_) | Node::Any(_));
        if is_list {
            out.push('(');
        }
        node.describe(out);
        if is_list {
            out.push(')');
        }
    }
}

impl<X> Test<X> {
    fn holds<T: Terms<Text = X>>(&self, value: &str, of: &T::Of) -> bool {
        match self {
            Self::Exists => true,
            Self::Ranges(ranges) => Range::any_has(ranges, value),
            Self::RangesOf(text) => {
                Range::parse_list(&T::render(text, of)).is_some_and(|ranges| Range::any_has(&ranges, value))
            }
            Self::Regex(regex) => regex.is_match(value.as_bytes()),
            Self::Text(operator, text) => {
                let other = &*T::render(text, of);
                match operator {
                    Operator::EqualsIgnoreCase => equals_ignore_case(value, other),
                    Operator::Contains => value.contains(other),
                    Operator::StartsWith => value.starts_with(other),
                    Operator::EndsWith => value.ends_with(other),
                    Operator::GreaterThan => compare(value, other).is_some_and(|order| order.is_gt()),
                    Operator::LessThan => compare(value, other).is_some_and(|order| order.is_lt()),
                    // The others have tests of their own.
                    _ => value == other,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
