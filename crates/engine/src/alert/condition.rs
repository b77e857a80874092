//! Conditions about alerts: those that serve requests, over fields of an alert instead of variables.

use std::{borrow::Cow, convert::Infallible};

use model::{ConditionDoc, Diagnostic};

use super::{
    Alert,
    text::{AlertText, field, field_named},
};
use crate::language::{Escape, Node, Terms};

/// A condition about alerts, compiled.
#[derive(Debug)]
pub struct AlertCondition(Node<OfAlerts>);

impl AlertCondition {
    /// Checks and prepares a condition; problems carry paths inside the document.
    pub fn compile(doc: &ConditionDoc) -> Result<Self, Diagnostic> {
        Node::compile(doc, &mut ()).map(Self)
    }

    pub fn holds(&self, alert: &Alert) -> bool {
        // Only expressions have anything to note, and there are none.
        self.0.holds(alert, &mut |_| {})
    }
}

#[derive(Debug)]
struct OfAlerts;

/// A text with fields of an alert, and as it was written.
#[derive(Debug)]
struct Text {
    compiled: AlertText,
    written: Box<str>,
}

impl Terms for OfAlerts {
    type Of = Alert;
    type Cx = ();
    type Variable = &'static str;
    type Text = Text;
    type Expression = Infallible;

    fn variable(text: &str, (): &mut ()) -> Result<&'static str, Diagnostic> {
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let name = name.ok_or_else(|| {
            Diagnostic::error(
                "",
                format!("found `{text}`, expected a field of an alert such as ${{severity}}"),
            )
        })?;
        field_named(name)
    }

    fn text(text: &str, (): &mut ()) -> Result<Text, Diagnostic> {
        Ok(Text { compiled: AlertText::compile(text)?, written: text.into() })
    }

    fn expression(_: &str) -> Result<Infallible, Diagnostic> {
        Err(Diagnostic::error("", "found an expression, expected `variable` and `operator`")
            .help("expressions look at requests, and an alert has none"))
    }

    /// A field that says nothing is not there.
    fn value<'a>(variable: &'a &'static str, of: &'a Alert) -> Option<Cow<'a, str>> {
        Some(field(of, variable)).filter(|value| !value.is_empty())
    }

    fn render<'a>(text: &'a Text, of: &'a Alert) -> Cow<'a, str> {
        match Self::constant(text) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(text.compiled.render(of, Escape::None)),
        }
    }

    fn evaluate(expression: &Infallible, _: &Alert) -> Result<bool, String> {
        match *expression {}
    }

    fn constant(text: &Text) -> Option<&str> {
        text.compiled.constant()
    }

    fn name<'a>(variable: &'a &'static str) -> &'a str {
        variable
    }

    fn written(text: &Text) -> Cow<'_, str> {
        Cow::Borrowed(&text.written)
    }

    fn expression_text(expression: &Infallible) -> &str {
        match *expression {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::text::tests::alert;

    fn compile(yaml: &str) -> Result<AlertCondition, Diagnostic> {
        let doc = serde_json::from_value(model::yaml::parse(yaml).unwrap().value).unwrap();
        AlertCondition::compile(&doc)
    }

    #[test]
    fn fields_of_an_alert_are_compared_like_variables_of_a_request() {
        for (condition, expect) in [
            ("{variable: '${severity}', operator: equals, value: error}", true),
            ("{variable: '${severity}', operator: notEquals, value: error}", false),
            ("{variable: '${api}', operator: startsWith, value: Orders}", true),
            ("{variable: '${api}', operator: matches, value: '^Orders \"\\w+\"$'}", true),
            ("{variable: '${apiVersion}', operator: range, value: '2.0-2.9, 7'}", true),
            ("{variable: '${value}', operator: greaterThan, value: '${threshold}'}", true),
            ("{variable: '${value}', operator: lessThan, value: '300'}", false),
            ("{variable: '${application}', operator: exists}", false),
            ("{variable: '${application}', operator: notExists}", true),
            ("{variable: '${message}', operator: contains, value: 'it is ${metric}'}", false),
            (
                "all: [{variable: '${type}', operator: equals, value: Monitor}, {variable: '${policy}', operator: equals, value: fast}]",
                false,
            ),
            (
                "any: [{variable: '${type}', operator: equals, value: SLA}, {not: {variable: '${policy}', operator: equals, value: fast}}]",
                true,
            ),
        ] {
            assert_eq!(compile(condition).unwrap().holds(&alert()), expect, "{condition}");
        }
    }

    #[test]
    fn what_no_alert_has_is_refused_where_it_is_written() {
        for (condition, path, problem) in [
            ("{variable: '${severty}', operator: exists}", "variable", "`${severty}`"),
            ("{variable: '${request.path}', operator: exists}", "variable", "`${request.path}`"),
            ("{variable: severity, operator: exists}", "variable", "expected a field of an alert"),
            ("{variable: '${value}', operator: equals, value: '${nothing}'}", "value", "`${nothing}`"),
            ("{variable: '${value}', operator: matches, value: '${api}'}", "value", "regular expression"),
            ("{variable: '${value}', operator: greaterThan, value: much}", "value", "expected a number"),
            ("{any: [{cel: 'true'}]}", "any[0].cel", "expected `variable`"),
            ("{variable: '${value}'}", "operator", "missing"),
            ("{}", "", "exactly one"),
        ] {
            let found = compile(condition).err().unwrap_or_else(|| panic!("{condition} is taken"));
            assert_eq!(found.path, path, "{condition}: {found}");
            assert!(found.to_string().contains(problem), "{condition}: {found}");
        }
    }
}
