//! Selectors: parts of a body, by JSONPath, XPath or regular expression, to read, to mask and to take out.

use std::borrow::Cow;

use model::Diagnostic;
use regex::bytes::{Regex, RegexBuilder};
use serde_json_path::JsonPath;

use super::{
    Namespaces, json,
    xml::{NotEvaluated, XPath},
};
use crate::Payload;

/// Compiled programs of user patterns stay below this.
const LARGEST_REGEX: usize = 1 << 20;
const LONGEST_REGEX: usize = 4_096;

/// How an expression is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectorKind {
    JsonPath,
    XPath,
    Regex,
}

/// What becomes of selected parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// They get this value.
    Mask(Box<str>),
    /// They are taken out.
    Filter,
}

/// An expression that selects parts of a body.
#[derive(Debug)]
pub enum Selector {
    JsonPath(JsonPath),
    XPath(XPath),
    Regex(Regex),
}

impl Selector {
    /// Checks an expression and prepares it.
    pub fn compile(
        kind: SelectorKind,
        expression: &str,
        namespaces: &Namespaces,
    ) -> Result<Self, Diagnostic> {
        match kind {
            SelectorKind::JsonPath => json::compile(expression).map(Self::JsonPath),
            SelectorKind::XPath => XPath::compile(expression, namespaces).map(Self::XPath),
            SelectorKind::Regex => regex(expression).map(Self::Regex),
        }
    }

    /// Whether it selects parts of a body, which can be replaced, and does not compute something from it.
    pub fn selects_parts(&self) -> bool {
        match self {
            Self::XPath(path) => path.selects_nodes(),
            Self::JsonPath(_) | Self::Regex(_) => true,
        }
    }

    /// Every selected part, as text. Of a regular expression with groups, the first group of each match.
    pub fn texts(&self, payload: &Payload) -> Vec<String> {
        match self {
            Self::JsonPath(path) => {
                let Some(value) = payload.json() else { return Vec::new() };
                path.query(value).iter().map(|node| json::text_of(node).into_owned()).collect()
            }
            Self::XPath(path) => payload.xml().and_then(|xml| xml.texts(path)).unwrap_or_default(),
            Self::Regex(regex) => regex
                .captures_iter(payload.bytes())
                .filter_map(|captures| captures.get(1).or_else(|| captures.get(0)))
                .map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned())
                .collect(),
        }
    }

    /// What is selected, as one text; `None` when nothing is.
    pub(super) fn text<'p>(&self, payload: &'p Payload) -> Option<Cow<'p, str>> {
        match self {
            Self::JsonPath(path) => json::text(path, payload.json()?),
            Self::XPath(path) => payload.xml()?.text(path).map(Cow::Owned),
            Self::Regex(regex) => first_match(regex, payload.bytes()),
        }
    }

    /// The body with the selected parts replaced. `Ok(None)` when nothing is selected, also because the body is not
    /// what the expression is for; `Err` when it could not be looked at, so that what should be hidden is not passed on.
    pub fn replace(
        &self,
        payload: &Payload,
        replacement: &Replacement,
    ) -> Result<Option<Vec<u8>>, NotEvaluated> {
        match self {
            Self::JsonPath(path) => {
                let changed = payload.json().and_then(|value| json::replace(path, value, replacement));
                changed.map(|value| serde_json::to_vec(&value).map_err(|_| NotEvaluated)).transpose()
            }
            Self::XPath(path) => {
                let source = std::str::from_utf8(payload.bytes()).ok();
                let Some((xml, source)) = payload.xml().zip(source) else { return Ok(None) };
                Ok(xml.replace(source, path, replacement)?.map(String::into_bytes))
            }
            Self::Regex(regex) => Ok(replace_matches(regex, payload.bytes(), replacement)),
        }
    }
}

/// A regular expression by a user: its program is bounded, and it runs in linear time anyway.
pub(super) fn regex(text: &str) -> Result<Regex, Diagnostic> {
    if text.len() > LONGEST_REGEX {
        return Err(Diagnostic::error(
            "",
            format!("found a regular expression of {} bytes, expected at most {LONGEST_REGEX}", text.len()),
        ));
    }
    RegexBuilder::new(text).size_limit(LARGEST_REGEX).nest_limit(64).build().map_err(|error| {
        let help = match &error {
            regex::Error::CompiledTooBig(_) => "use smaller repetitions",
            _ => "look-around and back-references are not supported",
        };
        Diagnostic::error(
            "",
            format!("found `{text}`, which is no regular expression: {}", last_line(&error)),
        )
        .help(help)
    })
}

/// The message proper; what comes before it draws the pattern on several lines.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The first group of the first match, else the whole match.
pub(super) fn first_match<'t>(regex: &Regex, text: &'t [u8]) -> Option<Cow<'t, str>> {
    let found = if regex.captures_len() > 1 {
        let captures = regex.captures(text)?;
        captures.get(1).or_else(|| captures.get(0))?
    } else {
        regex.find(text)?
    };
    Some(String::from_utf8_lossy(found.as_bytes()))
}

fn replace_matches(regex: &Regex, text: &[u8], replacement: &Replacement) -> Option<Vec<u8>> {
    let with = match replacement {
        Replacement::Mask(mask) => mask.as_bytes(),
        Replacement::Filter => &[],
    };
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for captures in regex.captures_iter(text) {
        let Some(part) = captures.get(1).or_else(|| captures.get(0)).filter(|part| !part.is_empty()) else {
            continue;
        };
        out.extend_from_slice(&text[at..part.start()]);
        out.extend_from_slice(with);
        at = part.end();
    }
    if at == 0 {
        return None;
    }
    out.extend_from_slice(&text[at..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(kind: SelectorKind, expression: &str) -> Selector {
        Selector::compile(kind, expression, &Namespaces::default()).unwrap()
    }

    #[test]
    fn parts_are_selected_and_replaced() {
        use SelectorKind::{JsonPath, Regex, XPath};
        let mask = Replacement::Mask("$1*".into());
        for (kind, expression, body, texts, masked, filtered) in [
            (
                JsonPath,
                "$..card",
                r#"{"card":"4111","x":[{"card":5}]}"#,
                &["4111", "5"][..],
                r#"{"card":"$1*","x":[{"card":"$1*"}]}"#,
                r#"{"x":[{}]}"#,
            ),
            (
                XPath,
                "//card",
                "<a><card>4111</card> <card t='1'>5</card></a>",
                &["4111", "5"],
                "<a><card>$1*</card> <card t='1'>$1*</card></a>",
                "<a> </a>",
            ),
            (Regex, r"\d{4,}", "card 4111 and 55555", &["4111", "55555"], "card $1* and $1*", "card  and "),
            (Regex, r"card=(\d+)", "card=4111&x=1", &["4111"], "card=$1*&x=1", "card=&x=1"),
        ] {
            let (selector, payload) = (selector(kind, expression), Payload::new(body));
            let replaced = |replacement| {
                selector
                    .replace(&payload, replacement)
                    .unwrap()
                    .map(|bytes| String::from_utf8(bytes).unwrap())
            };
            assert_eq!(selector.texts(&payload), texts, "{expression}");
            assert_eq!(replaced(&mask).as_deref(), Some(masked), "{expression}");
            assert_eq!(replaced(&Replacement::Filter).as_deref(), Some(filtered), "{expression}");
        }
    }

    #[test]
    fn a_body_of_another_kind_has_no_such_parts() {
        for (kind, expression) in
            [(SelectorKind::JsonPath, "$.a"), (SelectorKind::XPath, "//a"), (SelectorKind::Regex, "q")]
        {
            let (selector, payload) = (selector(kind, expression), Payload::new("neither"));
            assert!(selector.texts(&payload).is_empty() && selector.text(&payload).is_none());
            assert_eq!(selector.replace(&payload, &Replacement::Filter), Ok(None));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let payload = Payload::new(&b"\xff card=4111"[..]);
        let replaced = selector(SelectorKind::Regex, r"\d+").replace(&payload, &Replacement::Filter);
        assert_eq!(replaced, Ok(Some(b"\xff card=".to_vec())));
    }

    #[test]
    fn patterns_beyond_the_limits_are_refused() {
        for pattern in
            ["(", r"(a)\1", "(?=a)", "((a{1000}){1000}){1000}", &"a".repeat(5_000), &"(".repeat(200)]
        {
            assert!(regex(pattern).is_err(), "{pattern}");
        }
    }
}
