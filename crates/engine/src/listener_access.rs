//! What listeners serve: which APIs, and clients at which addresses.

use std::{collections::HashSet, net::IpAddr};

use foldhash::fast::RandomState;
use model::{
    IpRange, ListenerDoc,
    listener::{Access, AccessMode, IpAccess},
};

use crate::{Rejection, journal::ApiNames, reason};

/// Listeners that do not serve everything to everybody. Most gateways have none, and some have few.
#[derive(Debug, Default)]
pub struct ListenerAccess {
    listeners: Vec<Limits>,
}

/// What one listener serves.
#[derive(Debug)]
pub struct Limits {
    listener: Box<str>,
    apis: Option<Apis>,
    addresses: Option<Addresses>,
}

#[derive(Debug)]
struct Apis {
    allowed: bool,
    /// Names, and names with versions.
    except: HashSet<Box<str>, RandomState>,
}

#[derive(Debug)]
struct Addresses {
    allowed: bool,
    except: Box<[IpRange]>,
}

impl ListenerAccess {
    pub(crate) fn compile(docs: &[ListenerDoc]) -> Self {
        let limited = docs.iter().filter(|doc| doc.access_mode.is_some() || doc.ip_access.is_some());
        Self { listeners: limited.map(Limits::of).collect() }
    }

    /// The limits of a listener; `None` where everything is served to everybody.
    pub fn of(&self, listener: &str) -> Option<&Limits> {
        self.listeners.iter().find(|limits| *limits.listener == *listener)
    }
}

impl Limits {
    fn of(doc: &ListenerDoc) -> Self {
        let apis = |mode: &AccessMode| Apis {
            allowed: mode.default == Access::Allow,
            except: mode.except.iter().map(|name| name.as_str().into()).collect(),
        };
        let addresses = |access: &IpAccess| Addresses {
            allowed: access.default == Access::Allow,
            except: access.except.as_slice().into(),
        };
        Self {
            listener: doc.name.as_str().into(),
            apis: doc.access_mode.as_ref().map(apis),
            addresses: doc.ip_access.as_ref().map(addresses),
        }
    }

    /// Whether clients at this address are served.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Box<Rejection>> {
        let Some(limit) = &self.addresses else { return Ok(()) };
        let is_exception = limit.except.iter().any(|range| range.contains(address));
        if limit.allowed != is_exception {
            return Ok(());
        }
        let detail = format!("`ipAccess` of listener `{}` does not let {address} in", self.listener);
        Err(Rejection::new(&reason::ADDRESS_DENIED).detail(detail))
    }

    /// Whether an API is served. To clients it is as if there were no such API.
    pub fn check_api(&self, api: &ApiNames) -> Result<(), Box<Rejection>> {
        let Some(limit) = &self.apis else { return Ok(()) };
        let is_exception = limit.except.contains(&*api.name) || limit.except.contains(&*api.id);
        if limit.allowed != is_exception {
            return Ok(());
        }
        let detail = format!("`accessMode` of listener `{}` does not serve {}", self.listener, api.id);
        Err(Rejection::new(&reason::NO_SUCH_API).detail(detail))
    }
}
