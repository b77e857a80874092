//! The console and the developer portal: files that were built from `console/` and are in the program, served beside the
//! admin API. What they show comes from that API; nothing here knows who asks.

use std::io::Read;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, REFERRER_POLICY, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// A file of the console, compressed when it was built.
struct File {
    /// Path under `/console/`.
    name: &'static str,
    tag: &'static str,
    gzip: &'static [u8],
    brotli: &'static [u8],
}

/// The page that every address of the console begins with.
const PAGE: &str = "index.html";

/// The page that every address of the portal begins with. The files that it needs are under `/console/files/`.
const PORTAL_PAGE: &str = "portal.html";

/// Where files are whose names change with what is in them.
const FILES_UNDER: &str = "files/";

/// Nothing but files of this origin, in no frame. The component library writes sizes that depend on the width of the
/// screen, and its theme, into style elements: hence `unsafe-inline`, for styles only.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of everything that is served here.
const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gatewright</title>\
    <h1>The console is not in this program</h1>\
    <p>It was built without it. Run <code>make console</code>, which needs Node.js 20.19 or newer, and build again.</p>\
    <p>The admin API is there all the same, under <code>/api/v1</code>.</p></html>";

/// Adds the console and the portal to the routes of the admin API.
pub(crate) fn beside(api: Router) -> Router {
    api.layer(middleware::from_fn(without_dialog))
        .route("/", get(|| async { Redirect::temporary("/console/") }))
        .route("/console", get(|| async { Redirect::temporary("/console/") }))
        .route("/console/", get(|headers: HeaderMap| async move { answer("", &headers) }))
        .route(
            "/console/{*name}",
            get(|Path(name): Path<String>, headers: HeaderMap| async move { answer(&name, &headers) }),
        )
        .route("/portal", get(|| async { Redirect::temporary("/portal/") }))
        .route("/portal/", get(portal))
        .route("/portal/{*name}", get(portal))
}

async fn portal(headers: HeaderMap) -> Response {
    answer(PORTAL_PAGE, &headers)
}

/// A browser that is told `Basic` asks for the password in a window of its own and hands the answer to the page only
/// then. The console has a page for that; its requests say that they are its own.
async fn without_dialog(request: Request, next: Next) -> Response {
    let is_own = request.headers().contains_key("x-requested-with");
    let mut response = next.run(request).await;
    if is_own {
        response.headers_mut().remove(WWW_AUTHENTICATE);
    }
    response
}

fn answer(name: &str, headers: &HeaderMap) -> Response {
    let mut response = file_for(FILES, name, headers);
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn file_for(files: &'static [File], name: &str, headers: &HeaderMap) -> Response {
    let find = |name: &str| files.iter().find(|file| file.name == name);
    let Some(page) = find(PAGE) else {
        return (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], NOT_BUILT)
            .into_response();
    };
    let file = match find(name) {
        Some(file) => file,
        // Another version of the console had it. Everything else is a page of this one.
        None if name.starts_with(FILES_UNDER) => return StatusCode::NOT_FOUND.into_response(),
        None => page,
    };
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == file.tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, file.tag)]).into_response();
    }
    let cache =
        if file.name.starts_with(FILES_UNDER) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let (encoding, body) = encoded(file, headers);
    let mut response = body.into_response();
    let head = response.headers_mut();
    let kind = content_type(file.name).unwrap_or("application/octet-stream");
    for (name, value) in
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, cache), (ETAG, file.tag), (VARY, "accept-encoding")]
    {
        head.insert(name, HeaderValue::from_static(value));
    }
    if let Some(encoding) = encoding {
        head.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// The smallest form that the client reads.
fn encoded(file: &'static File, headers: &HeaderMap) -> (Option<&'static str>, Bytes) {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let accepts = |wanted: &str| {
        accepted.split(',').any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            name.trim() == wanted && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    };
    if accepts("br") {
        (Some("br"), Bytes::from_static(file.brotli))
    } else if accepts("gzip") {
        (Some("gzip"), Bytes::from_static(file.gzip))
    } else {
        let mut plain = Vec::new();
        // What was compressed by the build is read as a whole or not at all.
        let read = flate2::read::GzDecoder::new(file.gzip).read_to_end(&mut plain);
        (None, if read.is_ok() { plain.into() } else { Bytes::new() })
    }
}

fn content_type(name: &str) -> Option<&'static str> {
    Some(match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `<p>` as gzip writes it.
    const GZIP: &[u8] =
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xb3, 0x29, 0xb0, 0x03, 0, 0xbb, 0xa1, 0x6e, 0x3c, 3, 0, 0, 0];

    static BUILT: &[File] = &[
        File { name: "files/app-1a2b.js", tag: "\"1\"", gzip: b"gz", brotli: b"br" },
        File { name: PAGE, tag: "\"2\"", gzip: GZIP, brotli: b"page" },
        File { name: PORTAL_PAGE, tag: "\"3\"", gzip: GZIP, brotli: b"portal" },
    ];

    fn ask(files: &'static [File], name: &str, headers: &[(HeaderName, &'static str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        file_for(files, name, &headers.collect())
    }

    fn header(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    #[test]
    fn files_are_kept_for_ever_and_the_page_is_asked_for_again() {
        let script = ask(BUILT, "files/app-1a2b.js", &[(ACCEPT_ENCODING, "gzip, br")]);
        assert_eq!(header(&script, CACHE_CONTROL), "public, max-age=31536000, immutable");
        assert_eq!(header(&script, CONTENT_ENCODING), "br");
        assert_eq!(header(&script, CONTENT_TYPE), "text/javascript; charset=utf-8");

        let page = ask(BUILT, "", &[]);
        assert_eq!(header(&page, CACHE_CONTROL), "no-cache");
        let again = ask(BUILT, "", &[(IF_NONE_MATCH, "\"2\"")]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn every_address_is_the_page_but_a_file_that_is_gone_is_not() {
        for name in ["", "apis", "apis/Pets:1.0", "apis/conf.json", "index.html"] {
            let response = ask(BUILT, name, &[]);
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(header(&response, CONTENT_TYPE), "text/html; charset=utf-8", "{name}");
        }
        assert_eq!(ask(BUILT, "files/app-old.js", &[]).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn the_portal_is_a_page_of_its_own() {
        let page = ask(BUILT, PORTAL_PAGE, &[]);
        assert_eq!(header(&page, ETAG), "\"3\"");
        assert_eq!(header(&page, CACHE_CONTROL), "no-cache");
        assert_eq!(header(&page, CONTENT_TYPE), "text/html; charset=utf-8");
    }

    #[test]
    fn who_reads_no_compression_gets_none() {
        for (accepted, encoding) in
            [("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", ""), ("br", "br")]
        {
            let response = ask(BUILT, "", &[(ACCEPT_ENCODING, accepted)]);
            assert_eq!(header(&response, CONTENT_ENCODING), encoding, "{accepted}");
        }
        assert_eq!(&encoded(&BUILT[1], &HeaderMap::new()).1[..], b"<p>");
    }

    #[test]
    fn a_program_without_the_console_says_how_to_get_it() {
        let response = ask(&[], "apis", &[]);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(NOT_BUILT.contains("make console"));
    }

    #[test]
    fn everything_is_served_with_a_strict_policy() {
        let response = answer("", &HeaderMap::new());
        assert!(header(&response, CONTENT_SECURITY_POLICY).starts_with("default-src 'self'"));
        assert_eq!(header(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
    }
}
