//! Changes that are answered when every node serves them, or time is up: `?wait=20s`.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, Uri, header::CONTENT_LENGTH},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{LARGEST, answer::Problem, nodes::serving_nodes};
use crate::Manager;

/// Longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// Around what changes something. The parameter is taken out of the query: what is changed does not depend on it.
pub(super) async fn everywhere(
    State(manager): State<Arc<Manager>>,
    mut request: Request,
    next: Next,
) -> Response {
    let wait = match take_wait(request.uri()) {
        None => return next.run(request).await,
        Some(Err(problem)) => return problem.into_response(),
        Some(Ok((wait, uri))) => {
            *request.uri_mut() = uri;
            wait
        }
    };
    let response = next.run(request).await;
    if !response.status().is_success() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let Ok(mut answer) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let Some(revision) = answer["revision"].as_u64() else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    // The change is done, whether anybody can say so or not.
    if let Ok(nodes) = manager.wait_for_nodes(revision, wait).await {
        answer["nodes"] = serde_json::to_value(serving_nodes(revision, nodes)).unwrap_or_default();
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(answer.to_string()))
}

/// How long to wait, and the address without it.
fn take_wait(uri: &Uri) -> Option<Result<(Duration, Uri), Problem>> {
    let query = uri.query()?;
    let text = query.split('&').find_map(|pair| pair.strip_prefix("wait="))?;
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail);
    let wait = match text.parse::<model::Duration>() {
        Ok(wait) => wait.get().min(LONGEST),
        Err(detail) => return Some(Err(bad(format!("the query: wait: {detail}")))),
    };
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("wait=")).collect();
    let target =
        if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), rest.join("&")) };
    let parsed = target.parse().map_err(|_| bad("the query cannot be read".to_owned()));
    Some(parsed.map(|uri| (wait, uri)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_taken_out_of_the_query() {
        for (uri, expected) in [
            ("/apis", None),
            ("/apis?reason=a", None),
            ("/apis?wait=5s", Some((5, "/apis"))),
            ("/apis?wait=5m", Some((60, "/apis"))),
            ("/apis?reason=a&wait=1s&dryRun=true", Some((1, "/apis?reason=a&dryRun=true"))),
        ] {
            let found = take_wait(&uri.parse().unwrap()).map(Result::unwrap);
            let found = found.map(|(wait, uri)| (wait.as_secs(), uri.to_string()));
            assert_eq!(found, expected.map(|(wait, uri)| (wait, uri.to_owned())), "{uri}");
        }
        assert!(take_wait(&"/apis?wait=soon".parse().unwrap()).unwrap().is_err());
    }
}
