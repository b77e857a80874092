//! By the name of the client's address. How it is found out, and that it leads back, is left to `proxy`.

use engine::{Exchange, calls::HostName};

use super::identifier::{Finding, Found, Identifier};

pub(super) struct ByHostName;

impl Identifier for ByHostName {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        match exchange.host_name() {
            HostName::Now(name) => Found::Now(named(exchange, name.as_deref())),
            HostName::Later(name) => {
                Found::Later(Box::pin(async move { named(exchange, name.await.as_deref()).into() }))
            }
        }
    }
}

fn named(exchange: &Exchange, name: Option<&str>) -> Finding {
    let identifiers = &exchange.snapshot.applications.identifiers;
    Finding::property(name.map(|name| identifiers.by_host(name)).unwrap_or_default())
}
