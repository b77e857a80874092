//! The works that the proxies are compared in: what is asked, and what must come back.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// API keys that the governed work is spread over.
pub const KEYS: usize = 1_000;
/// Header that carries the API key.
pub const KEY_HEADER: &str = "x-Gateway-APIKey";
/// First segment of every path; Gatewright takes it off, the upstream does not look at it.
pub const BASE: &str = "/bench";
/// Routes under one API of Gatewright, and below one path segment for all.
pub const ROUTES_PER_GROUP: usize = 100;
/// Routes of the small configuration that the large ones are compared with.
pub const FEW_ROUTES: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Plain,
    Body64k,
    Post1k,
    Governed,
    Routes10k,
    Routes100k,
    Tls,
    Reload,
    /// What is asked of one policy after the other; measured apart from the others.
    Policies,
}

impl Work {
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Body64k,
        Self::Post1k,
        Self::Governed,
        Self::Routes10k,
        Self::Routes100k,
        Self::Tls,
        Self::Reload,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Body64k => "body64k",
            Self::Post1k => "post1k",
            Self::Governed => "governed",
            Self::Routes10k => "routes10k",
            Self::Routes100k => "routes100k",
            Self::Tls => "tls",
            Self::Reload => "reload",
            Self::Policies => "policies",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Plain => "GET, 150 B JSON, nothing but proxying",
            Self::Body64k => "GET, 64 KiB response",
            Self::Post1k => "POST of 1 KiB with Content-Length",
            Self::Governed => {
                "as plain, with an API key among 1,000, a rate limit that never triggers, a log of requests"
            }
            Self::Routes10k => "as plain, spread over 10,000 routes",
            Self::Routes100k => "as plain, spread over 100,000 routes",
            Self::Tls => "as plain, TLS 1.3 from the client, keep-alive",
            Self::Reload => "as plain, at a fixed rate, while the configuration changes",
            Self::Policies => "POST of 1 KiB of JSON with an API key among 1,000",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    /// Numbers of routes that are configured, each in an instance of its own; 0 stands for one route for all.
    pub fn variants(self) -> &'static [usize] {
        match self {
            Self::Routes10k => &[10_000, FEW_ROUTES],
            Self::Routes100k => &[100_000, FEW_ROUTES],
            _ => &[0],
        }
    }

    /// Share of the fixed rate that is sent. Large bodies get less, or the rate would be a saturation test for some.
    pub fn rate(self, rate: f64) -> f64 {
        if self == Self::Body64k { rate / 5.0 } else { rate }
    }

    /// The requests that are sent in turn.
    pub fn requests(self, routes: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Body64k => vec![get(&format!("{BASE}/64k"), "")],
            Self::Post1k => vec![post(&format!("{BASE}/echo"), "", &pattern(1024))],
            Self::Policies => (0..KEYS)
                .map(|n| {
                    let header = format!("{KEY_HEADER}: {}\r\n", key(scattered(n, KEYS)));
                    post(&format!("{BASE}/echo"), &header, &order())
                })
                .collect(),
            Self::Governed => (0..KEYS)
                .map(|n| {
                    get(&format!("{BASE}/150"), &format!("{KEY_HEADER}: {}\r\n", key(scattered(n, KEYS))))
                })
                .collect(),
            Self::Routes10k | Self::Routes100k => {
                (0..routes).map(|n| get(&route(scattered(n, routes)), "")).collect()
            }
            Self::Plain | Self::Tls | Self::Reload => vec![get(&format!("{BASE}/150"), "")],
        }
    }

    /// The body that each of them must bring.
    pub fn expected(self) -> Vec<u8> {
        match self {
            Self::Body64k => body_64k(),
            Self::Post1k | Self::Policies => received(1024),
            _ => body_150(),
        }
    }
}

fn get(path: &str, header: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n{header}\r\n")
        .into_bytes()
}

/// What asks for 150 B, as somebody.
pub fn authorized(path: &str, authorization: &str) -> Vec<u8> {
    get(&format!("{path}/150"), &format!("Authorization: {authorization}\r\n"))
}

fn post(path: &str, header: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n{header}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Another order of `0..count`, so that neighbours in a configuration are not asked for one after the other.
fn scattered(n: usize, count: usize) -> usize {
    // A prime that divides no count used here, so every number comes once.
    n * 7_919 % count
}

/// Path of a route; its last segment makes the upstream answer 150 B.
pub fn route(n: usize) -> String {
    format!("{BASE}/{}/{}", group(n), operation(n))
}

/// Path segment that `ROUTES_PER_GROUP` routes share.
pub fn group(n: usize) -> String {
    format!("g{:04}", n / ROUTES_PER_GROUP)
}

/// Path of a route below its group.
pub fn operation(n: usize) -> String {
    format!("r{n:06}/150")
}

/// The n-th API key.
pub fn key(n: usize) -> String {
    let mut key = sha256(&format!("gatewright benchmark key {n}"));
    key.truncate(32);
    key
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// 150 bytes of JSON.
pub fn body_150() -> Vec<u8> {
    let (start, end) =
        (r#"{"id":1742,"status":"shipped","customer":{"id":88,"name":"Example"},"note":""#, r#""}"#);
    let filler = "abcdefghij".chars().cycle().take(150 - start.len() - end.len());
    format!("{start}{}{end}", filler.collect::<String>()).into_bytes()
}

/// 1 KiB of JSON.
pub fn order() -> Vec<u8> {
    let items: Vec<String> = (0..10)
        .map(|n| format!(r#"{{"sku":"A-{n:03}","name":"Article","count":{n},"price":12.5}}"#))
        .collect();
    let start = format!(
        r#"{{"id":1742,"customer":{{"id":88,"name":"Example"}},"items":[{}],"note":""#,
        items.join(",")
    );
    let filler = "abcdefghij".chars().cycle().take(1024 - start.len() - 2);
    format!(r#"{start}{}"}}"#, filler.collect::<String>()).into_bytes()
}

/// What a definition says of [`order`].
pub const DEFINITION: &str = "openapi: 3.0.3
info: {title: bench, version: '1.0'}
paths:
  /echo:
    post:
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [id, customer, items]
              properties:
                id: {type: integer, minimum: 1}
                customer: {type: object, required: [id], properties: {id: {type: integer}, name: {type: string}}}
                items:
                  type: array
                  maxItems: 100
                  items:
                    type: object
                    required: [sku, count]
                    properties:
                      sku: {type: string, pattern: '^A-[0-9]{3}$'}
                      name: {type: string, maxLength: 50}
                      count: {type: integer, minimum: 0}
                      price: {type: number}
                note: {type: string, maxLength: 1000}
              additionalProperties: false
      responses: {'200': {description: ok}}
";

/// 64 KiB that do not repeat soon, so that a part in the wrong place is noticed.
pub fn body_64k() -> Vec<u8> {
    pattern(64 * 1024)
}

/// The upstream's answer to a POST: how many bytes of body arrived.
pub fn received(length: usize) -> Vec<u8> {
    format!("{{\"received\":{length}}}").into_bytes()
}

fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b'a' + ((state >> 33) % 26) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_key_is_asked_for_once() {
        for count in [FEW_ROUTES, KEYS, 10_000, 100_000] {
            let mut seen: Vec<_> = (0..count).map(|n| scattered(n, count)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn bodies_have_the_size_that_their_names_say() {
        assert_eq!(
            (body_150().len(), body_64k().len(), order().len(), received(7)),
            (150, 65_536, 1_024, b"{\"received\":7}".to_vec())
        );
        assert_eq!(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
