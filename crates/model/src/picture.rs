//! Pictures in documents: `data:` URLs of the few types that browsers show and that can be told apart.

/// Media types that a picture may have.
const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/svg+xml"];

/// A picture as it is written in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture<'a> {
    pub media_type: &'static str,
    pub base64: &'a str,
}

impl<'a> Picture<'a> {
    /// From a `data:` URL; nothing when it is something else, or has more than so many bytes.
    pub fn parse(url: &'a str, most: usize) -> Option<Self> {
        let (media_type, base64) = url.strip_prefix("data:")?.split_once(";base64,")?;
        let media_type = TYPES.into_iter().find(|known| *known == media_type)?;
        let digits = base64.strip_suffix("==").or_else(|| base64.strip_suffix('=')).unwrap_or(base64);
        let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        let is_base64 = base64.len().is_multiple_of(4) && !digits.is_empty() && digits.bytes().all(is_digit);
        (is_base64 && digits.len() * 3 / 4 <= most).then_some(Self { media_type, base64 })
    }

    /// How one is written, for whoever has written something else.
    pub fn expected(most: usize) -> String {
        let most = most >> 10;
        format!("`data:image/png;base64,…` of at most {most} KiB, or the same of a JPEG, WebP or SVG")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_type_that_is_known_and_is_not_too_large() {
        for (url, expected) in [
            ("data:image/png;base64,AAAA", Some("image/png")),
            ("data:image/svg+xml;base64,AA==", Some("image/svg+xml")),
            ("data:image/webp;base64,AAA=", Some("image/webp")),
            ("data:image/png;base64,AAAAAAAA", None),
            ("data:image/png;base64,AAA", None),
            ("data:image/png;base64,", None),
            ("data:image/png;base64,====", None),
            ("data:image/png;base64,AA\"A", None),
            ("data:image/png,AAAA", None),
            ("data:text/html;base64,AAAA", None),
            ("data:image/gif;base64,AAAA", None),
            ("https://pictures.example/a.png", None),
            ("", None),
        ] {
            assert_eq!(Picture::parse(url, 3).map(|picture| picture.media_type), expected, "{url}");
        }
    }
}
