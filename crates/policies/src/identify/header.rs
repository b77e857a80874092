//! By a header that has exactly the value an application names.

use engine::Exchange;

use super::identifier::{Finding, Found, Identifier};

pub(super) struct ByHeader;

impl Identifier for ByHeader {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let found = exchange.snapshot.applications.identifiers.by_header(&exchange.headers);
        let mut applications: Vec<u32> =
            found.into_iter().flat_map(|(_, applications)| applications).copied().collect();
        applications.sort_unstable();
        applications.dedup();
        Found::Now(Finding::property(applications))
    }

    /// Whoever knows the value can pass for the application, so that it is as good as a key.
    fn strip(&self, exchange: &mut Exchange, verified: bool) {
        if !verified {
            return;
        }
        let snapshot = exchange.snapshot.clone();
        for (name, _) in snapshot.applications.identifiers.by_header(&exchange.headers) {
            exchange.headers.remove(name);
        }
    }
}
