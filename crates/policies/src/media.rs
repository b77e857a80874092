//! Media types: read, compared, matched against ranges. What they mean for a body is left to the policies.

use engine::Headers;
use http::header;

/// A media type without its parameters, in small letters: `application/json`.
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content type of a message, without its parameters.
pub fn of(headers: &Headers) -> Option<String> {
    let written = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(essence(written)).filter(|essence| !essence.is_empty())
}

pub fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// Whether a body is compressed, so that nothing can be read in it.
pub fn is_encoded(headers: &Headers) -> bool {
    headers
        .get_all(&header::CONTENT_ENCODING)
        .any(|value| value.to_str().map_or(true, |coding| !coding.trim().eq_ignore_ascii_case("identity")))
}

/// How well a range such as `application/json`, `text/*`, `*/*+xml` or `*/*` covers a media type; 0: not at all.
pub fn covers(range: &str, essence: &str) -> u8 {
    if range == essence {
        return 4;
    }
    let (Some((kind, subtype)), Some((own_kind, own_subtype))) =
        (range.split_once('/'), essence.split_once('/'))
    else {
        return u8::from(range == "*");
    };
    if kind != "*" && kind != own_kind {
        return 0;
    }
    match subtype.strip_prefix('*') {
        Some("") if kind == "*" => 1,
        Some("") => 2,
        Some(suffix) if own_subtype.ends_with(suffix) => 3,
        None if kind == "*" && subtype == own_subtype => 3,
        _ => 0,
    }
}

/// Whether a text can be a range.
pub fn is_range(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+*-".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}

/// The first of the offered media types that the client likes best; without Accept the first of all.
pub fn accepted<'a>(headers: &Headers, offered: impl Iterator<Item = &'a str>) -> Option<usize> {
    let mut accept = String::new();
    for line in headers.get_all(&header::ACCEPT) {
        accept.push_str(line.to_str().unwrap_or_default());
        accept.push(',');
    }
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
    use http::HeaderValue;

    use super::*;

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
            let mut headers = Headers::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            let offered = ["application/json; charset=utf-8", "application/xml"];
            assert_eq!(accepted(&headers, offered.into_iter()), expect, "{accept}");
        }
    }
}
