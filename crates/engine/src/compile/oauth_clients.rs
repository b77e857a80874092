//! Clients of the internal authorization server, as far as they can be wrong. Whoever issues tokens reads them.

use std::collections::HashSet;

use http::Uri;
use jose::KeySet;
use model::{
    ConfigDoc, Diagnostic, Diagnostics,
    authorization_server::TokenAlgorithm,
    client_registration::RegistrationSettings,
    diagnostic::nearest,
    listener::ClientCertificate,
    oauth_client::{
        AuthorizationServerSettings, ClientAuthentication, GrantType, OauthClientDoc, TokenFormat,
        TokenLifetime,
    },
    redirect_uri::redirect_problem,
};

use super::applications::{parse_hash, parse_time};

pub(super) fn check(config: &ConfigDoc, problems: &mut Diagnostics) {
    let settings = config.settings.authorization_server.as_ref();
    if let Some(settings) = settings {
        check_settings(settings, config.settings.manager.enabled, problems);
        if let Some(registration) = &settings.registration {
            let found = of_registration(registration, &settings.grants, config);
            let path = "settings.authorizationServer.registration";
            problems.0.extend(found.into_iter().map(|problem| problem.under(path)));
        }
    }
    let mut ids = HashSet::new();
    for (index, application) in config.applications.iter().enumerate() {
        for (place, client) in application.oauth_clients.iter().enumerate() {
            let path = format!("applications[{index}].oauthClients[{place}]");
            let mut found = of_client(client, settings);
            if !ids.insert(client.id.as_str()) {
                let problem = format!("found `{}` a second time, expected an id of its own", client.id);
                found.push(Diagnostic::error("id", problem));
            }
            problems.0.extend(found.into_iter().map(|problem| problem.under(&path)));
        }
    }
}

fn check_settings(settings: &AuthorizationServerSettings, has_manager: bool, problems: &mut Diagnostics) {
    let mut error = |path: &str, problem: &str, help: &str| {
        let path = format!("settings.authorizationServer{path}");
        problems.push(Diagnostic::error(path, problem).help(help));
    };
    if !has_manager {
        error(
            "",
            "there is no manager, in whose store tokens are kept",
            "set `settings.manager.enabled: true`",
        );
    }
    let issuer =
        settings.issuer.parse::<Uri>().ok().filter(|uri| uri.host().is_some() && uri.query().is_none());
    let is_good = issuer.is_some_and(|uri| {
        let here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        uri.scheme_str() == Some("https") || (here && uri.scheme_str() == Some("http"))
    });
    if !is_good || settings.issuer.ends_with('/') || settings.issuer.contains('#') {
        let found =
            format!("found `{}`, expected an https URL without query and slash at its end", settings.issuer);
        error(".issuer", &found, "write it like https://id.example.com; http is for loopback");
    }
    if matches!(
        settings.signing_algorithm,
        TokenAlgorithm::HS256 | TokenAlgorithm::HS384 | TokenAlgorithm::HS512
    ) {
        error(".signingAlgorithm", "expected one with a public key", "RS256, ES256 and EdDSA are usual");
    }
    for (path, lifetime, longest, text) in [
        (".authorizationCodeLifetime", settings.authorization_code_lifetime, HOUR, "1h"),
        (".deviceCodeLifetime", settings.device_code_lifetime, HOUR, "1h"),
        (".idTokenLifetime", settings.id_token_lifetime, 24 * HOUR, "1d"),
        (".loginLifetime", settings.login_lifetime, 30 * 24 * HOUR, "30d"),
    ] {
        if lifetime.get().is_zero() || lifetime.get().as_secs() > longest {
            let found = format!("found `{lifetime}`, expected up to {text}");
            error(path, &found, "a short life limits what a thief can do with it");
        }
    }
    if settings.token_format == TokenFormat::Jwt && settings.access_token_lifetime == TokenLifetime::Never {
        error(
            ".accessTokenLifetime",
            "found `never`, which JSON Web Tokens cannot have",
            "see RFC 9068, 2.2",
        );
    }
}

/// In seconds.
const HOUR: u64 = 3_600;

/// Everything that is wrong with what clients that register themselves may be.
fn of_registration(
    registration: &RegistrationSettings,
    open: &[GrantType],
    config: &ConfigDoc,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (place, grant) in registration.grants.iter().enumerate() {
        let path = format!("grants[{place}]");
        if matches!(grant, GrantType::Password | GrantType::JwtBearer | GrantType::Saml2Bearer) {
            let problem =
                format!("found `{}`, which is for clients that somebody here knows", grant.wire_name());
            found
                .push(Diagnostic::error(path, problem).help("make such a client in `oauthClients` yourself"));
        } else if !open.contains(grant) {
            let problem = format!("found `{}`, which is closed to all clients", grant.wire_name());
            found.push(
                Diagnostic::warning(path, problem).help("add it to `settings.authorizationServer.grants`"),
            );
        }
    }
    if registration.grants.is_empty() {
        found.push(Diagnostic::error("grants", "found none, expected at least one"));
    }
    for (place, scope) in registration.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
        let problem = format!("found `{scope}`, which is no scope (RFC 6749, 3.3)");
        found.push(Diagnostic::error(format!("scopes[{place}]"), problem));
    }
    let unknown = |path: String, name: &str, what: &str, near: Option<&str>| {
        let problem = Diagnostic::warning(path, format!("found `{name}`, which is no {what}"));
        match near {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("nobody can register before there is one"),
        }
    };
    let apis = || config.apis.iter().filter_map(|api| api.name.as_deref());
    for (place, name) in registration.apis.iter().enumerate() {
        if apis().all(|known| known != name) {
            found.push(unknown(format!("apis[{place}]"), name, "API", nearest(name, apis())));
        }
    }
    let plans = || config.plans.iter().map(|plan| plan.name.as_str());
    if let Some(name) = registration.plan.as_deref().filter(|name| plans().all(|known| known != *name)) {
        found.push(unknown("plan".to_owned(), name, "plan", nearest(name, plans())));
    }
    found
}

/// RFC 6749, 3.3.
fn is_scope(text: &str) -> bool {
    let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.bytes().all(fits)
}

/// Everything that is wrong with a client.
fn of_client(client: &OauthClientDoc, settings: Option<&AuthorizationServerSettings>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut error = |path: String, problem: String| found.push(Diagnostic::error(path, problem));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if client.id.is_empty() || client.id.len() > 200 || !client.id.bytes().all(plain) {
        error("id".into(), format!("found `{}`, expected letters, digits and -._~", client.id));
    }
    for (place, secret) in client.secrets.iter().enumerate() {
        if parse_hash(&secret.hash).is_none() {
            error(format!("secrets[{place}].hash"), "expected `sha256:` and 64 hexadecimal digits".into());
        }
        if let Some(text) = secret.expires.as_ref().filter(|text| parse_time(text).is_none()) {
            let problem = format!("found `{text}`, expected a time such as 2027-01-31T12:00:00Z");
            error(format!("secrets[{place}].expires"), problem);
        }
    }
    if client.authentication != ClientAuthentication::ClientSecret && !client.secrets.is_empty() {
        error("secrets".into(), "the client does not prove with a secret who it is".into());
    }
    let keys = client.jwks.as_ref().and_then(|jwks| {
        let (keys, unusable) = KeySet::of_jwks(&serde_json::to_vec(jwks).unwrap_or_default())?;
        (!keys.is_empty() && unusable.is_empty()).then_some(())
    });
    match (client.authentication == ClientAuthentication::PrivateKeyJwt, &client.jwks, keys) {
        (true, None, _) => error("jwks".into(), "missing, and the client proves with a key who it is".into()),
        (_, Some(_), None) => {
            error("jwks".into(), "expected a JWK Set with public keys that can be used".into())
        }
        (false, Some(_), _) => error("jwks".into(), "the client does not prove with a key who it is".into()),
        _ => {}
    }
    let by_certificate = client.authentication == ClientAuthentication::TlsClientAuth;
    match (by_certificate, &client.tls_subject) {
        (true, None) => {
            error("tlsSubject".into(), "missing, and the client proves with a certificate who it is".into())
        }
        (false, Some(_)) => {
            error("tlsSubject".into(), "the client does not prove with a certificate who it is".into())
        }
        (_, Some(subject)) if subject.count() != 1 => {
            let found = format!("found {}, expected one of dn, dns, uri, ip and email", subject.count());
            error("tlsSubject".into(), found);
        }
        _ => {}
    }
    let takes_certificates = settings
        .and_then(|settings| settings.tls.as_ref())
        .is_some_and(|tls| tls.client_certificate != ClientCertificate::None);
    for (field, wants) in
        [("authentication", by_certificate), ("certificateBoundTokens", client.certificate_bound_tokens)]
    {
        if wants && !takes_certificates {
            let problem = "needs a certificate of the client, which the authorization server does not ask for; set `clientCertificate: requested` and `clientCaFile` in `settings.authorizationServer.tls`";
            error(field.into(), problem.into());
        }
    }
    if client.certificate_bound_tokens && client.require_dpop {
        error("requireDpop".into(), "found beside `certificateBoundTokens`, expected one of them".into());
    }
    for (field, uris) in [
        ("redirectUris", &client.redirect_uris),
        ("postLogoutRedirectUris", &client.post_logout_redirect_uris),
    ] {
        for (place, uri) in uris.iter().enumerate() {
            if let Some(problem) = redirect_problem(uri) {
                error(format!("{field}[{place}]"), format!("found `{uri}`: {problem}"));
            }
        }
    }
    if client.grant_types.contains(&GrantType::AuthorizationCode) && client.redirect_uris.is_empty() {
        error("redirectUris".into(), "missing, and the client sends users here to log in".into());
    }
    if client.authentication == ClientAuthentication::None {
        for (place, grant) in client.grant_types.iter().enumerate().filter(|(_, grant)| grant.needs_proof()) {
            let problem = format!(
                "found `{}`, which is for clients that prove who they are; expected authorizationCode, deviceCode, jwtBearer, saml2Bearer or refreshToken",
                grant.wire_name()
            );
            error(format!("grantTypes[{place}]"), problem);
        }
        if client.allow_without_pkce {
            error("allowWithoutPkce".into(), "a public client cannot do without PKCE".into());
        }
    }
    for (place, scope) in client.scopes.iter().enumerate() {
        if !is_scope(scope) {
            error(format!("scopes[{place}]"), format!("found `{scope}`, which is no scope (RFC 6749, 3.3)"));
        }
    }
    if let Some(registration) = &client.registration
        && parse_hash(&registration.token_hash).is_none()
    {
        error("registration.tokenHash".into(), "expected `sha256:` and 64 hexadecimal digits".into());
    }
    if let Some(settings) = settings {
        let lifetime = client.access_token_lifetime.unwrap_or(settings.access_token_lifetime);
        let format = client.token_format.unwrap_or(settings.token_format);
        if format == TokenFormat::Jwt && lifetime == TokenLifetime::Never {
            error("accessTokenLifetime".into(), "found `never`, which JSON Web Tokens cannot have".into());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_clients_that_register_themselves_may_be_is_told_with_its_path_when_it_is_wrong() {
        let config: ConfigDoc = serde_json::from_value(json!({
            "apis": [{ "name": "Orders" }],
            "plans": [{ "name": "gold" }],
        }))
        .expect("it is a configuration");
        let open = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        let check = |registration: Value| {
            let parsed = serde_json::from_value(registration).expect("it is read");
            of_registration(&parsed, &open, &config)
        };
        assert_eq!(check(json!({ "apis": ["Orders"], "plan": "gold", "scopes": ["orders.read"] })), []);
        for (registration, path, is_error) in [
            (json!({ "grants": [] }), "grants", true),
            (json!({ "grants": ["authorizationCode", "password"] }), "grants[1]", true),
            (json!({ "grants": ["jwtBearer"] }), "grants[0]", true),
            (json!({ "grants": ["deviceCode"] }), "grants[0]", false),
            (json!({ "scopes": ["a", "b c"] }), "scopes[1]", true),
            (json!({ "apis": ["orders"] }), "apis[0]", false),
            (json!({ "plan": "silver" }), "plan", false),
        ] {
            let found = check(registration.clone());
            let told: Vec<_> = found.iter().map(|one| (one.path.as_str(), one.is_error())).collect();
            assert_eq!(told, [(path, is_error)], "{registration}: {found:?}");
            assert!(found[0].help.is_some() || path == "grants" || path == "scopes[1]", "{found:?}");
        }
    }
}
