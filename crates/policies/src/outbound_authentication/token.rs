//! Tokens of an authorization server, by client credentials (RFC 6749, 4.4).

use std::{sync::Arc, time::Duration};

use base64ct::{Base64, Encoding};
use engine::{
    Call, Clock, CompileCx, Exchange, Headers, Outcome, Rejection, Timestamp, UpstreamName, Verdict,
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    uri::PathAndQuery,
};
use model::Diagnostic;
use serde_json::Value;
use tokio::sync::Mutex;

use super::NO_TOKEN;

/// A token and what it was got with.
struct Kept {
    shape: String,
    value: HeaderValue,
    until: Timestamp,
}

/// Gets tokens and keeps them.
pub struct Tokens {
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
const EARLY: Duration = Duration::from_secs(10);
/// For servers that do not say how long a token lives.
const UNKNOWN_LIFE: u64 = 60;

impl Tokens {
    pub fn compile(
        server: &str,
        path: &str,
        client_id: &str,
        secret: &str,
        more: &[(&str, Option<String>)],
        cx: &mut CompileCx<'_>,
    ) -> Result<Self, Diagnostic> {
        let upstream = cx.upstream("server", server)?;
        let target = path.parse().ok().filter(|_| path.starts_with('/')).ok_or_else(|| {
            Diagnostic::error("path", format!("found `{path}`, expected one such as /oauth2/token"))
        })?;
        let mut form = "grant_type=client_credentials".to_owned();
        for (name, value) in more {
            if let Some(value) = value {
                form.push_str(&format!("&{name}={}", engine::route::encode_query(value)));
            }
        }
        let pair =
            format!("{}:{}", engine::route::encode_query(client_id), engine::route::encode_query(secret));
        let basic = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
        let authorization =
            HeaderValue::from_str(&basic).map_err(|_| Diagnostic::error("clientSecret", "expected text"))?;
        // A token of other credentials is another token.
        let kept = cx.keep_state(|| Mutex::new(None));
        let shape = format!("{server} {path} {form} {basic}");
        Ok(Self { upstream, target, form, authorization, clock: cx.clock(), kept, shape })
    }

    pub async fn show(&self, exchange: &mut Exchange) -> Verdict {
        let mut kept = self.kept.lock().await;
        let usable = |kept: &&Kept| kept.shape == self.shape && self.clock.now() < kept.until;
        let value = match kept.as_ref().filter(usable) {
            Some(token) => token.value.clone(),
            None => {
                let (value, life) = self.fetch(exchange).await?;
                let until = self.clock.now().plus(Duration::from_secs(life).saturating_sub(EARLY));
                *kept = Some(Kept { shape: self.shape.clone(), value: value.clone(), until });
                value
            }
        };
        drop(kept);
        exchange.headers.insert(AUTHORIZATION, &value);
        Ok(Outcome::Changed)
    }

    /// Gets a token, and how many seconds it lives.
    async fn fetch(&self, exchange: &mut Exchange) -> Result<(HeaderValue, u64), Box<Rejection>> {
        let refused = |detail: String| Rejection::new(&NO_TOKEN).detail(detail);
        let headers: Headers = [
            (&CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (&http::header::ACCEPT, HeaderValue::from_static("application/json")),
            (&AUTHORIZATION, self.authorization.clone()),
        ]
        .into_iter()
        .collect();
        let call = Call {
            name: "token".into(),
            upstream: self.upstream.clone(),
            method: Method::POST,
            target: self.target.clone(),
            headers,
            body: Some(self.form.clone().into()),
            timeout: Duration::from_secs(10),
            most: 64 * 1024,
        };
        let called = exchange.call(call).await;
        let answer = exchange.take_call(called).map_err(|rejection| {
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
