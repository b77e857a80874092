//! What clients are told of the server (RFC 8414, OpenID Connect Discovery), and its public keys.

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{INTROSPECT, JWKS, REVOKE, Server, TOKEN};

const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

pub async fn metadata(State(server): Server) -> Json<Value> {
    let settings = server.settings();
    let url = |rest: &str| format!("{}{rest}", settings.issuer);
    let grants: Vec<_> = settings.grants.iter().map(|grant| grant.wire_name()).collect();
    let algorithms: Vec<_> =
        jose::Algorithm::ALL.iter().filter(|one| !one.is_symmetric()).map(|one| one.name()).collect();
    let mut document = json!({
        "issuer": settings.issuer,
        "token_endpoint": url(TOKEN),
        "jwks_uri": url(JWKS),
        "introspection_endpoint": url(INTROSPECT),
        "revocation_endpoint": url(REVOKE),
        "grant_types_supported": grants,
        "response_types_supported": [],
    });
    for endpoint in ["token", "revocation", "introspection"] {
        document[format!("{endpoint}_endpoint_auth_methods_supported")] = json!(METHODS);
        document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")] = json!(algorithms);
    }
    Json(document)
}

pub async fn jwks(State(server): Server) -> Response {
    ([(CONTENT_TYPE, "application/jwk-set+json")], server.keys.jwks().to_string()).into_response()
}
