//! One question for the addresses of a name: to the name servers of the settings, or as the system would ask it.
//!
//! The system's own resolver does not tell for how long an answer holds. So the name servers that it would ask are asked
//! here; what they do not know, and what has nothing to do with DNS, is left to the system.

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    Hosts, Resolver, TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RData, RecordType},
    },
    system_conf,
};
use model::settings::Dns;

/// Where the system says which name servers there are.
const SYSTEM: &str = "/etc/resolv.conf";

/// Asks name servers; made anew when others are to be asked.
#[derive(Default)]
pub(super) struct Lookup {
    current: RefCell<Option<(Servers, TokioResolver)>>,
}

/// Which name servers are asked.
#[derive(PartialEq)]
enum Servers {
    Own(Vec<SocketAddr>),
    /// What the system's file says.
    System(Vec<u8>),
}

impl Lookup {
    /// The addresses of a name, and for how long they hold if that was said.
    pub(super) async fn ask(
        &self,
        host: &str,
        settings: &Dns,
    ) -> io::Result<(Vec<IpAddr>, Option<Duration>)> {
        if !settings.servers.is_empty() {
            let resolver = self.resolver(Servers::Own(settings.servers.clone())).map_err(io::Error::other)?;
            return ask(&resolver, host).await.map_err(io::Error::other);
        }
        let name = host.to_owned();
        // Files are small, and read once for each time that an answer holds; still they may be on a slow disk.
        let read = tokio::task::spawn_blocking(move || (in_hosts(&name), std::fs::read(SYSTEM)));
        let (in_hosts, system) = read.await.map_err(io::Error::other)?;
        if !in_hosts.is_empty() {
            return Ok((in_hosts, None));
        }
        if let Ok(system) = system
            && let Ok(resolver) = self.resolver(Servers::System(system))
            && let Ok(answer) = ask(&resolver, host).await
        {
            return Ok(answer);
        }
        let mut addresses: Vec<IpAddr> = tokio::net::lookup_host((host, 0)).await?.map(|a| a.ip()).collect();
        addresses.dedup();
        Ok((addresses, None))
    }

    fn resolver(&self, servers: Servers) -> Result<TokioResolver, NetError> {
        if let Some((asked, resolver)) = &*self.current.borrow()
            && *asked == servers
        {
            return Ok(resolver.clone());
        }
        let (config, mut options) = match &servers {
            Servers::Own(addresses) => {
                let servers = addresses.iter().map(|address| name_server(*address)).collect();
                (ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
            }
            Servers::System(file) => system_conf::parse_resolv_conf(file)?,
        };
        // Answers are kept by us, by the gateway's clock, and the hosts file is read anew each time.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build()?;
        *self.current.borrow_mut() = Some((servers, resolver.clone()));
        Ok(resolver)
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

async fn ask(resolver: &TokioResolver, host: &str) -> Result<(Vec<IpAddr>, Option<Duration>), NetError> {
    let found = resolver.lookup_ip(host).await?;
    let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min();
    let mut addresses: Vec<IpAddr> = found.iter().collect();
    // Addresses are tried in turn. One of IPv6 may lead nowhere for seconds, where only IPv4 is routed.
    addresses.sort_by_key(IpAddr::is_ipv6);
    Ok((addresses, ttl.map(|seconds| Duration::from_secs(seconds.into()))))
}

/// What the system's hosts file says.
fn in_hosts(host: &str) -> Vec<IpAddr> {
    let (Ok(hosts), Ok(mut name)) = (Hosts::from_system(), Name::from_utf8(host)) else { return Vec::new() };
    name.set_fqdn(true);
    let of_type = |kind| hosts.lookup_static_host(&Query::query(name.clone(), kind));
    let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of_type);
    found
        .flat_map(|lookup| lookup.answers().iter().map(|record| record.data.clone()).collect::<Vec<_>>())
        .filter_map(|data| match data {
            RData::A(a) => Some(a.0.into()),
            RData::AAAA(aaaa) => Some(aaaa.0.into()),
            _ => None,
        })
        .collect()
}
