//! Names of endpoints to addresses. An answer is used for as long as its name server says, within the limits of the
//! settings; a name server that is away does not take away the addresses that are known. How names are asked for is in
//! `lookup`.

mod lookup;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use engine::Timestamp;
use model::settings::Dns;

use self::lookup::Lookup;

/// How long an answer without a time of its own is used: those of the hosts file and of the system's resolver.
const FRESH: Duration = Duration::from_secs(10);
/// Most names remembered: those of endpoints that are made from requests have no end.
const MOST: usize = 4_096;

#[derive(Default)]
pub struct Resolver {
    known: RefCell<HashMap<Box<str>, Answer>>,
    lookup: Lookup,
}

/// What a name stood for when it was asked for last.
struct Answer {
    until: Timestamp,
    addresses: Vec<IpAddr>,
}

impl Resolver {
    pub async fn resolve(
        &self,
        host: &str,
        port: u16,
        now: Timestamp,
        settings: &Dns,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let with_port =
            |ips: &[IpAddr]| ips.iter().map(|ip| SocketAddr::from((*ip, port))).collect::<Vec<_>>();
        if let Some(answer) = self.known.borrow().get(host)
            && now < answer.until
        {
            return Ok(with_port(&answer.addresses));
        }
        match self.lookup.ask(host, settings).await {
            Ok((addresses, lasts)) => {
                let lasts = lasts.map_or(FRESH, |ttl| within(ttl, settings));
                let found = with_port(&addresses);
                self.remember(host, Answer { until: now.plus(lasts), addresses }, now);
                Ok(found)
            }
            Err(error) => match self.known.borrow_mut().get_mut(host) {
                Some(answer) => {
                    // Not again for each connection: it may have taken seconds to hear nothing.
                    answer.until = now.plus(settings.min_ttl.get().max(Duration::from_secs(1)));
                    Ok(with_port(&answer.addresses))
                }
                None => Err(error),
            },
        }
    }

    fn remember(&self, host: &str, answer: Answer, now: Timestamp) {
        let mut known = self.known.borrow_mut();
        if known.len() >= MOST {
            known.retain(|_, answer| now < answer.until);
        }
        if known.len() < MOST || known.contains_key(host) {
            known.insert(host.into(), answer);
        }
    }
}

/// As long as the name server says, but within what the settings allow. The longest time wins over the shortest.
fn within(ttl: Duration, settings: &Dns) -> Duration {
    ttl.max(settings.min_ttl.get()).min(settings.max_ttl.get())
}
