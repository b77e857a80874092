//! What a client asks for at the authorization endpoint (RFC 6749, 4.1.1; RFC 7636; OpenID Connect Core, 3.1.2.1), and
//! where the browser goes with the answer. Nobody is sent anywhere before client and address are known to belong together.

use std::sync::Arc;

use form_urlencoded::Serializer;
use model::oauth_client::{ClientAuthentication, GrantType};

use crate::{AuthorizationServer, clients::Client, error::OauthError, form::Form, issue::scopes};

/// Longest `state` and `nonce`, which are given back.
const LONGEST: usize = 2_000;

/// A request that can be answered.
#[derive(Debug)]
pub struct Asked {
    pub client: Arc<Client>,
    pub target: Target,
    /// The address was said, and has to be said again with the code.
    pub said_target: bool,
    pub scope: Vec<String>,
    pub nonce: Option<String>,
    pub challenge: Option<String>,
    /// Thumbprint of the key that tokens are to be bound to (RFC 9449, 10).
    pub key: Option<String>,
    pub prompt: Prompt,
    /// How long ago the user may have logged in, in seconds.
    pub max_age: Option<u64>,
    pub user_hint: Option<String>,
    pub id_token_hint: Option<String>,
}

/// Where the browser goes back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub uri: String,
    state: Option<String>,
    issuer: String,
}

/// What the user is to be asked whatever is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Nothing at all is asked.
    pub none: bool,
    pub login: bool,
    pub consent: bool,
}

/// Why there is no code.
#[derive(Debug)]
pub enum NoCode {
    /// The user is told: the browser cannot be sent back to whom it came from.
    Told(String),
    /// The client is told, at this address.
    Back { location: String, error: OauthError },
}

/// Scopes, challenge, prompt, and `max_age`.
type Rest = (Vec<String>, Option<String>, Prompt, Option<u64>);

impl Target {
    /// The address, with an answer in it (RFC 6749, 4.1.2; RFC 9207).
    pub fn with(&self, answer: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.issuer);
        let joint = if self.uri.contains('?') { '&' } else { '?' };
        format!("{}{joint}{}", self.uri, query.finish())
    }

    pub fn refused(&self, code: &str, description: &str) -> String {
        self.with(&[("error", code), ("error_description", description)])
    }

    pub fn no_code(&self, error: OauthError) -> NoCode {
        NoCode::Back { location: self.refused(error.code, &error.description), error }
    }
}

impl Asked {
    pub fn of(server: &AuthorizationServer, form: &Form) -> Result<Self, NoCode> {
        let told = |text: &str| NoCode::Told(text.to_owned());
        let id = form.get("client_id").ok_or_else(|| told("The request names no client."))?;
        let client = server.client(id).ok_or_else(|| told("The client is not known here."))?;
        let is_openid = form.get("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
        let said = form.get("redirect_uri");
        let uri = match (said, &*client.doc.redirect_uris) {
            (Some(said), _) if client.comes_back_to(said) => said,
            (None, [only]) if !is_openid => only,
            (Some(_), _) => return Err(told("The address to go back to is not one of the client's.")),
            (None, _) => return Err(told("The request does not say where to go back to.")),
        };
        let target = |state: Option<&str>| Target {
            uri: uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: server.issuer().to_owned(),
        };
        let state = form.get("state");
        if [state, form.get("nonce")].into_iter().flatten().any(|text| text.len() > LONGEST) {
            let error = OauthError::invalid_request("`state` and `nonce` have at most 2,000 bytes");
            return Err(target(None).no_code(error));
        }
        let target = target(state);
        match Self::rest(server, form, &client) {
            Ok((scope, challenge, prompt, max_age)) => Ok(Self {
                client,
                target,
                said_target: said.is_some(),
                scope,
                nonce: form.get("nonce").map(str::to_owned),
                challenge,
                key: form.get("dpop_jkt").map(str::to_owned),
                prompt,
                max_age,
                user_hint: form.get("login_hint").map(str::to_owned),
                id_token_hint: form.get("id_token_hint").map(str::to_owned),
            }),
            Err(error) => Err(target.no_code(error)),
        }
    }

    fn rest(server: &AuthorizationServer, form: &Form, client: &Client) -> Result<Rest, OauthError> {
        match form.needs("response_type")? {
            "code" => {}
            _ => return Err(OauthError::new("unsupported_response_type", "expected `code`")),
        }
        if form.get("request").is_some() {
            return Err(OauthError::new("request_not_supported", "expected parameters, not an object"));
        }
        if form.get("request_uri").is_some() {
            return Err(OauthError::new("request_uri_not_supported", "nothing is fetched from elsewhere"));
        }
        if form.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(OauthError::invalid_request("expected `query` as `response_mode`"));
        }
        let grant = GrantType::AuthorizationCode;
        if !server.settings().grants.contains(&grant) || !client.may(grant) {
            let problem = "the client may not take this way to a token";
            return Err(OauthError::new("unauthorized_client", problem));
        }
        let challenge = challenge(form, client)?;
        let scope = scopes(client, form.get("scope"))?;
        let max_age = match form.get("max_age").map(str::parse) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            Some(Err(_)) => return Err(OauthError::invalid_request("`max_age` is a number of seconds")),
        };
        Ok((scope, challenge, prompt(form.get("prompt"))?, max_age))
    }

    /// Whether the user is asked although all was allowed before: whoever has the address of such a client may be
    /// anybody on the user's machine (RFC 8252, 8.6).
    pub fn may_be_anybody(&self) -> bool {
        self.client.doc.authentication == ClientAuthentication::None && !self.target.uri.starts_with("https:")
    }
}

/// What the client will prove that it knows (RFC 7636, 4.3). Whoever sees the request learns nothing of it.
fn challenge(form: &Form, client: &Client) -> Result<Option<String>, OauthError> {
    let Some(challenge) = form.get("code_challenge") else {
        if form.get("code_challenge_method").is_some() {
            return Err(OauthError::invalid_request("`code_challenge` is missing"));
        }
        return match client.doc.allow_without_pkce {
            true => Ok(None),
            false => Err(OauthError::invalid_request("`code_challenge` is missing (PKCE, RFC 7636)")),
        };
    };
    if form.get("code_challenge_method") != Some("S256") {
        return Err(OauthError::invalid_request("expected `S256` as `code_challenge_method`"));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(fits) {
        return Err(OauthError::invalid_request("`code_challenge` is no SHA-256 in base64url"));
    }
    Ok(Some(challenge.to_owned()))
}

fn prompt(text: Option<&str>) -> Result<Prompt, OauthError> {
    let mut prompt = Prompt::default();
    for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
        match word {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(OauthError::invalid_request("a word of `prompt` is not known")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(OauthError::invalid_request("`prompt` says none, and something else"));
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_added_to_what_the_address_says_already() {
        let target = |uri: &str, state: Option<&str>| Target {
            uri: uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: "https://id.example".to_owned(),
        };
        assert_eq!(
            target("https://a.example/back", Some("a&b=\r\n")).with(&[("code", "c")]),
            "https://a.example/back?code=c&state=a%26b%3D%0D%0A&iss=https%3A%2F%2Fid.example"
        );
        assert_eq!(
            target("https://a.example/back?x=y", None).refused("access_denied", "no"),
            "https://a.example/back?x=y&error=access_denied&error_description=no&iss=https%3A%2F%2Fid.example"
        );
    }

    #[test]
    fn nothing_is_asked_or_something_but_not_both() {
        let of = |text: &str| prompt(Some(text)).ok();
        let some = |none, login, consent| Some(Prompt { none, login, consent });
        assert_eq!(of("none"), some(true, false, false));
        assert_eq!(of("login consent"), some(false, true, true));
        assert_eq!(of("select_account"), some(false, true, false));
        assert_eq!(prompt(None).ok(), Some(Prompt::default()));
        for wrong in ["none login", "consent none", "create", "None"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
