//! Authorization servers elsewhere: one signs, and one is asked.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::http;

pub const SHARED_SECRET: &str = "a secret of thirty-two bytes and more";
const A_DAY: u64 = 86_400;

/// What signs tokens.
pub enum Signer {
    Key(Box<SigningKey>),
    /// With a secret that both sides know.
    Secret,
}

impl Signer {
    pub fn new(algorithm: Algorithm) -> Option<Self> {
        if algorithm.is_symmetric() {
            return Some(Self::Secret);
        }
        let key = SigningKey::parse(algorithm, &SigningKey::generate(algorithm)?)?;
        Some(Self::Key(Box::new(key)))
    }

    /// Its public part.
    pub fn published(&self) -> Option<Value> {
        match self {
            Self::Key(key) => Some(Value::Object(key.public_jwk().clone())),
            Self::Secret => None,
        }
    }

    pub fn sign(&self, claims: &Value) -> io::Result<String> {
        match self {
            Self::Key(key) => key.sign("at+jwt", claims).ok_or_else(|| io::Error::other("no randomness")),
            Self::Secret => {
                let header = json!({ "alg": "HS256", "typ": "at+jwt" }).to_string();
                let [header, claims] = [header, claims.to_string()].map(|part| encoded(part.as_bytes()));
                let key = hmac::Key::new(hmac::HMAC_SHA256, SHARED_SECRET.as_bytes());
                let signed = hmac::sign(&key, format!("{header}.{claims}").as_bytes());
                Ok(format!("{header}.{claims}.{}", encoded(signed.as_ref())))
            }
        }
    }
}

fn encoded(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// What a token says that nobody has seen.
pub fn claims(issuer: &str, audience: &str, number: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    json!({
        "iss": issuer, "aud": audience, "sub": "4711", "client_id": "elsewhere", "scope": "orders.read orders.write",
        "iat": now, "exp": now + A_DAY, "jti": number,
    })
}

/// Serves introspection (RFC 7662): every token is right.
pub fn answers_about_tokens() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

/// Answers on one connection until it ends.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut more = [0; 4_096];
    loop {
        if let Some(head) = http::head(&buffer)
            && buffer.len() >= head.length + head.content_length.unwrap_or_default()
        {
            buffer.drain(..head.length + head.content_length.unwrap_or_default());
            let mut said = claims("https://introspected.example", "bench", "1");
            said["active"] = Value::Bool(true);
            let said = said.to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
            write!(stream, "{head}Content-Length: {}\r\n\r\n{said}", said.len())?;
            continue;
        }
        let read = stream.read(&mut more)?;
        if read == 0 {
            return Ok(());
        }
        buffer.extend_from_slice(&more[..read]);
    }
}
