//! What messages say about caching: Cache-Control, Expires, Age and their relatives (RFC 9111), read strictly where a
//! mistake would keep something too long.

use std::time::SystemTime;

use engine::{HeaderText, Headers};
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, PRAGMA};

/// The directives of a Cache-Control that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Directives {
    pub no_store: bool,
    pub no_cache: bool,
    pub private: bool,
    pub public: bool,
    pub must_revalidate: bool,
    /// It may be kept by those who know its status, whatever else it says (RFC 9111, 5.2.2.3).
    pub must_understand: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub s_maxage: Option<u64>,
    pub min_fresh: Option<u64>,
    /// How stale an answer may be; any age without a number.
    pub max_stale: Option<u64>,
}

impl Directives {
    /// Those of a message. Several headers are one list.
    pub fn of(headers: &Headers) -> Self {
        let mut found = Self::default();
        let mut given = false;
        for value in headers.get_all(&CACHE_CONTROL) {
            given = true;
            split_list(value.as_bytes()).for_each(|directive| found.add(directive));
        }
        // The way of HTTP/1.0, where nothing newer is said (RFC 9111, 5.4).
        if !given {
            found.no_cache = headers.get_all(&PRAGMA).any(|value| {
                value
                    .as_bytes()
                    .split(|b| *b == b',')
                    .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"no-cache"))
            });
        }
        found
    }

    fn add(&mut self, directive: &[u8]) {
        let (name, argument) = match directive.iter().position(|b| *b == b'=') {
            Some(place) => (&directive[..place], Some(unquoted(directive[place + 1..].trim_ascii()))),
            None => (directive, None),
        };
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"no-store" => self.no_store = true,
            // With names of fields it forbids less; forbidding all of it is always right.
            b"no-cache" => self.no_cache = true,
            b"private" => self.private = true,
            b"public" => self.public = true,
            b"must-revalidate" | b"proxy-revalidate" => self.must_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => self.max_age = Some(shorter(self.max_age, seconds(argument))),
            b"s-maxage" => self.s_maxage = Some(shorter(self.s_maxage, seconds(argument))),
            b"min-fresh" => self.min_fresh = Some(seconds(argument)),
            b"max-stale" => self.max_stale = Some(argument.map_or(u64::MAX, |text| seconds(Some(text)))),
            _ => {}
        }
    }
}

/// Of two numbers for the same thing the smaller one is meant (RFC 9111, 4.2.1).
fn shorter(known: Option<u64>, found: u64) -> u64 {
    known.map_or(found, |known| known.min(found))
}

/// A number of seconds; nothing that can be read is none.
fn seconds(argument: Option<&[u8]>) -> u64 {
    let digits = argument.filter(|text| !text.is_empty() && text.iter().all(u8::is_ascii_digit));
    let Some(text) = digits.and_then(|digits| std::str::from_utf8(digits).ok()) else { return 0 };
    // What does not fit is far enough away (RFC 9111, 1.2.2).
    text.parse().unwrap_or(u64::MAX).min(u64::from(u32::MAX) / 2)
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

/// Parts between commas that are not in quotation marks.
pub fn split_list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let split = text.split(move |byte| {
        match (*byte, quoted) {
            _ if escaped => escaped = false,
            (b'\\', true) => escaped = true,
            (b'"', _) => quoted = !quoted,
            (b',', false) => return true,
            _ => {}
        }
        false
    });
    split.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
}

/// For how many seconds an answer is fresh that came then, by what it says itself (RFC 9111, 4.2.1).
pub fn explicit_lifetime(headers: &Headers, directives: &Directives, came: SystemTime) -> Option<u64> {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return Some(seconds);
    }
    let expires = headers.get(EXPIRES)?;
    // What is no date, such as `0`, has expired; so has what came twice.
    if headers.get_all(&EXPIRES).nth(1).is_some() {
        return Some(0);
    }
    let Some(expires) = date(expires) else { return Some(0) };
    // Without a Date, the time when it came stands for it (RFC 9110, 6.6.1).
    let sent = headers.get(DATE).and_then(date).unwrap_or(came);
    Some(expires.duration_since(sent).map_or(0, |lifetime| lifetime.as_secs()))
}

/// How old an answer was when it came.
pub fn age(headers: &Headers) -> u64 {
    // Of several the first one counts (RFC 9111, 5.1).
    let first = |value: HeaderText<'_>| value.as_bytes().split(|b| *b == b',').next().map(<[u8]>::to_vec);
    headers.get(AGE).and_then(first).map_or(0, |age| seconds(Some(age.trim_ascii())))
}

/// A date as HTTP writes it, in small or capital letters (RFC 9111, 4.2).
pub fn date(value: HeaderText<'_>) -> Option<SystemTime> {
    let text = value.to_str().ok()?;
    if let Ok(date) = httpdate::parse_http_date(text) {
        return Some(date);
    }
    let mut usual = text.to_ascii_lowercase().replace("gmt", "GMT").into_bytes();
    for at in 0..usual.len() {
        if usual[at].is_ascii_lowercase()
            && !at.checked_sub(1).is_some_and(|before| usual[before].is_ascii_alphabetic())
        {
            usual[at] = usual[at].to_ascii_uppercase();
        }
    }
    httpdate::parse_http_date(std::str::from_utf8(&usual).ok()?).ok()
}

/// Whether one of the tags in If-None-Match is this one, by weak comparison (RFC 9110, 13.1.2).
pub fn none_match(headers: &Headers, tag: &[u8]) -> Option<bool> {
    let mut values = headers.get_all(&http::header::IF_NONE_MATCH).peekable();
    values.peek()?;
    let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let wanted = opaque(tag);
    let matches = |value: HeaderText<'_>| {
        split_list(value.as_bytes())
            .any(|known| known == b"*" || (!tag.is_empty() && opaque(known) == wanted))
    };
    Some(values.any(matches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::headers;

    fn directives(text: &str) -> Directives {
        Directives::of(&(&headers(text)).into())
    }

    #[test]
    fn directives_are_read_as_one_list() {
        for (text, expect) in [
            (
                "Cache-Control: max-age=5, Private",
                Directives { max_age: Some(5), private: true, ..Directives::default() },
            ),
            (
                "Cache-Control: max-age=\"5\"\nCache-Control: max-age=3",
                Directives { max_age: Some(3), ..Directives::default() },
            ),
            (
                "Cache-Control: max-age=x, s-maxage=",
                Directives { max_age: Some(0), s_maxage: Some(0), ..Directives::default() },
            ),
            (
                "Cache-Control: x=\"a, no-store\", no-cache=\"b, private\"",
                Directives { no_cache: true, ..Directives::default() },
            ),
            (
                "Cache-Control: max-stale, min-fresh=1",
                Directives { max_stale: Some(u64::MAX), min_fresh: Some(1), ..Directives::default() },
            ),
            ("Pragma: no-cache", Directives { no_cache: true, ..Directives::default() }),
            (
                "Pragma: no-cache\nCache-Control: max-age=9",
                Directives { max_age: Some(9), ..Directives::default() },
            ),
            (
                "Cache-Control: max-age=99999999999999999999",
                Directives { max_age: Some(u64::from(u32::MAX) / 2), ..Directives::default() },
            ),
        ] {
            assert_eq!(directives(text), expect, "{text}");
        }
    }

    #[test]
    fn lifetimes_follow_the_shared_number_first() {
        let date = "Date: Thu, 15 Jan 2026 10:00:00 GMT";
        for (text, expect) in [
            ("Cache-Control: max-age=5, s-maxage=7", Some(7)),
            ("Cache-Control: max-age=5\nExpires: Thu, 15 Jan 2026 11:00:00 GMT", Some(5)),
            ("Expires: Thu, 15 Jan 2026 11:00:00 GMT", Some(3_600)),
            ("Expires: Thu, 15 Jan 2026 09:00:00 GMT", Some(0)),
            ("Expires: 0", Some(0)),
            ("X-Other: 1", None),
        ] {
            let headers: Headers = (&headers(&format!("{date}\n{text}"))).into();
            let came = SystemTime::UNIX_EPOCH;
            assert_eq!(explicit_lifetime(&headers, &Directives::of(&headers), came), expect, "{text}");
        }
        let headers: Headers = (&headers("Date: soon\nExpires: Thu, 01 Jan 1970 00:00:07 GMT")).into();
        let lifetime = explicit_lifetime(&headers, &Directives::default(), SystemTime::UNIX_EPOCH);
        assert_eq!(lifetime, Some(7), "an answer without a date came when it came");
    }

    #[test]
    fn dates_are_read_in_every_form_and_case() {
        let read = |text: &str| {
            let headers: Headers = (&headers(&format!("Date: {text}"))).into();
            let date = headers.get(DATE).and_then(date)?;
            date.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
        };
        for text in [
            "Thu, 15 Jan 2026 10:00:00 GMT",
            "THU, 15 jan 2026 10:00:00 gmt",
            "thu, 15 JAN 2026 10:00:00 Gmt",
            "Thursday, 15-Jan-26 10:00:00 GMT",
            "Thu Jan 15 10:00:00 2026",
        ] {
            assert_eq!(read(text), Some(1_768_471_200), "{text}");
        }
        for text in ["Thu, 15 Jan 2026 10:00:00 CET", "0", "soon", "1768471200"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn of_several_ages_the_first_counts() {
        for (text, expect) in [
            ("Age: 7", 7),
            ("Age: 7, 0", 7),
            ("Age: 7\nAge: 0", 7),
            ("Age: x, 7", 0),
            ("Age: -7", 0),
            ("Age:", 0),
        ] {
            assert_eq!(age(&(&headers(text)).into()), expect, "{text}");
        }
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (text, expect) in [
            ("If-None-Match: \"a\"", Some(true)),
            ("If-None-Match: \"b\", W/\"a\"", Some(true)),
            ("If-None-Match: \"b,\\\"a\"", Some(false)),
            ("If-None-Match: *", Some(true)),
            ("X: 1", None),
        ] {
            assert_eq!(none_match(&(&headers(text)).into(), b"W/\"a\""), expect, "{text}");
        }
    }
}
