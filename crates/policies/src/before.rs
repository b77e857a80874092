//! A request and its response as they were before somebody's code ran on them, to go on with if that fails.

use engine::{Exchange, Headers, Payload};
use http::{Method, StatusCode, Uri};

/// What an extension may have changed, as it was.
pub struct Before {
    method: Method,
    uri: Uri,
    headers: Headers,
    request_payload: Option<Payload>,
    status: StatusCode,
    response_headers: Headers,
    response_payload: Option<Payload>,
}

impl Before {
    pub fn of(exchange: &Exchange) -> Self {
        Self {
            method: exchange.method.clone(),
            uri: exchange.uri.clone(),
            headers: exchange.headers.clone(),
            request_payload: exchange.request_payload.clone(),
            status: exchange.status,
            response_headers: exchange.response_headers.clone(),
            response_payload: exchange.response_payload.clone(),
        }
    }

    pub fn restore(self, exchange: &mut Exchange) {
        exchange.method = self.method;
        exchange.uri = self.uri;
        exchange.headers = self.headers;
        exchange.request_payload = self.request_payload;
        exchange.status = self.status;
        exchange.response_headers = self.response_headers;
        exchange.response_payload = self.response_payload;
    }
}
