//! Callback URLs: sealed into URLs of the gateway, which upstreams call, and opened again when they do.
//!
//! A sealed URL carries everything that is needed to serve it - whose callback it is, where it leads, until when - so that
//! no node has to remember any. AES-256-GCM (NIST SP 800-38D) with random nonces: nobody who lacks the key can read one,
//! or make one. What a callback meets on its way is left to `proxy`.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::{HeaderName, Uri};
use model::{IpRange, callback::CallbackSettings};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Client, Exchange, Rejection, Timestamp, dynamic_endpoint::DynamicEndpoint, reason, route::decode,
};

/// Every callback that leaves the gateway has it. One that comes in again has been led in a circle.
pub static LOOP_MARK: HeaderName = HeaderName::from_static("gatewright-callback");

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;
/// What a sealed URL is bound to, so that nothing else that is ever sealed under the same key can pass for one.
const BOUND_TO: &[u8] = b"gatewright callback URL, format 1";
/// Longest URL of a client. Sealed and written in base64 it still fits into a request line.
pub const LONGEST_URL: usize = 2_000;
/// Longest sealed URL, which no client's URL reaches.
const LONGEST_SEALED: usize = 6_000;

/// A URL of a client that may be called back, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl {
    pub endpoint: DynamicEndpoint,
    /// Path and query, as they were written; `/` where there is none.
    target: Box<str>,
}

impl CallbackUrl {
    /// Reads a URL: scheme, host and port as strictly as any endpoint that is made from a request, then path and query.
    /// No user, no fragment, no dot segment, and nothing that some readers would read differently.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST_URL {
            return Err("it is too long");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
            return Err("it has a character that no URL has");
        }
        if text.contains('#') {
            return Err("it has a fragment");
        }
        let (scheme, rest) = text.split_once("://").ok_or("it does not begin with http:// or https://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let origin = format!("{}://{}", scheme.to_ascii_lowercase(), &rest[..end]);
        let endpoint = DynamicEndpoint::parse(&origin)?;
        let target = &rest[end..];
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let path = target.split('?').next().unwrap_or_default();
        decode(path, false).map_err(|_| "its path has dot segments, or an encoding that is broken")?;
        target.parse::<Uri>().map_err(|_| "its path is not valid")?;
        Ok(Self { endpoint, target: target.into() })
    }

    /// Whether it has a path that can begin other paths, and nothing behind it.
    pub(crate) fn has_plain_path(&self) -> bool {
        self.target.len() > 1
            && !self.target.contains("//")
            && self.target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
    }

    /// What is called when somebody adds a path and a query to the URL.
    fn target_with(&self, path: &str, query: Option<&str>) -> String {
        let (own_path, own_query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&*self.target, None),
        };
        let own_path = if path.is_empty() { own_path } else { own_path.trim_end_matches('/') };
        let mut target = format!("{own_path}{path}");
        for (place, query) in own_query.into_iter().chain(query).enumerate() {
            target.push(if place == 0 { '?' } else { '&' });
            target.push_str(query);
        }
        target
    }
}

/// What a sealed URL says. In this order it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sealed {
    /// Seconds since 1970.
    expires: u64,
    /// Name and version of the API.
    api: Box<str>,
    /// Method and path of the operation; empty where the API has none.
    operation: Box<str>,
    url: Box<str>,
}

/// A callback that was opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Callback {
    api: Box<str>,
    operation: Box<str>,
    endpoint: DynamicEndpoint,
    target: Uri,
}

/// What `settings.callbacks` says, ready.
pub struct Callbacks {
    /// What every callback URL begins with, as in `https://gateway.example/callbacks/`.
    base: Box<str>,
    /// The host in it.
    gateway: Box<str>,
    /// The path in it: `/callbacks/`.
    path: Box<str>,
    https_only: bool,
    /// `None` trusts everybody who has a sealed URL.
    trusted: Option<Box<[IpRange]>>,
    /// The first one seals.
    keys: Box<[RandomizedNonceKey]>,
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callbacks({}, {} keys)", self.base, self.keys.len())
    }
}

/// A key from its bytes. Another one is derived from it, so that one that is used for something else, too, does no harm.
pub(crate) fn derive_key(bytes: &[u8; KEY_LENGTH]) -> Option<RandomizedNonceKey> {
    let derived = Sha256::new_with_prefix(BOUND_TO).chain_update(bytes).finalize();
    RandomizedNonceKey::new(&AES_256_GCM, &derived).ok()
}

impl Callbacks {
    /// What the settings say; the URL was checked, and there is a key.
    pub(crate) fn new(settings: &CallbackSettings, url: &CallbackUrl, keys: Vec<RandomizedNonceKey>) -> Self {
        let path = format!("{}/", url.target.trim_end_matches('/'));
        Self {
            base: format!("{}{path}", url.endpoint.url).into(),
            gateway: url.endpoint.host.clone(),
            path: path.into(),
            https_only: settings.https_only,
            trusted: settings.only_trusted_addresses.then(|| settings.trusted_addresses.clone().into()),
            keys: keys.into(),
        }
    }

    /// The path that callbacks are below, without a slash at its end.
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// Whether an endpoint is at the host where upstreams reach the gateway.
    pub fn lead_to(&self, endpoint: &DynamicEndpoint) -> bool {
        endpoint.host == self.gateway
    }

    /// The URL of the gateway that stands for a client's, for callbacks of the operation that a request calls. `None`
    /// when there is no randomness.
    pub fn seal(&self, exchange: &Exchange, url: &CallbackUrl, expires: Timestamp) -> Option<String> {
        let api = exchange.api()?;
        let sealed = Sealed {
            expires: expires.seconds(),
            api: api.names.id.clone(),
            operation: api.operation_names(exchange.operation).map_or_else(Box::default, operation_key),
            url: format!("{}{}", url.endpoint.url, url.target).into(),
        };
        let mut content = serde_json::to_vec(&sealed).ok()?;
        let nonce = self.keys.first()?.seal_in_place_append_tag(Aad::from(BOUND_TO), &mut content).ok()?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut content);
        Some(format!("{}{}", self.base, Base64UrlUnpadded::encode_string(&whole)))
    }

    /// Whether somebody calls a callback URL.
    pub fn is_called(&self, uri: &Uri) -> bool {
        uri.path().len() > self.path.len() && uri.path().starts_with(&*self.path)
    }

    /// Refuses what has been led here by a callback, whatever it calls.
    pub fn refuse_circle(exchange: &Exchange) -> Result<(), Box<Rejection>> {
        match exchange.headers.contains_key(&LOOP_MARK) {
            true => Err(Rejection::new(&reason::CALLBACK_CIRCLE)),
            false => Ok(()),
        }
    }

    /// Takes what is sealed out of the URL of a callback, so that no record of it opens the way to the client, and marks
    /// the request as a callback.
    pub fn take_sealed(&self, exchange: &mut Exchange) -> Result<Taken, Box<Rejection>> {
        exchange.callback = true;
        let bad_path = || Rejection::new(&reason::BAD_PATH);
        let below = exchange.uri.path().get(self.path.len()..).unwrap_or_default();
        let (sealed, path) = below.split_at(below.find('/').unwrap_or(below.len()));
        let (sealed, path): (Box<str>, Box<str>) = (sealed.into(), path.into());
        let query: Option<Box<str>> = exchange.uri.query().map(Into::into);
        let mark = query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        exchange.uri = format!("{}-{path}{mark}", self.path).parse().map_err(|_| bad_path())?;
        exchange.keep_inbound();
        // Behind what the client named there is no way up.
        decode(&path, true).map_err(|error| bad_path().detail(format!("{error:?}")))?;
        Ok(Taken { sealed, path, query })
    }

    /// Whether somebody may send callbacks at all.
    pub fn admit(&self, client: &Client) -> Result<(), Box<Rejection>> {
        if self.https_only && !client.secure {
            return Err(Rejection::new(&reason::CALLBACK_NOT_SECURE));
        }
        let address = client.ip.to_canonical();
        let is_in = |ranges: &[IpRange]| ranges.iter().any(|range| range.contains(address));
        match &self.trusted {
            Some(ranges) if !is_in(ranges) => Err(Rejection::new(&reason::CALLBACK_NOT_TRUSTED)),
            _ => Ok(()),
        }
    }

    /// Opens what was sealed.
    pub fn open(&self, taken: &Taken, now: Timestamp) -> Result<Callback, Box<Rejection>> {
        let unknown = |detail: &'static str| Rejection::new(&reason::CALLBACK_UNKNOWN).detail(detail);
        let sealed = self.unseal(&taken.sealed).ok_or_else(|| unknown("it is sealed by nobody here"))?;
        if now.seconds() >= sealed.expires {
            return Err(Rejection::new(&reason::CALLBACK_EXPIRED));
        }
        // It was read like this before it was sealed.
        let url = CallbackUrl::parse(&sealed.url).map_err(unknown)?;
        let target = url.target_with(&taken.path, taken.query.as_deref());
        let target = target.parse().map_err(|_| Rejection::new(&reason::BAD_PATH))?;
        Ok(Callback { api: sealed.api, operation: sealed.operation, endpoint: url.endpoint, target })
    }

    fn unseal(&self, text: &str) -> Option<Sealed> {
        if text.len() > LONGEST_SEALED {
            return None;
        }
        let whole = Base64UrlUnpadded::decode_vec(text).ok()?;
        let (nonce, content) = whole.split_at_checked(NONCE_LEN)?;
        self.keys.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut content = content.to_vec();
            let clear = key.open_in_place(nonce, Aad::from(BOUND_TO), &mut content).ok()?;
            serde_json::from_slice(clear).ok()
        })
    }
}

/// The parts of a callback's URL.
#[derive(Debug)]
pub struct Taken {
    sealed: Box<str>,
    /// What follows it; empty or with a slash at its beginning.
    path: Box<str>,
    query: Option<Box<str>>,
}

impl Callback {
    /// Takes a request for the callback of its API and operation, and says where it goes. What is gone meanwhile is not
    /// called back for any more.
    pub fn take(self, exchange: &mut Exchange) -> Result<DynamicEndpoint, Box<Rejection>> {
        let snapshot = exchange.snapshot.clone();
        let gone = |detail: &'static str| Rejection::new(&reason::CALLBACK_UNKNOWN).detail(detail);
        let place = snapshot.apis.iter().position(|api| api.names.id == self.api);
        let place = place.ok_or_else(|| gone("its API is not served any more"))?;
        let api = &snapshot.apis[place];
        let operations = &api.names.operations;
        let operation = operations.iter().position(|operation| operation_key(operation) == self.operation);
        if operation.is_none() && !self.operation.is_empty() {
            return Err(gone("its operation is not served any more"));
        }
        exchange.api = u32::try_from(place).ok();
        exchange.operation = operation.and_then(|operation| u32::try_from(operation).ok());
        exchange.uri = self.target;
        Ok(self.endpoint)
    }
}

fn operation_key(operation: &crate::journal::OperationNames) -> Box<str> {
    format!("{} {}", operation.method, operation.path).into()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn urls_of_clients_are_read_strictly() {
        for (text, expect) in [
            ("https://a.example/cb?x=1", Ok(("https://a.example", "/cb?x=1"))),
            ("HTTPS://A.example", Ok(("https://a.example", "/"))),
            ("http://a.example:81?x=http://b/", Ok(("http://a.example:81", "/?x=http://b/"))),
            ("https://a.example/%2e", Err("dot segments")),
            ("https://a.example/a/../b", Err("dot segments")),
            ("https://a.example/%zz", Err("dot segments")),
            ("https://a.example/#x", Err("fragment")),
            ("https://user@a.example/", Err("name")),
            ("https://user:pass@a.example/", Err("port")),
            ("https://a.example\\@b.example/", Err("character")),
            ("https://a.example/\r\nX: y", Err("character")),
            ("https://a.example/a b", Err("character")),
            ("https://ä.example/", Err("character")),
            ("ftp://a.example/", Err("http://")),
            ("//a.example/", Err("http://")),
            ("javascript:alert(1)", Err("http://")),
            ("https://[2001:DB8::7]:81/cb", Ok(("https://[2001:db8::7]:81", "/cb"))),
            ("https://[::1/", Err("`]`")),
            ("https://2130706433/", Err("number")),
            ("https:///x", Err("empty")),
            ("", Err("http://")),
        ] {
            match (CallbackUrl::parse(text), expect) {
                (Ok(url), Ok(expect)) => assert_eq!((&*url.endpoint.url, &*url.target), expect),
                (Err(found), Err(expect)) => assert!(found.contains(expect), "{text:?}: {found}"),
                (found, expect) => panic!("{text:?}: found {found:?}, expected {expect:?}"),
            }
        }
        assert!(CallbackUrl::parse(&format!("https://a.example/{}", "x".repeat(LONGEST_URL))).is_err());
    }

    #[test]
    fn what_is_added_to_a_callback_url_is_added_to_the_clients() {
        for (url, path, query, expect) in [
            ("https://a.example", "", None, "/"),
            ("https://a.example/cb", "", None, "/cb"),
            ("https://a.example/cb/", "", None, "/cb/"),
            ("https://a.example/cb", "/done", None, "/cb/done"),
            ("https://a.example/cb/", "/done", None, "/cb/done"),
            ("https://a.example/cb", "", Some("n=1"), "/cb?n=1"),
            ("https://a.example/cb?k=s", "", Some("n=1"), "/cb?k=s&n=1"),
            ("https://a.example/cb?k=s", "/done", Some("n=1"), "/cb/done?k=s&n=1"),
            ("https://a.example?k=s", "/done", None, "/done?k=s"),
        ] {
            assert_eq!(CallbackUrl::parse(url).unwrap().target_with(path, query), expect, "{url} {path}");
        }
    }

    fn callbacks(keys: &[u8], change: impl FnOnce(&mut CallbackSettings)) -> Callbacks {
        let mut settings = CallbackSettings::default();
        change(&mut settings);
        let url = CallbackUrl::parse("https://gw.example/callbacks").unwrap();
        let keys = keys.iter().map(|byte| derive_key(&[*byte; KEY_LENGTH]).unwrap()).collect();
        Callbacks::new(&settings, &url, keys)
    }

    fn sealed(by: &Callbacks, sealed: &Sealed) -> Vec<u8> {
        let mut content = serde_json::to_vec(sealed).unwrap();
        let nonce = by.keys[0].seal_in_place_append_tag(Aad::from(BOUND_TO), &mut content).unwrap();
        [&nonce.as_ref()[..], &content].concat()
    }

    fn example() -> Sealed {
        Sealed {
            expires: 100,
            api: "Orders:1.0".into(),
            operation: "POST /orders".into(),
            url: "https://a.example/cb".into(),
        }
    }

    fn open(callbacks: &Callbacks, text: &str, seconds: u64) -> Result<Callback, &'static str> {
        let taken = Taken { sealed: text.into(), path: "".into(), query: None };
        callbacks.open(&taken, Timestamp::from_millis(seconds * 1_000)).map_err(|refused| refused.reason.code)
    }

    #[test]
    fn only_what_was_sealed_here_opens_and_only_for_its_time() {
        let ours = callbacks(&[1], |_| {});
        let whole = sealed(&ours, &example());
        let text = Base64UrlUnpadded::encode_string(&whole);
        let opened = open(&ours, &text, 99).unwrap();
        assert_eq!((&*opened.api, opened.target.path()), ("Orders:1.0", "/cb"));
        assert_eq!(open(&ours, &text, 100).err(), Some("callback_expired"));
        for at in 0..whole.len() {
            let mut forged = whole.clone();
            forged[at] ^= 1;
            let forged = Base64UrlUnpadded::encode_string(&forged);
            assert_eq!(open(&ours, &forged, 1).err(), Some("callback_unknown"), "byte {at}");
        }
        for text in [
            "",
            "-",
            "AAAA",
            &text[1..],
            &text[..text.len() - 4],
            &format!("{text}AAAA"),
            &format!("{text}="),
        ] {
            assert_eq!(open(&ours, text, 1).err(), Some("callback_unknown"), "{text}");
        }
        assert_eq!(open(&callbacks(&[2], |_| {}), &text, 1).err(), Some("callback_unknown"));
        assert!(open(&callbacks(&[2, 1], |_| {}), &text, 1).is_ok(), "a key that was replaced still opens");
        // The same bytes under the same key, sealed for something else.
        let mut content = serde_json::to_vec(&example()).unwrap();
        let nonce = ours.keys[0].seal_in_place_append_tag(Aad::empty(), &mut content).unwrap();
        let other = Base64UrlUnpadded::encode_string(&[&nonce.as_ref()[..], &content].concat());
        assert_eq!(open(&ours, &other, 1).err(), Some("callback_unknown"));
    }

    #[test]
    fn callbacks_come_over_https_from_those_who_are_trusted() {
        let client = |ip: &str, secure| {
            let ip: IpAddr = ip.parse().unwrap();
            Client { ip, peer: (ip, 1).into(), secure }
        };
        let list = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpRange>>();
        let only = |ranges: &[&str]| {
            callbacks(&[1], |settings| {
                settings.only_trusted_addresses = true;
                settings.trusted_addresses = list(ranges);
            })
        };
        let usual = callbacks(&[1], |settings| settings.trusted_addresses = list(&["10.0.0.1"]));
        let plain = callbacks(&[1], |settings| settings.https_only = false);
        let trusting = only(&["10.0.0.0/8", "192.0.2.1-192.0.2.9", "2001:db8::1"]);
        for (by, ip, secure, expect) in [
            (&usual, "8.8.8.8", true, None),
            (&usual, "10.0.0.1", false, Some("callback_not_secure")),
            (&plain, "8.8.8.8", false, None),
            (&trusting, "10.9.9.9", true, None),
            (&trusting, "::ffff:10.9.9.9", true, None),
            (&trusting, "192.0.2.9", true, None),
            (&trusting, "192.0.2.10", true, Some("callback_not_trusted")),
            (&trusting, "2001:db8::1", true, None),
            (&trusting, "2001:db8::2", true, Some("callback_not_trusted")),
            (&trusting, "10.9.9.9", false, Some("callback_not_secure")),
            (&only(&[]), "10.0.0.1", true, Some("callback_not_trusted")),
        ] {
            let refused = by.admit(&client(ip, secure)).err().map(|refused| refused.reason.code);
            assert_eq!(refused, expect, "{ip}");
        }
    }

    #[test]
    fn a_request_is_a_callback_by_its_path_alone() {
        let callbacks = callbacks(&[1], |_| {});
        for (path, expect) in [
            ("/callbacks/x", true),
            ("/callbacks/x/y?z", true),
            ("/callbacks/", false),
            ("/callbacks", false),
            ("/x", false),
        ] {
            assert_eq!(callbacks.is_called(&path.parse().unwrap()), expect, "{path}");
        }
        assert_eq!(callbacks.path(), "/callbacks");
        for (url, expect) in [
            ("https://gw.example", true),
            ("https://GW.example:443/orders", true),
            ("http://gw.example:443", true),
            ("http://gw.example:8080", true),
            ("https://other.example", false),
        ] {
            assert_eq!(callbacks.lead_to(&CallbackUrl::parse(url).unwrap().endpoint), expect, "{url}");
        }
    }
}
