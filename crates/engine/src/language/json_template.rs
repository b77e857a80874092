//! JSON with variables in it, which is JSON whatever their values are.

use model::Diagnostic;
use serde::de::IgnoredAny;

use super::{Escape, LanguageCx, Template, template::Piece};
use crate::{Exchange, Needs};

/// A JSON text with variables, compiled. Between quotes a variable is part of a text. Without them its value is put in as
/// JSON when it is that, else as a text of its own, and as `null` when there is none.
#[derive(Debug)]
pub struct JsonTemplate {
    template: Template,
    /// For each piece, whether it begins between quotes.
    quoted: Box<[bool]>,
}

impl JsonTemplate {
    /// Compiles a text that is JSON when every variable is.
    pub fn compile(text: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let template = Template::compile(text, cx)?;
        let (mut quoted, mut in_quotes, mut escaped) = (Vec::new(), false, false);
        let mut sample = String::new();
        for piece in &template.pieces {
            quoted.push(in_quotes);
            match piece {
                Piece::Text(text) => {
                    for c in text.chars() {
                        match c {
                            _ if escaped => escaped = false,
                            '\\' if in_quotes => escaped = true,
                            '"' => in_quotes = !in_quotes,
                            _ => {}
                        }
                    }
                    sample.push_str(text);
                }
                Piece::Variable(_) if escaped => {
                    return Err(Diagnostic::error("", "found a variable after a backslash, expected JSON"));
                }
                Piece::Variable(_) if in_quotes => {}
                Piece::Variable(_) => sample.push_str("null"),
            }
        }
        serde_json::from_str::<IgnoredAny>(&sample).map_err(|error| {
            Diagnostic::error("", format!("found a text that is not JSON: {error}"))
                .help("a variable stands between quotes, or in place of a value")
        })?;
        Ok(Self { template, quoted: quoted.into() })
    }

    /// The JSON for a request; `None` when it would be longer than that many bytes.
    pub fn render(&self, exchange: &Exchange, most: usize) -> Option<String> {
        let mut out = String::new();
        for (piece, quoted) in self.template.pieces.iter().zip(&self.quoted) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable(variable) if *quoted => {
                    out.push_str(&variable.escaped(exchange, Escape::Json));
                }
                Piece::Variable(variable) => match variable.value(exchange) {
                    None => out.push_str("null"),
                    Some(value) if serde_json::from_str::<IgnoredAny>(&value).is_ok() => out.push_str(&value),
                    Some(value) if value.is_empty() => out.push_str("null"),
                    Some(value) => {
                        out.push('"');
                        out.push_str(&Escape::Json.apply(value));
                        out.push('"');
                    }
                },
            }
            if out.len() > most {
                return None;
            }
        }
        Some(out)
    }

    /// What has to be there for its variables.
    pub fn needs(&self) -> Needs {
        self.template.needs()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn whatever_the_values_are_it_stays_json() {
        let template = r#"{"text": "<${x}>", "value": ${x}, "list": [${x}, ${none}], "\"${x}": "\\"}"#;
        let template = JsonTemplate::compile(template, &mut LanguageCx::default()).unwrap();
        let mut exchange = testing::exchange();
        for (value, expect) in [
            ("7", r#"{"text":"<7>","value":7,"list":[7,null],"\"7":"\\"}"#),
            (
                r#"{"a": "b"}"#,
                r#"{"text":"<{\"a\": \"b\"}>","value":{"a":"b"},"list":[{"a":"b"},null],"\"{\"a\": \"b\"}":"\\"}"#,
            ),
            ("Rex", r#"{"text":"<Rex>","value":"Rex","list":["Rex",null],"\"Rex":"\\"}"#),
            (
                "\",\"admin\":\"1",
                r#"{"text":"<\",\"admin\":\"1>","value":"\",\"admin\":\"1","list":["\",\"admin\":\"1",null],"\"\",\"admin\":\"1":"\\"}"#,
            ),
            (
                "1], \"admin\": [1",
                r#"{"text":"<1], \"admin\": [1>","value":"1], \"admin\": [1","list":["1], \"admin\": [1",null],"\"1], \"admin\": [1":"\\"}"#,
            ),
            ("", r#"{"text":"<>","value":null,"list":[null,null],"\"":"\\"}"#),
        ] {
            exchange.set_variable("x", value);
            let text = template.render(&exchange, 10_000).unwrap();
            let found: serde_json::Value =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(found.to_string(), expect);
        }
        exchange.set_variable("x", "long".repeat(100));
        assert_eq!(template.render(&exchange, 100), None);
    }

    #[test]
    fn what_is_no_json_is_refused_when_it_is_compiled() {
        for text in ["{\"a\": ${x}${x}}", "{${x}: 1}", "{\"a\": \"${x}}", "", "{\"a\": \"\\${x}\"}", "[1,]"] {
            let problem = JsonTemplate::compile(text, &mut LanguageCx::default()).map(|_| ()).unwrap_err();
            assert!(problem.to_string().contains("JSON"), "{text}: {problem}");
        }
        assert!(JsonTemplate::compile("${x}", &mut LanguageCx::default()).is_ok());
    }
}
