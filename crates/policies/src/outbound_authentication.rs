//! Outbound authentication: how the gateway shows the upstream who it is.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use engine::{
    Call, Clock, CompileCx, Compiled, Exchange, FailMode, Filter, Headers, Outcome, Policy, Reason,
    Rejection, Stage, Step, Timestamp, UpstreamName, Verdict,
};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    uri::PathAndQuery,
};
use model::{Diagnostic, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;

/// Shows the upstream who the gateway is, instead of what the client sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields, tag = "method")]
pub enum OutboundAuthentication {
    /// User name and password (RFC 7617).
    Basic {
        /// User name; without a colon.
        user_name: String,
        /// `${env:NAME}` or `${file:/path}`.
        password: Secret,
    },
    /// A token that does not change (RFC 6750).
    Bearer {
        /// `${env:NAME}` or `${file:/path}`.
        token: Secret,
    },
    /// A key in a header.
    ApiKey {
        /// Name of the header.
        header: String,
        /// `${env:NAME}` or `${file:/path}`.
        key: Secret,
    },
    /// A token that the gateway gets from an authorization server by client credentials (RFC 6749, 4.4), and keeps
    /// until shortly before it expires.
    #[serde(rename = "oauth2ClientCredentials")]
    OAuth2ClientCredentials {
        /// Name of an upstream, or the URL of the authorization server without a path.
        server: String,
        /// Path of its token endpoint.
        #[serde(default = "token_path")]
        path: String,
        /// Client id.
        client_id: String,
        /// `${env:NAME}` or `${file:/path}`.
        client_secret: Secret,
        /// Scopes, separated by spaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// Audience, for servers that ask for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
    },
    /// Whatever the client authenticated with goes on to the upstream as it came.
    PassThrough {},
    /// The upstream sees no credentials at all.
    Remove {},
}

fn token_path() -> String {
    "/oauth2/token".to_owned()
}

static NO_TOKEN: Reason = Reason::upstream(
    "outbound_token_unavailable",
    StatusCode::BAD_GATEWAY,
    "No token for the native service could be had.",
);

impl Policy for OutboundAuthentication {
    const TYPE: &'static str = "outboundAuthentication";
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[&NO_TOKEN];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "What the client sent as `Authorization` or under the name of the key never reaches the upstream, unless `passThrough` says so. Secrets are references, and are written into no log, record or event.";
    const EXAMPLE: &'static str = "method: basic\nuserName: gateway\npassword: ${env:ORDERS_PASSWORD}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let shown = |name: HeaderName, text: String, path: &str| {
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| Diagnostic::error(path, "expected a secret that can stand in a header"))?;
            value.set_sensitive(true);
            Ok::<_, Diagnostic>(Shows::Header(name, value))
        };
        let shows = match self {
            Self::Basic { user_name, password } => {
                if user_name.contains(':') {
                    return Err(Diagnostic::error(
                        "userName",
                        format!("found `{user_name}`, expected a name without a colon"),
                    ));
                }
                let pair = format!("{user_name}:{}", cx.secret("password", &password)?);
                shown(AUTHORIZATION, format!("Basic {}", Base64::encode_string(pair.as_bytes())), "password")?
            }
            Self::Bearer { token } => {
                shown(AUTHORIZATION, format!("Bearer {}", cx.secret("token", &token)?), "token")?
            }
            Self::ApiKey { header, key } => {
                let name = header.parse().map_err(|_| {
                    Diagnostic::error("header", format!("found `{header}`, expected the name of a header"))
                })?;
                if engine::language::OWN_HEADERS.contains(&header.to_ascii_lowercase().as_str()) {
                    return Err(Diagnostic::error(
                        "header",
                        format!("found `{header}`, which the gateway sets itself"),
                    ));
                }
                shown(name, cx.secret("key", &key)?, "key")?
            }
            Self::OAuth2ClientCredentials { server, path, client_id, client_secret, scope, audience } => {
                let upstream = cx.upstream("server", &server)?;
                let target = path.parse().ok().filter(|_| path.starts_with('/')).ok_or_else(|| {
                    Diagnostic::error("path", format!("found `{path}`, expected one such as /oauth2/token"))
                })?;
                let secret = cx.secret("clientSecret", &client_secret)?;
                let mut form = "grant_type=client_credentials".to_owned();
                for (name, value) in [("scope", &scope), ("audience", &audience)] {
                    if let Some(value) = value {
                        form.push_str(&format!("&{name}={}", engine::route::encode_query(value)));
                    }
                }
                let pair = format!(
                    "{}:{}",
                    engine::route::encode_query(&client_id),
                    engine::route::encode_query(&secret)
                );
                let basic = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
                let authorization = HeaderValue::from_str(&basic)
                    .map_err(|_| Diagnostic::error("clientSecret", "expected text"))?;
                let clock = cx.clock();
                // A token of other credentials is another token.
                let kept = cx.keep_state(|| Mutex::new(None));
                let shape = format!("{server} {path} {form} {basic}");
                Shows::Token(Box::new(Tokens { upstream, target, form, authorization, clock, kept, shape }))
            }
            Self::PassThrough {} => Shows::Whatever,
            Self::Remove {} => Shows::Nothing,
        };
        Ok(Compiled::filter(shows))
    }
}

enum Shows {
    Header(HeaderName, HeaderValue),
    Token(Box<Tokens>),
    Whatever,
    Nothing,
}

impl Filter for Shows {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        match self {
            Self::Header(name, value) => {
                exchange.headers.remove(AUTHORIZATION);
                exchange.headers.insert(name, value);
                Step::Done(Ok(Outcome::Changed))
            }
            Self::Nothing => {
                let removed = exchange.headers.remove(AUTHORIZATION);
                Step::Done(Ok(if removed { Outcome::Changed } else { Outcome::Skipped }))
            }
            Self::Whatever => Step::Done(Ok(Outcome::Skipped)),
            Self::Token(tokens) => {
                exchange.headers.remove(AUTHORIZATION);
                if exchange.dry_run {
                    exchange.note(|| "would show a token of the authorization server".into());
                    return Step::Done(Ok(Outcome::Changed));
                }
                Step::Later(Box::pin(tokens.show(exchange)))
            }
        }
    }
}

/// A token and what it was got with.
struct Kept {
    shape: String,
    value: HeaderValue,
    until: Timestamp,
}

struct Tokens {
    upstream: UpstreamName,
    target: PathAndQuery,
    form: String,
    authorization: HeaderValue,
    clock: Clock,
    /// One request gets a token, and the others wait for it.
    kept: Arc<Mutex<Option<Kept>>>,
    shape: String,
}

/// A token is exchanged this long before it expires, so that it does not expire on its way.
const EARLY: std::time::Duration = std::time::Duration::from_secs(10);
/// For servers that do not say how long a token lives.
const UNKNOWN_LIFE: u64 = 60;

impl Tokens {
    async fn show(&self, exchange: &mut Exchange) -> Verdict {
        let mut kept = self.kept.lock().await;
        let usable = |kept: &&Kept| kept.shape == self.shape && self.clock.now() < kept.until;
        let value = match kept.as_ref().filter(usable) {
            Some(token) => token.value.clone(),
            None => {
                let (value, life) = self.fetch(exchange).await?;
                let until = self.clock.now().plus(std::time::Duration::from_secs(life).saturating_sub(EARLY));
                *kept = Some(Kept { shape: self.shape.clone(), value: value.clone(), until });
                value
            }
        };
        drop(kept);
        exchange.headers.insert(AUTHORIZATION, &value);
        Ok(Outcome::Changed)
    }

    /// Gets a token, and how many seconds it lives.
    async fn fetch(&self, exchange: &Exchange) -> Result<(HeaderValue, u64), Box<Rejection>> {
        let refused = |detail: String| Rejection::new(&NO_TOKEN).detail(detail);
        let headers: Headers = [
            (&CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (&http::header::ACCEPT, HeaderValue::from_static("application/json")),
            (&AUTHORIZATION, self.authorization.clone()),
        ]
        .into_iter()
        .collect();
        let call = Call {
            upstream: self.upstream.clone(),
            method: Method::POST,
            target: self.target.clone(),
            headers,
            body: Some(self.form.clone().into()),
            timeout: std::time::Duration::from_secs(10),
            most: 64 * 1024,
        };
        let answer = exchange.call(call).await.map_err(|rejection| {
            let why = rejection.detail.as_deref().unwrap_or(rejection.reason.code).to_owned();
            refused(format!("the authorization server did not answer: {why}"))
        })?;
        // The body of a refusal may repeat the credentials, so it is not told.
        if answer.status != StatusCode::OK {
            return Err(refused(format!("the authorization server answered {}", answer.status)));
        }
        let token: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| refused("the authorization server's answer is not JSON".to_owned()))?;
        let text = token.get("access_token").and_then(Value::as_str).unwrap_or_default();
        let mut value =
            HeaderValue::from_str(&format!("Bearer {text}")).ok().filter(|_| !text.is_empty()).ok_or_else(
                || refused("the authorization server's answer has no usable access_token".to_owned()),
            )?;
        value.set_sensitive(true);
        let life = token.get("expires_in").and_then(Value::as_u64).unwrap_or(UNKNOWN_LIFE);
        Ok((value, life))
    }
}
