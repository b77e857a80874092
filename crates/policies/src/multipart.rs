//! Forms in parts: `multipart/form-data` out of a whole body (RFC 7578, RFC 2046 5.1).
//!
//! It reads strictly: what two readers could take apart differently is no form here, so that what was checked is what
//! the native service gets. That is also why no library does it: those there are read streams and forgive.

use std::borrow::Cow;

use engine::route::decode_text;
use memchr::memmem;

use crate::media;

pub const FORM_DATA: &str = "multipart/form-data";

/// Longest head of a part.
const LONGEST_HEAD: usize = 8 << 10;
/// Most header lines of a part.
const MOST_LINES: usize = 16;

/// One part of a form.
#[derive(Debug, PartialEq)]
pub struct Part<'b> {
    pub name: Cow<'b, str>,
    /// It has the name of a file.
    pub is_file: bool,
    /// Without parameters, in small letters; `None` stands for `text/plain`.
    pub media_type: Option<String>,
    pub content: &'b [u8],
}

/// What a form may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub parts: usize,
    pub part_size: usize,
}

/// The boundary in a content type: one, of the characters that it may have.
pub fn boundary(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    let mut found = None;
    for (name, value) in parameters_of(parameters)? {
        if name.eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
            return None;
        }
    }
    let boundary = found?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    let fits =
        (1..=70).contains(&boundary.len()) && boundary.bytes().all(allowed) && !boundary.ends_with(' ');
    fits.then_some(boundary)
}

/// The parts of a body, or what is wrong with it.
pub fn parts<'b>(body: &'b [u8], boundary: &str, limits: Limits) -> Result<Vec<Part<'b>>, &'static str> {
    const NO_FORM: &str = "expected parts between the boundaries that the content type names";
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // What comes before the first boundary is ignored by some and is a part for others.
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..]).ok_or(NO_FORM)?;
    let mut parts = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(b"--") {
            return if matches!(after, b"" | b"\r\n") {
                Ok(parts)
            } else {
                Err("expected nothing after the last part")
            };
        }
        if parts.len() == limits.parts {
            return Err("has more parts than are allowed");
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(NO_FORM)?;
        let end = finder.find(rest).ok_or("ends before its last part does")?;
        parts.push(part(&rest[..end], limits)?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part<'b>(bytes: &'b [u8], limits: Limits) -> Result<Part<'b>, &'static str> {
    const HEAD: &str = "has a part whose header lines cannot be read";
    let head = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let end = memmem::find(head, b"\r\n\r\n").ok_or(HEAD)?;
    let content = &bytes[end + 4..];
    if content.len() > limits.part_size {
        return Err("has a part that is longer than allowed");
    }
    let head = std::str::from_utf8(&head[..end]).map_err(|_| HEAD)?;
    let (mut disposition, mut media_type) = (None, None);
    for (index, line) in head.split("\r\n").enumerate() {
        // A lone CR or LF ends a line for some readers, a blank at its start continues it for others.
        let (name, value) = line.split_once(':').ok_or(HEAD)?;
        let is_token = !name.is_empty() && name.bytes().all(is_token);
        if index == MOST_LINES || !is_token || value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(HEAD);
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            if disposition.replace(value).is_some() {
                return Err("has a part with more than one Content-Disposition");
            }
        } else if name.eq_ignore_ascii_case("content-type") {
            if media_type.replace(media::essence(value)).is_some() {
                return Err("has a part with more than one Content-Type");
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["7bit", "8bit", "binary"].iter().any(|plain| value.eq_ignore_ascii_case(plain))
        {
            return Err("has a part with a transfer encoding");
        }
    }
    let (name, is_file) =
        disposition.and_then(form_data).ok_or("has a part without one name that can be read")?;
    Ok(Part { name, is_file, media_type, content })
}

/// Name of a part, and whether it is a file.
fn form_data(disposition: &str) -> Option<(Cow<'static, str>, bool)> {
    let (kind, parameters) = disposition.split_once(';')?;
    if !kind.trim_end().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let (mut name, mut file) = (None, false);
    for (key, value) in parameters_of(parameters)? {
        match key.to_ascii_lowercase().as_str() {
            "name" if name.replace(value).is_some() => return None,
            "filename" if std::mem::replace(&mut file, true) => return None,
            // Must not be used (RFC 7578, 4.2), and would be a second name for who understands it.
            "name*" | "filename*" => return None,
            _ => {}
        }
    }
    // Browsers write what would end the name like this. Some servers decode more than that, which could be another name.
    let name = name?.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n");
    if decode_text(&name) != name {
        return None;
    }
    Some((Cow::Owned(name), file))
}

/// Parameters `; name=value`, the value a token or between quotes. `None`: not readable in one way only.
fn parameters_of(text: &str) -> Option<Vec<(&str, String)>> {
    let blank: &[char] = &[' ', '\t'];
    let mut found = Vec::new();
    let mut rest = text.trim_matches(blank);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let value;
        if let Some(quoted) = after.strip_prefix('"') {
            let end = quoted.find('"')?;
            // For some a backslash takes the meaning of the quote after it, for others it does not.
            if quoted[..end].ends_with('\\') {
                return None;
            }
            value = &quoted[..end];
            rest = &quoted[end + 1..];
        } else {
            let end = after.find(|c: char| c == ';' || blank.contains(&c)).unwrap_or(after.len());
            value = &after[..end];
            if value.is_empty() || !value.bytes().all(|b| is_token(b) || b >= 0x80) {
                return None;
            }
            rest = &after[end..];
        }
        found.push((name, value.to_owned()));
        rest = rest.trim_start_matches(blank);
        match rest.strip_prefix(';') {
            Some(after) => rest = after.trim_start_matches(blank),
            None if rest.is_empty() => {}
            None => return None,
        }
    }
    Some(found)
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Limits = Limits { parts: 3, part_size: 100 };

    /// Names, media types and contents of the parts in a line, or what is wrong.
    fn read(body: &str) -> String {
        let body = body.replace('\n', "\r\n").replace("<LF>", "\n").replace("<CR>", "\r");
        match parts(body.as_bytes(), "x", ROOM) {
            Err(problem) => format!("! {problem}"),
            Ok(parts) => {
                let told = parts.iter().map(|part| {
                    let file = if part.is_file { "*" } else { "" };
                    let media_type = part.media_type.as_deref().unwrap_or("-");
                    format!("{}{file} {media_type} {:?}", part.name, String::from_utf8_lossy(part.content))
                });
                told.collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[test]
    fn parts_have_names_types_and_contents() {
        for (body, expected) in [
            ("--x\nContent-Disposition: form-data; name=\"a\"\n\n1\n--x--\n", "a - \"1\""),
            ("--x\nContent-Disposition: form-data; name=a\n\n\n--x--", "a - \"\""),
            (
                "--x\ncontent-type: Image/PNG; q=1\ncontent-disposition: FORM-DATA; filename=\"a b;c.png\"; name=\"a\"\n\n\n\n--y\n--x\nContent-Disposition: form-data; name=\"b\"\n\n2\n--x--\n",
                "a* image/png \"\\r\\n\\r\\n--y\"; b - \"2\"",
            ),
            ("--x\nContent-Disposition: form-data; name=\"a%22b\"\nX-Own: y\n\n1\n--x--\n", "a\"b - \"1\""),
            ("--x\nContent-Disposition: form-data; name=\"é\"\n\n-->\n--x--\n", "é - \"-->\""),
            ("--x--\n", ""),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_form() {
        let disposition = "Content-Disposition: form-data; name=\"a\"";
        let one = |head: &str| format!("--x\n{head}\n\n1\n--x--\n");
        for (body, expected) in [
            (String::new(), "between the boundaries"),
            (format!("preamble\n{}", one(disposition)), "between the boundaries"),
            (format!("\n{}", one(disposition)), "between the boundaries"),
            (format!("{}epilogue", one(disposition)), "nothing after"),
            (format!("--x \n{disposition}\n\n1\n--x--\n"), "between the boundaries"),
            (format!("--xy\n{disposition}\n\n1\n--x--\n"), "between the boundaries"),
            (format!("--x\n{disposition}\n\n1\n--xy\n--x--\n"), "between the boundaries"),
            (format!("--x<LF>{disposition}<LF><LF>1<LF>--x--<LF>"), "between the boundaries"),
            (format!("--x\n{disposition}<LF>X: y\n\n1\n--x--\n"), "header lines"),
            (format!("--x\n{disposition}<CR>X: y\n\n1\n--x--\n"), "header lines"),
            (format!("--x\n{disposition}\n\n1\n"), "ends before"),
            (format!("--x\n{disposition}\n1\n--x--\n"), "header lines"),
            (one("X: y"), "without one name"),
            (one("Content-Disposition: form-data"), "without one name"),
            (one("Content-Disposition: attachment; name=\"a\""), "without one name"),
            (one("Content-Disposition: form-data; name=\"a\"; name=\"b\""), "without one name"),
            (one("Content-Disposition: form-data; name=\"a\\\"b\""), "without one name"),
            (one("Content-Disposition: form-data; name=\"a\"; filename*=utf-8''b"), "without one name"),
            (one("Content-Disposition: form-data; name=\"a\" x"), "without one name"),
            (one("Content-Disposition: form-data; name=\"a"), "without one name"),
            (one("Content-Disposition: form-data; name=\"%61\""), "without one name"),
            (one("Content-Disposition: form-data; name = \"a\""), "without one name"),
            (one(&format!("{disposition}\n{disposition}")), "more than one Content-Disposition"),
            (
                one(&format!("{disposition}\nContent-Type: a/b\nContent-Type: c/d")),
                "more than one Content-Type",
            ),
            (one(&format!("{disposition}\nContent-Transfer-Encoding: base64")), "transfer encoding"),
            (one(&format!("{disposition}\n folded: x")), "header lines"),
            (one(&format!("{disposition}\nX : y")), "header lines"),
            (one(&format!("{disposition}\n{}", "X: y\n".repeat(17).trim_end())), "header lines"),
            (one(&format!("{disposition}\nX: {}", "y".repeat(9000))), "header lines"),
            (format!("--x\n{disposition}\n\n{}\n--x--\n", "1".repeat(101)), "longer than allowed"),
            (format!("{}--x--\n", format!("--x\n{disposition}\n\n1\n").repeat(4)), "more parts"),
        ] {
            assert!(
                read(&body).starts_with("! ") && read(&body).contains(expected),
                "{body}: {}",
                read(&body)
            );
        }
    }

    #[test]
    fn a_boundary_is_one_and_well_formed() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=x", Some("x")),
            ("multipart/form-data;charset=utf-8; Boundary=\"a b/c\"", Some("a b/c")),
            ("multipart/form-data; boundary=x; boundary=y", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"x \"", None),
            ("multipart/form-data; boundary=\"x\ty\"", None),
            ("multipart/form-data; boundary=a b", None),
            ("multipart/form-data; boundary=\"x", None),
            ("multipart/form-data", None),
        ] {
            assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
        }
        assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
    }
}
