//! Errors become answers here, and nowhere else. How they are written is in `engine::fault`, where policies find it, too.

use std::borrow::Cow;

use bytes::Bytes;
use engine::{Headers, Rejection, RequestId, fault::ErrorDocument};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::headers::X_REQUEST_ID;

/// Status, headers and body for a request that the gateway answers itself.
///
/// Nothing of the request, and nothing of the upstream, goes into it, unless a message of the settings has it: code,
/// title and message belong to the reason.
pub fn answer(
    rejection: &Rejection,
    id: RequestId,
    accept: Option<&str>,
    message: Option<Cow<'_, str>>,
) -> (StatusCode, Headers, Bytes) {
    let status = rejection.status();
    let document =
        ErrorDocument { status, reason: rejection.reason, message, problems: &rejection.problems, id };
    let (content_type, body) = document.render(accept);
    let mut headers = Headers::new();
    headers.append(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.append(CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(&X_REQUEST_ID, id_value(id));
    for (name, value) in &rejection.headers {
        headers.append(name, value);
    }
    (status, headers, body)
}

/// The same as bytes, for what is no request. The connection closes after it.
pub fn raw_answer(rejection: &Rejection, id: RequestId) -> Vec<u8> {
    let (status, headers, body) = answer(rejection, id, None, None);
    let mut out =
        format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or("")).into_bytes();
    for (name, value) in headers.lines() {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"connection: close\r\n\r\n");
    out.extend_from_slice(&body);
    out
}

pub fn id_value(id: RequestId) -> HeaderValue {
    HeaderValue::from_bytes(&id.hex()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
