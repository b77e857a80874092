//! `/api/docs`: the admin API as people read it. A page of ours that shows the OpenAPI document and asks nobody else for
//! anything.

use axum::{
    Router,
    http::{
        HeaderName, HeaderValue,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
    routing::get,
};

/// Nothing but what is here, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and its two files.
pub(super) fn router() -> Router {
    let html = || async { answer("text/html; charset=utf-8", include_str!("page.html")) };
    Router::new()
        .route("/api/docs", get(html))
        .route("/api/docs/", get(html))
        .route(
            "/api/docs/page.css",
            get(|| async { answer("text/css; charset=utf-8", include_str!("page.css")) }),
        )
        .route(
            "/api/docs/page.js",
            get(|| async { answer("text/javascript; charset=utf-8", include_str!("page.js")) }),
        )
}

fn answer(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
