//! Listeners: what is wrong with one, and between two.

use model::{ConfigDoc, Diagnostic, Diagnostics, listener::Access};

use super::known_apis::KnownApis;

/// Names, addresses, and what is served to whom.
pub(super) fn check(config: &ConfigDoc, known_apis: &KnownApis<'_>, problems: &mut Diagnostics) {
    for (index, listener) in config.listeners.iter().enumerate() {
        let path = format!("listeners[{index}]");
        let earlier = &config.listeners[..index];
        if earlier.iter().any(|other| other.name == listener.name) {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", listener.name),
            ));
        }
        if listener.address.port() != 0 && earlier.iter().any(|other| other.address == listener.address) {
            problems.push(Diagnostic::error(
                format!("{path}.address"),
                format!("found {} a second time; two listeners cannot share an address", listener.address),
            ));
        }
        if listener.proxy_protocol && listener.trusted_proxies.is_empty() {
            problems.push(
                Diagnostic::error(format!("{path}.trustedProxies"), "missing, but `proxyProtocol` is on")
                    .help("name the networks of the load balancers, such as 10.0.0.0/8; anybody else could invent a client address"),
            );
        }
        let served = listener.access_mode.as_ref().map_or(&[][..], |mode| &mode.except);
        for (place, api) in served.iter().enumerate() {
            let path = || format!("{path}.accessMode.except[{place}]");
            problems.0.extend(known_apis.unknown_with_version(path, api));
        }
        let nobody = listener
            .ip_access
            .as_ref()
            .is_some_and(|access| access.default == Access::Deny && access.except.is_empty());
        if nobody {
            problems.push(
                Diagnostic::warning(
                    format!("{path}.ipAccess.except"),
                    "missing, and everybody else is denied: nobody can call",
                )
                .help("name the networks of those who may, such as 10.0.0.0/8"),
            );
        }
    }
}
