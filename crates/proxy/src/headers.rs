//! Headers between hops: which ones end here, and what the upstream is told about the client.

use std::fmt::Write;

use engine::{Client, HeaderText, Headers};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, FORWARDED, HOST, TRANSFER_ENCODING},
};

pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// What the gateway has to know of a header, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// It belongs to one connection (RFC 9110, 7.6.1), and never goes further.
    HopByHop,
    Host,
    ContentLength,
    Expect,
    RequestId,
    /// Proxies tell of the client in it.
    OfClient,
}

impl Kind {
    pub fn of(name: &[u8]) -> Self {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        match name.len() {
            2 if is("te") => Self::HopByHop,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") || is("trailer") => Self::HopByHop,
            9 if is("forwarded") || is("x-real-ip") => Self::OfClient,
            10 if is("connection") || is("keep-alive") => Self::HopByHop,
            12 if is("x-request-id") => Self::RequestId,
            14 if is("content-length") => Self::ContentLength,
            14 if is("http2-settings") => Self::HopByHop,
            16 if is("proxy-connection") => Self::HopByHop,
            17 if is("transfer-encoding") => Self::HopByHop,
            18 if is("proxy-authenticate") => Self::HopByHop,
            19 if is("proxy-authorization") => Self::HopByHop,
            13.. if name[..12].eq_ignore_ascii_case(b"x-forwarded-") => Self::OfClient,
            _ => Self::Plain,
        }
    }
}

pub fn is_hop_by_hop(name: impl AsRef<[u8]>) -> bool {
    Kind::of(name.as_ref()) == Kind::HopByHop
}

/// Says where a message ends or whom it is for, which has to be known before its body: as a trailer it comes too late.
pub fn is_framing(name: &HeaderName) -> bool {
    name == CONTENT_LENGTH || name == HOST || name == TRANSFER_ENCODING
}

/// Takes away trailers that belong to one connection or come too late.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    let goes = |name: &&HeaderName| is_framing(name) || is_hop_by_hop(name.as_str());
    let names: Vec<HeaderName> = trailers.keys().filter(goes).cloned().collect();
    for name in names {
        trailers.remove(name);
    }
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
    pub fn look(headers: &Headers) -> Self {
        let mut seen = Self::default();
        for (name, _) in headers.lines() {
            match Kind::of(name) {
                Kind::Expect => seen.expect = true,
                Kind::RequestId => seen.request_id = true,
                Kind::OfClient => seen.of_client = true,
                Kind::HopByHop => seen.hop_by_hop = true,
                Kind::Plain | Kind::Host | Kind::ContentLength => {}
            }
        }
        seen
    }
}

/// Takes away what belongs to one connection, also what `Connection` names.
pub fn strip_hop_by_hop(headers: &mut Headers) {
    let named: Vec<HeaderName> = headers
        .get_all(&CONNECTION)
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(may_be_named)
        .collect();
    for name in named {
        headers.remove(name);
    }
    headers.retain(|name| !is_hop_by_hop(name));
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

/// `X-Forwarded-*` for the upstream; what the client wrote into them is taken out of its headers. A trusted proxy's
/// words are carried on, anybody else's are lost, `Forwarded` included.
///
/// They are not put back among the client's, so that a second try finds those as they were.
pub fn forwarded(headers: &mut Headers, seen: Seen, client: &Client, by: &ForwardedBy) -> Headers {
    let mut extra = Headers::new();
    if !seen.of_client {
        extra.append(&X_FORWARDED_FOR, client_address(client, by));
        extra.append(&X_FORWARDED_PROTO, scheme(client));
        if let Some(host) = headers.get(HOST) {
            extra.append_text(&X_FORWARDED_HOST, host);
        }
        return extra;
    }
    let addresses: Vec<&[u8]> = headers.get_all(&X_FORWARDED_FOR).map(HeaderText::as_bytes).collect();
    let list = by.trusted.then(|| [&addresses[..], &[by.peer.as_bytes()]].concat().join(&b", "[..]));
    let address = match list.filter(|_| !addresses.is_empty()) {
        Some(list) => HeaderValue::from_maybe_shared(list).unwrap_or_else(|_| by.peer.clone()),
        None => client_address(client, by),
    };
    extra.append(&X_FORWARDED_FOR, address);
    match headers.get(&X_FORWARDED_PROTO).filter(|_| by.trusted) {
        Some(proto) => extra.append_text(&X_FORWARDED_PROTO, proto),
        None => extra.append(&X_FORWARDED_PROTO, scheme(client)),
    }
    let named = headers.get(&X_FORWARDED_HOST).filter(|_| by.trusted);
    if let Some(host) = named.or_else(|| headers.get(HOST)) {
        extra.append_text(&X_FORWARDED_HOST, host);
    }
    for name in [&X_FORWARDED_FOR, &X_FORWARDED_PROTO, &X_FORWARDED_HOST] {
        headers.remove(name);
    }
    if !by.trusted {
        for name in [&FORWARDED, &X_FORWARDED_PORT, &X_REAL_IP] {
            headers.remove(name);
        }
    }
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
    headers: &Headers,
    trusted: impl Fn(std::net::IpAddr) -> bool,
) -> Option<std::net::IpAddr> {
    let mut found = None;
    for value in headers.get_all(&X_FORWARDED_FOR).rev() {
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
pub fn forwarded_https(headers: &Headers) -> bool {
    headers.get(&X_FORWARDED_PROTO).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> Headers {
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
        let mut left: Vec<&str> = headers.iter().map(|(name, _)| name).collect();
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
        let extra = forwarded(&mut headers, seen, &client, &by);
        assert_eq!(extra.get("x-forwarded-for").unwrap(), "10.0.0.1");
        assert_eq!(extra.get("x-forwarded-proto").unwrap(), "http");
        assert_eq!(extra.get("x-forwarded-host").unwrap(), "api.example.com");
        assert_eq!(headers.len(), 1, "only the host is left: {headers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added() {
        let mut headers = map(&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https")]);
        let (client, mut by) = client("10.0.0.1");
        by.trusted = true;
        let seen = Seen::look(&headers);
        assert!(seen.of_client && !seen.hop_by_hop);
        let extra = forwarded(&mut headers, seen, &client, &by);
        assert_eq!(extra.get("x-forwarded-for").unwrap(), "9.9.9.9, 10.0.0.1");
        assert_eq!(extra.get("x-forwarded-proto").unwrap(), "https");
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
            let headers = Headers::from_iter([(&X_FORWARDED_FOR, HeaderValue::from_str(list).unwrap())]);
            assert_eq!(client_from(&headers, trusted).map(|ip| ip.to_string()).as_deref(), expect, "{list}");
        }
    }
}
