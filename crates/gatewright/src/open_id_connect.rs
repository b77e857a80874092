//! Users of a provider elsewhere log in at the manager: the relying party of OpenID Connect Core 1.0, with the authorization
//! code, PKCE (RFC 7636) and a nonce. What is told is believed only with the provider's signature.

use std::{io, sync::Arc, time::Duration};

use base64ct::{Base64, Encoding};
use engine::{Clock, Timestamp};
use http::Uri;
use jose::{Algorithm, Audience, Compact, Expectations, KeySet, Why};
use manager::{LoginAnswer, LoginFailure, LoginProvider, LoginRequest, LoginStep, LoginUser};
use model::{Diagnostic, open_id_connect::LoginProviderSettings};
use rustls::ClientConfig;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::{client, ldap::is_here, token_keys};

/// Largest document.
const LARGEST: usize = 1 << 20;
/// How long metadata and keys are believed before they are asked for again.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How old an ID token may be. It was made for us a moment ago.
const OLDEST_TOKEN: Duration = Duration::from_secs(600);
const SKEW: Duration = Duration::from_secs(60);

/// A provider, as the settings say.
pub(crate) struct Provider {
    settings: LoginProviderSettings,
    discovery: Uri,
    tls: Arc<ClientConfig>,
    clock: Clock,
    known: Mutex<Option<Arc<Known>>>,
}

/// What a provider says of itself.
struct Known {
    authorization_endpoint: String,
    token_endpoint: Uri,
    /// Whether its answers have to name it (RFC 9207).
    names_itself: bool,
    /// Whether it takes the client's secret in the body only.
    secret_in_body: bool,
    keys: KeySet,
    read: Timestamp,
}

/// Checks all providers of the settings; nothing is sent yet.
pub(crate) fn providers(
    all: &[LoginProviderSettings],
    clock: &Clock,
) -> Result<Vec<Box<dyn LoginProvider>>, Diagnostic> {
    let mut made: Vec<Box<dyn LoginProvider>> = Vec::new();
    for (index, settings) in all.iter().enumerate() {
        let under = |problem: Diagnostic| problem.under(&format!("settings.manager.openIdConnect[{index}]"));
        if all[..index].iter().any(|other| other.name == settings.name) {
            let message = format!("found `{}` twice, expected a name of its own", settings.name);
            return Err(under(Diagnostic::error("name", message)));
        }
        made.push(Box::new(Provider::new(settings.clone(), clock.clone()).map_err(under)?));
    }
    Ok(made)
}

/// Checks a URL that people log in by: nobody on the way may read it.
pub(crate) fn public_url(url: &str) -> Result<(), Diagnostic> {
    let parsed = url.parse::<Uri>().ok().filter(|uri| uri.query().is_none() && !url.contains('#'));
    let scheme = parsed.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
    let authority = parsed.as_ref().and_then(Uri::authority).map_or("", |found| found.as_str());
    if !matches!(scheme, "http" | "https") || authority.is_empty() || authority.contains('@') {
        return Err(Diagnostic::error("", format!("found `{url}`, expected https://HOST, and no query")));
    }
    if scheme == "http" && !is_here(authority) {
        let problem = Diagnostic::error("", format!("found `{url}`, which is not https"));
        return Err(problem.help("logins go over it; only what is on this machine may do without TLS"));
    }
    Ok(())
}

impl Provider {
    fn new(settings: LoginProviderSettings, clock: Clock) -> Result<Self, Diagnostic> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if settings.name.is_empty() || !settings.name.bytes().all(is_plain) {
            let message = format!("found `{}`, expected letters, digits, `_` and `-`", settings.name);
            return Err(Diagnostic::error("name", message));
        }
        for (key, url) in [("issuer", &settings.issuer), ("publicUrl", &settings.public_url)] {
            public_url(url).map_err(|problem| problem.under(key))?;
        }
        if !settings.scopes.iter().any(|scope| scope == "openid") {
            return Err(Diagnostic::error("scopes", "without `openid` there is no ID token"));
        }
        if settings.groups.is_empty() && !settings.others_use_portal {
            let problem = Diagnostic::error("groups", "missing, so that nobody would be let in");
            return Err(problem.help("say what groups become, or set `othersUsePortal`"));
        }
        let discovery = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
        let discovery = discovery.parse().map_err(|_| {
            Diagnostic::error("issuer", format!("found `{}`, expected a URL", settings.issuer))
        })?;
        let tls = match &settings.ca_file {
            Some(file) => client::trusting(file.as_ref()),
            None => client::tls_config(),
        };
        let tls = tls.map_err(|error| Diagnostic::error("caFile", error.to_string()))?;
        Ok(Self { settings, discovery, tls, clock, known: Mutex::default() })
    }

    /// What the provider says of itself, asked again from time to time, or when its keys are others by now. While it does
    /// not answer, what is known goes on counting.
    async fn known(&self, keys_are_others: bool) -> Result<Arc<Known>, LoginFailure> {
        let mut kept = self.known.lock().await;
        let now = self.clock.now();
        if let Some(known) =
            kept.as_ref().filter(|known| !keys_are_others && now.since(known.read) < KNOWN_FOR)
        {
            return Ok(Arc::clone(known));
        }
        match self.read(now).await {
            Ok(known) => Ok(Arc::clone(kept.insert(Arc::new(known)))),
            Err(error) => match kept.as_ref() {
                Some(known) => {
                    tracing::warn!(provider = %self.settings.name, %error, "a provider of logins does not answer");
                    Ok(Arc::clone(known))
                }
                None => Err(away(&error)),
            },
        }
    }

    async fn read(&self, now: Timestamp) -> io::Result<Known> {
        let tls = || Some(Arc::clone(&self.tls));
        let text = client::get(&self.discovery, tls(), None, LARGEST).await?;
        let (_, keys_uri) = token_keys::metadata(&self.discovery, &text, Some(&self.settings.issuer))
            .map_err(io::Error::other)?;
        let document =
            jose::object(&text).ok_or_else(|| io::Error::other("its metadata are no JSON object"))?;
        let endpoint = |name: &str| {
            let url = document.get(name).and_then(Value::as_str).unwrap_or_default();
            let uri = url.parse::<Uri>().ok().filter(|uri| uri.authority().is_some() && !url.contains('#'));
            let uri = uri.filter(|uri| match uri.scheme_str() {
                Some("https") => true,
                Some("http") => self.discovery.scheme_str() == Some("http"),
                _ => false,
            });
            uri.ok_or_else(|| {
                io::Error::other(format!("its metadata have no `{name}`, or one without https"))
            })
        };
        let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let takes = |wanted: &str| methods.is_some_and(|all| all.iter().any(|method| method == wanted));
        let keys = client::get(&keys_uri, tls(), None, LARGEST).await?;
        let (keys, _) = token_keys::key_set(&keys_uri, &keys)?;
        Ok(Known {
            authorization_endpoint: endpoint("authorization_endpoint")?.to_string(),
            token_endpoint: endpoint("token_endpoint")?,
            names_itself: document.get("authorization_response_iss_parameter_supported")
                == Some(&Value::Bool(true)),
            secret_in_body: takes("client_secret_post") && !takes("client_secret_basic"),
            keys,
            read: now,
        })
    }

    /// What is sent for an ID token: a form, and who sends it.
    fn form(&self, known: &Known, answer: &LoginAnswer<'_>) -> (String, Option<String>) {
        let id = &self.settings.client_id;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", answer.code)
            .append_pair("redirect_uri", answer.redirect_uri)
            .append_pair("code_verifier", answer.verifier);
        match self.settings.client_secret.as_ref().map(|secret| secret.expose().unwrap_or_default()) {
            // RFC 6749, 2.3.1: both are encoded before they are joined.
            Some(secret) if !known.secret_in_body => {
                let encoded =
                    |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let both = format!("{}:{}", encoded(id), encoded(secret));
                (form.finish(), Some(format!("Basic {}", Base64::encode_string(both.as_bytes()))))
            }
            Some(secret) => {
                form.append_pair("client_id", id).append_pair("client_secret", secret);
                (form.finish(), None)
            }
            None => {
                form.append_pair("client_id", id);
                (form.finish(), None)
            }
        }
    }

    /// The ID token for a code.
    async fn exchange(&self, known: &Known, answer: &LoginAnswer<'_>) -> Result<String, LoginFailure> {
        let (form, authorization) = self.form(known, answer);
        let tls = Some(Arc::clone(&self.tls));
        let sent = client::post_form(&known.token_endpoint, tls, form, authorization.as_deref(), LARGEST);
        let (status, body) = sent.await.map_err(|error| away(&error))?;
        if !status.is_success() {
            let code = jose::object(&body).and_then(|told| Some(jose::shown(told.get("error")?.as_str()?)));
            let detail = format!("the token endpoint answered {status}: {}", code.unwrap_or_default());
            let code = if status.is_server_error() { "login_provider_away" } else { "login_refused" };
            return Err(LoginFailure::new(code, detail));
        }
        let told =
            jose::object(&body).ok_or_else(|| invalid("the token endpoint answered no JSON object"))?;
        let token = told.get("id_token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| invalid("the token endpoint answered without an ID token"))
    }

    /// What a token says, once it is believed (OpenID Connect Core 1.0, 3.1.3.7).
    fn claims(&self, keys: &KeySet, token: &str, nonce: &str) -> Result<Map<String, Value>, jose::Refusal> {
        let refused = |detail: &'static str| jose::Refusal::new(Why::Claims, detail);
        let accepted: Vec<Algorithm> =
            Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect();
        let own = [self.settings.client_id.clone()];
        let kinds = ["jwt".to_owned()];
        let expectations = Expectations {
            issuer: &self.settings.issuer,
            audience: Audience::OneOf(&own),
            kinds: &kinds,
            skew: SKEW,
            max_age: Some(OLDEST_TOKEN),
            must_expire: true,
        };
        let compact = Compact::parse(token)?;
        expectations.check_kind(&compact.header)?;
        keys.verify(&compact, &accepted)?;
        let claims = compact.claims()?;
        expectations.check(&claims, self.clock.now().seconds())?;
        if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(refused("it was not made for this login (`nonce`)"));
        }
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
        match claims.get("azp") {
            None if several => return Err(refused("it is for several, and does not say who asked (`azp`)")),
            Some(party) if party.as_str() != Some(&own[0]) => {
                return Err(refused("somebody else asked for it (`azp`)"));
            }
            _ => {}
        }
        if claims.get("sub").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(refused("it does not say whom it is about (`sub`)"));
        }
        Ok(claims)
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<LoginUser, LoginFailure> {
        let name = &self.settings.user_claim;
        if name == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            let detail = "`email` of the ID token is not verified";
            return Err(LoginFailure::new("login_user_unusable", detail));
        }
        let user = claim(claims, name).and_then(Value::as_str).ok_or_else(|| {
            let detail = format!("the ID token has no text `{name}`, which `userClaim` names");
            LoginFailure::new("login_user_unusable", detail)
        })?;
        let groups = match claim(claims, &self.settings.groups_claim) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Ok(LoginUser { name: user.to_owned(), groups })
    }
}

/// A claim by its name, or by the names on the way to it: `realm_access.roles`.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })
}

fn away(error: &io::Error) -> LoginFailure {
    LoginFailure::new("login_provider_away", error.to_string())
}

fn invalid(detail: impl Into<String>) -> LoginFailure {
    LoginFailure::new("login_token_invalid", detail)
}

impl LoginProvider for Provider {
    fn settings(&self) -> &LoginProviderSettings {
        &self.settings
    }

    fn begin<'a>(&'a self, request: &'a LoginRequest<'a>) -> LoginStep<'a, String> {
        Box::pin(async move {
            let known = self.known(false).await?;
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.settings.client_id)
                .append_pair("redirect_uri", request.redirect_uri)
                .append_pair("scope", &self.settings.scopes.join(" "))
                .append_pair("state", request.state)
                .append_pair("nonce", request.nonce)
                .append_pair("code_challenge", request.challenge)
                .append_pair("code_challenge_method", "S256")
                .finish();
            let joined = if known.authorization_endpoint.contains('?') { '&' } else { '?' };
            Ok(format!("{}{joined}{query}", known.authorization_endpoint))
        })
    }

    fn finish<'a>(&'a self, answer: &'a LoginAnswer<'a>) -> LoginStep<'a, LoginUser> {
        Box::pin(async move {
            let known = self.known(false).await?;
            // The code goes to nobody but who made it (RFC 9207, 2.4).
            let is_right = match answer.issuer {
                Some(issuer) => issuer == self.settings.issuer,
                None => !known.names_itself,
            };
            if !is_right {
                let detail = match answer.issuer {
                    Some(issuer) => format!("`{}` answered instead of the provider", jose::shown(issuer)),
                    None => "it is not said who answered (`iss`)".to_owned(),
                };
                return Err(LoginFailure::new("login_issuer_wrong", detail));
            }
            let token = self.exchange(&known, answer).await?;
            let claims = match self.claims(&known.keys, &token, answer.nonce) {
                // The provider has made it just now: its keys have changed.
                Err(refusal) if refusal.why == Why::UnknownKey => {
                    let known = self.known(true).await?;
                    self.claims(&known.keys, &token, answer.nonce)
                }
                found => found,
            };
            let claims = claims.map_err(|refusal| invalid(format!("the ID token: {refusal}")))?;
            self.user(&claims)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_settings_are_told_where_they_are() {
        let check = |change: Value| {
            let mut settings = json!({
                "name": "corp", "issuer": "https://id.example", "clientId": "gw",
                "publicUrl": "https://gw.example", "groups": [{ "value": "ops", "group": "Administrators" }],
            });
            for (key, value) in change.as_object().expect("an object") {
                settings[key] = value.clone();
            }
            let settings = serde_json::from_value(settings).expect("settings");
            let clock = Clock::manual(Timestamp::from_millis(0));
            providers(&[settings], &clock).err().map(|problem| problem.path)
        };
        let path = |key: &str| Some(format!("settings.manager.openIdConnect[0].{key}"));
        for (change, expected) in [
            (json!({}), None),
            (json!({ "issuer": "http://localhost:8080/realm" }), None),
            (json!({ "name": "a:b" }), path("name")),
            (json!({ "name": "" }), path("name")),
            (json!({ "issuer": "http://id.example" }), path("issuer")),
            (json!({ "issuer": "https://id.example?a=b" }), path("issuer")),
            (json!({ "issuer": "https://me@id.example" }), path("issuer")),
            (json!({ "issuer": "id.example" }), path("issuer")),
            (json!({ "publicUrl": "http://gw.example" }), path("publicUrl")),
            (json!({ "scopes": ["profile"] }), path("scopes")),
            (json!({ "groups": [] }), path("groups")),
            (json!({ "groups": [], "othersUsePortal": true }), None),
            (json!({ "caFile": "/nowhere.pem" }), path("caFile")),
        ] {
            assert_eq!(check(change.clone()), expected, "{change}");
        }
    }

    #[test]
    fn a_claim_is_found_by_its_name_before_the_way_to_it() {
        let claims = json!({ "a.b": 1, "a": { "b": 2, "c": { "d": 3 } } });
        let claims = claims.as_object().expect("an object");
        for (name, expected) in [("a.b", Some(1)), ("a.c.d", Some(3)), ("a.x", None), ("x", None)] {
            assert_eq!(claim(claims, name).and_then(Value::as_i64), expected, "{name}");
        }
    }
}
