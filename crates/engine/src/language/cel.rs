//! CEL: conditions as expressions. Names are looked up when an expression asks for them, and nothing is copied before.

mod facts;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{
    Context, Env, ExecutionError, Program, Value as Cel,
    common::{
        ast::{EntryExpr, Expr, LiteralValue},
        types::{self, CelBool, CelString, Type},
        value::CowVal,
    },
};
use model::{Diagnostic, diagnostic::nearest};

use self::facts::Facts;
use super::select::regex;
use crate::Exchange;

/// Expressions are written by hand, and are evaluated on a worker.
const LONGEST: usize = 8_192;
/// The parser goes deeper with each of them.
const MOST_OPERATORS: usize = 120;
/// Evaluation takes some twenty kilobytes of stack for each level, and workers have two megabytes.
const DEEPEST: usize = 24;

/// What can be asked, by the first part of a name. `claims` are whatever the token has.
const NAMES: &[(&str, &[&str])] = &[
    ("request", &["method", "path", "headers", "query", "ip", "scheme", "host"]),
    ("application", &["name", "description", "version", "attributes"]),
    ("user", &["name", "groups"]),
    ("api", &["name", "version"]),
    ("operation", &["name"]),
    ("response", &["status", "headers"]),
    ("claims", &[]),
];

/// The functions of the language, with `matches` of our own: patterns have limits.
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut library = Env::stdlib();
    const TEXT: Type = types::STRING_TYPE;
    library
        .add_overload("matches", "matches", vec![TEXT, TEXT], matches)
        .and_then(|()| {
            library.add_member_overload("matches", "string.matches(string)", TEXT, vec![TEXT], matches)
        })
        .expect("the library has no `matches` without its feature");
    Arc::new(library)
});

/// An expression, compiled.
pub(super) struct Expression {
    text: Box<str>,
    program: Program,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({})", self.text)
    }
}

impl Expression {
    pub(super) fn compile(text: &str) -> Result<Self, Diagnostic> {
        if text.trim().is_empty() || text.len() > LONGEST {
            return Err(Diagnostic::error(
                "",
                format!("found an expression of {} bytes, expected 1 to {LONGEST}", text.len()),
            ));
        }
        let operators = operators(text);
        if operators > MOST_OPERATORS {
            return Err(Diagnostic::error(
                "",
                format!("found an expression with {operators} operators, brackets and dots, expected at most {MOST_OPERATORS}"),
            )
            .help("split it into several conditions, under `all` or `any`"));
        }
        let program = LIBRARY.compile(text).map_err(|errors| {
            let first = errors.errors.first();
            let place = first.map_or((1, 1), |error| error.pos);
            let message = first.map_or("it cannot be read", |error| &error.msg);
            Diagnostic::error(
                "",
                format!(
                    "found no CEL expression: {} in line {} at character {}",
                    message.lines().next().unwrap_or_default(),
                    place.0,
                    place.1
                ),
            )
        })?;
        Check::default().expression(&program.expression().expr)?;
        Ok(Self { text: text.into(), program })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is true; an error says why that cannot be told.
    pub(super) fn evaluate(&self, exchange: &Exchange) -> Result<bool, String> {
        let facts = Facts::of(exchange);
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        context.set_variable_resolver(&facts);
        match Cel::resolve_val(self.program.expression(), &context) {
            Ok(value) => match value.downcast_ref::<CelBool>() {
                Some(value) => Ok(*value.inner()),
                None => {
                    Err(format!("the expression gave a {}, expected true or false", value.get_type().name()))
                }
            },
            Err(error) => Err(format!("the expression cannot be evaluated: {error}")),
        }
    }
}

/// How much there is that can nest or be chained, outside of texts in quotes.
fn operators(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    let mut code = String::with_capacity(text.len());
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => code.push(c),
        }
    }
    let words = code.split(|c: char| !c.is_alphanumeric()).filter(|word| *word == "in").count();
    words + code.bytes().filter(|byte| b"+-*/%<>=!&|?.[({".contains(byte)).count()
}

/// Finds names, patterns and depths that cannot be right before the first request does.
#[derive(Default)]
struct Check<'p> {
    /// Names that comprehensions bind.
    bound: Vec<&'p str>,
    depth: usize,
}

impl<'p> Check<'p> {
    fn expression(&mut self, expression: &'p Expr) -> Result<(), Diagnostic> {
        if self.depth >= DEEPEST {
            return Err(Diagnostic::error(
                "",
                format!("found an expression with more than {DEEPEST} levels of operators and brackets"),
            )
            .help("split it into several conditions, under `all` or `any`"));
        }
        self.depth += 1;
        let checked = self.parts(expression);
        self.depth -= 1;
        checked
    }

    fn parts(&mut self, expression: &'p Expr) -> Result<(), Diagnostic> {
        match expression {
            Expr::Ident(name) => self.root(name),
            Expr::Select(select) => {
                if let Expr::Ident(root) = &select.operand.expr
                    && !self.bound.contains(&root.as_str())
                    && let Some((_, fields)) = NAMES.iter().find(|(name, _)| name == root)
                    && !fields.is_empty()
                    && !fields.contains(&select.field.as_str())
                {
                    return Err(unknown(&format!("{root}.{}", select.field), &select.field, fields));
                }
                self.expression(&select.operand.expr)
            }
            Expr::Call(call) => {
                if call.func_name == "matches" {
                    pattern(call.args.last().map(|argument| &argument.expr))?;
                }
                let mut parts = call.target.as_deref().into_iter().chain(&call.args);
                parts.try_for_each(|part| self.expression(&part.expr))
            }
            Expr::Comprehension(it) => {
                self.expression(&it.iter_range.expr)?;
                self.expression(&it.accu_init.expr)?;
                let outside = self.bound.len();
                self.bound
                    .extend([it.iter_var.as_str(), &it.accu_var].into_iter().chain(it.iter_var2.as_deref()));
                let inner = [&it.loop_cond, &it.loop_step, &it.result];
                let checked = inner.into_iter().try_for_each(|part| self.expression(&part.expr));
                self.bound.truncate(outside);
                checked
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.expression(&element.expr)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key.expr)?;
                    self.expression(&entry.value.expr)
                }
                EntryExpr::StructField(field) => self.expression(&field.value.expr),
            }),
            Expr::Struct(it) => {
                Err(Diagnostic::error("", format!("found the type `{}`, which is not known", it.type_name)))
            }
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
        }
    }

    fn root(&self, name: &str) -> Result<(), Diagnostic> {
        const TYPES: [&str; 9] =
            ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];
        let known = NAMES.iter().any(|(root, _)| *root == name)
            || TYPES.contains(&name)
            || name.starts_with('@')
            || self.bound.contains(&name);
        if known {
            return Ok(());
        }
        let roots: Vec<&str> = NAMES.iter().map(|(root, _)| *root).collect();
        Err(unknown(name, name, &roots))
    }
}

/// A pattern by the client could be anything, so that it has to be written out.
fn pattern(expression: Option<&Expr>) -> Result<(), Diagnostic> {
    match expression {
        Some(Expr::Literal(LiteralValue::String(text))) => regex(text.inner()).map(drop),
        _ => Err(Diagnostic::error("", "found `matches` with a computed pattern, expected a text in quotes")),
    }
}

fn unknown(whole: &str, found: &str, known: &[&str]) -> Diagnostic {
    Diagnostic::error("", format!("found `{whole}`, which is no name of an expression")).help(
        match nearest(found, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of {}", known.join(", ")),
        },
    )
}

/// `text.matches('pattern')`. Patterns are literals, so that there are few, and each worker keeps those it has seen.
fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    /// More than a configuration has, as a rule; beyond it patterns are compiled again.
    const MOST: usize = 256;
    thread_local! {
        static SEEN: std::cell::RefCell<HashMap<String, regex::bytes::Regex>> = Default::default();
    }
    let text = |at: usize| arguments.get(at).and_then(|value| value.downcast_ref::<CelString<'_>>());
    let (Some(text), Some(pattern)) = (text(0), text(1)) else {
        return Err(ExecutionError::function_error("matches", "expected two texts"));
    };
    SEEN.with_borrow_mut(|seen| {
        if let Some(known) = seen.get(pattern.inner()) {
            return Ok(known.is_match(text.inner().as_bytes()));
        }
        let compiled =
            regex(pattern.inner()).map_err(|problem| ExecutionError::function_error("matches", problem))?;
        let found = compiled.is_match(text.inner().as_bytes());
        if seen.len() >= MOST {
            seen.clear();
        }
        seen.insert(pattern.inner().to_owned(), compiled);
        Ok(found)
    })
    .map(|found| CowVal::owned(CelBool::from(found)))
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn every_name_has_its_value() {
        let exchange = testing::exchange();
        for text in [
            "request.method == 'POST'",
            "request.path == '/orders/7%20a'",
            "request.path.startsWith('/orders/')",
            "request.headers['x-one'] == '1' && request.headers['X-Two'] == '2, 3'",
            "'x-one' in request.headers && !('none' in request.headers)",
            "has(request.headers.accept) && !has(request.headers.none)",
            "size(request.headers) > 5",
            "request.query['q'] == 'a b' && request.query.r == '&x'",
            "!('none' in request.query) && size(request.query) == 3",
            "request.ip == '10.1.2.3'",
            "request.scheme == 'https'",
            "application.name == 'mobile' && application.description == 'The app'",
            "application.version == '3' && application.attributes.team == 'red'",
            "application.attributes['cost.centre'] == '4711' && !('none' in application.attributes)",
            "size(application.attributes) == 2",
            "user.name == 'ann' && 'ops' in user.groups && size(user.groups) == 2",
            "user.groups.exists(group, group.startsWith('a'))",
            "api.name == 'Orders' && api.version == '2.1'",
            "operation.name == 'placeOrder'",
            "response.status >= 400 && response.status < 500",
            "response.headers['x-answer'] == 'yes'",
            "claims.sub == 'ann' && claims.n == 3 && claims.realm.level == 2",
            "'b' in claims.roles && claims.roles.exists(role, role == 'a')",
            "claims['https://x.y/z'] == 'url'",
            "!has(claims.none)",
            "request.path.matches('^/orders/[0-9]+')",
            "!matches(request.path, '^/pets')",
            "['POST', 'PUT'].exists(m, m == request.method)",
            "int(request.headers['x-one']) + 1 == 2",
            "type(request.method) == string",
        ] {
            let expression = Expression::compile(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!(expression.evaluate(&exchange), Ok(true), "{text}");
        }
        let mut named = testing::exchange();
        named.headers.insert(http::header::HOST, http::HeaderValue::from_static("shop.example:8443"));
        assert_eq!(
            Expression::compile("request.host == 'shop.example:8443'").unwrap().evaluate(&named),
            Ok(true)
        );
    }

    #[test]
    fn what_cannot_be_evaluated_says_why() {
        let (head, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        let full = testing::exchange();
        let bare =
            Exchange::new(full.id, full.started, full.client.clone(), full.snapshot.clone(), head.into());
        for (text, message) in [
            ("application.name == 'mobile'", "name"),
            ("application.attributes.team == 'red'", "team"),
            ("user.name == 'ann'", "name"),
            ("api.name == 'x'", "name"),
            ("claims.sub == 'x'", "sub"),
            ("request.headers['none'] == ''", "none"),
            ("request.method", "gave a string"),
            ("request.method > 1", "overload"),
            ("request.method.nope()", "nope"),
            ("1 / 0 == 1", "ero"),
        ] {
            let error = Expression::compile(text).unwrap().evaluate(&bare).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        for text in ["has(application.name)", "has(user.name)", "'ops' in user.groups"] {
            assert_eq!(Expression::compile(text).unwrap().evaluate(&bare), Ok(false), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, message, help) in [
            ("request.method = 'x'", "at character", ""),
            ("true &&", "in line 1 at character", ""),
            ("", "expected 1 to", ""),
            ("requst.method == 'x'", "found `requst`", "did you mean `request`?"),
            ("request.metod == 'x'", "found `request.metod`", "did you mean `method`?"),
            ("has(response.body)", "found `response.body`", "expected one of status, headers"),
            ("[1].exists(x, y == 1)", "found `y`", ""),
            ("request.path.matches('(')", "no regular expression", ""),
            ("request.path.matches(request.query.p)", "a computed pattern", ""),
            ("Foo{a: 1} == 1", "", ""),
        ] {
            let problem = Expression::compile(text).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem}");
            assert!(problem.help.as_deref().unwrap_or_default().contains(help), "{text}: {problem}");
        }
        assert!(Expression::compile(&"(".repeat(1_000)).is_err());
        assert!(Expression::compile(&"1 + ".repeat(2_000)).is_err());
    }

    /// On the stack of a thread that has the usual size.
    #[test]
    fn expressions_as_deep_as_they_may_be_are_evaluated() {
        let exchange = testing::exchange();
        for (unit, before, after) in [
            ("!", "", "true"),
            ("-", "", "1 > 0"),
            ("1+", "", "1 > 0"),
            ("true&&", "", "true"),
            ("false||", "", "true"),
            ("true?true:", "", "true"),
            ("[", "", "1"),
            ("(", "", "1"),
            (".a", "claims", " == 1"),
            ("['a']", "claims", " == 1"),
            (".b()", "true", ""),
            ("1 in ", "", "[1]"),
            ("[1].all(x,", "", "true"),
            ("{1:", "", "1"),
            ("1<", "", "1"),
        ] {
            for times in [5, 8, 11, 15, 22, 23, 66, 198] {
                let close = match unit {
                    "[" => "]",
                    "(" | "[1].all(x," => ")",
                    "{1:" => "}",
                    _ => "",
                };
                let text = [before, &unit.repeat(times), after, &close.repeat(times)].concat();
                if let Ok(expression) = Expression::compile(&text) {
                    // Whether it has a value is not the question.
                    let _ = expression.evaluate(&exchange);
                }
            }
        }
        assert!(Expression::compile(&format!("{}1 > 0", "1+".repeat(1_000))).is_err());
        assert!(Expression::compile(&format!("request.ip in [{}'::1']", "'10.0.0.1',".repeat(500))).is_ok());
    }
}
