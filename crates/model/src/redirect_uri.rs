//! Addresses that browsers are sent to: what is wrong with one, for all who are given one.

use http::Uri;

/// Longest address that browsers are sent to.
const LONGEST_URI: usize = 2_000;

/// What is wrong with an address that browsers are sent to (RFC 6749, 3.1.2; RFC 8252, 7; RFC 9700, 4.1).
pub fn redirect_problem(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("expected a URI with its scheme") };
    if uri.len() > LONGEST_URI {
        return Some("expected at most 2,000 characters");
    }
    if !uri
        .bytes()
        .all(|b| matches!(b, b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~'))
    {
        return Some("expected a URI without `#`, spaces, quotes and other than ASCII letters");
    }
    if uri.contains('*') {
        return Some("expected it to the letter, without wildcards");
    }
    match scheme {
        "https" | "http" => {
            let parsed =
                uri.parse::<Uri>().ok().filter(|parsed| parsed.host().is_some_and(|host| !host.is_empty()));
            let Some(parsed) = parsed else { return Some("expected a URL with a host") };
            if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return Some("expected no user in a URL");
            }
            let here = matches!(parsed.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
            (scheme == "http" && !here).then_some("expected https; http is for loopback")
        }
        _ => {
            let own = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
            let is_own = scheme.contains('.')
                && scheme.starts_with(|c: char| c.is_ascii_lowercase())
                && scheme.bytes().all(own);
            (!is_own || rest.is_empty())
                .then_some("expected https, http on loopback, or a scheme of the client's own with a dot such as com.example.app")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_sent_to_addresses_that_cannot_be_mistaken() {
        for good in [
            "https://shop.example/back",
            "https://shop.example:8443/back?a=b",
            "http://localhost:3000/back",
            "http://127.0.0.1/back",
            "http://[::1]/back",
            "com.example.app:/back",
        ] {
            assert_eq!(redirect_problem(good), None, "{good}");
        }
        for wrong in [
            "",
            "shop",
            "/back",
            "https:///back",
            "https://",
            "http://shop.example/back",
            "http://localhost.evil.example/back",
            "https://shop.example/back#here",
            "https://shop.example/a b",
            "https://shop.example/\\evil.example",
            "https://*.shop.example/back",
            "https://user@shop.example/back",
            "https://shop.example@evil.example/back",
            "https://shop.example/\r\nx:y",
            "https://sh\u{f6}p.example/back",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "HTTPS://shop.example/back",
            "com.example.app:",
            &format!("https://shop.example/{}", "a".repeat(2_000)),
        ] {
            assert!(redirect_problem(wrong).is_some(), "{wrong}");
        }
    }
}
