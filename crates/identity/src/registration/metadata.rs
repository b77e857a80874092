//! What a client says of itself (RFC 7591, 2). Anybody may say anything: it is read strictly, and what is not understood is
//! left out, as the RFC wants it.

use jose::KeySet;
use model::{
    client_registration::ClientRegistrationDoc,
    oauth_client::{ClientAuthentication, GrantType, OauthClientDoc},
    redirect_uri::redirect_problem,
};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::error::OauthError;

/// Addresses that a client may have, and people behind it.
const MOST: usize = 20;
/// Longest text that is no address, in characters.
const LONGEST: usize = 200;

/// What a client may be.
#[derive(Debug, Clone)]
pub struct May {
    pub grants: Vec<GrantType>,
    pub scopes: Vec<String>,
}

/// What a client says of itself, which it may be.
#[derive(Debug)]
pub struct Metadata {
    pub authentication: ClientAuthentication,
    posts_secret: bool,
    jwks: Option<Value>,
    grants: Vec<GrantType>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    scopes: Vec<String>,
    name: Option<String>,
    require_dpop: bool,
    require_pushed_requests: bool,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    contacts: Vec<String>,
    software_id: Option<String>,
    software_version: Option<String>,
}

fn wrong(name: &str, problem: &str) -> OauthError {
    OauthError::new("invalid_client_metadata", format!("`{name}`: {problem}"))
}

/// The members of a body, of which one that is `null` is not there.
pub fn members(body: &[u8]) -> Result<Map<String, Value>, OauthError> {
    let members = jose::object(body).ok_or_else(|| {
        let problem = "the body: expected a JSON object with every name once, not deeper than 16 and with at most 2,000 \
                       values";
        OauthError::new("invalid_client_metadata", problem)
    })?;
    Ok(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
}

impl Metadata {
    pub fn read(members: &Map<String, Value>, may: &May) -> Result<Self, OauthError> {
        let said = Said(members);
        let (authentication, posts_secret) = said.authentication()?;
        let grants = said.grants(may, authentication)?;
        let redirect_uris = said.addresses("redirect_uris", "invalid_redirect_uri")?;
        if grants.contains(&GrantType::AuthorizationCode) && redirect_uris.is_empty() {
            let problem =
                "`redirect_uris`: missing; with `authorization_code` it says where users are sent back to";
            return Err(OauthError::new("invalid_redirect_uri", problem));
        }
        Ok(Self {
            jwks: said.jwks(authentication)?,
            authentication,
            posts_secret,
            grants,
            redirect_uris,
            post_logout_redirect_uris: said
                .addresses("post_logout_redirect_uris", "invalid_client_metadata")?,
            scopes: said.scopes(may)?,
            name: said.text("client_name")?,
            require_dpop: said.flag("dpop_bound_access_tokens")?,
            require_pushed_requests: said.flag("require_pushed_authorization_requests")?,
            client_uri: said.page("client_uri")?,
            logo_uri: said.page("logo_uri")?,
            tos_uri: said.page("tos_uri")?,
            policy_uri: said.page("policy_uri")?,
            contacts: said.texts("contacts")?.unwrap_or_default(),
            software_id: said.text("software_id")?,
            software_version: said.text("software_version")?,
        })
    }

    /// The client as it is from now on. Its secrets are looked after by whoever makes them.
    pub fn client(self, id: String, registration: ClientRegistrationDoc) -> OauthClientDoc {
        OauthClientDoc {
            id,
            authentication: self.authentication,
            secrets: Vec::new(),
            tls_subject: None,
            jwks: self.jwks,
            grant_types: self.grants,
            name: self.name,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            skip_consent: false,
            require_dpop: self.require_dpop,
            certificate_bound_tokens: false,
            require_pushed_requests: self.require_pushed_requests,
            allow_without_pkce: false,
            scopes: self.scopes,
            token_format: None,
            access_token_lifetime: None,
            refresh_token_lifetime: None,
            refresh_limit: None,
            self_service: false,
            registration: Some(ClientRegistrationDoc {
                posts_secret: self.posts_secret,
                client_uri: self.client_uri,
                logo_uri: self.logo_uri,
                tos_uri: self.tos_uri,
                policy_uri: self.policy_uri,
                contacts: self.contacts,
                software_id: self.software_id,
                software_version: self.software_version,
                ..registration
            }),
        }
    }
}

/// What was said, which may be anything.
struct Said<'m>(&'m Map<String, Value>);

impl Said<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, OauthError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => plain(name, text).map(Some),
            Some(_) => Err(wrong(name, "expected a text")),
        }
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, OauthError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let items = value.as_array().ok_or_else(|| wrong(name, "expected a list of texts"))?;
        if items.len() > MOST {
            return Err(wrong(name, &format!("found {}, expected at most {MOST}", items.len())));
        }
        let text = |item: &Value| match item {
            Value::String(text) => plain(name, text),
            _ => Err(wrong(name, "expected a list of texts")),
        };
        items.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn flag(&self, name: &str) -> Result<bool, OauthError> {
        match self.0.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| wrong(name, "expected true or false")),
        }
    }

    /// Where browsers may be sent.
    fn addresses(&self, name: &str, code: &'static str) -> Result<Vec<String>, OauthError> {
        let refused = |problem: String| OauthError::new(code, format!("`{name}`: {problem}"));
        let Some(value) = self.0.get(name) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| refused("expected a list of URIs".to_owned()))?;
        if items.len() > MOST {
            return Err(refused(format!("found {}, expected at most {MOST}", items.len())));
        }
        let mut all: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            let uri = item.as_str().ok_or_else(|| refused("expected a list of URIs".to_owned()))?;
            if let Some(problem) = redirect_problem(uri) {
                return Err(refused(format!("found `{}`: {problem}", jose::shown(uri))));
            }
            if !all.iter().any(|known| known == uri) {
                all.push(uri.to_owned());
            }
        }
        Ok(all)
    }

    /// A page that people may look at.
    fn page(&self, name: &str) -> Result<Option<String>, OauthError> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let uri = value.as_str().ok_or_else(|| wrong(name, "expected a URL"))?;
        let is_page = uri.starts_with("https:") || uri.starts_with("http:");
        match redirect_problem(uri) {
            None if is_page => Ok(Some(uri.to_owned())),
            problem => Err(wrong(name, problem.unwrap_or("expected an https URL"))),
        }
    }

    fn authentication(&self) -> Result<(ClientAuthentication, bool), OauthError> {
        let name = "token_endpoint_auth_method";
        match self.0.get(name).map(Value::as_str) {
            None | Some(Some("client_secret_basic")) => Ok((ClientAuthentication::ClientSecret, false)),
            Some(Some("client_secret_post")) => Ok((ClientAuthentication::ClientSecret, true)),
            Some(Some("private_key_jwt")) => Ok((ClientAuthentication::PrivateKeyJwt, false)),
            Some(Some("none")) => Ok((ClientAuthentication::None, false)),
            Some(_) => Err(wrong(
                name,
                "expected `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`",
            )),
        }
    }

    fn grants(&self, may: &May, authentication: ClientAuthentication) -> Result<Vec<GrantType>, OauthError> {
        let name = "grant_types";
        let said = self.texts(name)?.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        let mut grants = Vec::with_capacity(said.len());
        for one in &said {
            let grant = may.grants.iter().copied().find(|grant| grant.wire_name() == one);
            let grant = grant.ok_or_else(|| {
                let known: Vec<_> = may.grants.iter().map(|grant| grant.wire_name()).collect();
                wrong(name, &format!("found `{}`, expected some of {}", jose::shown(one), known.join(" ")))
            })?;
            if authentication == ClientAuthentication::None && grant.needs_proof() {
                let problem = format!(
                    "found `{one}`, which is for clients that prove who they are; say how in \
                     `token_endpoint_auth_method`"
                );
                return Err(wrong(name, &problem));
            }
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        if grants.is_empty() {
            return Err(wrong(name, "found none, expected at least one"));
        }
        let has_code = grants.contains(&GrantType::AuthorizationCode);
        let name = "response_types";
        if let Some(types) = self.texts(name)? {
            if let Some(other) = types.iter().find(|one| *one != "code") {
                let problem = format!("found `{}`, expected `code`", jose::shown(other));
                return Err(wrong(name, &problem));
            }
            // RFC 7591, 2.1: one goes with the other.
            match (types.is_empty(), has_code) {
                (true, true) => {
                    return Err(wrong(name, "found none, and `authorization_code` goes with `code`"));
                }
                (false, false) => {
                    return Err(wrong(
                        name,
                        "found `code`, and `authorization_code` is not in `grant_types`",
                    ));
                }
                _ => {}
            }
        }
        Ok(grants)
    }

    fn scopes(&self, may: &May) -> Result<Vec<String>, OauthError> {
        let name = "scope";
        let Some(value) = self.0.get(name) else { return Ok(may.scopes.clone()) };
        let text = value.as_str().ok_or_else(|| wrong(name, "expected a text with spaces"))?;
        let mut scopes: Vec<String> = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !may.scopes.iter().any(|known| known == scope) {
                let known = if may.scopes.is_empty() { "none".to_owned() } else { may.scopes.join(" ") };
                let problem = format!("found `{}`, expected some of: {known}", jose::shown(scope));
                return Err(wrong(name, &problem));
            }
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        Ok(scopes)
    }

    /// Keys are kept where they are needed only.
    fn jwks(&self, authentication: ClientAuthentication) -> Result<Option<Value>, OauthError> {
        if authentication != ClientAuthentication::PrivateKeyJwt {
            return Ok(None);
        }
        match (self.0.get("jwks"), self.0.contains_key("jwks_uri")) {
            (Some(_), true) => Err(wrong("jwks_uri", "expected one of `jwks` and `jwks_uri`, found both")),
            // Whoever names an address would have this server ask anybody.
            (None, true) => {
                Err(wrong("jwks_uri", "nothing is fetched from there; send the keys themselves, as `jwks`"))
            }
            (None, false) => {
                Err(wrong("jwks", "missing; `private_key_jwt` needs a JWK Set with public keys"))
            }
            (Some(jwks), false) => {
                let read = KeySet::of_jwks(&serde_json::to_vec(jwks).unwrap_or_default());
                let (keys, unusable) =
                    read.ok_or_else(|| wrong("jwks", "expected a JWK Set, which is an object with `keys`"))?;
                if let Some(problem) = unusable.first() {
                    return Err(wrong("jwks", &problem.to_string()));
                }
                if keys.is_empty() {
                    return Err(wrong("jwks", "found no key, expected at least one"));
                }
                Ok(Some(jwks.clone()))
            }
        }
    }
}

/// A text that can be shown to people as it is.
fn plain(name: &str, text: &str) -> Result<String, OauthError> {
    // What changes the direction of writing can have one text pass for another.
    let misleads = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.chars().any(misleads) {
        return Err(wrong(name, "expected no control characters"));
    }
    if text.chars().count() > LONGEST {
        return Err(wrong(name, &format!("expected at most {LONGEST} characters")));
    }
    Ok(text.trim().to_owned())
}

/// What a client is told of itself (RFC 7591, 3.2.1).
pub fn told(doc: &OauthClientDoc, registration: &ClientRegistrationDoc) -> Map<String, Value> {
    let method = match (doc.authentication, registration.posts_secret) {
        (ClientAuthentication::ClientSecret, false) => "client_secret_basic",
        (ClientAuthentication::ClientSecret, true) => "client_secret_post",
        (ClientAuthentication::PrivateKeyJwt, _) => "private_key_jwt",
        (ClientAuthentication::TlsClientAuth, _) => "tls_client_auth",
        (ClientAuthentication::None, _) => "none",
    };
    let at = OffsetDateTime::parse(&registration.at, &Rfc3339).map(OffsetDateTime::unix_timestamp);
    let grants: Vec<_> = doc.grant_types.iter().map(|grant| grant.wire_name()).collect();
    let types: &[&str] =
        if doc.grant_types.contains(&GrantType::AuthorizationCode) { &["code"] } else { &[] };
    let list = |texts: &[String]| (!texts.is_empty()).then(|| json!(texts));
    let flag = |on: bool| on.then_some(Value::Bool(true));
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    let all = [
        ("client_id", Some(json!(doc.id))),
        ("client_id_issued_at", at.ok().map(|at| json!(at))),
        ("client_name", text(&doc.name)),
        ("token_endpoint_auth_method", Some(json!(method))),
        ("grant_types", Some(json!(grants))),
        ("response_types", Some(json!(types))),
        ("redirect_uris", list(&doc.redirect_uris)),
        ("post_logout_redirect_uris", list(&doc.post_logout_redirect_uris)),
        ("scope", Some(json!(doc.scopes.join(" ")))),
        ("jwks", doc.jwks.clone()),
        ("dpop_bound_access_tokens", flag(doc.require_dpop)),
        ("require_pushed_authorization_requests", flag(doc.require_pushed_requests)),
        ("client_uri", text(&registration.client_uri)),
        ("logo_uri", text(&registration.logo_uri)),
        ("tos_uri", text(&registration.tos_uri)),
        ("policy_uri", text(&registration.policy_uri)),
        ("contacts", list(&registration.contacts)),
        ("software_id", text(&registration.software_id)),
        ("software_version", text(&registration.software_version)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may() -> May {
        May {
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials],
            scopes: vec!["openid".to_owned(), "orders.read".to_owned()],
        }
    }

    fn read(said: &Value) -> Result<OauthClientDoc, OauthError> {
        let members = members(said.to_string().as_bytes())?;
        let metadata = Metadata::read(&members, &may())?;
        let registration = json!({ "at": "2026-01-15T10:00:00Z", "tokenHash": "sha256:00" });
        Ok(metadata.client("1".to_owned(), serde_json::from_value(registration).expect("it is read")))
    }

    #[test]
    fn a_client_is_what_it_says_and_is_told_so() {
        let said = json!({
            "redirect_uris": ["https://shop.example/back", "http://127.0.0.1/back", "https://shop.example/back"],
            "post_logout_redirect_uris": ["https://shop.example/"],
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "client_name": " The Shop ",
            "client_name#de": "Der Laden",
            "client_uri": "https://shop.example/",
            "logo_uri": null,
            "scope": "orders.read  orders.read",
            "contacts": ["ada@shop.example"],
            "dpop_bound_access_tokens": true,
            "software_id": "shop", "software_version": "2.1",
            "software_statement": "eyJ", "application_type": "web", "jwks_uri": "https://shop.example/jwks",
        });
        let client = read(&said).expect("it is right");
        let registration = client.registration.as_ref().expect("it has registered itself");
        let told = Value::Object(told(&client, registration));
        let expected = json!({
            "client_id": "1",
            "client_id_issued_at": 1_768_471_200,
            "client_name": "The Shop",
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "redirect_uris": ["https://shop.example/back", "http://127.0.0.1/back"],
            "post_logout_redirect_uris": ["https://shop.example/"],
            "scope": "orders.read",
            "dpop_bound_access_tokens": true,
            "client_uri": "https://shop.example/",
            "contacts": ["ada@shop.example"],
            "software_id": "shop", "software_version": "2.1",
        });
        assert_eq!(told, expected);
        assert!(!client.skip_consent && !client.allow_without_pkce);
    }

    #[test]
    fn what_is_not_said_is_what_the_rfc_says_and_all_scopes_that_there_are() {
        let client = read(&json!({ "redirect_uris": ["https://a.example/"] })).expect("it is right");
        assert_eq!(client.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(client.authentication, ClientAuthentication::ClientSecret);
        assert_eq!(client.scopes, ["openid", "orders.read"]);
        let none = read(&json!({ "grant_types": ["client_credentials"], "scope": "" })).expect("it is right");
        assert_eq!((none.scopes.len(), none.redirect_uris.len()), (0, 0));
    }

    #[test]
    fn whatever_a_client_says_that_cannot_be_is_refused_with_its_name() {
        let back = json!(["https://a.example/"]);
        let uris = |uris: Value| json!({ "redirect_uris": uris });
        let with = |name: &str, value: Value| {
            let mut said = uris(back.clone());
            said[name] = value;
            said
        };
        let private = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }] });
        let signs = |name: &str, value: Value| {
            let mut said = with("token_endpoint_auth_method", json!("private_key_jwt"));
            said[name] = value;
            said
        };
        let many: Vec<String> = (0..10_000).map(|n| format!("https://a.example/{n}")).collect();
        let some: Vec<String> = (0..21).map(|n| format!("https://a.example/{n}")).collect();
        let mut deep = json!("x");
        for _ in 0..50 {
            deep = json!([deep]);
        }
        for (said, code, names) in [
            (json!([]), "invalid_client_metadata", "JSON object"),
            (json!("x"), "invalid_client_metadata", "JSON object"),
            (with("anything", deep), "invalid_client_metadata", "JSON object"),
            (uris(json!(many)), "invalid_client_metadata", "2,000"),
            (uris(json!(some)), "invalid_redirect_uri", "found 21"),
            (json!({}), "invalid_redirect_uri", "`redirect_uris`"),
            (uris(json!("https://a.example/")), "invalid_redirect_uri", "`redirect_uris`"),
            (uris(json!([7])), "invalid_redirect_uri", "`redirect_uris`"),
            (uris(json!([])), "invalid_redirect_uri", "`redirect_uris`"),
            (uris(json!(["http://a.example/"])), "invalid_redirect_uri", "https"),
            (uris(json!(["https://*.example/"])), "invalid_redirect_uri", "wildcards"),
            (uris(json!(["javascript:alert(1)"])), "invalid_redirect_uri", "javascript"),
            (uris(json!(["https://a.example/#x"])), "invalid_redirect_uri", "`#`"),
            (with("post_logout_redirect_uris", json!(["x"])), "invalid_client_metadata", "post_logout"),
            (with("grant_types", json!(["implicit"])), "invalid_client_metadata", "`implicit`"),
            (with("grant_types", json!(["password"])), "invalid_client_metadata", "`password`"),
            (with("grant_types", json!([])), "invalid_client_metadata", "`grant_types`"),
            (with("grant_types", json!("authorization_code")), "invalid_client_metadata", "`grant_types`"),
            (with("response_types", json!(["token"])), "invalid_client_metadata", "`token`"),
            (with("response_types", json!([])), "invalid_client_metadata", "`response_types`"),
            (
                json!({ "grant_types": ["client_credentials"], "response_types": ["code"] }),
                "invalid_client_metadata",
                "`response_types`",
            ),
            (
                json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }),
                "invalid_client_metadata",
                "prove who they are",
            ),
            (
                with("token_endpoint_auth_method", json!("tls_client_auth")),
                "invalid_client_metadata",
                "expected",
            ),
            (with("token_endpoint_auth_method", json!(7)), "invalid_client_metadata", "expected"),
            (with("scope", json!("orders.write")), "invalid_client_metadata", "`orders.write`"),
            (with("scope", json!(["openid"])), "invalid_client_metadata", "`scope`"),
            (with("client_name", json!("a\nb")), "invalid_client_metadata", "control"),
            (with("client_name", json!("a\u{202e}b")), "invalid_client_metadata", "control"),
            (with("client_name", json!("a".repeat(201))), "invalid_client_metadata", "200"),
            (with("client_name", json!({})), "invalid_client_metadata", "`client_name`"),
            (with("logo_uri", json!("com.example.app:/logo")), "invalid_client_metadata", "https"),
            (with("policy_uri", json!("javascript:alert(1)")), "invalid_client_metadata", "`policy_uri`"),
            (with("tos_uri", json!(false)), "invalid_client_metadata", "`tos_uri`"),
            (with("contacts", json!(["a", 7])), "invalid_client_metadata", "`contacts`"),
            (with("contacts", json!(vec!["a"; 21])), "invalid_client_metadata", "found 21"),
            (with("dpop_bound_access_tokens", json!("true")), "invalid_client_metadata", "true or false"),
            (signs("client_name", json!("x")), "invalid_client_metadata", "`jwks`"),
            (signs("jwks", json!([])), "invalid_client_metadata", "JWK Set"),
            (signs("jwks", json!({ "keys": [] })), "invalid_client_metadata", "no key"),
            (signs("jwks", private), "invalid_client_metadata", "private"),
            (
                signs("jwks_uri", json!("http://169.254.169.254/")),
                "invalid_client_metadata",
                "nothing is fetched",
            ),
        ] {
            let refused = read(&said).expect_err(names);
            assert_eq!(refused.code, code, "{said:.200}: {refused:?}");
            assert!(refused.description.contains(names), "{names}: {}", refused.description);
            assert!(refused.description.len() < 400, "{}", refused.description);
        }
        let twice = br#"{"client_name":"a","client_name":"b"}"#;
        assert_eq!(members(twice).expect_err("a name twice").code, "invalid_client_metadata");
    }
}
