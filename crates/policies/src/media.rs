//! Media types: read, compared, matched against ranges. What they mean for a body is left to the policies.

use engine::Headers;
use http::header;
use model::settings::ContentTypes;
pub use model::settings::is_media_range as is_range;

/// A media type without its parameters, in small letters: `application/json`.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content type of a message, without its parameters.
pub fn of(headers: &Headers) -> Option<String> {
    let written = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(essence(written)).filter(|essence| !essence.is_empty())
}

/// How a body can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    Xml,
    Text,
}

pub const FORM: &str = "application/x-www-form-urlencoded";

/// How bodies of a media type can be read; `None` for what is neither JSON nor XML nor text. What the settings say
/// counts first.
pub fn kind(types: &ContentTypes, essence: &str) -> Option<Kind> {
    let configured = types
        .lists()
        .into_iter()
        .zip([Kind::Json, Kind::Xml, Kind::Text])
        .find(|((_, ranges), _)| ranges.iter().any(|range| covers(range, essence) > 0));
    if let Some((_, kind)) = configured {
        return Some(kind);
    }
    match essence {
        "application/json" | "text/json" => Some(Kind::Json),
        "application/xml" | "text/xml" => Some(Kind::Xml),
        _ if essence.ends_with("+json") => Some(Kind::Json),
        _ if essence.ends_with("+xml") => Some(Kind::Xml),
        _ if essence.starts_with("text/") || essence == FORM => Some(Kind::Text),
        _ => None,
    }
}

/// How a body can be read, by its content type; without one, by how it begins: whoever receives it will look there, too.
pub fn kind_of(types: &ContentTypes, headers: &Headers, body: &[u8]) -> Option<Kind> {
    match of(headers) {
        Some(media_type) => kind(types, &media_type),
        None => Some(match body.trim_ascii_start().first() {
            Some(b'{' | b'[') => Kind::Json,
            Some(b'<') => Kind::Xml,
            _ => Kind::Text,
        }),
    }
}

/// Whether a media type is that of a text without a form of its own: `text/plain`, and what the settings call text.
pub fn is_plain(types: &ContentTypes, essence: &str) -> bool {
    kind(types, essence) == Some(Kind::Text)
        && (essence == "text/plain" || types.text.iter().any(|range| covers(range, essence) > 0))
}

/// Whether a content type says that its text is in another encoding than UTF-8.
pub fn has_other_charset(content_type: &str) -> bool {
    content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset")
            && !["utf-8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
    })
}

/// Whether a body is compressed, so that nothing can be read in it.
pub fn is_encoded(headers: &Headers) -> bool {
    headers
        .get_all(&header::CONTENT_ENCODING)
        .any(|value| value.to_str().map_or(true, |coding| !coding.trim().eq_ignore_ascii_case("identity")))
}

/// How well a range such as `application/json`, `text/*`, `*/*+xml` or `*/*` covers a media type; 0: not at all.
pub fn covers(range: &str, essence: &str) -> u8 {
    if range.eq_ignore_ascii_case(essence) {
        return 4;
    }
    let (Some((kind, subtype)), Some((own_kind, own_subtype))) =
        (range.split_once('/'), essence.split_once('/'))
    else {
        return u8::from(range == "*");
    };
    if kind != "*" && !kind.eq_ignore_ascii_case(own_kind) {
        return 0;
    }
    let starts = |text: &str, start: &str| {
        text.as_bytes().get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start.as_bytes()))
    };
    let ends = |text: &str, end: &str| {
        let at = text.len().checked_sub(end.len());
        at.is_some_and(|at| text.as_bytes()[at..].eq_ignore_ascii_case(end.as_bytes()))
    };
    match (subtype.strip_prefix('*'), subtype.strip_suffix('*')) {
        (Some(""), _) if kind == "*" => 1,
        (Some(""), _) => 2,
        (Some(end), _) if ends(own_subtype, end) => 3,
        (_, Some(start)) if starts(own_subtype, start) => 3,
        (None, None) if kind == "*" && subtype.eq_ignore_ascii_case(own_subtype) => 3,
        _ => 0,
    }
}

/// The first of the offered media types that the client likes best; without Accept the first of all.
pub fn accepted<'a>(accept: Option<&str>, offered: impl Iterator<Item = &'a str>) -> Option<usize> {
    let accept = accept.unwrap_or_default();
    let ranges: Vec<(String, f32)> = accept
        .split(',')
        .filter(|range| !range.trim().is_empty())
        .map(|range| {
            let quality = range.split(';').skip(1).find_map(|p| p.trim().strip_prefix("q="));
            (essence(range), quality.and_then(|q| q.trim().parse().ok()).unwrap_or(1.0))
        })
        .collect();
    let mut best: Option<(usize, f32)> = None;
    for (index, media_type) in offered.enumerate() {
        if ranges.is_empty() {
            return Some(index);
        }
        let media_type = essence(media_type);
        // The closest range counts, whatever the others say (RFC 9110, 12.5.1).
        let closest = ranges.iter().map(|(range, q)| (covers(range, &media_type), *q));
        let quality = closest.filter(|(fit, _)| *fit > 0).max_by_key(|(fit, _)| *fit).map_or(0.0, |(_, q)| q);
        if quality > best.map_or(0.0, |(_, best)| best) {
            best = Some((index, quality));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_one_kind_and_the_settings_count_first() {
        let list = |types: &[&str]| types.iter().map(|name| (*name).to_owned()).collect();
        let types = ContentTypes {
            json: list(&["application/vnd.Orders", "application/x-*", "text/xml"]),
            xml: list(&["application/feed"]),
            text: list(&["application/graphql"]),
        };
        for (media_type, usual, configured) in [
            ("application/json", Some(Kind::Json), Some(Kind::Json)),
            ("application/hal+json", Some(Kind::Json), Some(Kind::Json)),
            ("application/soap+xml", Some(Kind::Xml), Some(Kind::Xml)),
            ("text/html", Some(Kind::Text), Some(Kind::Text)),
            ("text/xml", Some(Kind::Xml), Some(Kind::Json)),
            ("application/vnd.orders", None, Some(Kind::Json)),
            ("application/x-own", None, Some(Kind::Json)),
            (FORM, Some(Kind::Text), Some(Kind::Json)),
            ("application/feed", None, Some(Kind::Xml)),
            ("application/graphql", None, Some(Kind::Text)),
            ("image/png", None, None),
        ] {
            assert_eq!(kind(ContentTypes::NONE, media_type), usual, "{media_type}");
            assert_eq!(kind(&types, media_type), configured, "{media_type}");
        }
    }

    #[test]
    fn ranges_cover_media_types_by_how_close_they_are() {
        for (range, media_type, expect) in [
            ("application/json", "application/json", 4),
            ("*/*+json", "application/hal+json", 3),
            ("application/*+json", "application/hal+json", 3),
            ("application/*+json", "application/json", 0),
            ("text/*", "text/xml", 2),
            ("text/*", "application/xml", 0),
            ("*/*", "a/b", 1),
            ("*", "a/b", 1),
            ("json", "application/json", 0),
            ("application/X-*", "application/x-own", 3),
            ("application/x-*", "application/y", 0),
            ("Text/XML", "text/xml", 4),
        ] {
            assert_eq!(covers(range, media_type), expect, "{range} {media_type}");
        }
    }

    #[test]
    fn the_client_gets_what_it_likes_best() {
        for (accept, expect) in [
            ("", Some(0)),
            ("*/*", Some(0)),
            ("application/xml", Some(1)),
            ("application/xml;q=0.5, application/json;q=0.4", Some(1)),
            ("application/*;q=0.3, application/json;q=0", Some(1)),
            ("text/html", None),
        ] {
            let accept = Some(accept).filter(|accept| !accept.is_empty());
            let offered = ["application/json; charset=utf-8", "application/xml"];
            assert_eq!(accepted(accept, offered.into_iter()), expect, "{accept:?}");
        }
    }
}
