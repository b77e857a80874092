//! Asking an authorization server about a token (RFC 7662).

use std::sync::Arc;

use engine::{
    Call, Exchange, Headers, Reason, Timestamp,
    authorization_server::{AuthorizationServer, TokenFacts},
    calls::CallRecord,
    route::encode_query,
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Map, Value};

use super::{cache::Known, reasons};

/// Largest answer.
const MOST: u64 = 64 * 1024;

/// A server that knows the token.
pub(super) struct Answer {
    pub claims: Map<String, Value>,
    pub until: Option<u64>,
    pub fresh_until: Timestamp,
}

impl Answer {
    pub fn into_known(self, server: &Arc<AuthorizationServer>) -> Known {
        Known {
            server: Arc::clone(server),
            version: 0,
            until: self.until,
            fresh_until: self.fresh_until,
            facts: Ok(Arc::new(TokenFacts::of(Arc::clone(&server.name), self.claims, &server.claims))),
            local: None,
        }
    }
}

/// A server that does not know it, or could not be asked.
pub(super) struct NotKnown {
    pub reason: &'static Reason,
    pub detail: String,
    /// The server has said so.
    pub is_final: bool,
}

impl NotKnown {
    fn unavailable(detail: String) -> Self {
        Self { reason: &reasons::UNAVAILABLE, detail, is_final: false }
    }
}

/// Asks about a token.
pub(super) async fn about(
    exchange: &Exchange,
    token: &str,
    server: &AuthorizationServer,
    now: Timestamp,
    calls: &mut Vec<CallRecord>,
) -> Result<Answer, NotKnown> {
    let Some(introspection) = &server.introspection else {
        return Err(NotKnown::unavailable("it cannot be asked".to_owned()));
    };
    let headers: Headers = [
        (&CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (&ACCEPT, HeaderValue::from_static("application/json")),
        (&AUTHORIZATION, introspection.authorization.clone()),
    ]
    .into_iter()
    .collect();
    let call = Call {
        name: format!("introspection at {}", server.name).into(),
        upstream: introspection.upstream.clone(),
        method: Method::POST,
        target: introspection.target.clone(),
        headers,
        body: Some(format!("token={}&token_type_hint=access_token", encode_query(token)).into()),
        timeout: introspection.timeout,
        most: MOST,
    };
    let called = exchange.call(call).await;
    calls.push(called.record);
    let answer = called.outcome.map_err(|rejection| {
        let why = rejection.detail.as_deref().unwrap_or(rejection.reason.code).to_owned();
        NotKnown::unavailable(format!("it did not answer: {why}"))
    })?;
    if answer.status != StatusCode::OK {
        return Err(NotKnown::unavailable(format!("it answered {}", answer.status.as_u16())));
    }
    let claims = jose::object(&answer.body).ok_or_else(|| {
        NotKnown::unavailable("its answer is no JSON object with every name once".to_owned())
    })?;
    match claims.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => {
            let detail = "it is not active".to_owned();
            return Err(NotKnown { reason: &reasons::INACTIVE, detail, is_final: true });
        }
        _ => return Err(NotKnown::unavailable("its answer does not say whether it is active".to_owned())),
    }
    let lifetime = server.check_answer(&claims, now).map_err(|refusal| NotKnown {
        reason: reasons::of(refusal.why),
        detail: refusal.detail.into_owned(),
        is_final: true,
    })?;
    Ok(Answer { claims, until: lifetime.until, fresh_until: now.plus(introspection.cache) })
}
