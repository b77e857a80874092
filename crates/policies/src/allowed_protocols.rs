//! Allowed protocols: refuses calls over HTTP where only HTTPS is wanted, or sends them there.

use engine::{
    CompileCx, Compiled, Exchange, Filter, Headers, Outcome, Policy, Reason, Rejection, Stage, Step, Verdict,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, HOST, LOCATION},
};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Says by which protocols an API may be called. A call by another one is answered with 403: the caller has to change
/// something, which a status of the 500s would not tell.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedProtocols {
    /// The protocols, at least one. A call is `https` when it came over TLS, to the gateway or to a trusted proxy.
    protocols: Vec<AllowedProtocol>,
    /// Answer calls over HTTP with a redirect (308) to the same address with HTTPS instead of refusing them. What the
    /// client sent the first time, keys included, has been readable on its way all the same.
    #[serde(default)]
    redirect_to_https: bool,
    /// Port of the redirect's target, 1 to 65535. Default: none, which is 443.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    https_port: Option<std::num::NonZeroU16>,
}

/// A protocol that an API may be called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AllowedProtocol {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
}

pub static NOT_ALLOWED: Reason = Reason::new(
    "protocol_not_allowed",
    StatusCode::FORBIDDEN,
    "The API is not to be called by this protocol.",
);

impl Policy for AllowedProtocols {
    const TYPE: &'static str = "allowedProtocols";
    const STAGE: Stage = Stage::Transport;
    const POSTURE: &'static str = "Whether a call came over TLS is known from the connection, or from a trusted proxy; no header of a client changes it. A redirect repeats Host and target only where every character may stand in a URL.";
    const REASONS: &'static [&'static Reason] = &[&NOT_ALLOWED];
    const EXAMPLE: &'static str = "protocols: [https]\nredirectToHttps: true\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let has = |protocol| self.protocols.contains(&protocol);
        let (http, https) = (has(AllowedProtocol::Http), has(AllowedProtocol::Https));
        if !http && !https {
            return Err(Diagnostic::error("protocols", "found none, expected `http`, `https` or both"));
        }
        if self.redirect_to_https && (http || !https) {
            return Err(Diagnostic::error(
                "redirectToHttps",
                "has no effect unless `protocols` is `[https]`: calls over HTTP are allowed, or HTTPS is not",
            ));
        }
        if self.https_port.is_some() && !self.redirect_to_https {
            return Err(Diagnostic::error("httpsPort", "has no effect without `redirectToHttps: true`"));
        }
        let redirect = self.redirect_to_https.then(|| match self.https_port.map(u16::from) {
            None | Some(443) => String::new(),
            Some(port) => format!(":{port}"),
        });
        Ok(Compiled::filter(Door { http, https, redirect }))
    }
}

struct Door {
    http: bool,
    https: bool,
    /// Calls over HTTP are sent to HTTPS, at the host with this after it.
    redirect: Option<String>,
}

impl Filter for Door {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        Step::Done(self.pass(exchange))
    }
}

impl Door {
    fn pass(&self, exchange: &mut Exchange) -> Verdict {
        let secure = exchange.client.secure;
        if if secure { self.https } else { self.http } {
            return Ok(Outcome::Passed);
        }
        let target = self.redirect.as_ref().and_then(|port| location(exchange, port));
        let Some(target) = target else {
            let found = if secure { "found https, expected http" } else { "found http, expected https" };
            return Err(Rejection::new(&NOT_ALLOWED).detail(found));
        };
        let mut headers = Headers::new();
        headers.insert(LOCATION, target);
        // What is kept for Host by somebody on the way would be given to others.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(exchange.answer_with(StatusCode::PERMANENT_REDIRECT, headers, ""))
    }
}

/// The same address with HTTPS; `None` when Host is not one that may stand in a URL.
fn location(exchange: &Exchange, port: &str) -> Option<HeaderValue> {
    let host = exchange.headers.get(HOST)?.to_str().ok()?;
    let name = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    };
    let in_brackets = name.starts_with('[') && name.ends_with(']');
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || (in_brackets && b"[:]".contains(&b));
    let target = exchange.uri.path_and_query()?.as_str();
    if name.is_empty() || !name.bytes().all(plain) || !target.starts_with('/') {
        return None;
    }
    HeaderValue::try_from(format!("https://{name}{port}{target}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{serve, told, try_serve};

    fn ask(config: &str, secure: bool, host: &str) -> String {
        let served = serve("", &format!("[{{type: allowedProtocols, config: {config}}}]"));
        let mut exchange = served.exchange("GET /x?a=1", &format!("Host: {host}"), "");
        exchange.client.secure = secure;
        match served.request(&mut exchange) {
            Ok(Outcome::Answered) => {
                let location = exchange.response_headers.get(LOCATION).unwrap().to_text().into_owned();
                format!("{} {location}", exchange.status.as_u16())
            }
            Ok(outcome) => format!("{outcome:?}"),
            Err(rejection) => told(&rejection),
        }
    }

    #[test]
    fn only_what_is_allowed_passes() {
        let refused = "403 protocol_not_allowed";
        for (config, secure, host, expect) in [
            ("{protocols: [https]}", true, "a.example", "Passed"),
            ("{protocols: [https]}", false, "a.example", refused),
            ("{protocols: [http]}", true, "a.example", refused),
            ("{protocols: [http, https]}", false, "a.example", "Passed"),
            ("{protocols: [https], redirectToHttps: true}", true, "a.example", "Passed"),
            (
                "{protocols: [https], redirectToHttps: true}",
                false,
                "a.example:8080",
                "308 https://a.example/t/x?a=1",
            ),
            (
                "{protocols: [https], redirectToHttps: true, httpsPort: 8443}",
                false,
                "[::1]:80",
                "308 https://[::1]:8443/t/x?a=1",
            ),
            ("{protocols: [https], redirectToHttps: true}", false, "a.example/evil", refused),
            ("{protocols: [https], redirectToHttps: true}", false, "user@evil", refused),
            ("{protocols: [https], redirectToHttps: true}", false, "", refused),
        ] {
            assert_eq!(ask(config, secure, host), expect, "{config} {secure} {host}");
        }
    }

    #[test]
    fn what_has_no_effect_is_refused() {
        for (config, path) in [
            ("{protocols: []}", "protocols"),
            ("{protocols: [http, https], redirectToHttps: true}", "redirectToHttps"),
            ("{protocols: [https], httpsPort: 8443}", "httpsPort"),
            ("{protocols: [https], httpsPort: 0}", "httpsPort"),
            ("{protocols: [gopher]}", "protocols[0]"),
        ] {
            let problems = try_serve("", &format!("[{{type: allowedProtocols, config: {config}}}]"), "");
            let problem = problems.err().unwrap().0.remove(0);
            assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{config}");
        }
    }
}
