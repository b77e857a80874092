//! Challenges of authorities that issue certificates (RFC 8555, 8.3): what they find below a path that is theirs, while
//! something is ordered.

use std::collections::HashMap;

use bytes::Bytes;
use model::KeyMaterial;

const BELOW: &str = "/.well-known/acme-challenge/";

/// What has to be found, by its token.
#[derive(Debug)]
pub struct Challenges(HashMap<Box<str>, Bytes, foldhash::fast::RandomState>);

impl Challenges {
    /// `None` while nothing is ordered, so that requests meet no more than that.
    pub(crate) fn of(material: &KeyMaterial) -> Option<Self> {
        let orders = material.acme.iter().filter_map(|keystore| keystore.state.order.as_ref());
        let challenges = orders.flat_map(|order| &order.challenges);
        let found = challenges.map(|(token, answer)| (token.as_str().into(), answer.clone().into()));
        let found: HashMap<_, _, _> = found.collect();
        (!found.is_empty()).then_some(Self(found))
    }

    /// What is to be found at a path.
    pub fn at(&self, path: &str) -> Option<&Bytes> {
        self.0.get(path.strip_prefix(BELOW)?)
    }
}
