//! Clients of the internal authorization server, as far as they can be wrong. Whoever issues tokens reads them.

use std::collections::HashSet;

use http::Uri;
use jose::KeySet;
use model::{
    ConfigDoc, Diagnostic, Diagnostics,
    authorization_server::TokenAlgorithm,
    oauth_client::{
        AuthorizationServerSettings, ClientAuthentication, GrantType, OauthClientDoc, TokenFormat,
        TokenLifetime,
    },
};

use super::applications::{parse_hash, parse_time};

pub(super) fn check(config: &ConfigDoc, problems: &mut Diagnostics) {
    let settings = config.settings.authorization_server.as_ref();
    if let Some(settings) = settings {
        check_settings(settings, config.settings.manager.enabled, problems);
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
/// Longest address that browsers are sent to.
const LONGEST_URI: usize = 2_000;

/// What is wrong with an address that browsers are sent to (RFC 6749, 3.1.2; RFC 8252, 7; RFC 9700, 4.1).
fn redirect_problem(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("expected a URI with its scheme") };
    if uri.len() > LONGEST_URI {
        return Some("expected at most 2,000 characters");
    }
    if !uri
        .bytes()
        .all(|b| matches!(b, b'!' | b'$'..=b';' | b'=' | b'?'..=b'[' | b']' | b'_' | b'a'..=b'z' | b'~'))
    {
        return Some("expected a URI without `#`, spaces, quotes and other than ASCII letters");
    }
    if uri.contains('*') {
        return Some("expected it to the letter, without wildcards");
    }
    match scheme {
        "https" | "http" => {
            let parsed =
                uri.parse::<Uri>().ok().filter(|parsed| parsed.host().is_some_and(|host| !host.is_empty()));
            let Some(parsed) = parsed else { return Some("expected a URL with a host") };
            if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
                return Some("expected no user in a URL");
            }
            let here = matches!(parsed.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
            (scheme == "http" && !here).then_some("expected https; http is for loopback")
        }
        _ => {
            let own = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
            let is_own = scheme.contains('.')
                && scheme.starts_with(|c: char| c.is_ascii_lowercase())
                && scheme.bytes().all(own);
            (!is_own || rest.is_empty())
                .then_some("expected https, http on loopback, or a scheme of the client's own with a dot such as com.example.app")
        }
    }
}

/// Ways to a token for clients that cannot prove who they are.
const PUBLIC: [GrantType; 3] = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];

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
        for (place, grant) in
            client.grant_types.iter().enumerate().filter(|(_, grant)| !PUBLIC.contains(grant))
        {
            let problem = format!(
                "found `{}`, which is for clients that prove who they are; expected authorizationCode, deviceCode or refreshToken",
                grant.wire_name()
            );
            error(format!("grantTypes[{place}]"), problem);
        }
        if client.allow_without_pkce {
            error("allowWithoutPkce".into(), "a public client cannot do without PKCE".into());
        }
    }
    for (place, scope) in client.scopes.iter().enumerate() {
        let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || !scope.bytes().all(fits) {
            error(format!("scopes[{place}]"), format!("found `{scope}`, which is no scope (RFC 6749, 3.3)"));
        }
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
    use super::*;

    #[test]
    fn browsers_are_sent_to_addresses_that_cannot_be_mistaken() {
        for good in [
            "https://shop.example/back",
            "https://shop.example:8443/back?a=b",
            "http://localhost:3000/back",
            "http://127.0.0.1/back",
            "http://[::1]/back",
            "com.example.app:/back",
        ] {
            assert_eq!(redirect_problem(good), None, "{good}");
        }
        for wrong in [
            "",
            "shop",
            "/back",
            "https:///back",
            "https://",
            "http://shop.example/back",
            "http://localhost.evil.example/back",
            "https://shop.example/back#here",
            "https://shop.example/a b",
            "https://shop.example/\\evil.example",
            "https://*.shop.example/back",
            "https://user@shop.example/back",
            "https://shop.example@evil.example/back",
            "https://shop.example/\r\nx:y",
            "https://sh\u{f6}p.example/back",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "HTTPS://shop.example/back",
            "com.example.app:",
            &format!("https://shop.example/{}", "a".repeat(2_000)),
        ] {
            assert!(redirect_problem(wrong).is_some(), "{wrong}");
        }
    }
}
