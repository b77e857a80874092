//! Requests that are done once, however often they are sent: whoever got no answer sends the same again with the same
//! `Idempotency-Key`, and gets what was answered the first time. What is told once is kept nowhere, here neither.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, ETAG, LOCATION},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use store::assets::{Answered, Begun, RequestKey};

use super::{LARGEST, answer::Problem, route::Again};
use crate::{Manager, Who};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
const LONGEST_KEY: usize = 255;
/// How long a request is remembered, in microseconds: a day.
const REMEMBERED: u64 = 24 * 3_600_000_000;
/// A request that was not answered for so long is done by nobody any more.
const LOST: u64 = 10 * 60_000_000;
/// Headers of an answer that are kept.
const KEPT: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// Around what changes something with POST. Who asks is known already.
pub(super) async fn once(
    State((manager, again)): State<(Arc<Manager>, Again)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(given) = request.headers().get(IDEMPOTENCY_KEY).cloned() else {
        return next.run(request).await;
    };
    match begin(&manager, &given, request).await {
        Err(problem) => problem.into_response(),
        Ok((_, _, Begun::Done(answered))) => replay(answered),
        Ok((_, _, Begun::Running)) => {
            let detail =
                "The first request with this Idempotency-Key is not done yet; send it again in a while.";
            Problem::new(StatusCode::CONFLICT, "idempotency_running", detail).into_response()
        }
        Ok((_, _, Begun::Other)) => {
            let detail =
                "This Idempotency-Key was sent with another request; every request has a key of its own.";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_used", detail).into_response()
        }
        Ok((key, request, Begun::Now)) => {
            // It is done to its end also when nobody waits for the answer any more: that is what the key is for.
            let done = tokio::spawn(async move {
                let response = next.run(request).await;
                finish(&manager, &key, again, response).await
            });
            done.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

async fn begin(
    manager: &Manager,
    given: &HeaderValue,
    request: Request,
) -> Result<(RequestKey, Request, Begun), Problem> {
    if given.is_empty() || given.len() > LONGEST_KEY {
        let detail = format!("Idempotency-Key: expected 1 to {LONGEST_KEY} characters, such as a UUID");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", detail));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too long"))?;
    let key = key(&parts, given, &body);
    let now = manager.now();
    let (forgotten, lost) = (now.saturating_sub(REMEMBERED), now.saturating_sub(LOST));
    let begun = manager.store.begin_once(&key, now, forgotten, lost).await?;
    Ok((key, Request::from_parts(parts, Body::from(body)), begun))
}

fn key(parts: &Parts, given: &HeaderValue, body: &[u8]) -> RequestKey {
    let hash = |texts: &[&[u8]]| {
        let mut hasher = Sha256::new();
        for text in texts {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        format!("{:x}", hasher.finalize())
    };
    let user = parts.extensions.get::<Who>().map_or("", |who| who.user.as_str());
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    RequestKey {
        hash: hash(&[user.as_bytes(), given.as_bytes()]),
        request: hash(&[parts.method.as_str().as_bytes(), target.as_bytes(), body]),
    }
}

/// Keeps what was done. What was refused has changed nothing, and may be sent again with the same key.
async fn finish(manager: &Manager, key: &RequestKey, again: Again, response: Response) -> Response {
    if !response.status().is_success() {
        keep(manager, key, None).await;
        return response;
    }
    if again == Again::ToldOnce {
        if let Some((_, answered)) = answered(told_already()).await {
            keep(manager, key, Some(&answered)).await;
        }
        return response;
    }
    match answered(response).await {
        Some((response, answered)) => {
            keep(manager, key, Some(&answered)).await;
            response
        }
        None => {
            keep(manager, key, None).await;
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// What is answered instead of what was told once.
fn told_already() -> Response {
    let detail = "The first request with this Idempotency-Key was done, and what it made was told then and is kept nowhere. If \
                  that answer was lost, take away what it made, and make another with a key of its own.";
    Problem::new(StatusCode::CONFLICT, "told_once", detail).into_response()
}

/// A response, and what is kept of it; nothing when it cannot be read.
async fn answered(response: Response) -> Option<(Response, Answered)> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LARGEST).await.ok()?;
    let headers: Vec<(&str, &str)> = KEPT
        .iter()
        .filter_map(|name| Some((name.as_str(), parts.headers.get(name)?.to_str().ok()?)))
        .collect();
    let answered = Answered {
        status: parts.status.as_u16(),
        headers: serde_json::to_string(&headers).unwrap_or_default(),
        body: body.to_vec(),
    };
    Some((Response::from_parts(parts, Body::from(body)), answered))
}

async fn keep(manager: &Manager, key: &RequestKey, answered: Option<&Answered>) {
    if let Err(error) = manager.store.finish_once(&key.hash, answered).await {
        tracing::error!(%error, "the answer to a request with an Idempotency-Key could not be kept");
    }
}

fn replay(answered: Answered) -> Response {
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let headers: Vec<(String, String)> = serde_json::from_str(&answered.headers).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
