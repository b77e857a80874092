//! Percent-encoding of what is put into URLs, and decoding of what is taken out of them.

use std::borrow::Cow;

/// The text that a percent-encoded text stands for. What is no valid encoding is left as it is.
pub fn decode_text(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('%') else { return Cow::Borrowed(text) };
    let bytes = text.as_bytes();
    let mut out = bytes[..first].to_vec();
    let mut at = first;
    while let Some(&byte) = bytes.get(at) {
        match escaped(&bytes[at..]) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
    }
}

/// The same in a query, where `+` stands for a blank.
pub fn decode_query(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        Cow::Owned(decode_text(&text.replace('+', " ")).into_owned())
    } else {
        decode_text(text)
    }
}

/// The byte that `%XX` at the beginning stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
    if bytes.first() != Some(&b'%') {
        return None;
    }
    u8::try_from(digit(1)? * 16 + digit(2)?).ok()
}

/// As data inside one segment of a path.
pub fn encode_segment(text: &str) -> Cow<'_, str> {
    encode(text, |byte| is_unreserved(byte) || b"!$'()*,:@".contains(&byte))
}

/// As part of the name of a host: whatever is in no such name is encoded.
pub fn encode_host(text: &str) -> Cow<'_, str> {
    encode(text, |byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// As data in the name or the value of a query parameter.
pub fn encode_query(text: &str) -> Cow<'_, str> {
    encode(text, |byte| is_unreserved(byte) || b"!$'()*,:@/".contains(&byte))
}

/// A whole path: slashes and what is encoded already stay, everything else that has no place in a path is encoded.
pub fn encode_path(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let fits = |at: usize, byte: u8| {
        is_unreserved(byte)
            || b"!$&'()*+,;=:@/".contains(&byte)
            || (byte == b'%' && escaped(&bytes[at..]).is_some())
    };
    if bytes.iter().enumerate().all(|(at, byte)| fits(at, *byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (at, byte) in bytes.iter().enumerate() {
        push(&mut out, *byte, fits(at, *byte));
    }
    Cow::Owned(out)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn encode(text: &str, fits: impl Fn(u8) -> bool) -> Cow<'_, str> {
    if text.bytes().all(&fits) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        push(&mut out, byte, fits(byte));
    }
    Cow::Owned(out)
}

/// A byte that stays is ASCII.
fn push(out: &mut String, byte: u8, stays: bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if stays {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_leave_its_place() {
        assert_eq!(encode_segment("a/b?c#d e%é"), "a%2Fb%3Fc%23d%20e%25%C3%A9");
        assert_eq!(encode_query("a&b=c+d#e\r\n"), "a%26b%3Dc%2Bd%23e%0D%0A");
        assert_eq!(encode_path("/a b/%2F/%zz?x#y"), "/a%20b/%2F/%25zz%3Fx%23y");
        assert_eq!(decode_text("a%20b%zz%"), "a b%zz%");
        assert_eq!(decode_text("%ff"), "\u{fffd}");
        assert_eq!(decode_query("a+b%2B"), "a b+");
        assert!(matches!(encode_path("/a/b"), Cow::Borrowed(_)));
    }
}
