//! What the life cycle of an API means for its calls. APIs that are not served are no part of a snapshot.

use http::{
    HeaderName, HeaderValue,
    header::{LINK, RETRY_AFTER},
};
use model::{Diagnostic, Diagnostics, LifecycleDoc, LifecycleState};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::{Exchange, Headers, Rejection, Timestamp, compile::applications::parse_time, reason};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");
/// A date as HTTP has it (RFC 9110, 5.6.7).
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// What calls of an API meet before anything else, when it is not simply published.
#[derive(Debug)]
pub enum Standing {
    Blocked,
    Deprecated {
        /// In every answer.
        headers: Headers,
        /// From then on it is gone.
        until: Option<Timestamp>,
    },
}

impl Standing {
    /// `None` where it makes no difference.
    pub(crate) fn compile(doc: &LifecycleDoc, problems: &mut Diagnostics) -> Option<Self> {
        let mut wrong = |key: &str, message: String| {
            problems.push(Diagnostic::error(format!("lifecycle.{key}"), message));
        };
        let mut date = |key: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            let parsed = parse_time(text);
            if parsed.is_none() {
                wrong(key, format!("found `{text}`, expected a time such as 2027-01-31T00:00:00Z"));
            }
            parsed
        };
        let since = date("deprecatedAt", &doc.deprecated_at);
        let until = date("retireAt", &doc.retire_at);
        let link = doc.information.as_ref().and_then(|url| {
            let is_url = (url.starts_with("https://") || url.starts_with("http://"))
                && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
            let value = HeaderValue::try_from(format!("<{url}>; rel=\"deprecation\""));
            if !is_url {
                wrong(
                    "information",
                    format!("found `{url}`, expected a URL such as https://example.com/migrate"),
                );
            }
            value.ok().filter(|_| is_url)
        });
        if since.zip(until).is_some_and(|(since, until)| until < since) {
            wrong("retireAt", "found a time before `deprecatedAt`, expected a later one".to_owned());
        }
        match doc.state {
            LifecycleState::Blocked => Some(Self::Blocked),
            LifecycleState::Deprecated => {
                if doc.deprecated_at.is_none() {
                    let problem =
                        Diagnostic::error("lifecycle.deprecatedAt", "missing, but the API is deprecated");
                    problems.push(
                        problem.help("say when that began, as in 2027-01-31T00:00:00Z: callers are told"),
                    );
                }
                let mut headers = Headers::new();
                let mut tell = |name: HeaderName, text: String| {
                    headers.append_bytes(&name, text.as_bytes());
                };
                if let Some(since) = since {
                    tell(DEPRECATION, format!("@{}", since.seconds()));
                }
                if let Some(date) = until.and_then(http_date) {
                    tell(SUNSET, date);
                }
                if let Some(link) = link {
                    headers.append(LINK, link);
                }
                Some(Self::Deprecated { headers, until })
            }
            // The first and the last are not served.
            LifecycleState::Created
            | LifecycleState::PreReleased
            | LifecycleState::Published
            | LifecycleState::Retired => None,
        }
    }

    /// Lets a call in, or says why not. Whoever answers it in the end, the answer has the headers.
    pub fn admit(&self, exchange: &mut Exchange) -> Result<(), Box<Rejection>> {
        match self {
            Self::Blocked => {
                Err(Rejection::new(&reason::API_BLOCKED).header(RETRY_AFTER, HeaderValue::from_static("60")))
            }
            Self::Deprecated { headers, until } => {
                exchange.answer_headers.extend(headers);
                match until {
                    Some(until) if exchange.started >= *until => {
                        Err(Rejection::new(&reason::API_RETIRED).detail("lifecycle.retireAt has passed"))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

fn http_date(at: Timestamp) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp(i64::try_from(at.seconds()).ok()?).ok()?;
    date.format(HTTP_DATE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(document: &str) -> Result<Vec<String>, String> {
        let doc: LifecycleDoc = serde_json::from_str(document).unwrap();
        let mut problems = Diagnostics::default();
        let standing = Standing::compile(&doc, &mut problems);
        if !problems.is_empty() {
            return Err(problems.to_string());
        }
        Ok(match standing {
            None => vec!["served".to_owned()],
            Some(Standing::Blocked) => vec!["blocked".to_owned()],
            Some(Standing::Deprecated { headers, .. }) => {
                headers.iter().map(|(name, value)| format!("{name}: {}", value.to_text())).collect()
            }
        })
    }

    #[test]
    fn what_a_state_means_for_calls() {
        for (document, expected) in [
            ("{}", &["served"][..]),
            (r#"{"state": "preReleased"}"#, &["served"]),
            (r#"{"state": "blocked"}"#, &["blocked"]),
            (
                r#"{"state": "deprecated", "deprecatedAt": "2027-01-31T00:00:00Z"}"#,
                &["deprecation: @1801353600"],
            ),
            (
                r#"{"state": "deprecated", "deprecatedAt": "2027-01-31T01:00:00+01:00",
                    "retireAt": "2027-12-31T23:59:59Z", "information": "https://example.com/v2"}"#,
                &[
                    "deprecation: @1801353600",
                    "sunset: Fri, 31 Dec 2027 23:59:59 GMT",
                    "link: <https://example.com/v2>; rel=\"deprecation\"",
                ],
            ),
        ] {
            assert_eq!(compile(document).unwrap(), expected, "{document}");
        }
    }

    #[test]
    fn what_cannot_be_told_to_callers_is_refused_where_it_is() {
        for (document, path) in [
            (r#"{"state": "deprecated"}"#, "lifecycle.deprecatedAt"),
            (r#"{"deprecatedAt": "yesterday"}"#, "lifecycle.deprecatedAt"),
            (
                r#"{"state": "deprecated", "deprecatedAt": "2027-01-31T00:00:00Z", "retireAt": "2026-01-01T00:00:00Z"}"#,
                "lifecycle.retireAt",
            ),
            (r#"{"information": "https://a>; rel=next, <b"}"#, "lifecycle.information"),
            (r#"{"information": "javascript:alert(1)"}"#, "lifecycle.information"),
        ] {
            assert!(compile(document).unwrap_err().contains(path), "{document}");
        }
    }
}
