//! What clients are told of the server (RFC 8414, OpenID Connect Discovery), and its public keys.

use axum::{
    Json,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use model::{listener::ClientCertificate, oauth_client::GrantType};

use super::{
    AUTHORIZE, DEVICE_AUTHORIZATION, INTROSPECT, JWKS, LOGOUT, PAR, REGISTER, REVOKE, Server, TOKEN, USERINFO,
};
use crate::id_token::SCOPES;

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
        "dpop_signing_alg_values_supported": algorithms,
    });
    if settings.grants.contains(&GrantType::AuthorizationCode) {
        let claims: Vec<_> = SCOPES.iter().flat_map(|(_, claims)| *claims).collect();
        let more = json!({
            "authorization_endpoint": url(AUTHORIZE),
            "userinfo_endpoint": url(USERINFO),
            "pushed_authorization_request_endpoint": url(PAR),
            "end_session_endpoint": url(LOGOUT),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "scopes_supported": SCOPES.map(|(name, _)| name),
            "claims_supported": claims,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [server.keys.algorithm().name()],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "ui_locales_supported": ["en", "de"],
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        if let (Some(all), Value::Object(more)) = (document.as_object_mut(), more) {
            all.extend(more);
        }
    }
    if settings.grants.contains(&GrantType::DeviceCode) {
        document["device_authorization_endpoint"] = json!(url(DEVICE_AUTHORIZATION));
    }
    if settings.registration.is_some() {
        document["registration_endpoint"] = json!(url(REGISTER));
    }
    // RFC 8705, 3.3.
    let takes_certificates =
        settings.tls.as_ref().is_some_and(|tls| tls.client_certificate != ClientCertificate::None);
    let certificate = takes_certificates.then_some("tls_client_auth");
    document["tls_client_certificate_bound_access_tokens"] = takes_certificates.into();
    for endpoint in ["token", "revocation", "introspection"] {
        // A public client proves nothing, and may ask about nothing.
        let public = (endpoint != "introspection").then_some("none");
        let methods: Vec<_> = METHODS.into_iter().chain(certificate).chain(public).collect();
        document[format!("{endpoint}_endpoint_auth_methods_supported")] = json!(methods);
        document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")] = json!(algorithms);
    }
    Json(document)
}

pub async fn jwks(State(server): Server) -> Response {
    ([(CONTENT_TYPE, "application/jwk-set+json")], server.keys.jwks().to_string()).into_response()
}
