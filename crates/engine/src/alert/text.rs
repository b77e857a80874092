//! Texts with fields of an alert in them: messages of policies and payloads of webhooks. They know no request: an alert
//! at the end of an interval has none.

use std::borrow::Cow;

use model::{Diagnostic, diagnostic::nearest};

use super::Alert;
use crate::language::Escape;

/// A text with `${field}` in it, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertText(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    Field(&'static str),
}

const FIELDS: [&str; 14] = [
    "time",
    "severity",
    "type",
    "api",
    "apiVersion",
    "operation",
    "application",
    "policy",
    "rule",
    "metric",
    "value",
    "threshold",
    "interval",
    "message",
];

impl AlertText {
    /// Compiles a text; `$${` stands for `${` itself.
    pub fn compile(text: &str) -> Result<Self, Diagnostic> {
        Self::with_fields(text, &FIELDS)
    }

    /// The same for the message itself.
    pub fn compile_message(text: &str) -> Result<Self, Diagnostic> {
        Self::with_fields(text, &FIELDS[..FIELDS.len() - 1])
    }

    fn with_fields(text: &str, fields: &[&'static str]) -> Result<Self, Diagnostic> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find("${") {
            if rest[..open].ends_with('$') {
                literal.push_str(&rest[..open - 1]);
                literal.push_str("${");
                rest = &rest[open + 2..];
                continue;
            }
            literal.push_str(&rest[..open]);
            let inner = &rest[open + 2..];
            let Some(end) = inner.find('}') else {
                return Err(
                    Diagnostic::error("", "found `${` without its `}`").help("write $${ for a literal ${")
                );
            };
            let name = &inner[..end];
            let field = find(name, fields)?;
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
            }
            pieces.push(Piece::Field(field));
            rest = &inner[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.into()));
        }
        Ok(Self(pieces))
    }

    /// The text, when nothing in it is of an alert.
    pub(super) fn constant(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with what the alert has in place of its fields. Only those are escaped.
    pub fn render(&self, alert: &Alert, escape: Escape) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Field(name) => text.push_str(&escape.apply(field(alert, name))),
            }
        }
        text
    }
}

/// A field by its name.
pub(super) fn field_named(name: &str) -> Result<&'static str, Diagnostic> {
    find(name, &FIELDS)
}

fn find(name: &str, fields: &[&'static str]) -> Result<&'static str, Diagnostic> {
    fields.iter().copied().find(|field| *field == name).ok_or_else(|| {
        let problem = Diagnostic::error("", format!("found `${{{name}}}`, which no alert has"));
        match nearest(name, fields.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `${{{near}}}`?")),
            None => problem.help(format!("an alert has {}", fields.join(", "))),
        }
    })
}

/// What an alert says in a field.
pub(super) fn field<'a>(alert: &'a Alert, name: &str) -> Cow<'a, str> {
    let source = &*alert.source;
    let text: &str = match name {
        "time" => return alert.date().into(),
        "value" => return alert.value.to_string().into(),
        "threshold" => return alert.threshold.to_string().into(),
        "severity" => alert.severity.name(),
        "type" => source.kind,
        "api" => &source.api,
        "apiVersion" => &source.api_version,
        "operation" => &source.operation,
        "application" => &alert.application,
        "policy" => &source.policy,
        "rule" => &alert.rule,
        "metric" => alert.metric,
        "interval" => &alert.interval,
        _ => &alert.message,
    };
    Cow::Borrowed(text)
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use model::destination::Severity;

    use super::*;
    use crate::{Timestamp, alert::AlertSource};

    pub fn alert() -> Alert {
        Alert {
            time: Timestamp::from_millis(1_768_471_200_000),
            severity: Severity::Error,
            source: Arc::new(AlertSource {
                kind: "Monitor",
                api: "Orders \"new\"".into(),
                api_version: "2.1".into(),
                policy: "slow".into(),
                ..AlertSource::default()
            }),
            application: "".into(),
            rule: "averageResponseTime > 250".into(),
            metric: "averageResponseTime",
            value: 312.5,
            threshold: 250.0,
            interval: "5 minutes".into(),
            message: "it is slow".into(),
            destinations: Arc::default(),
        }
    }

    #[test]
    fn fields_are_replaced_and_escaped_for_where_they_go() {
        for (text, escape, expect) in [
            ("", Escape::Json, ""),
            ("nothing", Escape::Json, "nothing"),
            (r#"{"a":"${api}","v":${value}}"#, Escape::Json, r#"{"a":"Orders \"new\"","v":312.5}"#),
            ("${api}", Escape::Xml, "Orders &quot;new&quot;"),
            ("${time} $${api} ${threshold}", Escape::Text, "2026-01-15T10:00:00Z ${api} 250"),
            ("${severity}${type}${operation}${message}", Escape::None, "errorMonitorit is slow"),
        ] {
            let compiled = AlertText::compile(text).unwrap();
            assert_eq!(compiled.render(&alert(), escape), expect, "{text}");
        }
    }

    #[test]
    fn what_no_alert_has_is_refused() {
        for (text, problem) in [
            ("${apis}", "did you mean `${api}`?"),
            ("${request.path}", "an alert has time"),
            ("a ${value", "without its `}`"),
        ] {
            let found = AlertText::compile(text).unwrap_err().to_string();
            assert!(found.contains(problem), "{text}: {found}");
        }
        assert!(AlertText::compile_message("${message}").is_err(), "a message is not part of itself");
    }

    #[test]
    fn an_alert_is_an_object() {
        let json = serde_json::to_value(alert()).unwrap();
        assert_eq!(json["time"], "2026-01-15T10:00:00Z");
        assert_eq!(json["type"], "Monitor");
        assert_eq!(json["api"], "Orders \"new\"");
        assert_eq!(json["value"], 312.5);
        assert_eq!(json.get("destinations"), None);
    }
}
