//! Names of clients' addresses. Whoever owns an address says what it is called, so a name counts only when it leads back
//! to the address. Looking up is slow and blocks, so that it happens on threads of its own, few at once, and what came
//! of it is remembered by each worker.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, ToSocketAddrs},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use engine::{Timestamp, calls::HostName};
use foldhash::fast::RandomState;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::timeout,
};

/// How long a name is believed, and how long an address is taken to have none.
const FRESH: Duration = Duration::from_secs(300);
const FRESH_NONE: Duration = Duration::from_secs(10);
/// Longest wait of a request.
const PATIENCE: Duration = Duration::from_secs(2);
/// Addresses that a worker remembers.
const MOST: usize = 10_000;
/// Look-ups at once, over all workers. The system may go on with one after nobody waits for it any more.
static AT_ONCE: Semaphore = Semaphore::const_new(16);

/// Asks the name service. Both may take their time.
pub trait NameService: Send + Sync {
    fn name_of(&self, address: IpAddr) -> io::Result<String>;

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The one that the system is set up for.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl NameService for SystemNames {
    fn name_of(&self, address: IpAddr) -> io::Result<String> {
        Ok(dns_lookup::lookup_addr(&address)?)
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// What a worker knows of names.
#[derive(Debug, Default)]
pub struct HostNames {
    known: RefCell<HashMap<IpAddr, Known, RandomState>>,
}

#[derive(Debug, Clone)]
struct Known {
    asked: Timestamp,
    /// Those who come while it is looked up wait for the same answer.
    name: Rc<OnceCell<Option<Arc<str>>>>,
}

impl Known {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.since(self.asked);
        match self.name.get() {
            Some(None) => age < FRESH_NONE,
            Some(Some(_)) | None => age < FRESH,
        }
    }
}

impl HostNames {
    /// The name of an address; at once when it is known.
    pub fn of(&self, address: IpAddr, service: &Arc<dyn NameService>, now: Timestamp) -> HostName {
        let mut known = self.known.borrow_mut();
        let entry = match known.get(&address).filter(|entry| entry.is_fresh(now)) {
            Some(entry) => entry,
            None => {
                if known.len() >= MOST {
                    known.retain(|_, entry| entry.is_fresh(now));
                }
                if known.len() >= MOST {
                    known.clear();
                }
                let entry = Known { asked: now, name: Rc::default() };
                known.entry(address).insert_entry(entry).into_mut()
            }
        };
        if let Some(name) = entry.name.get() {
            return HostName::Now(name.clone());
        }
        let (name, service) = (Rc::clone(&entry.name), Arc::clone(service));
        HostName::Later(Box::pin(async move {
            match timeout(PATIENCE, name.get_or_init(|| look_up(address, service))).await {
                Ok(name) => name.clone(),
                Err(_) => {
                    // Somebody else may be waiting a little longer.
                    let _ = name.set(None);
                    None
                }
            }
        }))
    }
}

async fn look_up(address: IpAddr, service: Arc<dyn NameService>) -> Option<Arc<str>> {
    let place = AT_ONCE.acquire().await.ok()?;
    let look = move || {
        let name = confirmed(address, &*service);
        drop(place);
        name
    };
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

/// The name of an address, if the name has that address.
fn confirmed(address: IpAddr, service: &dyn NameService) -> Option<Arc<str>> {
    let name = service.name_of(address).ok()?;
    let name = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
    let is_plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !name.split('.').all(is_plain) {
        return None;
    }
    let addresses = service.addresses_of(&name).ok()?;
    addresses.iter().any(|own| own.to_canonical() == address).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Answers from a table, and counts.
    #[derive(Default)]
    struct Table(AtomicUsize);

    impl NameService for Table {
        fn name_of(&self, address: IpAddr) -> io::Result<String> {
            self.0.fetch_add(1, SeqCst);
            match address.to_string().as_str() {
                "10.0.0.1" => Ok("Shop.Example.COM.".to_owned()),
                "10.0.0.2" => Ok("shop.example.com".to_owned()),
                "10.0.0.3" => Ok("gone.example.com".to_owned()),
                "10.0.0.4" => Ok("a b".to_owned()),
                "10.0.0.5" => Ok(String::new()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }

        fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            match name {
                "shop.example.com" => Ok(vec!["::1".parse().unwrap(), "10.0.0.1".parse().unwrap()]),
                "a b" | "" => Ok(vec!["10.0.0.4".parse().unwrap(), "10.0.0.5".parse().unwrap()]),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    async fn name(names: &HostNames, address: &str, table: &Arc<Table>, now: u64) -> Option<String> {
        let service: Arc<dyn NameService> = table.clone();
        let found = match names.of(address.parse().unwrap(), &service, Timestamp::from_millis(now)) {
            HostName::Now(name) => name,
            HostName::Later(name) => name.await,
        };
        found.map(|name| name.to_string())
    }

    #[tokio::test]
    async fn a_name_counts_when_it_leads_back_to_the_address() {
        let (names, table) = (HostNames::default(), Arc::default());
        for (address, expect) in [
            ("10.0.0.1", Some("shop.example.com")),
            ("10.0.0.2", None),
            ("10.0.0.3", None),
            ("10.0.0.4", None),
            ("10.0.0.5", None),
            ("10.0.0.6", None),
        ] {
            assert_eq!(name(&names, address, &table, 0).await.as_deref(), expect, "{address}");
        }
    }

    #[tokio::test]
    async fn what_was_found_is_remembered_for_a_while_and_one_look_up_serves_many() {
        let (names, table): (_, Arc<Table>) = (HostNames::default(), Arc::default());
        let both = tokio::join!(name(&names, "10.0.0.1", &table, 0), name(&names, "10.0.0.1", &table, 0));
        assert!(both.0.is_some() && both.0 == both.1);
        for (address, now, count) in [
            ("10.0.0.1", 299_999, 1),
            ("10.0.0.1", 300_000, 2),
            ("10.0.0.9", 300_000, 3),
            ("10.0.0.9", 309_999, 3),
            ("10.0.0.9", 310_000, 4),
        ] {
            name(&names, address, &table, now).await;
            assert_eq!(table.0.load(SeqCst), count, "{address} at {now}");
        }
    }

    #[tokio::test]
    async fn the_number_of_addresses_is_bounded() {
        let (names, table) = (HostNames::default(), Arc::default());
        let service: Arc<dyn NameService> = Arc::<Table>::clone(&table);
        for number in 0..25_000_u32 {
            let _ = names.of(IpAddr::from(number.to_be_bytes()), &service, Timestamp::default());
        }
        assert!(names.known.borrow().len() <= MOST);
    }
}
