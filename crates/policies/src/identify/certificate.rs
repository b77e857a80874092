//! By a client certificate: that of the connection, or one that a trusted load balancer passes on in a header.

use engine::{Exchange, identifiers::fingerprint_of};
use http::HeaderName;
use model::IpRange;

use super::identifier::{Finding, Found, Identifier};

pub(super) struct ByCertificate {
    pub header: Option<HeaderName>,
    pub trusted_peers: Vec<IpRange>,
}

impl Identifier for ByCertificate {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let fingerprint = match &exchange.client_certificate {
            Some(certificate) => Some(certificate.fingerprint),
            None => match self.passed_on(exchange) {
                None => None,
                Some(text) => match text.and_then(fingerprint_of) {
                    Some(fingerprint) => Some(fingerprint),
                    None => {
                        let detail = "the header of the load balancer holds no certificate".to_owned();
                        return Found::Now(Finding::Wrong(&super::NOT_IDENTIFIED, detail));
                    }
                },
            },
        };
        let Some(fingerprint) = fingerprint else { return Found::Now(Finding::Absent) };
        let found = exchange.snapshot.applications.identifiers.by_certificate(&fingerprint);
        Found::Now(Finding::proven(found.to_vec()))
    }

    /// Of a header, whoever sent it: the upstream could believe it.
    fn strip(&self, exchange: &mut Exchange, _: bool) {
        if let Some(name) = &self.header {
            exchange.headers.remove(name);
        }
    }
}

impl ByCertificate {
    /// The one header of a trusted load balancer; `Some(None)` where it is not one text.
    fn passed_on<'a>(&self, exchange: &'a Exchange) -> Option<Option<&'a str>> {
        let peer = exchange.client.peer.ip().to_canonical();
        let name =
            self.header.as_ref().filter(|_| self.trusted_peers.iter().any(|range| range.contains(peer)))?;
        let mut values = exchange.headers.get_all(name);
        let value = values.next()?;
        Some(if values.next().is_none() { value.to_str().ok() } else { None })
    }
}
