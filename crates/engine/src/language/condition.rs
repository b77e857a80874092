//! Conditions: compiled from their documents, asked for every request.

use std::borrow::Cow;

use model::{ConditionDoc, ConditionOperator as Operator, Diagnostic, diagnostic::join};
use regex::bytes::Regex;

use super::{
    Escape, LanguageCx, Template, Variable,
    cel::Expression,
    operator::{Range, compare, equals_ignore_case},
    select::regex,
};
use crate::{Exchange, Needs};

/// Conditions inside each other, and in one list. Nobody reads more.
const DEEPEST: usize = 32;
const LONGEST_LIST: usize = 1_000;

/// A condition, compiled.
#[derive(Debug)]
pub struct Condition(Node);

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Cel(Expression),
    Test { variable: Variable, operator: Operator, test: Test },
}

/// An operator without its negation, with what it compares with prepared.
#[derive(Debug)]
enum Test {
    Exists,
    Text(Operator, Template),
    Ranges(Vec<Range>),
    RangesOf(Template),
    Regex(Regex),
}

impl Condition {
    /// Checks and prepares a condition; problems carry paths inside the document.
    pub fn compile(doc: &ConditionDoc, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        node(doc, cx, "", 0).map(Self)
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

fn node(doc: &ConditionDoc, cx: &mut LanguageCx, path: &str, depth: usize) -> Result<Node, Diagnostic> {
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
    Expression::compile(text).map(Node::Cel).map_err(|problem| problem.under(&join(path, "cel")))
}

fn test(doc: &ConditionDoc, text: &str, cx: &mut LanguageCx, path: &str) -> Result<Node, Diagnostic> {
    let variable = Variable::compile(text, cx).map_err(|problem| problem.under(&join(path, "variable")))?;
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
            let template = Template::compile(value, cx).map_err(|problem| problem.under(&at))?;
            compared(positive, template).map_err(|problem| problem.under(&at))?
        }
    };
    Ok(Node::Test { variable, operator, test })
}

fn compared(positive: Operator, template: Template) -> Result<Test, Diagnostic> {
    Ok(match (positive, template.constant()) {
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
        (Operator::Range, None) => Test::RangesOf(template),
        (Operator::GreaterThan | Operator::LessThan, Some(number)) if compare(number, "0").is_none() => {
            return Err(Diagnostic::error("", format!("found `{number}`, expected a number")));
        }
        (positive, _) => Test::Text(positive, template),
    })
}

impl Node {
    fn holds(&self, exchange: &Exchange, note: &mut dyn FnMut(String)) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(exchange, note)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(exchange, note)),
            Self::Not(node) => !node.holds(exchange, note),
            Self::Cel(expression) => expression.evaluate(exchange).unwrap_or_else(|problem| {
                note(problem);
                false
            }),
            Self::Test { variable, operator, test } => {
                let (_, negated) = operator.positive();
                let holds = variable.value(exchange).is_some_and(|value| test.holds(&value, exchange));
                holds != negated
            }
        }
    }

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
                out.push_str(expression.text());
            }
            Self::Test { variable, operator, test } => {
                let value: Option<Cow<'_, str>> = match test {
                    Test::Exists => None,
                    Test::Text(_, template) | Test::RangesOf(template) => Some(template.written()),
                    Test::Ranges(ranges) => {
                        let list: Vec<String> = ranges.iter().map(ToString::to_string).collect();
                        Some(list.join(", ").into())
                    }
                    Test::Regex(regex) => Some(regex.as_str().into()),
                };
                out.push_str(&["${", variable.name(), "} ", operator.words()].concat());
                if let Some(value) = value {
                    out.push_str(&[" `", &value, "`"].concat());
                }
            }
        }
    }
}

fn describe_list(nodes: &[Node], between: &str, out: &mut String) {
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

impl Test {
    fn holds(&self, value: &str, exchange: &Exchange) -> bool {
        match self {
            Self::Exists => true,
            Self::Ranges(ranges) => Range::any_has(ranges, value),
            Self::RangesOf(template) => Range::parse_list(&template.render(exchange, Escape::None))
                .is_some_and(|ranges| Range::any_has(&ranges, value)),
            Self::Regex(regex) => regex.is_match(value.as_bytes()),
            Self::Text(operator, template) => {
                let other = &*template.render(exchange, Escape::None);
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
