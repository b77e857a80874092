//! Pages that users see. They run no script, load nothing, and cannot be framed.

mod texts;

use std::sync::LazyLock;

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

pub use texts::Texts;

use crate::error::not_stored;

const STYLE: &str = include_str!("../../templates/style.css");

#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub client: &'a str,
    pub action: &'a str,
    pub csrf: &'a str,
    pub user: &'a str,
    pub problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "code.html")]
pub struct CodePage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub client: &'a str,
    pub action: &'a str,
    pub csrf: &'a str,
    /// Stands for the password that was right.
    pub ticket: &'a str,
    pub problem: Option<&'a str>,
}

/// A scope as users are told of it.
pub struct ShownScope {
    pub text: String,
    /// Its name, unless that is all that is known.
    pub name: Option<String>,
}

#[derive(Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub client: &'a str,
    pub user: &'a str,
    pub scopes: &'a [ShownScope],
    /// Nobody here knows who the client is.
    pub is_unknown: bool,
    /// Where the browser goes, as people read it.
    pub target: Option<&'a str>,
    pub action: &'a str,
    pub csrf: &'a str,
}

#[derive(Template)]
#[template(path = "logout.html")]
pub struct LogoutPage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub user: &'a str,
    pub action: &'a str,
    /// What the request said, which is said again.
    pub fields: &'a [(&'a str, &'a str)],
    pub csrf: &'a str,
}

#[derive(Template)]
#[template(path = "device.html")]
pub struct DevicePage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub action: &'a str,
    pub problem: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
    pub title: &'a str,
    pub text: &'a str,
}

/// What stands in each page.
pub fn style() -> &'static str {
    STYLE
}

/// A page, which may send its form here and to one other place: browsers ask that, too, of where a form leads on to.
pub fn show(status: StatusCode, page: &impl Template, sends_to: Option<&str>) -> Response {
    static HASH: LazyLock<String> =
        LazyLock::new(|| Base64::encode_string(&Sha256::digest(STYLE.as_bytes())));
    let Ok(html) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        *HASH,
        sends_to.map(origin).unwrap_or_default()
    );
    let mut response = not_stored((status, Html(html)).into_response());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What says where a URI leads: scheme and authority, or the scheme alone.
pub fn origin(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.find(':').map_or("", |colon| &uri[..=colon]);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    &uri[..scheme.len() + 3 + end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_told_where_they_are_sent() {
        for (uri, wanted) in [
            ("https://shop.example/back?a=b", "https://shop.example"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://shop.example?x", "https://shop.example"),
            ("com.example.app:/back", "com.example.app:"),
        ] {
            assert_eq!(origin(uri), wanted);
        }
    }
}
