//! Request paths before matching: decoded where they are encoded, refused where they are not what they seem.

use std::borrow::Cow;

/// Why a path cannot be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    BrokenEncoding,
    /// An encoded control character.
    ControlCharacter,
    /// `.` or `..` as a segment, encoded or not: what it means differs between servers.
    DotSegment,
}

/// The path to match against. `%2F` stays as it is, as data inside a segment, unless `all_delimiters` are decoded.
pub fn decode(path: &str, all_delimiters: bool) -> Result<Cow<'_, str>, PathError> {
    let decoded = match memchr_percent(path) {
        None => Cow::Borrowed(path),
        Some(first) => Cow::Owned(decode_from(path, first, all_delimiters)?),
    };
    if has_dot_segment(&decoded) { Err(PathError::DotSegment) } else { Ok(decoded) }
}

/// How much of an undecoded path is taken by the decoded base path that it begins with: as many segments as it has.
pub fn raw_length(path: &str, base: &str, all_delimiters: bool) -> usize {
    let segments = base.bytes().filter(|b| *b == b'/').count();
    let is_slash = |at: usize| {
        let rest = &path.as_bytes()[at..];
        rest[0] == b'/' || (all_delimiters && rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"%2f"))
    };
    (0..path.len()).filter(|at| is_slash(*at)).nth(segments).unwrap_or(path.len())
}

fn memchr_percent(path: &str) -> Option<usize> {
    path.bytes().position(|b| b == b'%')
}

fn decode_from(path: &str, first: usize, all_delimiters: bool) -> Result<String, PathError> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first]);
    let mut at = first;
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            out.push(byte);
            at += 1;
            continue;
        }
        let digit = |offset: usize| bytes.get(at + offset).and_then(|b| (*b as char).to_digit(16));
        let (Some(high), Some(low)) = (digit(1), digit(2)) else { return Err(PathError::BrokenEncoding) };
        let value = u8::try_from(high * 16 + low).map_err(|_| PathError::BrokenEncoding)?;
        match value {
            0..=31 | 127 => return Err(PathError::ControlCharacter),
            b'/' if !all_delimiters => out.extend_from_slice(b"%2F"),
            value => out.push(value),
        }
        at += 3;
    }
    String::from_utf8(out).map_err(|_| PathError::BrokenEncoding)
}

fn has_dot_segment(path: &str) -> bool {
    // Most paths have no dot at the start of a segment, and this finds it out without splitting.
    let bytes = path.as_bytes();
    let mut from = 0;
    while let Some(found) = bytes[from..].windows(2).position(|w| w == b"/.") {
        let rest = &bytes[from + found + 2..];
        // A `;parameter` after the dots is ignored by some servers, so it does not make them harmless.
        let ends = |b: Option<&u8>| matches!(b, None | Some(b'/' | b';' | b'\\'));
        if ends(rest.first()) || (rest.first() == Some(&b'.') && ends(rest.get(1))) {
            return true;
        }
        from += found + 2;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_slashes_stay_data() {
        for (path, all, expect) in [
            ("/a/b", false, Ok("/a/b")),
            ("/a%20b", false, Ok("/a b")),
            ("/%C3%A9", false, Ok("/é")),
            ("/a%2Fb", false, Ok("/a%2Fb")),
            ("/a%2fb", false, Ok("/a%2Fb")),
            ("/a%2Fb", true, Ok("/a/b")),
            ("/a%252Fb", true, Ok("/a%2Fb")),
            ("/a%2", false, Err(PathError::BrokenEncoding)),
            ("/a%zz", false, Err(PathError::BrokenEncoding)),
            ("/a%+1", false, Err(PathError::BrokenEncoding)),
            ("/%FF", false, Err(PathError::BrokenEncoding)),
            ("/a%00", false, Err(PathError::ControlCharacter)),
            ("/a%0d%0a", false, Err(PathError::ControlCharacter)),
        ] {
            assert_eq!(decode(path, all).as_deref().map_err(|e| *e), expect, "{path}");
        }
    }

    #[test]
    fn dot_segments_are_refused_however_they_are_written() {
        for path in ["/a/../b", "/..", "/a/.", "/a/./b", "/a/%2e%2e/b", "/a/.%2e", "/a/..;x=1/b", "/a/..\\b"]
        {
            assert_eq!(decode(path, false).err(), Some(PathError::DotSegment), "{path}");
        }
        assert_eq!(decode("/a%2f..%2fb", true).err(), Some(PathError::DotSegment));
        for path in ["/a/.well-known", "/a/...", "/a/..b", "/a.b/c.", "/a/v1..v2"] {
            assert!(decode(path, false).is_ok(), "{path}");
        }
    }
}
