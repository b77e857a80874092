//! By the address of the client: the peer's, or what a trusted proxy says.

use engine::Exchange;

use super::identifier::{Finding, Found, Identifier};

pub(super) struct ByAddress;

impl Identifier for ByAddress {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let identifiers = &exchange.snapshot.applications.identifiers;
        Found::Now(Finding::property(identifiers.by_address(exchange.client.ip)))
    }
}
