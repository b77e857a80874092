//! Messages: the body of an error in several formats, of which the client gets the one that it likes best.

use engine::{
    CompileCx, Exchange, Needs,
    language::{Escape, Template},
};
use http::HeaderValue;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media;

/// Bodies in several formats. Accept chooses; a client that accepts none of them gets the default.
///
/// They are texts with variables; `$ERROR_MESSAGE`, `$SERVICE`, `$OPERATION`, `$TIME`, `$DATE`, `$CLIENT_IP`, `$USER`,
/// `$CONSUMER_APPLICATION` and `$NATIVE_PROVIDER_ERROR` stand for what they say. Values are escaped: in JSON they are
/// the inside of a string, so write the quotes around them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionalErrorMessages {
    /// Sent as `application/json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    /// Sent as `application/xml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xml: Option<String>,
    /// Sent as `text/plain`; values become one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// What a client gets that accepts none of them, or says nothing. Default: the first of json, xml and text that is
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<ConditionalErrorFormat>,
}

/// A format of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConditionalErrorFormat {
    Json,
    Xml,
    Text,
}

impl ConditionalErrorFormat {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    const fn escape(self) -> Escape {
        match self {
            Self::Json => Escape::Json,
            Self::Xml => Escape::Xml,
            Self::Text => Escape::Text,
        }
    }
}

/// Messages, ready to be given. The default comes first.
#[derive(Debug)]
pub struct Messages(Vec<(ConditionalErrorFormat, Template)>);

impl Messages {
    pub fn compile(doc: &ConditionalErrorMessages, cx: &mut CompileCx<'_>) -> Result<Self, Diagnostic> {
        use ConditionalErrorFormat::{Json, Text, Xml};
        let mut messages = Vec::new();
        for (key, format, text) in
            [("json", Json, &doc.json), ("xml", Xml, &doc.xml), ("text", Text, &doc.text)]
        {
            if let Some(text) = text {
                let template = Template::compile_message(text, cx.language());
                messages.push((format, template.map_err(|problem| problem.under(key))?));
            }
        }
        if messages.is_empty() {
            return Err(Diagnostic::error("", "found none, expected at least one of json, xml and text"));
        }
        if let Some(default) = doc.default {
            let Some(place) = messages.iter().position(|(format, _)| *format == default) else {
                return Err(Diagnostic::error(
                    "default",
                    "found a format that there is no message in, expected one of those that are there",
                ));
            };
            messages[..=place].rotate_right(1);
        }
        Ok(Self(messages))
    }

    /// Content type and body for this client.
    pub fn render(&self, exchange: &Exchange) -> Option<(HeaderValue, String)> {
        let offered = self.0.iter().map(|(format, _)| format.content_type());
        let chosen = media::accepted(exchange.inbound_accept().as_deref(), offered).unwrap_or(0);
        let (format, template) = self.0.get(chosen)?;
        let body = template.render(exchange, format.escape()).into_owned();
        Some((HeaderValue::from_static(format.content_type()), body))
    }

    pub fn needs(&self) -> Needs {
        self.0.iter().fold(Needs::default(), |needs, (_, template)| needs | template.needs())
    }
}
