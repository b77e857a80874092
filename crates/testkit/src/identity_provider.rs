//! An authorization server in this process: metadata, keys and introspection over HTTP. It can be slow, be down, and
//! exchange its keys. Tokens are signed without asking it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::{Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::{
    body::{self, Body},
    gateway::START,
    upstream::{Builder, Place, Seen, Upstream},
};

/// A private key that signs tokens.
pub struct Signer {
    id: String,
    key: Key,
}

enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
    Hs256(Vec<u8>),
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// SHA-256 in base64url.
pub fn digest_of(text: impl AsRef<[u8]>) -> String {
    encode(sha256(text))
}

pub fn sha256(text: impl AsRef<[u8]>) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_ref()).as_ref().to_vec()
}

impl Signer {
    /// A key on P-256.
    pub fn es256(id: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { id: id.to_owned(), key: Key::Es256(key) }
    }

    pub fn eddsa(id: &str) -> Self {
        Self { id: id.to_owned(), key: Key::EdDsa(Ed25519KeyPair::generate().expect("a key")) }
    }

    /// An RSA key, which takes a moment to be made.
    pub fn rs256(id: &str) -> Self {
        Self { id: id.to_owned(), key: Key::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")) }
    }

    pub fn hs256(id: &str, secret: impl Into<Vec<u8>>) -> Self {
        Self { id: id.to_owned(), key: Key::Hs256(secret.into()) }
    }

    pub fn algorithm(&self) -> &'static str {
        match &self.key {
            Key::Es256(_) => "ES256",
            Key::EdDsa(_) => "EdDSA",
            Key::Rs256(_) => "RS256",
            Key::Hs256(_) => "HS256",
        }
    }

    /// The public key, without its name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn jwk(&self) -> Value {
        match &self.key {
            Key::Es256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Key::EdDsa(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key()) }),
            Key::Rs256(key) => {
                let public = key.public_key();
                let number = |bytes: &[u8]| encode(bytes);
                let (n, e) = (public.modulus(), public.exponent());
                json!({ "kty": "RSA", "n": number(n.big_endian_without_leading_zero()), "e": number(e.big_endian_without_leading_zero()) })
            }
            Key::Hs256(_) => panic!("a secret has no public key"),
        }
    }

    /// The public key as PEM.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pem(&self) -> String {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = match &self.key {
            Key::Es256(key) => key.public_key().as_der(),
            Key::EdDsa(key) => key.public_key().as_der(),
            Key::Rs256(key) => key.public_key().as_der(),
            Key::Hs256(_) => panic!("a secret has no public key"),
        }
        .expect("a public key");
        let text = base64ct::Base64::encode_string(der.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
    }

    /// The same as it is published.
    pub fn published(&self) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = self.id.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// Signs claims, with these members of the header instead of the usual ones; `null` takes one away.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut head = json!({ "alg": self.algorithm(), "kid": self.id, "typ": "JWT" });
        merge(&mut head, header);
        self.sign_text(&head.to_string(), &claims.to_string())
    }

    /// Signs any text as header and claims.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        format!("{signed}.{}", encode(self.sign_bytes(signed.as_bytes())))
    }

    /// The signature over anything.
    pub fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Es256(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
            Key::Rs256(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Key::Hs256(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
        }
    }
}

/// A token inside an encrypted one, with a key of 32 bytes that both sides know (`dir`, A256GCM).
///
/// # Panics
///
/// When the key is of another length.
pub fn encrypt(token: &str, key: &[u8]) -> String {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let head = encode(r#"{"alg":"dir","enc":"A256GCM","cty":"JWT"}"#);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes"));
    let iv = [7; 12];
    let mut text = token.as_bytes().to_vec();
    let aad = Aad::from(head.as_bytes());
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = key.seal_in_place_separate_tag(nonce, aad, &mut text).expect("an encrypted text");
    format!("{head}..{}.{}.{}", encode(iv), encode(text), encode(tag))
}

/// Takes over members; `null` takes one away.
fn merge(into: &mut Value, members: &Value) {
    let (Some(into), Some(members)) = (into.as_object_mut(), members.as_object()) else { return };
    for (name, value) in members {
        match value {
            Value::Null => into.remove(name),
            value => into.insert(name.clone(), value.clone()),
        };
    }
}

/// Somebody who has logged in: what has to be shown for a token, as it was written, and the token.
struct PendingLogin {
    challenge: String,
    redirect_uri: String,
    id_token: String,
}

/// A value in a query or a form, as it is written there.
fn field<'f>(form: &'f str, name: &str) -> &'f str {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

#[derive(Default)]
struct State {
    issuer: Mutex<String>,
    /// The last one signs.
    signers: Mutex<Vec<Arc<Signer>>>,
    published: Mutex<Vec<Value>>,
    /// Logins that have not been exchanged for tokens yet, by their codes.
    logins: Mutex<HashMap<String, PendingLogin>>,
    /// What is said about tokens.
    answers: Mutex<HashMap<String, Value>>,
    down: AtomicBool,
    delay_ms: AtomicU64,
    metadata: AtomicUsize,
    keys: AtomicUsize,
    asked: AtomicUsize,
}

/// A running authorization server; it ends when this is dropped.
pub struct IdentityProvider {
    upstream: Upstream,
    state: Arc<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdentityProvider {
    /// Path of its metadata.
    pub const DISCOVERY: &str = "/.well-known/openid-configuration";

    /// Starts with one key, called `key-1`.
    pub async fn start() -> Self {
        Self::at(Place::reserve(), None).await
    }

    /// The same with TLS.
    pub async fn with_tls(config: Arc<ServerConfig>) -> Self {
        Self::at(Place::reserve(), Some(config)).await
    }

    async fn at(place: Place, tls: Option<Arc<ServerConfig>>) -> Self {
        let state = Arc::new(State::default());
        let answering = Arc::clone(&state);
        let builder = Builder::service(move |request, record| {
            let state = Arc::clone(&answering);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let path = head.uri.path().to_owned();
                let form = String::from_utf8_lossy(&body).into_owned();
                record.push(Seen {
                    method: head.method,
                    path: path.clone(),
                    headers: head.headers,
                    body,
                    trailers: http::HeaderMap::new(),
                    http2: false,
                });
                tokio::time::sleep(Duration::from_millis(state.delay_ms.load(SeqCst))).await;
                state.answer(&path, &form)
            }
        });
        let builder = match tls {
            Some(config) => builder.tls(config),
            None => builder,
        };
        let provider = Self { upstream: place.start(builder).await, state };
        *lock(&provider.state.issuer) = provider.upstream.url();
        provider.add_key(Signer::es256("key-1"));
        provider
    }

    pub fn issuer(&self) -> String {
        lock(&self.state.issuer).clone()
    }

    pub fn url(&self) -> String {
        self.upstream.url()
    }

    /// What an entry of `authorizationServers` says about it.
    pub fn doc(&self, name: &str) -> Value {
        json!({ "name": name, "issuer": self.issuer(), "audiences": ["orders"] })
    }

    /// Publishes another key, and signs with it from now on. Those before stay published.
    pub fn add_key(&self, signer: Signer) {
        lock(&self.state.published).push(signer.published());
        lock(&self.state.signers).push(Arc::new(signer));
    }

    /// Publishes these documents as keys, whatever it signs with.
    pub fn publish(&self, keys: Vec<Value>) {
        *lock(&self.state.published) = keys;
    }

    /// The key that signs now.
    ///
    /// # Panics
    ///
    /// Never: there is one from the beginning.
    pub fn signer(&self) -> Arc<Signer> {
        lock(&self.state.signers).last().cloned().expect("a key")
    }

    /// Whether it answers with errors only.
    pub fn set_down(&self, down: bool) {
        self.state.down.store(down, SeqCst);
    }

    /// How long it thinks about every answer.
    pub fn set_delay(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis().try_into().unwrap_or(u64::MAX), SeqCst);
    }

    /// How often keys were fetched.
    pub fn key_fetches(&self) -> usize {
        self.state.keys.load(SeqCst)
    }

    /// How often it was asked about a token.
    pub fn asked(&self) -> usize {
        self.state.asked.load(SeqCst)
    }

    /// The latest request.
    pub fn last(&self) -> Seen {
        self.upstream.last()
    }

    /// What it says about a token from now on.
    pub fn knows(&self, token: &str, answer: Value) {
        lock(&self.state.answers).insert(token.to_owned(), answer);
    }

    /// Claims that are usual: for `orders`, of client `shop`, valid for five minutes from the start of the clock.
    pub fn claims(&self, more: &Value) -> Value {
        let now = START.seconds();
        let mut claims = json!({
            "iss": self.issuer(),
            "sub": "ann",
            "aud": "orders",
            "client_id": "shop",
            "scope": "orders.read",
            "iat": now,
            "exp": now + 300,
        });
        merge(&mut claims, more);
        claims
    }

    /// Logs `ann` in who was sent here, and says with which query the browser goes back. The ID token has the usual
    /// claims, and these instead of some of them; `null` takes one away.
    pub fn log_in(&self, location: &str, claims: &Value) -> String {
        self.log_in_signed(location, claims, &self.signer())
    }

    /// The same with an ID token that somebody else has signed.
    pub fn log_in_signed(&self, location: &str, claims: &Value, signer: &Signer) -> String {
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let now = START.seconds();
        let mut usual = json!({
            "iss": self.issuer(),
            "sub": "ann",
            "aud": field(query, "client_id"),
            "nonce": field(query, "nonce"),
            "iat": now,
            "exp": now + 300,
        });
        merge(&mut usual, claims);
        let login = PendingLogin {
            challenge: field(query, "code_challenge").to_owned(),
            redirect_uri: field(query, "redirect_uri").to_owned(),
            id_token: signer.sign(&json!({}), &usual),
        };
        let mut logins = lock(&self.state.logins);
        let code = format!("code-{}", field(query, "state"));
        logins.insert(code.clone(), login);
        format!("code={code}&state={}", field(query, "state"))
    }

    /// A token with the usual claims, and these instead of some of them; `null` takes one away.
    pub fn token(&self, claims: &Value) -> String {
        self.signer().sign(&json!({}), &self.claims(claims))
    }
}

impl State {
    fn answer(&self, path: &str, form: &str) -> Response<Body> {
        let mut status = StatusCode::OK;
        let body = match path {
            _ if self.down.load(SeqCst) => {
                status = StatusCode::SERVICE_UNAVAILABLE;
                json!({ "error": "down" })
            }
            IdentityProvider::DISCOVERY => {
                self.metadata.fetch_add(1, SeqCst);
                let issuer = lock(&self.issuer).clone();
                json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks"), "introspection_endpoint": format!("{issuer}/introspect"),
                    "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token") })
            }
            "/jwks" => {
                self.keys.fetch_add(1, SeqCst);
                json!({ "keys": *lock(&self.published) })
            }
            "/token" => {
                // A code is good for once, and for whoever began the login.
                let found = lock(&self.logins).remove(field(form, "code"));
                let found = found.filter(|login| {
                    login.challenge == digest_of(field(form, "code_verifier"))
                        && login.redirect_uri == field(form, "redirect_uri")
                });
                match found {
                    Some(login) => {
                        json!({ "access_token": "opaque", "token_type": "Bearer", "id_token": login.id_token })
                    }
                    None => {
                        status = StatusCode::BAD_REQUEST;
                        json!({ "error": "invalid_grant" })
                    }
                }
            }
            "/introspect" => {
                self.asked.fetch_add(1, SeqCst);
                let token = form.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or("");
                lock(&self.answers).get(token).cloned().unwrap_or_else(|| json!({ "active": false }))
            }
            _ => {
                status = StatusCode::NOT_FOUND;
                json!({ "error": "not found" })
            }
        };
        let mut response = Response::new(body::full(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        response
    }
}
