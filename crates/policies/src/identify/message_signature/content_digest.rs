//! Digests of bodies (RFC 9530).

use aws_lc_rs::digest::{SHA256, SHA512, digest};

use super::fields::{self, Value};

/// Whether every digest that is known is that of the body, and at least one is known. MD5, SHA-1 and sums are not.
pub(super) fn check(header: &str, body: &[u8]) -> Result<(), &'static str> {
    let digests = fields::dictionary(header).ok_or("`content-digest` cannot be read")?;
    let mut known = false;
    for (name, member) in &digests {
        let algorithm = match name.as_str() {
            "sha-256" => &SHA256,
            "sha-512" => &SHA512,
            _ => continue,
        };
        known = true;
        let Value::Bytes(said) = &member.value else { return Err("a digest is no bytes") };
        if digest(algorithm, body).as_ref() != said.as_slice() {
            return Err("the body has another digest");
        }
    }
    if known { Ok(()) } else { Err("`content-digest` has neither `sha-256` nor `sha-512`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_that_is_known_has_to_be_right() {
        let right = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        let wrong = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPA=:";
        let long = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
        for (header, expect) in [
            (right.to_owned(), true),
            (long.to_owned(), true),
            (format!("{right}, {long}"), true),
            (format!("md5=:AAAA:, {right}"), true),
            (wrong.to_owned(), false),
            (format!("{long}, {wrong}"), false),
            (format!("{right}, {wrong}"), false),
            ("md5=:AAAA:".to_owned(), false),
            ("sha-256=1".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(check(&header, br#"{"hello": "world"}"#).is_ok(), expect, "{header}");
        }
    }
}
