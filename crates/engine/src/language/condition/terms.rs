//! What conditions are about: something with variables, texts with variables in them, and maybe expressions.

use std::borrow::Cow;

use model::Diagnostic;

use crate::{
    Exchange,
    language::{Escape, LanguageCx, Template, Variable, cel::Expression},
};

/// The terms of a kind of condition.
pub(crate) trait Terms {
    /// What has the values.
    type Of;
    /// What is known while conditions are compiled.
    type Cx;
    type Variable;
    type Text;
    type Expression;

    fn variable(text: &str, cx: &mut Self::Cx) -> Result<Self::Variable, Diagnostic>;
    fn text(text: &str, cx: &mut Self::Cx) -> Result<Self::Text, Diagnostic>;
    fn expression(text: &str) -> Result<Self::Expression, Diagnostic>;

    fn value<'a>(variable: &'a Self::Variable, of: &'a Self::Of) -> Option<Cow<'a, str>>;
    fn render<'a>(text: &'a Self::Text, of: &'a Self::Of) -> Cow<'a, str>;
    fn evaluate(expression: &Self::Expression, of: &Self::Of) -> Result<bool, String>;

    /// The text, when it has no variables in it.
    fn constant(text: &Self::Text) -> Option<&str>;

    /// Without `${` and `}`.
    fn name(variable: &Self::Variable) -> &str;
    fn written(text: &Self::Text) -> Cow<'_, str>;
    fn expression_text(expression: &Self::Expression) -> &str;
}

/// Requests with their answers, as far as they have come.
#[derive(Debug)]
pub(in crate::language) struct OfRequests;

impl Terms for OfRequests {
    type Of = Exchange;
    type Cx = LanguageCx;
    type Variable = Variable;
    type Text = Template;
    type Expression = Expression;

    fn variable(text: &str, cx: &mut LanguageCx) -> Result<Variable, Diagnostic> {
        Variable::compile(text, cx)
    }

    fn text(text: &str, cx: &mut LanguageCx) -> Result<Template, Diagnostic> {
        Template::compile(text, cx)
    }

    fn expression(text: &str) -> Result<Expression, Diagnostic> {
        Expression::compile(text)
    }

    fn value<'a>(variable: &'a Variable, of: &'a Exchange) -> Option<Cow<'a, str>> {
        variable.value(of)
    }

    fn render<'a>(text: &'a Template, of: &'a Exchange) -> Cow<'a, str> {
        text.render(of, Escape::None)
    }

    fn evaluate(expression: &Expression, of: &Exchange) -> Result<bool, String> {
        expression.evaluate(of)
    }

    fn constant(text: &Template) -> Option<&str> {
        text.constant()
    }

    fn name(variable: &Variable) -> &str {
        variable.name()
    }

    fn written(text: &Template) -> Cow<'_, str> {
        text.written()
    }

    fn expression_text(expression: &Expression) -> &str {
        expression.text()
    }
}
