//! What routes take from a request. What cannot be understood is told as a problem, like everything else.

use std::ops::Deref;

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::PathRejection},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::answer::Problem;

/// Parameters of the query.
pub(super) struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            // Its own words begin with the name of this extractor and then say what is wrong.
            Err(rejection) => {
                let text = rejection.body_text();
                let detail = text.split_once(": ").map_or(text.as_str(), |(_, detail)| detail);
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", format!("the query: {detail}")))
            }
        }
    }
}

/// Names in the path.
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                let detail = format!("the path: {}", error.body_text());
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad_path", detail))
            }
            Err(rejection) => {
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "bad_route", rejection.body_text()))
            }
        }
    }
}

/// The body.
pub(super) struct Bytes(axum::body::Bytes);

impl<S: Send + Sync> FromRequest<S> for Bytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = axum::body::Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection| {
            let code = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
                _ => "bad_body",
            };
            Problem::new(rejection.status(), code, format!("the body: {}", rejection.body_text()))
        })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
