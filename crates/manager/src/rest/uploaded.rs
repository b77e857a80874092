//! What somebody has uploaded, given out as it is: nothing of it runs where the portal and the console are.

use axum::{
    body::Body,
    http::{
        HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use base64ct::{Base64, Encoding};
use model::{ApiDoc, Picture, api::LARGEST_ICON};

/// Bytes of a media type that somebody has said; with a name, they are saved and not shown.
pub(super) fn bytes(media_type: &str, content: Vec<u8>, saved_as: Option<&str>) -> Response {
    let mut response = Body::from(content).into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(media_type);
    headers.insert(CONTENT_TYPE, media_type.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    if let Some(name) = saved_as {
        let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
        if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{ascii}\"")) {
            headers.insert(CONTENT_DISPOSITION, value);
        }
    }
    response
}

/// The icon of an API.
pub(super) fn icon_of(doc: &ApiDoc) -> Option<Response> {
    let picture = Picture::parse(doc.icon.as_deref()?, LARGEST_ICON)?;
    Some(bytes(picture.media_type, Base64::decode_vec(picture.base64).ok()?, None))
}
