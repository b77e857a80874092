//! What applications are recognised by, beside their keys, as indexes for requests: from an address, a header, a part
//! of the body, a certificate or a user to the applications that have it.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use base64ct::{Base64, Encoding};
use foldhash::fast::RandomState;
use http::HeaderName;
use serde_json::Value;

use crate::{
    Headers,
    authorization_server::{claim, claim_texts},
    keys::ApplicationIndex,
};

/// SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; 32];

/// The certificate that a client authenticated with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub fingerprint: Fingerprint,
    /// Its distinguished name, for people.
    pub subject: String,
    pub der: Vec<u8>,
}

type Map<K> = HashMap<K, Vec<ApplicationIndex>, RandomState>;

/// Indexes of identifiers. Applications come in the order that they are written.
#[derive(Debug, Default)]
pub struct Identifiers {
    addresses: Addresses,
    headers: HashMap<HeaderName, Map<Box<[u8]>>, RandomState>,
    certificates: Map<Fingerprint>,
    users: Map<Box<str>>,
    /// By authorization server, then by client.
    clients: HashMap<Box<str>, Map<Box<str>>, RandomState>,
    claims: ClaimSets,
    payload: Map<Box<str>>,
    /// Whole names, and with a dot before them the ends of names.
    hosts: Map<Box<str>>,
}

impl Identifiers {
    pub(crate) fn add_addresses(&mut self, first: IpAddr, last: IpAddr, application: ApplicationIndex) {
        self.addresses.ranges.push(Range { first: number(first), last: number(last), application });
    }

    pub(crate) fn add_header(&mut self, name: HeaderName, value: &str, application: ApplicationIndex) {
        self.headers.entry(name).or_default().entry(value.as_bytes().into()).or_default().push(application);
    }

    pub(crate) fn add_certificate(&mut self, fingerprint: Fingerprint, application: ApplicationIndex) {
        self.certificates.entry(fingerprint).or_default().push(application);
    }

    pub(crate) fn add_user(&mut self, name: &str, application: ApplicationIndex) {
        self.users.entry(name.into()).or_default().push(application);
    }

    pub(crate) fn add_payload(&mut self, text: &str, application: ApplicationIndex) {
        self.payload.entry(text.into()).or_default().push(application);
    }

    /// A name, or `*.` and the end of names; `false` when it is neither.
    pub(crate) fn add_host(&mut self, text: &str, application: ApplicationIndex) -> bool {
        let name = text.strip_prefix('*').filter(|end| end.starts_with('.')).unwrap_or(text);
        let labels = name.strip_prefix('.').unwrap_or(name);
        let is_plain = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.starts_with('.') || !labels.split('.').all(is_plain) {
            return false;
        }
        self.hosts.entry(name.to_ascii_lowercase().into()).or_default().push(application);
        true
    }

    pub(crate) fn add_client(&mut self, server: &str, id: &str, application: ApplicationIndex) {
        self.clients.entry(server.into()).or_default().entry(id.into()).or_default().push(application);
    }

    /// A set of claims; `false` when there is none in it.
    pub(crate) fn add_claims(
        &mut self,
        claims: &BTreeMap<String, String>,
        application: ApplicationIndex,
    ) -> bool {
        self.claims.add(claims, application)
    }

    /// To be called when everything was added.
    pub(crate) fn finish(&mut self) {
        self.addresses.finish();
    }

    /// The applications whose addresses include this one.
    pub fn by_address(&self, address: IpAddr) -> Vec<ApplicationIndex> {
        self.addresses.find(number(address))
    }

    /// The applications that one of the headers belongs to. A header that is there more than once identifies nobody:
    /// who reads which of them differs between servers.
    pub fn by_header(&self, headers: &Headers) -> Vec<(HeaderName, &[ApplicationIndex])> {
        let mut found = Vec::new();
        for (name, values) in &self.headers {
            let mut sent = headers.get_all(name);
            if let (Some(value), None) = (sent.next(), sent.next())
                && let Some(applications) = values.get(value.as_bytes())
            {
                found.push((name.clone(), applications.as_slice()));
            }
        }
        found
    }

    /// The applications that a certificate belongs to.
    pub fn by_certificate(&self, fingerprint: &Fingerprint) -> &[ApplicationIndex] {
        self.certificates.get(fingerprint).map_or(&[], Vec::as_slice)
    }

    /// The applications that a text in the body belongs to.
    pub fn by_payload(&self, text: &str) -> &[ApplicationIndex] {
        self.payload.get(text).map_or(&[], Vec::as_slice)
    }

    /// The applications that a name of a host belongs to, which is in lower case.
    pub fn by_host(&self, name: &str) -> Vec<ApplicationIndex> {
        let ends = name.match_indices('.').map(|(dot, _)| &name[dot..]);
        let found = std::iter::once(name).chain(ends).filter_map(|part| self.hosts.get(part));
        let mut applications: Vec<ApplicationIndex> = found.flatten().copied().collect();
        applications.sort_unstable();
        applications.dedup();
        applications
    }

    /// The applications that a client of an authorization server belongs to.
    pub fn by_client(&self, server: &str, id: &str) -> &[ApplicationIndex] {
        self.clients.get(server).and_then(|clients| clients.get(id)).map_or(&[], Vec::as_slice)
    }

    /// Whether a client of an authorization server belongs to any application.
    pub fn knows_client(&self, server: &str, id: &str) -> bool {
        !self.by_client(server, id).is_empty()
    }

    /// The applications of which a token has all claims of a set.
    pub fn by_claims(&self, claims: &Value) -> Vec<ApplicationIndex> {
        self.claims.find(claims)
    }

    /// The applications that a user acts for.
    pub fn by_user(&self, name: &str) -> &[ApplicationIndex] {
        self.users.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Sets of claims by one claim of each: few sets are compared as a whole, however many there are.
#[derive(Debug, Default)]
struct ClaimSets {
    first: BTreeMap<Box<str>, Map<Box<str>>>,
    sets: Vec<ClaimSet>,
}

#[derive(Debug)]
struct ClaimSet {
    rest: Box<[(Box<str>, Box<str>)]>,
    application: ApplicationIndex,
}

impl ClaimSets {
    fn add(&mut self, claims: &BTreeMap<String, String>, application: ApplicationIndex) -> bool {
        // Every token of a server has the same issuer and audience: they tell sets apart last.
        let weight = |name: &str| matches!(name, "iss" | "aud");
        let mut claims: Vec<_> = claims.iter().collect();
        claims.sort_by_key(|(name, _)| weight(name));
        let Some(((name, value), rest)) = claims.split_first() else { return false };
        let Ok(position) = u32::try_from(self.sets.len()) else { return false };
        let rest = rest.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        self.sets.push(ClaimSet { rest: rest.collect(), application });
        let values = self.first.entry(name.as_str().into()).or_default();
        values.entry(value.as_str().into()).or_default().push(position);
        true
    }

    fn find(&self, claims: &Value) -> Vec<ApplicationIndex> {
        let Some(claims) = claims.as_object() else { return Vec::new() };
        let mut found: Vec<ApplicationIndex> = Vec::new();
        for (name, values) in &self.first {
            let said = claim(claims, name).into_iter().flat_map(claim_texts);
            let positions = said.filter_map(|text| values.get(&*text)).flatten();
            found.extend(positions.filter_map(|position| {
                let set = self.sets.get(*position as usize)?;
                let has = |(name, value): &(Box<str>, Box<str>)| {
                    claim(claims, name).is_some_and(|said| claim_texts(said).any(|text| *text == **value))
                };
                set.rest.iter().all(has).then_some(set.application)
            }));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[derive(Debug, Clone, Copy)]
struct Range {
    first: u128,
    last: u128,
    application: ApplicationIndex,
}

/// Ranges by their first address, each with the highest last address up to it: looking backwards ends there.
#[derive(Debug, Default)]
struct Addresses {
    ranges: Vec<Range>,
    highest: Vec<u128>,
}

impl Addresses {
    fn finish(&mut self) {
        self.ranges.sort_by_key(|range| range.first);
        let highest = self.ranges.iter().scan(0, |highest, range| {
            *highest = range.last.max(*highest);
            Some(*highest)
        });
        self.highest = highest.collect();
    }

    fn find(&self, address: u128) -> Vec<ApplicationIndex> {
        let end = self.ranges.partition_point(|range| range.first <= address);
        let mut found: Vec<ApplicationIndex> = Vec::new();
        for (range, highest) in self.ranges[..end].iter().zip(&self.highest).rev() {
            if *highest < address {
                break;
            }
            if range.last >= address {
                found.push(range.application);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// IPv4 addresses as IPv6 writes them, so that one list holds both.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The fingerprint of a certificate written as PEM, as base64 of PEM or of DER, or as PEM with percent signs.
pub fn fingerprint_of(text: &str) -> Option<Fingerprint> {
    let decoded = match text.contains('%') {
        true => unescape(text)?,
        false => text.to_owned(),
    };
    let der = match decoded.contains(BEGIN) {
        true => pem(&decoded)?,
        false => {
            let bytes = base64(&decoded)?;
            match std::str::from_utf8(&bytes) {
                Ok(inner) if inner.contains(BEGIN) => pem(inner)?,
                _ => bytes,
            }
        }
    };
    // Every certificate is a sequence; anything else is some other text that happened to be base64.
    (der.len() > 16 && der[0] == 0x30).then(|| crate::compile::applications::sha256(&der))
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

fn pem(text: &str) -> Option<Vec<u8>> {
    let (body, _) = text.split_once(BEGIN)?.1.split_once("-----END CERTIFICATE-----")?;
    base64(body)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Base64::decode_vec(&text).ok()
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_claims_is_had_as_a_whole_or_not_at_all() {
        let mut identifiers = Identifiers::default();
        let sets: [&[(&str, &str)]; 4] = [
            &[("tenant", "red"), ("iss", "https://a")],
            &[("tenant", "red"), ("level", "2")],
            &[("realm.roles", "buyer")],
            &[("tenant", "red"), ("iss", "https://b")],
        ];
        for (application, set) in (0_u32..).zip(sets) {
            let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert!(identifiers.add_claims(&set, application));
        }
        assert!(!identifiers.add_claims(&BTreeMap::new(), 9), "every token has no claim");
        for (claims, expect) in [
            (r#"{"iss":"https://a","tenant":"red"}"#, &[0][..]),
            (r#"{"iss":"https://a","tenant":["blue","red"],"level":2}"#, &[0, 1]),
            (r#"{"iss":"https://b","tenant":"red","realm":{"roles":["x","buyer"]}}"#, &[2, 3]),
            (r#"{"iss":"https://b","realm.roles":"buyer"}"#, &[2]),
            (r#"{"iss":"https://a","tenant":"RED"}"#, &[]),
            (r#"{"tenant":{"red":true},"realm":"buyer"}"#, &[]),
            ("[]", &[]),
        ] {
            assert_eq!(identifiers.by_claims(&serde_json::from_str(claims).unwrap()), expect, "{claims}");
        }
    }

    #[test]
    fn addresses_are_found_in_ranges_that_overlap() {
        let mut identifiers = Identifiers::default();
        for (application, range) in
            ["10.0.0.0/8", "10.1.2.3", "10.1.0.0-10.1.255.255", "::1", "192.168.0.0/16", "10.0.0.0/8"]
                .into_iter()
                .enumerate()
        {
            let range: model::IpRange = range.parse().unwrap();
            identifiers.add_addresses(range.first(), range.last(), u32::try_from(application).unwrap() % 5);
        }
        identifiers.finish();
        for (address, expect) in [
            ("10.1.2.3", &[0, 1, 2][..]),
            ("::ffff:10.1.2.3", &[0, 1, 2]),
            ("10.1.9.9", &[0, 2]),
            ("10.9.9.9", &[0]),
            ("::1", &[3]),
            ("192.168.7.7", &[4]),
            ("11.0.0.0", &[]),
            ("9.255.255.255", &[]),
        ] {
            assert_eq!(identifiers.by_address(address.parse().unwrap()), expect, "{address}");
        }
    }

    #[test]
    fn a_certificate_has_one_fingerprint_however_it_is_written() {
        let der = [[0x30_u8, 0x82].as_slice(), &[7; 62]].concat();
        let plain = Base64::encode_string(&der);
        let pem = format!("{BEGIN}\n{}\n{}\n-----END CERTIFICATE-----\n", &plain[..40], &plain[40..]);
        let expect = Some(crate::compile::applications::sha256(&der));
        let escaped: String = pem.bytes().map(|b| format!("%{b:02X}")).collect();
        for text in [&plain, &pem, &Base64::encode_string(pem.as_bytes()), &escaped] {
            assert_eq!(fingerprint_of(text), expect, "{text}");
        }
        for text in ["", "%", "%zz", "AAAA", "no certificate", BEGIN] {
            assert_eq!(fingerprint_of(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_hosts_are_found_whole_and_by_their_end() {
        let mut identifiers = Identifiers::default();
        for (application, name) in (0..).zip(["Shop.example.com", "*.example.com", "localhost", "*.com"]) {
            assert!(identifiers.add_host(name, application), "{name}");
        }
        for (name, expect) in [
            ("shop.example.com", &[0, 1, 3][..]),
            ("a.b.example.com", &[1, 3]),
            ("example.com", &[3]),
            ("badexample.com", &[3]),
            ("localhost", &[2]),
            ("com", &[]),
            ("x.localhost", &[]),
        ] {
            assert_eq!(identifiers.by_host(name), expect, "{name}");
        }
        for name in ["", "*", "*.", "**.a", ".a", "a..b", "*a.b", "a.*", "a b", "a.b.", "a/b"] {
            assert!(!identifiers.add_host(name, 0), "{name}");
        }
    }

    #[test]
    fn a_header_sent_twice_identifies_nobody() {
        let mut identifiers = Identifiers::default();
        let name = HeaderName::from_static("x-tenant");
        identifiers.add_header(name.clone(), "a", 3);
        let mut headers = Headers::new();
        headers.append(&name, http::HeaderValue::from_static("a"));
        assert_eq!(identifiers.by_header(&headers), [(name.clone(), &[3][..])]);
        headers.append(&name, http::HeaderValue::from_static("a"));
        assert!(identifiers.by_header(&headers).is_empty());
    }
}
