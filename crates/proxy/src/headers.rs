//! Headers between hops: which ones end here, and what the upstream is told about the client.

use std::fmt::Write;

use engine::Client;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
};
use smallvec::SmallVec;

pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
    TRAILER,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Headers that belong to one connection (RFC 9110, 7.6.1), and never go further.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "transfer-encoding"
            | "upgrade"
            | "te"
            | "trailer"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "keep-alive"
            | "proxy-connection"
            | "http2-settings"
    )
}

/// Which headers that matter between hops a request has. One look at each name instead of a search for each of them:
/// most requests have none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub hop_by_hop: bool,
    /// What proxies tell of the client.
    pub of_client: bool,
    pub expect: bool,
    pub request_id: bool,
}

impl Seen {
    pub fn look(headers: &HeaderMap) -> Self {
        let mut seen = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "expect" => seen.expect = true,
                "x-request-id" => seen.request_id = true,
                "forwarded" | "x-real-ip" => seen.of_client = true,
                text if text.starts_with("x-forwarded-") => seen.of_client = true,
                _ => seen.hop_by_hop |= is_hop_by_hop(name),
            }
        }
        seen
    }
}

/// Takes away what belongs to one connection, also what `Connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(may_be_named)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Naming a header that is needed to understand the message would be a way to hide it.
fn may_be_named(name: &HeaderName) -> bool {
    !matches!(name.as_str(), "host" | "content-length" | "content-type" | "authorization" | "cookie")
        && !name.as_str().starts_with("x-forwarded-")
}

/// What the upstream is told about the client.
#[derive(Debug, Clone)]
pub struct ForwardedBy {
    /// The peer may say who its client is.
    pub trusted: bool,
    /// The peer's address as text.
    pub peer: HeaderValue,
}

/// Headers that the gateway adds to a request.
pub type Extra = SmallVec<[(HeaderName, HeaderValue); 4]>;

/// `X-Forwarded-*` for the upstream; what the client wrote into them is taken out of its headers. A trusted proxy's
/// words are carried on, anybody else's are lost, `Forwarded` included.
///
/// They are not put back into the map: growing it for three headers costs more than writing them.
pub fn forwarded(headers: &mut HeaderMap, seen: Seen, client: &Client, by: &ForwardedBy) -> Extra {
    let mut extra = Extra::new();
    let host = headers.get(HOST).cloned();
    if !seen.of_client {
        extra.push((X_FORWARDED_FOR.clone(), client_address(client, by)));
        extra.push((X_FORWARDED_PROTO.clone(), scheme(client)));
        extra.extend(host.map(|host| (X_FORWARDED_HOST.clone(), host)));
        return extra;
    }
    let addresses: Vec<Vec<u8>> =
        headers.get_all(&X_FORWARDED_FOR).iter().map(|v| v.as_bytes().to_vec()).collect();
    let before = (
        headers.remove(&X_FORWARDED_FOR),
        headers.remove(&X_FORWARDED_PROTO),
        headers.remove(&X_FORWARDED_HOST),
    );
    if !by.trusted {
        headers.remove(FORWARDED);
        headers.remove(&X_FORWARDED_PORT);
        headers.remove(&X_REAL_IP);
    }
    let (address, proto, named) = match before {
        (Some(_), proto, named) if by.trusted => {
            let list = [addresses.join(&b", "[..]), by.peer.as_bytes().to_vec()].join(&b", "[..]);
            (HeaderValue::from_maybe_shared(list).unwrap_or_else(|_| by.peer.clone()), proto, named)
        }
        (None, proto, named) if by.trusted => (client_address(client, by), proto, named),
        _ => (client_address(client, by), None, None),
    };
    extra.push((X_FORWARDED_FOR.clone(), address));
    extra.push((X_FORWARDED_PROTO.clone(), proto.unwrap_or_else(|| scheme(client))));
    extra.extend(named.or(host).map(|host| (X_FORWARDED_HOST.clone(), host)));
    extra
}

fn client_address(client: &Client, by: &ForwardedBy) -> HeaderValue {
    if client.ip == client.peer.ip() { by.peer.clone() } else { address_value(client.ip) }
}

fn scheme(client: &Client) -> HeaderValue {
    HeaderValue::from_static(if client.secure { "https" } else { "http" })
}

/// An address as a header value; an IPv4 address is written as one even when it came over IPv6.
pub fn address_value(ip: std::net::IpAddr) -> HeaderValue {
    let mut text = String::with_capacity(16);
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", ip.to_canonical());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// The client's address as a trusted peer tells it: the last one in the list that is not a trusted proxy itself.
pub fn client_from(
    headers: &HeaderMap,
    trusted: impl Fn(std::net::IpAddr) -> bool,
) -> Option<std::net::IpAddr> {
    let mut found = None;
    for value in headers.get_all(&X_FORWARDED_FOR).iter().collect::<Vec<_>>().into_iter().rev() {
        for text in value.to_str().ok()?.rsplit(',') {
            let text = text.trim();
            let ip: std::net::IpAddr = match text.parse() {
                Ok(ip) => ip,
                Err(_) => text.parse::<std::net::SocketAddr>().ok()?.ip(),
            };
            found = Some(ip);
            if !trusted(ip) {
                return found;
            }
        }
    }
    found
}

/// The client spoke TLS to a trusted proxy.
pub fn forwarded_https(headers: &HeaderMap) -> bool {
    headers.get(&X_FORWARDED_PROTO).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn client(ip: &str) -> (Client, ForwardedBy) {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        (
            Client { ip, peer: (ip, 1).into(), secure: false },
            ForwardedBy { trusted: false, peer: address_value(ip) },
        )
    }

    #[test]
    fn what_connection_names_goes_no_further() {
        let mut headers = map(&[
            ("connection", "close, X-Secret, host, X-Forwarded-For"),
            ("x-secret", "1"),
            ("host", "a"),
            ("x-forwarded-for", "1.2.3.4"),
            ("te", "trailers"),
            ("keep-alive", "5"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "x-forwarded-for"]);
    }

    #[test]
    fn an_untrusted_client_cannot_say_who_it_is() {
        let mut headers = map(&[
            ("host", "api.example.com"),
            ("x-forwarded-for", "9.9.9.9"),
            ("forwarded", "for=9.9.9.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "99"),
            ("x-real-ip", "9.9.9.9"),
        ]);
        let (client, by) = client("10.0.0.1");
        let seen = Seen::look(&headers);
        assert!(seen.of_client && !seen.hop_by_hop);
        let extra: HeaderMap = forwarded(&mut headers, seen, &client, &by).into_iter().collect();
        assert_eq!(extra["x-forwarded-for"], "10.0.0.1");
        assert_eq!(extra["x-forwarded-proto"], "http");
        assert_eq!(extra["x-forwarded-host"], "api.example.com");
        assert_eq!(headers.len(), 1, "only the host is left: {headers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added() {
        let mut headers = map(&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https")]);
        let (client, mut by) = client("10.0.0.1");
        by.trusted = true;
        let seen = Seen::look(&headers);
        assert!(seen.of_client && !seen.hop_by_hop);
        let extra: HeaderMap = forwarded(&mut headers, seen, &client, &by).into_iter().collect();
        assert_eq!(extra["x-forwarded-for"], "9.9.9.9, 10.0.0.1");
        assert_eq!(extra["x-forwarded-proto"], "https");
        assert!(headers.is_empty());
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let trusted = |ip: std::net::IpAddr| ip.to_string().starts_with("10.");
        for (list, expect) in [
            ("1.1.1.1, 2.2.2.2, 10.0.0.2", Some("2.2.2.2")),
            ("10.0.0.3", Some("10.0.0.3")),
            ("junk", None),
            ("1.1.1.1, junk", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_str(list).unwrap());
            assert_eq!(client_from(&headers, trusted).map(|ip| ip.to_string()).as_deref(), expect, "{list}");
        }
    }
}
