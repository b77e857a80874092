//! Outbound authentication: how the gateway shows the upstream who it is. Each kind that does more than to put a value
//! into a header has a file.

mod aws;
mod jwt;
mod token;

use std::{collections::BTreeMap, sync::Arc};

use aws::AwsSigner;
use base64ct::{Base64, Encoding};
use engine::{
    CompileCx, Compiled, Exchange, FailMode, Filter, Needs, Outcome, Policy, Reason, Stage, Step,
    signing::SignerRef,
};
use http::{HeaderName, HeaderValue, StatusCode, header::AUTHORIZATION};
pub use jwt::OutboundJwtAlgorithm;
use jwt::{JwtDoc, Mint};
use model::{Diagnostic, KeyRef, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use token::Tokens;

/// Shows the upstream who the gateway is, instead of what the client sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields, tag = "method")]
pub enum OutboundAuthentication {
    /// User name and password (RFC 7617).
    Basic {
        /// User name; without a colon.
        user_name: String,
        /// `${env:NAME}` or `${file:/path}`.
        password: Secret,
    },
    /// A token that does not change (RFC 6750).
    Bearer {
        /// `${env:NAME}` or `${file:/path}`.
        token: Secret,
    },
    /// A key in a header.
    ApiKey {
        /// Name of the header.
        header: String,
        /// `${env:NAME}` or `${file:/path}`.
        key: Secret,
    },
    /// A token that the gateway gets from an authorization server by client credentials (RFC 6749, 4.4), and keeps
    /// until shortly before it expires.
    #[serde(rename = "oauth2ClientCredentials")]
    OAuth2ClientCredentials {
        /// Name of an upstream, or the URL of the authorization server without a path.
        server: String,
        /// Path of its token endpoint.
        #[serde(default = "token_path")]
        path: String,
        /// Client id.
        client_id: String,
        /// `${env:NAME}` or `${file:/path}`.
        client_secret: Secret,
        /// Scopes, separated by spaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        /// Audience, for servers that ask for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
    },
    /// A signature of the request by AWS Signature Version 4, made anew for each try. Host, date and the hash of the
    /// body are signed with method, path and query; what policies do to the request before that is covered.
    AwsSignature {
        /// Access key id.
        access_key_id: String,
        /// `${env:NAME}` or `${file:/path}`.
        secret_access_key: Secret,
        /// Token of temporary credentials: `${env:NAME}` or `${file:/path}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session_token: Option<Secret>,
        /// Region, such as `eu-central-1`.
        region: String,
        /// Service, such as `execute-api`, `lambda` or `s3`.
        service: String,
        /// Leave the body unsigned, so that it streams. Only some services allow it, such as `s3`, and only over TLS.
        /// With `false` the body is read whole first.
        #[serde(default)]
        unsigned_payload: bool,
    },
    /// A JSON Web Token that the gateway makes for the upstream (RFC 7519). Texts may have variables; a claim that comes
    /// to an empty text is left out. A token is used again for the first half of its life where its claims are the same.
    Jwt {
        /// Claim `iss`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
        /// Claim `sub`, such as `${application.name}`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// Claim `aud`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// Other claims. Texts in them, at any depth, may have variables.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        claims: BTreeMap<String, Value>,
        /// How long a token is valid: at least 10 seconds.
        #[serde(default = "jwt_life")]
        time_to_live: model::Duration,
        /// How it is signed.
        algorithm: OutboundJwtAlgorithm,
        /// `${env:NAME}` or `${file:/path}`. For RS256 and ES256 a private key as PEM (PKCS#8), for HS256 at least 32
        /// bytes. Either this or `signingKey`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Secret>,
        /// Key of a keystore, for RS256 and ES256.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signing_key: Option<KeyRef>,
        /// Claim `kid` of the header, by which the upstream finds the public key, as `upstreamTokenKeys` publishes it. Default:
        /// the thumbprint of the public key (RFC 7638); none for HS256.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        /// Header that the token goes into. In `Authorization` it follows `Bearer`.
        #[serde(default = "authorization")]
        header: String,
    },
    /// The bearer token that the client sent goes on to the upstream, also where the policy that identified the caller
    /// took it out. Nothing else that the client may have sent as `Authorization` does.
    DelegatedToken {},
    /// Whatever the client authenticated with goes on to the upstream as it came.
    PassThrough {},
    /// The upstream sees no credentials at all.
    Remove {},
}

fn token_path() -> String {
    "/oauth2/token".to_owned()
}

fn jwt_life() -> model::Duration {
    model::Duration::from_secs(300)
}

fn authorization() -> String {
    "Authorization".to_owned()
}

static NO_TOKEN: Reason = Reason::upstream(
    "outbound_token_unavailable",
    StatusCode::BAD_GATEWAY,
    "No token for the native service could be had.",
);
static NOT_SIGNED: Reason = Reason::new(
    "outbound_not_signed",
    StatusCode::BAD_GATEWAY,
    "The request cannot be signed for the native service.",
);

impl Policy for OutboundAuthentication {
    const TYPE: &'static str = "outboundAuthentication";
    const STAGE: Stage = Stage::Routing;
    const REASONS: &'static [&'static Reason] = &[&NO_TOKEN, &NOT_SIGNED];
    const ON_FAILURE: FailMode = FailMode::Closed;
    const POSTURE: &'static str = "What the client sent as `Authorization` or under the name of the key never reaches the upstream, unless `passThrough` or `delegatedToken` says so. Secrets are references, and are written into no log, record or event. What variables bring into a token is a text in a claim, and never another claim.";
    const EXAMPLE: &'static str = "method: basic\nuserName: gateway\npassword: ${env:ORDERS_PASSWORD}\n";

    fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let shows = match self {
            Self::Basic { user_name, password } => {
                if user_name.contains(':') {
                    return Err(Diagnostic::error(
                        "userName",
                        format!("found `{user_name}`, expected a name without a colon"),
                    ));
                }
                let pair = format!("{user_name}:{}", cx.secret("password", &password)?);
                let text = format!("Basic {}", Base64::encode_string(pair.as_bytes()));
                Shows::Header(AUTHORIZATION, sensitive(&text, "password")?)
            }
            Self::Bearer { token } => {
                let text = format!("Bearer {}", cx.secret("token", &token)?);
                Shows::Header(AUTHORIZATION, sensitive(&text, "token")?)
            }
            Self::ApiKey { header, key } => {
                Shows::Header(header_name(&header)?, sensitive(&cx.secret("key", &key)?, "key")?)
            }
            Self::OAuth2ClientCredentials { server, path, client_id, client_secret, scope, audience } => {
                let secret = cx.secret("clientSecret", &client_secret)?;
                let more = [("scope", scope), ("audience", audience)];
                Shows::Token(Box::new(Tokens::compile(&server, &path, &client_id, &secret, &more, cx)?))
            }
            Self::AwsSignature {
                access_key_id,
                secret_access_key,
                session_token,
                region,
                service,
                unsigned_payload,
            } => {
                let secret = cx.secret("secretAccessKey", &secret_access_key)?;
                let token = match &session_token {
                    Some(token) => Some(sensitive(&cx.secret("sessionToken", token)?, "sessionToken")?),
                    None => None,
                };
                let signer =
                    AwsSigner::compile(access_key_id, secret, token, region, service, unsigned_payload)?;
                Shows::Signature { signer: SignerRef(Arc::new(signer)), looks_at_body: !unsigned_payload }
            }
            Self::Jwt {
                issuer,
                subject,
                audience,
                claims,
                time_to_live,
                algorithm,
                key,
                signing_key,
                key_id,
                header,
            } => {
                let key = match (key, signing_key) {
                    (Some(key), None) => Some(cx.secret("key", &key)?).filter(|_| cx.api().is_some()),
                    (None, Some(_)) if algorithm == OutboundJwtAlgorithm::Hs256 => {
                        return Err(Diagnostic::error("signingKey", "a keystore has no key for HS256")
                            .help("name the secret in `key`"));
                    }
                    (None, Some(wanted)) => {
                        cx.key("signingKey", &wanted)?.map(|found| jwt::pem_of(&found.key))
                    }
                    _ => return Err(Diagnostic::error("key", "expected either `key` or `signingKey`")),
                };
                let header = header_name(&header)?;
                let registered =
                    [("iss", "issuer", issuer), ("sub", "subject", subject), ("aud", "audience", audience)];
                let doc =
                    JwtDoc { registered, claims, life: time_to_live.get(), algorithm, key, key_id, header };
                Shows::Jwt(Box::new(Mint::compile(doc, cx)?))
            }
            Self::DelegatedToken {} => Shows::Delegated,
            Self::PassThrough {} => Shows::Whatever,
            Self::Remove {} => Shows::Nothing,
        };
        Ok(Compiled::filter(shows))
    }
}

/// A value that nobody may see.
fn sensitive(text: &str, path: &str) -> Result<HeaderValue, Diagnostic> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Diagnostic::error(path, "expected a secret that can stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn header_name(header: &str) -> Result<HeaderName, Diagnostic> {
    if engine::language::OWN_HEADERS.contains(&header.to_ascii_lowercase().as_str()) {
        return Err(Diagnostic::error("header", format!("found `{header}`, which the gateway sets itself")));
    }
    header
        .parse()
        .map_err(|_| Diagnostic::error("header", format!("found `{header}`, expected the name of a header")))
}

enum Shows {
    Header(HeaderName, HeaderValue),
    Token(Box<Tokens>),
    Signature { signer: SignerRef, looks_at_body: bool },
    Jwt(Box<Mint>),
    Delegated,
    Whatever,
    Nothing,
}

impl Filter for Shows {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        match self {
            Self::Header(name, value) => {
                exchange.headers.remove(AUTHORIZATION);
                exchange.headers.insert(name, value);
                Step::Done(Ok(Outcome::Changed))
            }
            Self::Nothing => {
                let removed = exchange.headers.remove(AUTHORIZATION);
                Step::Done(Ok(if removed { Outcome::Changed } else { Outcome::Skipped }))
            }
            Self::Whatever => Step::Done(Ok(Outcome::Skipped)),
            Self::Delegated => Step::Done(Ok(delegate(exchange))),
            Self::Jwt(mint) => Step::Done(mint.show(exchange)),
            Self::Signature { signer, .. } => {
                exchange.headers.remove(AUTHORIZATION);
                exchange.note(|| "is signed when it is sent".into());
                exchange.extras_mut().signer = Some(signer.clone());
                Step::Done(Ok(Outcome::Changed))
            }
            Self::Token(tokens) => {
                exchange.headers.remove(AUTHORIZATION);
                if exchange.dry_run {
                    exchange.note(|| "would show a token of the authorization server".into());
                    return Step::Done(Ok(Outcome::Changed));
                }
                Step::Later(Box::pin(tokens.show(exchange)))
            }
        }
    }

    fn needs(&self) -> Needs {
        match self {
            Self::Signature { looks_at_body, .. } => {
                Needs { request_body: *looks_at_body, ..Needs::default() }
            }
            Self::Jwt(mint) => mint.needs(),
            _ => Needs::default(),
        }
    }
}

/// Sends the client's bearer token on, and nothing else of its credentials.
fn delegate(exchange: &mut Exchange) -> Outcome {
    let known = exchange.authorization().and_then(|known| known.incoming_token.as_deref());
    let sent = || {
        let value = exchange.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    let value = known.or_else(sent).and_then(|token| sensitive(&format!("Bearer {token}"), "").ok());
    let removed = exchange.headers.remove(AUTHORIZATION);
    match value {
        Some(value) => {
            exchange.headers.insert(AUTHORIZATION, value);
            Outcome::Changed
        }
        None => {
            exchange.note(|| "the client sent no bearer token".into());
            if removed { Outcome::Changed } else { Outcome::Skipped }
        }
    }
}
