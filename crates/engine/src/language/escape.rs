//! What happens to a value on its way into a text, so that it stays one value whatever is in it.

use std::borrow::Cow;

use crate::route::{encode_host, encode_query, encode_segment};

/// Where a template's text goes. Only substituted values are escaped, never the text around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Values stay as they are.
    None,
    /// The value of a header: no line breaks, no control characters.
    Header,
    /// One segment of a URL's path, percent-encoded. A value that is `.` or `..` is left out.
    UrlPath,
    /// The name or value of a query parameter, percent-encoded.
    UrlQuery,
    /// Part of the host of a URL: what can be in no name of a host is percent-encoded, so that no host is valid with it.
    Host,
    /// The inside of a JSON string.
    Json,
    /// Text or attribute value of XML.
    Xml,
    /// One line of plain text, such as a log or the subject of a mail.
    Text,
}

impl Escape {
    /// The value as it may stand in the text; borrowed when there is nothing to escape.
    pub fn apply<'v>(self, value: Cow<'v, str>) -> Cow<'v, str> {
        match self {
            Self::None => value,
            Self::Header => each(value, char::is_control, |_, _| {}),
            Self::UrlPath if matches!(&*value, "." | "..") => Cow::Borrowed(""),
            Self::UrlPath => keep(value, encode_segment),
            Self::UrlQuery => keep(value, encode_query),
            Self::Host => keep(value, encode_host),
            Self::Json => each(
                value,
                |c| matches!(c, '"' | '\\' | '\0'..='\x1f' | '\x7f' | '\u{2028}' | '\u{2029}'),
                json,
            ),
            Self::Xml => {
                each(value, |c| matches!(c, '&' | '<' | '>' | '"' | '\'') || !is_xml(c) || c == '\r', xml)
            }
            Self::Text => each(
                value,
                |c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'),
                |c, out| {
                    if matches!(c, '\n' | '\t' | '\u{2028}' | '\u{2029}') {
                        out.push(' ');
                    }
                },
            ),
        }
    }
}

/// An encoded form of an owned text is borrowed only while nothing changed.
fn keep<'v>(value: Cow<'v, str>, encode: impl for<'t> Fn(&'t str) -> Cow<'t, str>) -> Cow<'v, str> {
    let encoded = match encode(&value) {
        Cow::Borrowed(_) => None,
        Cow::Owned(encoded) => Some(encoded),
    };
    encoded.map_or(value, Cow::Owned)
}

fn each<'v>(
    value: Cow<'v, str>,
    special: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'v, str> {
    let Some(first) = value.find(&special) else { return value };
    let mut out = String::with_capacity(value.len() + 8);
    out.push_str(&value[..first]);
    for c in value[first..].chars() {
        if special(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn json(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
    }
}

fn xml(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&apos;"),
        // A bare one would be read as a line feed.
        '\r' => out.push_str("&#13;"),
        // XML has no way at all to write the others.
        _ => {}
    }
}

/// `Char` of XML 1.0.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_value() {
        use Escape as E;
        for (escape, value, expect) in [
            (E::None, "a\r\nb", "a\r\nb"),
            (E::Header, "a\r\nX-Admin: 1\0\x7f", "aX-Admin: 1"),
            (E::Header, "tab\there é", "tabhere é"),
            (E::Header, "\u{85}next line", "next line"),
            (E::UrlPath, "a/../b", "a%2F..%2Fb"),
            (E::UrlPath, "..", ""),
            (E::UrlPath, ".", ""),
            (E::UrlPath, "...", "..."),
            (E::UrlPath, "a?b#c%2e;d\\", "a%3Fb%23c%252e%3Bd%5C"),
            (E::UrlQuery, "a&admin=1#x%", "a%26admin%3D1%23x%25"),
            (E::UrlQuery, "a b+c", "a%20b%2Bc"),
            (E::Host, "eu-1.a_b", "eu-1.a_b"),
            (E::Host, "u:p@evil.example:81/x?y#z\\[", "u%3Ap%40evil.example%3A81%2Fx%3Fy%23z%5C%5B"),
            (E::Host, "\u{ff0f}\u{3002}", "%EF%BC%8F%E3%80%82"),
            (E::Json, "a\",\"admin\":\"1\\", "a\\\",\\\"admin\\\":\\\"1\\\\"),
            (E::Json, "\u{0}\n\u{1f}\u{2028}", "\\u0000\\n\\u001f\\u2028"),
            (E::Xml, "</a><b c='d' e=\"f\">&", "&lt;/a&gt;&lt;b c=&apos;d&apos; e=&quot;f&quot;&gt;&amp;"),
            (E::Xml, "]]>\u{0}\u{b}\u{fffe}\r", "]]&gt;&#13;"),
            (E::Text, "ok\r\n2026 forged\u{1b}[31m\tx", "ok 2026 forged[31m x"),
        ] {
            assert_eq!(escape.apply(Cow::Borrowed(value)), expect, "{escape:?} {value:?}");
        }
    }

    #[test]
    fn harmless_values_are_not_copied() {
        use Escape as E;
        for escape in [E::None, E::Header, E::UrlPath, E::UrlQuery, E::Json, E::Xml, E::Text] {
            assert!(matches!(escape.apply(Cow::Borrowed("harmless-1.0")), Cow::Borrowed(_)), "{escape:?}");
        }
    }

    #[test]
    fn escaped_json_parses_to_the_value() {
        for value in ["\"\\\n\u{1}é\u{2029}😀", "", "\u{7f}"] {
            let text = format!("\"{}\"", Escape::Json.apply(Cow::Borrowed(value)));
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value);
        }
    }
}
