//! `name=value` pairs after the name of a scheme in `Authorization` (RFC 9110, 11.4), read strictly.

use engine::Exchange;
use http::HeaderName;

/// Longest header that is looked at.
const LONGEST: usize = 8 << 10;
/// Most pairs.
const MOST: usize = 24;

/// What a header says after a scheme.
pub(super) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    /// `None` where the header is of another scheme or missing; `Err` where it cannot be read in one way only.
    pub fn of(
        exchange: &'a Exchange,
        header: &HeaderName,
        scheme: &str,
    ) -> Option<Result<Self, &'static str>> {
        let is_it = |value: &[u8]| {
            value.get(..scheme.len()).is_some_and(|name| name.eq_ignore_ascii_case(scheme.as_bytes()))
                && value.get(scheme.len()) == Some(&b' ')
        };
        let mut values = exchange.headers.get_all(header);
        let first = values.find(|value| is_it(value.as_bytes()))?;
        if exchange.headers.get_all(header).nth(1).is_some() {
            return Some(Err("the header is there more than once"));
        }
        let Some(rest) = first.to_str().ok().and_then(|text| text.get(scheme.len()..)) else {
            return Some(Err("it has characters that it must not have"));
        };
        Some(Self::parse(rest).ok_or("it is no list of names and values"))
    }

    fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let mut rest = text.trim_matches([' ', '\t']);
        loop {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim_end_matches([' ', '\t']);
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            if !is_name
                || pairs.len() == MOST
                || pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                return None;
            }
            let after = after.trim_start_matches([' ', '\t']);
            let (value, after) = match after.strip_prefix('"') {
                // With a backslash in it, not everybody reads the same.
                Some(quoted) => quoted.split_once('"').filter(|(value, _)| !value.contains('\\'))?,
                None => {
                    let end = after.find(',').unwrap_or(after.len());
                    let (value, after) = after.split_at(end);
                    let value = value.trim_end_matches([' ', '\t']);
                    (!value.is_empty() && !value.contains([' ', '\t', '"'])).then_some((value, after))?
                }
            };
            pairs.push((name, value));
            let after = after.trim_start_matches([' ', '\t']);
            if after.is_empty() {
                return Some(Self(pairs));
            }
            rest = after.strip_prefix(',')?.trim_start_matches([' ', '\t']);
        }
    }

    /// The value with this name; names have no case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_one_way_or_not_at_all() {
        for (text, expect) in [
            (r#" a="1", B=2 , c = "x, y=z""#, Some("1 2 x, y=z")),
            (r#"a=1,b=2,c="""#, Some("1 2 ")),
            (r#"a="1", a="2""#, None),
            (r#"a="1", A=2"#, None),
            (r#"a="\"", b=1, c=2"#, None),
            (r#"a="1" b=2, c=3"#, None),
            (r#"a=1, b=2, c=3,"#, None),
            (r#"a=1 1"#, None),
            (r#"a="1"#, None),
            ("a", None),
            ("", None),
            ("=1", None),
        ] {
            let parsed = Parameters::parse(text);
            let values = parsed.map(|p| ["a", "b", "c"].map(|n| p.get(n).unwrap_or("-")).join(" "));
            assert_eq!(values.as_deref(), expect, "{text}");
        }
        assert!(Parameters::parse(&format!("a={}", "x".repeat(LONGEST))).is_none());
        let many: Vec<String> = (0..=MOST).map(|n| format!("n{n}=1")).collect();
        assert!(Parameters::parse(&many.join(",")).is_none());
    }
}
