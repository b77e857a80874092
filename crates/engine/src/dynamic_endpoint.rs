//! Endpoints that are made from requests: read strictly, and only where the configuration allows. How they are connected
//! to is left to `proxy`.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use http::uri::Authority;
use model::Diagnostic;

/// An endpoint that was made for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicEndpoint {
    /// As in `https://eu.orders.example:8443`.
    pub url: Arc<str>,
    pub tls: bool,
    /// A name in lower case, or an address; an IPv6 address without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// For the `Host` header.
    pub authority: Authority,
}

/// Longest name in the DNS, as text.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

impl DynamicEndpoint {
    /// Reads scheme, host and port, and nothing else: no user, path, query or fragment, no encoding, and no number that
    /// resolvers would take for an address.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("it does not begin with http:// or https://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split(rest)?;
        check_host(&host)?;
        let usual = usual_port(tls);
        let port = port.map_or(Ok(usual), parse_port)?;
        let written = if is_v6(&host) { format!("[{host}]") } else { host.clone() };
        let authority = if port == usual { written } else { format!("{written}:{port}") };
        let url = format!("{}://{authority}", if tls { "https" } else { "http" });
        let authority = authority.parse().map_err(|_| "its host is not valid")?;
        Ok(Self { url: url.into(), tls, host: host.into(), port, authority })
    }
}

const fn usual_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// A host without the brackets of an IPv6 address, which is written in the one way that all are compared in, and what
/// follows the colon behind it.
fn split(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let Some(inside) = text.strip_prefix('[') else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        return Ok((host.to_ascii_lowercase(), port));
    };
    let (address, rest) = inside.split_once(']').ok_or("there is no `]` behind its address")?;
    let address: Ipv6Addr = address.parse().map_err(|_| "there is no IPv6 address in its brackets")?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((address.to_string(), Some(port))),
        None if rest.is_empty() => Ok((address.to_string(), None)),
        None => Err("its host goes on behind the address"),
    }
}

/// Of hosts that were split from what follows, only these have a colon.
fn is_v6(host: &str) -> bool {
    host.contains(':')
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if is_v6(host) {
        return Ok(());
    }
    if host.is_empty() || host.len() > LONGEST_NAME {
        return Err("its host is empty or too long");
    }
    let valid = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !host.split('.').all(valid) {
        return Err("its host is not a name or an address");
    }
    // 127.1, 0x7f000001 and 2130706433 are 127.0.0.1 for some resolvers.
    let last = host.rsplit('.').next().unwrap_or(host);
    let number = last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x");
    if number && host.parse::<Ipv4Addr>().is_err() {
        return Err("its host is a number");
    }
    Ok(())
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err("its port is not a number from 1 to 65535"),
    }
}

/// Which hosts endpoints may be at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    hosts: Hosts,
    /// `None` allows what `AllowedHost::allows` is told about ports.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Any,
    One(Box<str>),
    /// Names that end so; it begins with a dot.
    Below(Box<str>),
}

impl AllowedHost {
    /// Reads `api.example`, `*.svc.example`, `[2001:db8::7]`, each with or without a port, or `*`.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let wrong = |problem: &str| {
            Diagnostic::error("", format!("found `{text}`, {problem}"))
                .help("write a host such as api.example or *.svc.example, with or without a port")
        };
        let (host, port) = split(text).map_err(|_| wrong("expected an IPv6 address in brackets"))?;
        let port = port.map(parse_port).transpose().map_err(|_| wrong("expected a port"))?;
        let hosts = match host.strip_prefix("*.") {
            _ if host == "*" => Hosts::Any,
            Some(rest) => {
                check_host(rest).map_err(|_| wrong("expected a name after `*.`"))?;
                Hosts::Below(format!(".{rest}").into())
            }
            None => {
                check_host(&host).map_err(|_| wrong("expected a host"))?;
                Hosts::One(host.into())
            }
        };
        Ok(Self { hosts, port })
    }

    /// Without a port of its own it allows every port if `any_port`, else the usual one of the scheme.
    pub fn allows(&self, endpoint: &DynamicEndpoint, any_port: bool) -> bool {
        let host = match &self.hosts {
            Hosts::Any => true,
            Hosts::One(host) => *host == endpoint.host,
            Hosts::Below(end) => endpoint.host.len() > end.len() && endpoint.host.ends_with(&**end),
        };
        let port = match self.port {
            Some(port) => port == endpoint.port,
            None => any_port || endpoint.port == usual_port(endpoint.tls),
        };
        host && port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_are_read_and_nothing_else() {
        for (text, expect) in [
            ("https://eu.svc.example:8443", Ok(("https://eu.svc.example:8443", "eu.svc.example", 8443))),
            ("http://EU.svc.Example", Ok(("http://eu.svc.example", "eu.svc.example", 80))),
            ("https://x.example:443/", Ok(("https://x.example", "x.example", 443))),
            ("http://10.0.0.1:81", Ok(("http://10.0.0.1:81", "10.0.0.1", 81))),
            ("http://a_b.example", Ok(("http://a_b.example", "a_b.example", 80))),
            ("", Err("http://")),
            ("ftp://x.example", Err("http://")),
            ("HTTPS://x.example", Err("http://")),
            ("//x.example", Err("http://")),
            ("https://", Err("empty")),
            ("https://user@x.example", Err("name")),
            ("https://user:secret@x.example", Err("port")),
            ("https://x.example/admin", Err("name")),
            ("https://x.example//", Err("name")),
            ("https://x.example:8443/admin", Err("port")),
            ("https://x.example?a=1", Err("name")),
            ("https://x.example#a", Err("name")),
            ("https://x.example\\@evil.example", Err("name")),
            ("https://x%2eexample", Err("name")),
            ("https://x.example\r\nX: 1", Err("name")),
            ("https://x .example", Err("name")),
            ("https://.svc.example", Err("name")),
            ("https://x..example", Err("name")),
            ("https://x.example.", Err("name")),
            ("https://-x.example", Err("name")),
            ("https://[2001:DB8:0::7]:8443", Ok(("https://[2001:db8::7]:8443", "2001:db8::7", 8443))),
            ("http://[::1]/", Ok(("http://[::1]", "::1", 80))),
            ("https://[::1", Err("`]`")),
            ("https://[]", Err("IPv6")),
            ("https://[10.0.0.1]", Err("IPv6")),
            ("https://[fe80::1%25eth0]", Err("IPv6")),
            ("https://[x.example]", Err("IPv6")),
            ("https://[::1]x.example", Err("goes on")),
            ("https://[::1]@x.example", Err("goes on")),
            ("https://[::1]:", Err("port")),
            ("https://::1", Err("empty")),
            ("https://user@[::1]", Err("name")),
            ("https://bücher.example", Err("name")),
            ("https://2130706433", Err("number")),
            ("https://0x7f000001", Err("number")),
            ("https://127.1", Err("number")),
            ("https://x.example:", Err("port")),
            ("https://x.example:0", Err("port")),
            ("https://x.example:65536", Err("port")),
            ("https://x.example:+80", Err("port")),
            ("https://x.example:80:81", Err("port")),
        ] {
            match (DynamicEndpoint::parse(text), expect) {
                (Ok(found), Ok(expect)) => assert_eq!((&*found.url, &*found.host, found.port), expect),
                (Err(found), Err(expect)) => assert!(found.contains(expect), "{text:?}: {found}"),
                (found, expect) => panic!("{text:?}: found {found:?}, expected {expect:?}"),
            }
        }
        let long = format!("https://{}.example", "a".repeat(64));
        assert!(DynamicEndpoint::parse(&long).is_err());
    }

    #[test]
    fn hosts_are_allowed_by_name_by_end_and_by_port() {
        for (pattern, endpoint, any_port, expect) in [
            ("*.svc.example", "https://eu.svc.example", false, true),
            ("*.svc.example", "https://a.b.svc.example", false, true),
            ("*.svc.example", "https://svc.example", false, false),
            ("*.svc.example", "https://evilsvc.example", false, false),
            ("*.svc.example", "https://eu.svc.example.evil.example", false, false),
            ("*.svc.example", "https://eu.svc.example:8443", false, false),
            ("*.svc.example", "https://eu.svc.example:8443", true, true),
            ("*.svc.example:8443", "https://eu.svc.example:8443", false, true),
            ("*.svc.example:8443", "https://eu.svc.example", true, false),
            ("API.example", "http://api.example", false, true),
            ("api.example", "http://api.example:443", false, false),
            ("*", "http://anything.example", false, true),
            ("*", "http://[2001:db8::7]", false, true),
            ("[2001:db8:0::7]", "https://[2001:DB8::7]", false, true),
            ("[2001:db8::7]", "https://[2001:db8::8]", false, false),
            ("[2001:db8::7]:8443", "https://[2001:db8::7]:8443", false, true),
            ("[2001:db8::7]", "https://[2001:db8::7]:8443", false, false),
            ("*.db8", "https://[2001:db8::7]", true, false),
        ] {
            let endpoint = DynamicEndpoint::parse(endpoint).unwrap();
            let allowed = AllowedHost::parse(pattern).unwrap().allows(&endpoint, any_port);
            assert_eq!(allowed, expect, "{pattern} {}", endpoint.url);
        }
        for pattern in [
            "",
            "*.",
            "*x.example",
            "a.*.example",
            "https://x.example",
            "x.example:http",
            "x/y",
            "::1",
            "[::1",
            "[a]",
        ] {
            assert!(AllowedHost::parse(pattern).unwrap_err().to_string().contains("found"), "{pattern}");
        }
    }
}
