//! AWS Signature Version 4: what is signed, in which form, and the header that comes of it. Which values it is made from
//! is said by the try that it is for.

use aws_lc_rs::{digest, hmac};
use engine::{
    Rejection, Timestamp,
    signing::{BodyToSign, Signer, ToSign},
};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use model::Diagnostic;
use time::{OffsetDateTime, macros::format_description};

use super::{NOT_SIGNED, sensitive};

/// Signs requests.
pub struct AwsSigner {
    access_key_id: String,
    /// `AWS4` and the secret, from which the keys of a day are made.
    secret: Vec<u8>,
    token: Option<HeaderValue>,
    region: String,
    service: String,
    unsigned_payload: bool,
}

static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static CONTENT_HASH: HeaderName = HeaderName::from_static("x-amz-content-sha256");
static TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

impl AwsSigner {
    pub fn compile(
        access_key_id: String,
        secret: String,
        token: Option<HeaderValue>,
        region: String,
        service: String,
        unsigned_payload: bool,
    ) -> Result<Self, Diagnostic> {
        for (path, text) in [("accessKeyId", &access_key_id), ("region", &region), ("service", &service)] {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
            if text.is_empty() || !text.bytes().all(plain) {
                return Err(Diagnostic::error(
                    path,
                    format!("found `{text}`, expected letters, digits, dots and dashes"),
                ));
            }
        }
        let secret = format!("AWS4{secret}").into_bytes();
        Ok(Self { access_key_id, secret, token, region, service, unsigned_payload })
    }

    /// The signature over what a request is, in hexadecimal digits, and the scope of its key.
    fn signature(&self, request: &Canonical<'_>, at: &str) -> (String, String) {
        let day = at.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let hash = hex(digest::digest(&digest::SHA256, request.text().as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{hash}");
        let first = mac(&self.secret, day);
        let key = [&*self.region, &*self.service, "aws4_request"]
            .iter()
            .fold(first, |key, part| mac(key.as_ref(), part));
        (hex(mac(key.as_ref(), &to_sign).as_ref()), scope)
    }
}

impl Signer for AwsSigner {
    fn sign(&self, request: &ToSign<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, Box<Rejection>> {
        let wrong = |detail: &'static str| Rejection::new(&NOT_SIGNED).detail(detail);
        let at = written(request.now).ok_or_else(|| wrong("the time cannot be written"))?;
        let hash = match (self.unsigned_payload, &request.body) {
            (true, _) => UNSIGNED.to_owned(),
            (false, BodyToSign::None) => hex(digest::digest(&digest::SHA256, b"").as_ref()),
            (false, BodyToSign::Whole(body)) => hex(digest::digest(&digest::SHA256, body).as_ref()),
            (false, BodyToSign::Streams) => {
                return Err(wrong("its body streams; only `unsignedPayload` can sign such requests"));
            }
        };
        let token = self.token.as_ref().and_then(|token| token.to_str().ok());
        let mut headers =
            vec![("host", request.authority), (CONTENT_HASH.as_str(), &*hash), (DATE.as_str(), &*at)];
        headers.extend(token.map(|token| (TOKEN.as_str(), token)));
        let path = request.path.concat();
        let canonical = Canonical {
            method: request.method.as_str(),
            path: if self.service == "s3" { canonical_path(&path) } else { canonical_path_twice(&path) },
            query: canonical_query(request.query.unwrap_or_default()),
            headers: &headers,
            hash: &hash,
        };
        let names = canonical.names();
        let (signature, scope) = self.signature(&canonical, &at);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        let value = |text: &str| sensitive(text, "").map_err(|_| wrong("a header cannot be written"));
        let mut signed = vec![
            (AUTHORIZATION, value(&authorization)?),
            (CONTENT_HASH.clone(), value(&hash)?),
            (DATE.clone(), value(&at)?),
        ];
        signed.extend(self.token.clone().map(|token| (TOKEN.clone(), token)));
        Ok(signed)
    }
}

/// A request in the form that is signed.
struct Canonical<'a> {
    method: &'a str,
    path: String,
    query: String,
    /// By name, in lower case and in order.
    headers: &'a [(&'a str, &'a str)],
    hash: &'a str,
}

impl Canonical<'_> {
    fn names(&self) -> String {
        self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
    }

    fn text(&self) -> String {
        let Self { method, path, query, hash, .. } = self;
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        format!("{method}\n{path}\n{query}\n{headers}\n{}\n{hash}", self.names())
    }
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As in `20150830T123600Z`.
fn written(now: Timestamp) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(now.seconds()).ok()?).ok()?;
    time.format(format_description!("[year][month][day]T[hour][minute][second]Z")).ok()
}

/// Every byte that is not unreserved (RFC 3986, 2.3) is encoded, with capitals; `keep` stays.
fn encode(bytes: impl IntoIterator<Item = u8>, keep: Option<u8>) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || Some(byte) == keep {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decode(text: &str, plus_is_blank: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?)).flatten();
        match (escaped.and_then(|value| u8::try_from(value).ok()), bytes[at]) {
            (Some(byte), _) => {
                out.push(byte);
                at += 2;
            }
            (None, b'+') if plus_is_blank => out.push(b' '),
            (None, byte) => out.push(byte),
        }
        at += 1;
    }
    out
}

/// The path of an object: encoded once, as it is.
fn canonical_path(path: &str) -> String {
    let path = if path.is_empty() { "/" } else { path };
    encode(decode(path, false), Some(b'/'))
}

/// The path of every other service: what is sent is encoded once more, and slashes in a row are one.
fn canonical_path_twice(path: &str) -> String {
    let mut one = String::with_capacity(path.len() + 1);
    for c in std::iter::once('/').chain(path.chars()) {
        if c != '/' || !one.ends_with('/') {
            one.push(c);
        }
    }
    encode(one.into_bytes(), Some(b'/'))
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(decode(name, true), None), encode(decode(value, true), None))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signer(id: &str, secret: &str, service: &str) -> AwsSigner {
        AwsSigner::compile(id.into(), secret.into(), None, "us-east-1".into(), service.into(), false).unwrap()
    }

    /// Facts of the test suite that AWS published for this version of the signature.
    #[test]
    fn published_requests_have_their_published_signatures() {
        let signer = signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "service");
        let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let itself = format!("{unreserved}={unreserved}");
        for (method, path, query, expect) in [
            ("GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "/",
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            ("GET", "/", &itself, "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
            ("GET", "/%E1%88%B4", "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ] {
            let canonical = Canonical {
                method,
                path: canonical_path(path),
                query: canonical_query(query),
                headers: &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
                hash: EMPTY,
            };
            let (signature, scope) = signer.signature(&canonical, "20150830T123600Z");
            assert_eq!((&*signature, &*scope), (expect, "20150830/us-east-1/service/aws4_request"), "{path}");
        }
    }

    /// Facts of the examples in the documentation of S3.
    #[test]
    fn requests_for_objects_have_their_published_signatures() {
        let signer = signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "s3");
        for (query, expect) in [
            ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] {
            let request = ToSign {
                method: &http::Method::GET,
                authority: "examplebucket.s3.amazonaws.com",
                path: ["", "/"],
                query: Some(query),
                body: BodyToSign::None,
                now: Timestamp::from_millis(1_369_353_600_000),
            };
            let signed = signer.sign(&request).unwrap();
            let value = |name: &HeaderName| &signed.iter().find(|(known, _)| known == name).unwrap().1;
            assert_eq!(
                value(&AUTHORIZATION).to_str().unwrap(),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={expect}"
                )
            );
            assert_eq!(
                (value(&DATE), value(&CONTENT_HASH)),
                (&"20130524T000000Z".parse().unwrap(), &EMPTY.parse().unwrap())
            );
        }
    }

    #[test]
    fn paths_and_queries_have_one_form() {
        for (path, once, twice) in [
            ("", "/", "/"),
            ("/a//b", "/a//b", "/a/b"),
            ("/a$b", "/a%24b", "/a%24b"),
            ("/a%24b", "/a%24b", "/a%2524b"),
            ("/a%2fb", "/a/b", "/a%252fb"),
            ("/a%zz", "/a%25zz", "/a%25zz"),
        ] {
            assert_eq!((&*canonical_path(path), &*canonical_path_twice(path)), (once, twice), "{path}");
        }
        for (query, expect) in
            [("", ""), ("b&a=2&a=1", "a=1&a=2&b="), ("a=%2f+%20&&", "a=%2F%20%20"), ("a==b", "a=%3Db")]
        {
            assert_eq!(canonical_query(query), expect, "{query}");
        }
    }

    #[test]
    fn a_body_that_streams_is_signed_only_when_it_may_stay_unsigned() {
        let request = |body| ToSign {
            method: &http::Method::PUT,
            authority: "b.s3.amazonaws.com",
            path: ["", "/x"],
            query: None,
            body,
            now: Timestamp::from_millis(0),
        };
        let mut signer = signer("A", "s", "s3");
        let refused = signer.sign(&request(BodyToSign::Streams)).unwrap_err();
        assert_eq!(refused.reason.code, "outbound_not_signed");
        let of = |signer: &AwsSigner, body| signer.sign(&request(body)).unwrap()[1].1.clone();
        assert_ne!(of(&signer, BodyToSign::Whole(b"a")), of(&signer, BodyToSign::Whole(b"b")));
        signer.unsigned_payload = true;
        assert_eq!(of(&signer, BodyToSign::Streams), UNSIGNED);
    }
}
