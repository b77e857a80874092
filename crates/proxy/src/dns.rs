//! Names of endpoints to addresses, asked again from time to time. A name server that is away does not take away the
//! addresses that are known.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use engine::Timestamp;

/// How long an answer is used before the name is asked for again.
const FRESH: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Resolver {
    known: RefCell<HashMap<Box<str>, Answer>>,
}

/// Most names remembered: those of endpoints that are made from requests have no end.
const MOST: usize = 4_096;

/// When it was asked for, and what came back.
type Answer = (Timestamp, Vec<IpAddr>);

impl Resolver {
    pub async fn resolve(&self, host: &str, port: u16, now: Timestamp) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let with_port =
            |ips: &[IpAddr]| ips.iter().map(|ip| SocketAddr::from((*ip, port))).collect::<Vec<_>>();
        if let Some((at, ips)) = self.known.borrow().get(host)
            && now.since(*at) < FRESH
        {
            return Ok(with_port(ips));
        }
        match tokio::net::lookup_host((host, port)).await {
            Ok(found) => {
                let mut ips: Vec<IpAddr> = found.map(|a| a.ip()).collect();
                ips.dedup();
                let addresses = with_port(&ips);
                let mut known = self.known.borrow_mut();
                if known.len() >= MOST {
                    known.retain(|_, (at, _)| now.since(*at) < FRESH);
                }
                if known.len() < MOST || known.contains_key(host) {
                    known.insert(host.into(), (now, ips));
                }
                Ok(addresses)
            }
            Err(error) => match self.known.borrow().get(host) {
                Some((_, ips)) => Ok(with_port(ips)),
                None => Err(error),
            },
        }
    }
}
