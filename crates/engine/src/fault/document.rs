//! The gateway's own way to write an error: problem+json, XML or text, as the client accepts it.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::{Problem, Reason, RequestId, language::Escape};

/// An error before it is written.
#[derive(Debug)]
pub struct ErrorDocument<'a> {
    pub status: StatusCode,
    pub reason: &'static Reason,
    /// Instead of the reason's own message; may have anything in it.
    pub message: Option<Cow<'a, str>>,
    pub problems: &'a [Problem],
    pub id: RequestId,
}

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
    fn accepted(accept: Option<&str>) -> Self {
        let mut best = (0_u16, Self::ProblemJson);
        for range in accept.unwrap_or_default().split(',') {
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

impl ErrorDocument<'_> {
    /// Content type and body for a client with this Accept.
    pub fn render(&self, accept: Option<&str>) -> (&'static str, Bytes) {
        let format = Format::accepted(accept);
        let body = match format {
            Format::Json | Format::ProblemJson => self.json(),
            Format::ProblemXml => self.xml(),
            Format::Text => self.text(),
        };
        (format.content_type(), body.into())
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn message(&self, escape: Escape) -> Cow<'_, str> {
        escape.apply(Cow::Borrowed(self.message.as_deref().unwrap_or(self.reason.message)))
    }

    // Codes and titles are constants, which need no escaping.

    fn json(&self) -> String {
        let (title, number, code, id) = (self.title(), self.status.as_str(), self.reason.code, self.id);
        let message = self.message(Escape::Json);
        let errors = match serde_json::to_string(self.problems) {
            Ok(list) if !self.problems.is_empty() => format!(r#","errors":{list}"#),
            _ => String::new(),
        };
        format!(
            r#"{{"type":"about:blank","title":"{title}","status":{number},"code":"{code}","detail":"{message}","requestId":"{id}"{errors}}}"#
        )
    }

    fn xml(&self) -> String {
        let (title, number, code, id) = (self.title(), self.status.as_str(), self.reason.code, self.id);
        let message = self.message(Escape::Xml);
        let escape = |text: &str| Escape::Xml.apply(Cow::Borrowed(text)).into_owned();
        let errors: String = self
            .problems
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

    fn text(&self) -> String {
        let (title, number, code, id) = (self.title(), self.status.as_str(), self.reason.code, self.id);
        let message = self.message(Escape::Text);
        let errors = self.problems.iter();
        let errors: String =
            errors.map(|problem| format!("{}: {}\n", problem.location, problem.message)).collect();
        format!("{number} {title}\n{message}\n{errors}code: {code}\nrequest id: {id}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason;

    fn render(accept: Option<&str>, message: Option<&'static str>) -> (&'static str, String) {
        let document = ErrorDocument {
            status: StatusCode::NOT_FOUND,
            reason: &reason::NO_SUCH_API,
            message: message.map(Cow::Borrowed),
            problems: &[],
            id: RequestId::new(0, 7),
        };
        let (content_type, body) = document.render(accept);
        (content_type, String::from_utf8(body.to_vec()).unwrap())
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
            assert_eq!(render(accept, None).0, expect, "{accept:?}");
        }
    }

    #[test]
    fn a_problem_has_code_and_request_id() {
        let problem: serde_json::Value = serde_json::from_str(&render(None, None).1).unwrap();
        assert_eq!(problem["status"], 404);
        assert_eq!(problem["code"], "no_such_api");
        assert_eq!(problem["requestId"], "00000000000000000000000000000007");
        assert!(render(Some("text/xml"), None).1.contains("<code>no_such_api</code>"));
    }

    #[test]
    fn a_message_stays_one_text_whatever_is_in_it() {
        let hostile = "a\",\"admin\":\"1</detail><x/>\r\ncode: ok";
        let problem: serde_json::Value = serde_json::from_str(&render(None, Some(hostile)).1).unwrap();
        assert_eq!((problem["detail"].as_str(), problem.get("admin")), (Some(hostile), None));
        assert!(render(Some("text/xml"), Some(hostile)).1.contains("1&lt;/detail&gt;&lt;x/&gt;"));
        assert_eq!(render(Some("text/plain"), Some(hostile)).1.matches("\ncode: ").count(), 1);
    }
}
