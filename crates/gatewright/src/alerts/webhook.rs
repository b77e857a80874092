//! A URL as a destination: each alert is a request, tried again when the other side is down or busy.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use engine::{Alert, AlertText, Timestamp, alert::AlertSource, language::Escape};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header::CONTENT_TYPE};
use http_body_util::Full;
use model::{
    Diagnostic, Secret,
    destination::{Severity, WebhookDestination, WebhookHeader, WebhookMethod},
    secret::ResolvedSecrets,
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Deliveries,
    patience::{Failed, Patience, Queue},
};
use crate::client;

const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// A webhook, checked.
#[derive(Clone, PartialEq)]
pub(super) struct Plan {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    content_type: HeaderValue,
    escape: Escape,
    payload: Option<AlertText>,
    timeout: Duration,
    patience: Patience,
}

impl Plan {
    pub fn compile(doc: &WebhookDestination, secrets: &ResolvedSecrets) -> Result<Self, Diagnostic> {
        let content_type = HeaderValue::from_str(&doc.content_type)
            .ok()
            .filter(|_| doc.content_type.contains('/'))
            .ok_or_else(|| {
                let found = format!("found `{}`, expected a media type", doc.content_type);
                Diagnostic::error("contentType", found).help("write it like application/json")
            })?;
        let escape = escape_for(&doc.content_type);
        let payload = doc.payload.as_deref().map(|text| payload(text, escape)).transpose()?;
        let headers = doc.headers.iter().enumerate().map(|(index, doc)| {
            header(doc, secrets).map_err(|problem| problem.under(&format!("headers[{index}]")))
        });
        if doc.timeout.get().is_zero() || doc.timeout.get() > LONGEST_TIMEOUT {
            let message = format!("found {}, expected 1ms to 5m", doc.timeout);
            return Err(Diagnostic::error("timeout", message));
        }
        let patience = Patience::new(doc.retries, doc.retry_after, doc.queue)?;
        Ok(Self {
            method: match doc.method {
                WebhookMethod::Post => Method::POST,
                WebhookMethod::Put => Method::PUT,
            },
            uri: uri(&doc.url, secrets)?,
            headers: headers.collect::<Result<_, _>>()?,
            content_type,
            escape,
            payload,
            timeout: doc.timeout.get(),
            patience,
        })
    }

    /// Begins to deliver, one alert after the other.
    pub fn start(&self, name: &str, counts: Arc<Deliveries>, tasks: &mut JoinSet<()>) -> Queue {
        let (queue, mut received) = self.patience.queue(Arc::clone(&counts));
        let (plan, name, counted) = (self.clone(), name.to_owned(), counts);
        tasks.spawn(async move {
            while let Some(alert) = received.recv().await {
                match plan.deliver(&alert).await {
                    Ok(()) => counted.sent.fetch_add(1, Relaxed),
                    Err(error) => {
                        // Neither URL nor headers: both may carry secrets.
                        tracing::warn!(destination = %name, error, "an alert could not be delivered");
                        counted.failed.fetch_add(1, Relaxed)
                    }
                };
            }
        });
        queue
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), String> {
        let body: Bytes = match &self.payload {
            Some(text) => text.render(alert, self.escape).into(),
            None => serde_json::to_vec(alert).unwrap_or_default().into(),
        };
        self.patience.try_until(|| self.once(body.clone())).await
    }

    async fn once(&self, body: Bytes) -> Result<(), Failed> {
        let passing = |why: String| Err(Failed { why, passing: true });
        match timeout(self.timeout, client::send(self.request(body))).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => {
                let status = response.status();
                let why = format!("the other side answered {status}");
                Err(Failed { why, passing: is_passing(status) })
            }
            Ok(Err(error)) => passing(error.to_string()),
            Err(_) => passing(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        request
    }
}

/// It may go well later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

fn escape_for(content_type: &str) -> Escape {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match &*essence {
        "application/json" => Escape::Json,
        "application/xml" | "text/xml" => Escape::Xml,
        other if other.ends_with("+json") => Escape::Json,
        other if other.ends_with("+xml") => Escape::Xml,
        _ => Escape::Text,
    }
}

fn payload(text: &str, escape: Escape) -> Result<AlertText, Diagnostic> {
    let payload = AlertText::compile(text).map_err(|problem| problem.under("payload"))?;
    // An alert that leaves nothing whole that is not escaped.
    if escape == Escape::Json
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&payload.render(&sample(), escape))
    {
        return Err(Diagnostic::error("payload", format!("is no JSON once fields are filled in: {error}"))
            .help("write fields in quotation marks, as in {\"text\": \"${message}\"}; only ${value} and ${threshold} are numbers"));
    }
    Ok(payload)
}

fn sample() -> Alert {
    let text = "a \"text\"";
    Alert {
        time: Timestamp::default(),
        severity: Severity::Warn,
        source: Arc::new(AlertSource {
            kind: "Monitor",
            api_id: text.into(),
            api: text.into(),
            api_version: text.into(),
            operation: text.into(),
            policy: text.into(),
        }),
        application: text.into(),
        rule: text.into(),
        metric: "faults",
        value: 1.5,
        threshold: 1.0,
        interval: text.into(),
        message: text.into(),
        destinations: Arc::default(),
    }
}

fn uri(written: &str, secrets: &ResolvedSecrets) -> Result<Uri, Diagnostic> {
    // Where the URL itself is a secret, nothing of it is repeated.
    let problem = |expected: &str| {
        Diagnostic::error("url", format!("expected {expected}"))
            .help("write it like https://hooks.example/alerts")
    };
    let secret = serde_json::from_value::<Secret>(written.into()).ok();
    let text = match &secret {
        Some(secret) => secrets.get(secret).ok_or_else(|| problem("a secret that can be read"))?,
        None => written,
    };
    let uri: Uri = text.parse().map_err(|_| problem("a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(problem("a URL with http:// or https://"));
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err(problem("a URL without user and password").help("write them into `headers`, with `secret`"))
        }
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(problem("a URL with a host")),
    }
}

/// Headers that follow from the request itself.
const OWN: [&str; 6] =
    ["connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"];

fn header(doc: &WebhookHeader, secrets: &ResolvedSecrets) -> Result<(HeaderName, HeaderValue), Diagnostic> {
    let name = HeaderName::from_bytes(doc.name.as_bytes()).map_err(|_| {
        Diagnostic::error("name", format!("found `{}`, expected the name of a header", doc.name))
    })?;
    if OWN.contains(&name.as_str()) {
        return Err(Diagnostic::error(
            "name",
            format!("found `{name}`, which follows from the request itself"),
        ));
    }
    let (path, value) = match (&doc.value, &doc.secret) {
        (Some(value), None) => ("value", value.as_str()),
        (None, Some(secret)) => {
            let value = secrets.get(secret);
            (
                "secret",
                value.ok_or_else(|| Diagnostic::error("secret", "expected a secret that can be read"))?,
            )
        }
        _ => return Err(Diagnostic::error("", "expected either `value` or `secret`")),
    };
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| Diagnostic::error(path, "has characters that no header can carry"))?;
    value.set_sensitive(doc.secret.is_some());
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(yaml: &str) -> Result<Plan, Diagnostic> {
        let value = model::yaml::parse(yaml).expect("YAML").value;
        Plan::compile(&model::check::parse(value).expect("a webhook"), &ResolvedSecrets::default())
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_its_field() {
        for (yaml, path, problem) in [
            ("url: ftp://a.example", "url", "http://"),
            ("url: /a", "url", "http://"),
            ("url: 'http://user:word@a.example/'", "url", "without user"),
            ("url: '${env:NOT_READ}'", "url", "secret"),
            ("{url: 'http://a.example', headers: [{name: 'a b', value: x}]}", "headers[0].name", "`a b`"),
            ("{url: 'http://a.example', headers: [{name: Host, value: x}]}", "headers[0].name", "`host`"),
            ("{url: 'http://a.example', headers: [{name: A}]}", "headers[0]", "either"),
            (
                "{url: 'http://a.example', headers: [{name: A, value: \"x\\ny\"}]}",
                "headers[0].value",
                "carry",
            ),
            ("{url: 'http://a.example', payload: '{\"a\": ${api}}'}", "payload", "no JSON"),
            ("{url: 'http://a.example', payload: '${apis}'}", "payload", "`${apis}`"),
            ("{url: 'http://a.example', contentType: json}", "contentType", "media type"),
            ("{url: 'http://a.example', timeout: 6m}", "timeout", "5m"),
            ("{url: 'http://a.example', retries: 21}", "retries", "20"),
            ("{url: 'http://a.example', retryAfter: 0s}", "retryAfter", "1ms"),
            ("{url: 'http://a.example', queue: 100001}", "queue", "100000"),
        ] {
            let yaml = match yaml.strip_prefix('{') {
                Some(rest) => format!("{{name: a, {rest}"),
                None => format!("name: a\n{yaml}"),
            };
            let found = compile(&yaml).err().unwrap_or_else(|| panic!("{yaml} is accepted"));
            assert_eq!(found.path, path, "{yaml}: {found}");
            assert!(found.to_string().contains(problem), "{yaml}: {found}");
        }
    }

    #[test]
    fn the_media_type_says_how_fields_are_escaped() {
        for (media_type, escape) in [
            ("application/json; charset=utf-8", Escape::Json),
            ("application/cloudevents+json", Escape::Json),
            ("text/xml", Escape::Xml),
            ("text/plain", Escape::Text),
        ] {
            assert_eq!(escape_for(media_type), escape, "{media_type}");
        }
        assert!(
            compile("{name: a, url: 'http://a.example', contentType: text/plain, payload: '${api}'}").is_ok()
        );
    }
}
