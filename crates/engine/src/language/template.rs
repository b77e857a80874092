//! Templates: text with `${…}` in it.

use std::borrow::Cow;

use model::Diagnostic;

use super::{Escape, LanguageCx, Variable, parse};
use crate::{Exchange, Needs};

/// Nothing that somebody writes by hand is longer.
const LONGEST: usize = 1 << 20;

/// A text with variables, compiled.
#[derive(Debug)]
pub struct Template {
    pub(super) pieces: Box<[Piece]>,
}

#[derive(Debug)]
pub(super) enum Piece {
    Text(Box<str>),
    Variable(Variable),
}

impl Template {
    /// Compiles a text; `$${` stands for `${` itself.
    pub fn compile(text: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        if text.len() > LONGEST {
            return Err(Diagnostic::error(
                "",
                format!("found a text of {} bytes, expected at most {LONGEST}", text.len()),
            ));
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(found) = text[at..].find("${") {
            let open = at + found;
            if text[at..open].ends_with('$') {
                literal.push_str(&text[at..open - 1]);
                literal.push_str("${");
                at = open + 2;
                continue;
            }
            literal.push_str(&text[at..open]);
            let (variable, end) = placeholder(text, open, cx)?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Variable(variable));
            at = end;
        }
        literal.push_str(&text[at..]);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.into()));
        }
        Ok(Self { pieces: pieces.into() })
    }

    /// The text with every variable replaced by its value, or by nothing when it has none. Only values are escaped.
    pub fn render<'e>(&'e self, exchange: &'e Exchange, escape: Escape) -> Cow<'e, str> {
        let piece = |piece: &'e Piece| match piece {
            Piece::Text(text) => Cow::Borrowed(&**text),
            Piece::Variable(variable) => variable.escaped(exchange, escape),
        };
        match &*self.pieces {
            [] => Cow::Borrowed(""),
            [one] => piece(one),
            [first, rest @ ..] => {
                let mut text = piece(first).into_owned();
                for next in rest {
                    text.push_str(&piece(next));
                }
                Cow::Owned(text)
            }
        }
    }

    /// The same; `None` when it would be longer than that many bytes.
    pub fn render_at_most(&self, exchange: &Exchange, escape: Escape, most: usize) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Variable(variable) => text.push_str(&variable.escaped(exchange, escape)),
            }
            if text.len() > most {
                return None;
            }
        }
        Some(text)
    }

    /// The text when no variable is in it.
    pub fn constant(&self) -> Option<&str> {
        match &*self.pieces {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is the same for every request.
    pub fn is_constant(&self) -> bool {
        self.constant().is_some()
    }

    /// As it was written, for explanations.
    pub fn written(&self) -> Cow<'_, str> {
        let text = |text: &str| text.replace("${", "$${");
        match &*self.pieces {
            [Piece::Text(one)] if !one.contains("${") => Cow::Borrowed(one),
            pieces => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(piece) => text(piece),
                    Piece::Variable(variable) => ["${", variable.name(), "}"].concat(),
                })
                .collect::<String>()
                .into(),
        }
    }

    /// What has to be there for its variables.
    pub fn needs(&self) -> Needs {
        self.pieces.iter().fold(Needs::default(), |needs, piece| match piece {
            Piece::Text(_) => needs,
            Piece::Variable(variable) => needs | variable.needs(),
        })
    }
}

/// The variable at `open`, and where the text goes on.
///
/// Expressions may contain `]}` themselves: the first one that leaves an expression which compiles is the end.
fn placeholder(text: &str, open: usize, cx: &mut LanguageCx) -> Result<(Variable, usize), Diagnostic> {
    let inner = &text[open + 2..];
    let Some(first) = inner.find('}') else {
        return Err(Diagnostic::error("", format!("found `${{` {} without its `}}`", place(text, open)))
            .help("write $${ for a literal ${"));
    };
    let has_expression =
        [".jsonPath[", ".xpath[", ".regex["].iter().any(|word| inner[..first].contains(word));
    if !has_expression {
        let variable =
            parse::variable(&inner[..first], cx).map_err(|problem| located(problem, text, open))?;
        return Ok((variable, open + 2 + first + 1));
    }
    let limit = inner.find("${").unwrap_or(inner.len());
    let mut problem = None;
    for (end, _) in inner[..limit].match_indices("]}").take(16) {
        match parse::variable(&inner[..=end], cx) {
            Ok(variable) => return Ok((variable, open + 2 + end + 2)),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    let problem = problem.unwrap_or_else(|| {
        Diagnostic::error("", format!("found `${{{}` without its `]}}`", &inner[..first]))
    });
    Err(located(problem, text, open))
}

fn located(mut problem: Diagnostic, text: &str, at: usize) -> Diagnostic {
    problem.message = format!("{} ({})", problem.message, place(text, at));
    problem
}

/// For people: where in the text something is.
fn place(text: &str, at: usize) -> String {
    let before = &text[..at];
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    match before.matches('\n').count() {
        0 => format!("at character {column}"),
        lines => format!("in line {} at character {column}", lines + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    fn compile(text: &str) -> Template {
        Template::compile(text, &mut LanguageCx::default()).unwrap()
    }

    #[test]
    fn values_are_put_into_the_text() {
        let exchange = testing::exchange();
        for (text, expect) in [
            ("", ""),
            ("plain $ {x} $x", "plain $ {x} $x"),
            ("$${request.path}", "${request.path}"),
            ("a$${b}${request.httpMethod}c", "a${b}POSTc"),
            ("${request.headers.X-One}", "1"),
            ("<${request.headers.x-one}|${request.headers.none}|${unset}>", "<1||>"),
            ("${request.payload.regex[a{2}]}!", "!"),
            ("${request.payload.jsonPath[$.items[0].name]}!", "pen!"),
            ("${request.payload.jsonPath[$.odd[?@ == ']}']]}!", "]}!"),
            ("${request.payload.regex[([a-z]{4})]} ${request.payload.regex[x]}.", "item ."),
        ] {
            assert_eq!(compile(text).render(&exchange, Escape::None), expect, "{text}");
        }
    }

    #[test]
    fn constant_templates_are_borrowed() {
        let exchange = testing::exchange();
        let template = compile("a $${b}");
        assert!(template.is_constant() && template.needs() == Needs::default());
        assert!(matches!(template.render(&exchange, Escape::Json), Cow::Borrowed("a ${b}")));
        assert!(!compile("${date}").is_constant());
        // A single variable is not copied either.
        assert!(matches!(
            compile("${request.headers.x-one}").render(&exchange, Escape::Header),
            Cow::Borrowed("1")
        ));
    }

    #[test]
    fn only_values_are_escaped() {
        let mut exchange = testing::exchange();
        exchange.set_variable("v", "a\r\nb\"<&/?#..");
        for (escape, text, expect) in [
            (Escape::Header, "x: ${v}", "x: ab\"<&/?#.."),
            (Escape::UrlPath, "/p/${v}?q", "/p/a%0D%0Ab%22%3C%26%2F%3F%23..?q"),
            (Escape::UrlQuery, "?a=${v}&b", "?a=a%0D%0Ab%22%3C%26/%3F%23..&b"),
            (Escape::Json, "{\"a\":\"${v}\"}", "{\"a\":\"a\\r\\nb\\\"<&/?#..\"}"),
            (Escape::Xml, "<a b=\"${v}\"/>", "<a b=\"a&#13;\nb&quot;&lt;&amp;/?#..\"/>"),
            (Escape::Text, "[${v}]", "[a b\"<&/?#..]"),
            (Escape::UrlPath, "${request.path}/x", "/orders/7%20a/x"),
            (Escape::UrlPath, "/up/${sys:resource_path}", "/up/orders/7%20a"),
            (Escape::UrlQuery, "?${sys:query_string}", "?q=a%20b&r=%26x&q=2"),
            (Escape::UrlQuery, "?q=${request.query.r}", "?q=%26x"),
        ] {
            assert_eq!(compile(text).render(&exchange, escape), expect, "{text}");
        }
    }

    #[test]
    fn an_alias_keeps_its_slashes_in_a_path_and_a_variable_of_its_name_does_not() {
        let mut cx = LanguageCx::default();
        cx.alias("base", "/v2/a b\"");
        let template = Template::compile("${base}/x", &mut cx).unwrap();
        let mut exchange = testing::exchange();
        assert_eq!(template.render(&exchange, Escape::UrlPath), "/v2/a%20b%22/x");
        assert_eq!(template.render(&exchange, Escape::Json), "/v2/a b\\\"/x");
        exchange.set_variable("base", "/v3");
        assert_eq!(template.render(&exchange, Escape::UrlPath), "%2Fv3/x");
    }

    #[test]
    fn bodies_are_asked_for_only_when_they_are_used() {
        for (text, request_body, response_body) in [
            ("${request.payload}", true, false),
            ("${response.payload.jsonPath[$.a]}", false, true),
            ("${request.payload.xpath[//a]}${response.payload}", true, true),
            ("${response[x].payload}${request.path}", false, false),
        ] {
            let needs = compile(text).needs();
            assert_eq!((needs.request_body, needs.response_body), (request_body, response_body), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_place_and_help() {
        for (text, message, help) in [
            (
                "a\nbc${request.heders.x}",
                "found `heders` in `${request.heders.x}`, which is no variable (in line 2 at character 3)",
                "did you mean `headers`?",
            ),
            (
                "${reqest.path}",
                "found `reqest.path` in `${reqest.path}`, which is no variable (at character 1)",
                "",
            ),
            (
                "${response.status}",
                "found `status` in `${response.status}`, which is no variable (at character 1)",
                "expected one of",
            ),
            ("${request.statusCode}", "found `statusCode`", ""),
            ("${error.kode}", "found `error.kode`", "did you mean `error.code`?"),
            ("${request.authorization.clientid}", "found `clientid`", "did you mean `clientId`?"),
            ("${request.headers.a b}", "found `a b`, expected the name of a header", ""),
            ("${request.payload.jsonpath[$]}", "found `jsonpath[$]`", "did you mean `jsonPath[…]`?"),
            ("${request.payload.jsonPath[$.}", "without its `]}`", ""),
            ("${request.payload.jsonPath[nope]}", "which is no JSONPath", "RFC 9535"),
            ("${request.payload.regex[(]}", "which is no regular expression", ""),
            ("${request.payload.xpath[//p:a]}", "found prefix `p`", "add a namespace"),
            ("${request[a b].path}", "found `a b`", ""),
            ("${request.path", "found `${` at character 1 without its `}`", "$${"),
            ("${}", "without a name", ""),
        ] {
            let problem = Template::compile(text, &mut LanguageCx::default()).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem}");
            assert!(problem.help.as_deref().unwrap_or_default().contains(help), "{text}: {problem}");
        }
    }

    #[test]
    fn a_bare_name_that_looks_like_another_is_warned_of() {
        let mut cx = LanguageCx::default();
        cx.alias("backend", "http://b").declare("tenant");
        Template::compile("${tenant}${backend}${somethingElse}", &mut cx).unwrap();
        assert!(cx.take_warnings().is_empty());
        Template::compile("${tenat} ${inboundip}", &mut cx).unwrap();
        let helps: Vec<_> = cx.take_warnings().into_iter().filter_map(|warning| warning.help).collect();
        assert_eq!(helps, ["did you mean `tenant`?", "did you mean `inboundIP`?"]);
    }
}
