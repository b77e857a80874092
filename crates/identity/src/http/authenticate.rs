//! Which client asks (RFC 6749, 2.3; RFC 7523, 2.2; RFC 8705, 2).

use std::sync::Arc;

use axum::http::header::AUTHORIZATION;
use base64ct::{Base64, Encoding};
use jose::{Audience, Compact, Expectations};
use model::oauth_client::ClientAuthentication;
use serde_json::{Map, Value};
use store::assets::Passing;

use super::caller::{Caller, ShownCertificate};
use crate::{AuthorizationServer, clients::Client, error::OauthError, form::Form, secret};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of an assertion, in seconds.
const LONGEST: u64 = 600;
/// How far clocks may differ, in seconds.
const SKEW: u64 = 60;

/// The client, when it has proved who it is as it has to.
pub async fn client(
    server: &AuthorizationServer,
    caller: &Caller,
    form: &Form,
) -> Result<Arc<Client>, OauthError> {
    let headers = &caller.headers;
    let in_header = headers.contains_key(AUTHORIZATION);
    let ways = [in_header, form.get("client_secret").is_some(), form.get("client_assertion").is_some()];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(OauthError::invalid_request("the client proves in more than one way who it is"));
    }
    let wrong = || OauthError::invalid_client(in_header);
    let now = server.house.now() / 1_000_000;
    if in_header {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(wrong()) };
        let (id, secret) = value.to_str().ok().and_then(basic).ok_or_else(wrong)?;
        if form.get("client_id").is_some_and(|named| named != id) {
            return Err(OauthError::invalid_request("`client_id` is not that of `Authorization`"));
        }
        return server.client(&id).filter(|client| client.has_secret(&secret, now)).ok_or_else(wrong);
    }
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type") != Some(ASSERTION) {
            return Err(OauthError::invalid_request("`client_assertion_type` is not known"));
        }
        return by_assertion(server, form, assertion).await?.ok_or_else(wrong);
    }
    let client = form.get("client_id").and_then(|id| server.client(id)).ok_or_else(wrong)?;
    let is_it = match form.get("client_secret") {
        Some(secret) => client.has_secret(secret, now),
        None => by_certificate(&client, caller.certificate.as_ref()),
    };
    if is_it { Ok(client) } else { Err(wrong()) }
}

/// A client that has shown its certificate in the handshake (RFC 8705, 2.1).
fn by_certificate(client: &Client, shown: Option<&ShownCertificate>) -> bool {
    let expected = client.doc.tls_subject.as_ref();
    client.doc.authentication == ClientAuthentication::TlsClientAuth
        && shown.zip(expected).is_some_and(|(shown, expected)| shown.is_of(expected))
}

/// The same for what public clients may do, too, who only say their id: what they show was given to nobody else.
pub async fn any_client(
    server: &AuthorizationServer,
    caller: &Caller,
    form: &Form,
) -> Result<Arc<Client>, OauthError> {
    let proves = caller.headers.contains_key(AUTHORIZATION)
        || form.get("client_secret").is_some()
        || form.get("client_assertion").is_some();
    let public = form.get("client_id").filter(|_| !proves).and_then(|id| server.client(id));
    match public.filter(|client| client.doc.authentication == ClientAuthentication::None) {
        Some(client) => Ok(client),
        None => client(server, caller, form).await,
    }
}

/// Id and secret, each encoded as a form is before they are put together (RFC 6749, 2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(Base64::decode_vec(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let (name, _) = form_urlencoded::parse(text.as_bytes()).next()?;
        Some(name.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

/// A client that signs; `None` when something is wrong with what it signed. Each is good for once.
async fn by_assertion(
    server: &AuthorizationServer,
    form: &Form,
    assertion: &str,
) -> Result<Option<Arc<Client>>, OauthError> {
    let Ok(token) = Compact::parse(assertion) else { return Ok(None) };
    let Ok(claims) = token.claims() else { return Ok(None) };
    let Some((client, id, until)) = verified(server, form, &token, &claims) else { return Ok(None) };
    let once = Passing {
        hash: secret::hash(&format!("{}\n{id}", client.doc.id)),
        kind: "assertion".to_owned(),
        user: None,
        client: Some(client.doc.id.clone()),
        expires_at: (until + SKEW + 1).saturating_mul(1_000_000),
        used_at: None,
        document: String::new(),
    };
    Ok(server.store.put_passing(&once).await?.then_some(client))
}

fn verified(
    server: &AuthorizationServer,
    form: &Form,
    token: &Compact<'_>,
    claims: &Map<String, Value>,
) -> Option<(Arc<Client>, String, u64)> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let id = text("iss").filter(|id| text("sub") == Some(id))?;
    if form.get("client_id").is_some_and(|named| named != id) {
        return None;
    }
    let client = server.client(id)?;
    if client.doc.authentication != ClientAuthentication::PrivateKeyJwt {
        return None;
    }
    let settings = server.settings();
    let audiences = [settings.issuer.clone(), format!("{}{}", settings.issuer, super::TOKEN)];
    let expected = Expectations {
        issuer: id,
        audience: Audience::OneOf(&audiences),
        kinds: &["jwt".to_owned(), "client-authentication+jwt".to_owned()],
        skew: std::time::Duration::from_secs(SKEW),
        max_age: None,
        must_expire: true,
    };
    let now = server.house.now() / 1_000_000;
    expected.check_kind(&token.header).ok()?;
    expected.check(claims, now).ok()?;
    let until = claims.get("exp").and_then(Value::as_u64).filter(|until| *until <= now + LONGEST + SKEW)?;
    let public: Vec<_> = jose::Algorithm::ALL.into_iter().filter(|one| !one.is_symmetric()).collect();
    client.keys.verify(token, &public).ok()?;
    Some((Arc::clone(&client), text("jti")?.to_owned(), until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_secrets_are_encoded_in_the_header() {
        let encoded = |text: &str| format!("Basic {}", Base64::encode_string(text.as_bytes()));
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        assert_eq!(basic(&encoded("shop:secret")), pair("shop", "secret"));
        assert_eq!(basic(&encoded("shop:a%3Ab+c%2B")), pair("shop", "a:b c+"));
        for wrong in ["Bearer x", "Basic", "Basic !", &encoded("shop"), &encoded("")] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
    }
}
