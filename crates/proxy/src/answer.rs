//! Errors become answers here, and nowhere else: problem+json, XML or text, as the client accepts it.

use std::borrow::Cow;

use bytes::Bytes;
use engine::{Headers, Rejection, RequestId, language::Escape};
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::headers::X_REQUEST_ID;

/// The representation of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    ProblemJson,
    ProblemXml,
    Text,
}

impl Format {
    /// What the client likes best among what we have; problem+json when it says nothing that we can give.
    fn accepted(headers: &Headers) -> Self {
        let Some(accept) = headers.get(ACCEPT).and_then(|v| v.to_str().ok()) else {
            return Self::ProblemJson;
        };
        let mut best = (0_u16, Self::ProblemJson);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or("").to_ascii_lowercase().as_str() {
                "application/problem+json" | "*/*" | "application/*" => Self::ProblemJson,
                "application/json" => Self::Json,
                "application/problem+xml" | "application/xml" | "text/xml" => Self::ProblemXml,
                "text/plain" | "text/html" | "text/*" => Self::Text,
                _ => continue,
            };
            let quality = parts
                .find_map(|p| p.strip_prefix("q="))
                .map_or(Some(1_000), |q| q.parse::<f32>().ok().map(|q| (q.clamp(0.0, 1.0) * 1_000.0) as u16));
            if let Some(quality) = quality
                && quality > best.0
            {
                best = (quality, format);
            }
        }
        best.1
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::ProblemJson => "application/problem+json",
            Self::ProblemXml => "application/problem+xml",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// Status, headers and body for a request that the gateway answers itself.
///
/// Nothing of the request, and nothing of the upstream, goes into it: code, title and message belong to the reason.
pub fn answer(
    rejection: &Rejection,
    id: RequestId,
    request_headers: &Headers,
) -> (StatusCode, Headers, Bytes) {
    let status = rejection.status();
    let format = Format::accepted(request_headers);
    let body = render(format, status, rejection, id);
    let mut headers = Headers::new();
    headers.append(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
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
    let (status, headers, body) = answer(rejection, id, &Headers::new());
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

fn render(format: Format, status: StatusCode, rejection: &Rejection, id: RequestId) -> Bytes {
    // Codes and messages are our own constants, so that only what is wrong with the request needs escaping.
    let engine::Reason { code, message, .. } = rejection.reason;
    let title = status.canonical_reason().unwrap_or("Error");
    let number = status.as_str();
    let problems = &rejection.problems;
    match format {
        Format::Json | Format::ProblemJson => {
            let errors = match serde_json::to_string(problems) {
                Ok(list) if !problems.is_empty() => format!(r#","errors":{list}"#),
                _ => String::new(),
            };
            format!(
                r#"{{"type":"about:blank","title":"{title}","status":{number},"code":"{code}","detail":"{message}","requestId":"{id}"{errors}}}"#
            )
        }
        Format::ProblemXml => {
            let escape = |text: &Cow<'static, str>| Escape::Xml.apply(Cow::Borrowed(text.as_ref())).into_owned();
            let errors: String = problems
                .iter()
                .map(|problem| {
                    let (location, message) = (escape(&problem.location), escape(&problem.message));
                    format!("<error><location>{location}</location><message>{message}</message></error>")
                })
                .collect();
            let errors = if errors.is_empty() { errors } else { format!("<errors>{errors}</errors>") };
            format!(
                r#"<?xml version="1.0" encoding="UTF-8"?><problem xmlns="urn:ietf:rfc:7807"><type>about:blank</type><title>{title}</title><status>{number}</status><code>{code}</code><detail>{message}</detail><requestId>{id}</requestId>{errors}</problem>"#
            )
        }
        Format::Text => {
            let errors: String =
                problems.iter().map(|problem| format!("{}: {}\n", problem.location, problem.message)).collect();
            format!("{number} {title}\n{message}\n{errors}code: {code}\nrequest id: {id}\n")
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use engine::reason;

    use super::*;

    fn body(accept: Option<&'static str>) -> (String, String) {
        let mut headers = Headers::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let (_, headers, body) =
            answer(&Rejection::new(&reason::NO_SUCH_API), RequestId::new(0, 7), &headers);
        (
            headers.get(CONTENT_TYPE).unwrap().to_str().unwrap().to_owned(),
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    #[test]
    fn the_format_follows_accept() {
        for (accept, expect) in [
            (None, "application/problem+json"),
            (Some("*/*"), "application/problem+json"),
            (Some("application/json"), "application/json"),
            (Some("text/html;q=0.5, application/xml"), "application/problem+xml"),
            (Some("text/plain"), "text/plain; charset=utf-8"),
            (Some("image/png"), "application/problem+json"),
            (Some("application/xml;q=0, text/plain;q=0.1"), "text/plain; charset=utf-8"),
        ] {
            assert_eq!(body(accept).0, expect, "{accept:?}");
        }
    }

    #[test]
    fn a_problem_has_code_and_request_id() {
        let problem: serde_json::Value = serde_json::from_str(&body(None).1).unwrap();
        assert_eq!(problem["status"], 404);
        assert_eq!(problem["code"], "no_such_api");
        assert_eq!(problem["requestId"], "00000000000000000000000000000007");
        assert!(body(Some("text/xml")).1.contains("<code>no_such_api</code>"));
    }
}
