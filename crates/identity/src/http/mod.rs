//! The endpoints, below the path of the issuer, and the documents that tell clients where they are.

mod authenticate;
mod authorize;
mod caller;
mod consenting;
mod cors;
mod device;
mod introspect;
mod logout;
mod metadata;
mod par;
mod proof;
mod register;
mod revoke;
mod sign_in;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    AuthorizationServer,
    error::{OauthError, not_stored},
    form::Form,
};

pub use caller::ShownCertificate;

type Server = State<Arc<AuthorizationServer>>;

/// Largest request.
const LARGEST: usize = 64 * 1024;

pub const AUTHORIZE: &str = "/authorize";
const LOGIN: &str = "/login";
const CONSENT: &str = "/consent";
const LOGOUT: &str = "/logout";
const USERINFO: &str = "/userinfo";
const PAR: &str = "/par";
const DEVICE_AUTHORIZATION: &str = "/device_authorization";
const DEVICE: &str = "/device";
pub const TOKEN: &str = "/token";
const INTROSPECT: &str = "/introspect";
const REVOKE: &str = "/revoke";
const JWKS: &str = "/jwks";
pub const REGISTER: &str = "/register";

/// Everything that the server answers. It is served with `ConnectInfo`.
pub fn router(server: Arc<AuthorizationServer>) -> Router {
    let path = path_of(server.issuer()).to_owned();
    let below = |rest: &str| format!("{path}{rest}");
    // Programs call these, also from pages of other origins.
    let mut programs = Router::new()
        .route(&below(TOKEN), post(token::token))
        .route(&below(PAR), post(par::push))
        .route(&below(DEVICE_AUTHORIZATION), post(device::authorize))
        .route(&below(INTROSPECT), post(introspect::introspect))
        .route(&below(REVOKE), post(revoke::revoke))
        .route(&below(USERINFO), get(userinfo::userinfo).post(userinfo::userinfo))
        .route(&below(JWKS), get(metadata::jwks))
        .route(&below("/.well-known/openid-configuration"), get(metadata::metadata))
        // RFC 8414, 3: the path of the issuer comes behind.
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(metadata::metadata));
    if !path.is_empty() {
        programs = programs.route(&below("/.well-known/oauth-authorization-server"), get(metadata::metadata));
    }
    let of_client = get(register::read).put(register::change).delete(register::remove);
    let registration = Router::new()
        .route(&below(REGISTER), post(register::register))
        .route(&below(&format!("{REGISTER}/{{id}}")), of_client)
        .route_layer(middleware::from_fn_with_state(Arc::clone(&server), register::if_open));
    programs = programs.merge(registration);
    // People see these.
    let pages = Router::new()
        .route(&below(AUTHORIZE), get(authorize::authorize).post(authorize::authorize_by_form))
        .route(&below(LOGIN), post(authorize::log_in))
        .route(&below(CONSENT), post(authorize::consent))
        .route(&below(DEVICE), get(device::page).post(device::submit))
        .route(&below(LOGOUT), get(logout::logout).post(logout::logout));
    programs
        .layer(middleware::from_fn(cors::allow))
        .merge(pages)
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(server)
}

/// The path of the issuer, without a slash at its end.
pub fn path_of(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.find('/').map_or("", |slash| &rest[slash..])
}

/// The form of a request, which is nothing else.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<Form, OauthError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OauthError::invalid_request("expected a body of application/x-www-form-urlencoded"));
    }
    Form::parse(body)
}

/// The browser goes somewhere else, with GET.
fn redirect(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => not_stored((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The browser goes on at another path of the server.
fn see(server: &AuthorizationServer, rest: &str) -> Response {
    redirect(&format!("{}{rest}", path_of(server.issuer())))
}

/// An answer or an error, as a response.
fn respond(answer: Result<Response, OauthError>) -> Response {
    answer.unwrap_or_else(IntoResponse::into_response)
}
