//! Taps: somebody watches requests as they end. Only what a tap wants is made into a record, on the collector's side;
//! whoever reads too slowly loses records and is told how many.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use engine::journal::{Batch, Finished};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

use crate::explain::{self, Explanation};

/// What is watched; `None` wants everything.
#[derive(Debug, Clone, Default)]
pub struct TapFilter {
    /// Id of the API, its name, or `name:version`.
    pub api: Option<String>,
    pub application: Option<String>,
    pub status: Option<std::ops::RangeInclusive<u16>>,
    /// Code of the reason for a refusal or failure.
    pub code: Option<String>,
    /// Beginning of the path.
    pub path: Option<String>,
    /// Type or name of a policy that governs the request.
    pub policy: Option<String>,
    /// Requests that took at least this long.
    pub slow: Option<Duration>,
}

impl TapFilter {
    fn wants(&self, batch: &Batch, finished: &Finished) -> bool {
        // What costs least comes first.
        self.status.as_ref().is_none_or(|status| status.contains(&finished.status))
            && self.slow.is_none_or(|slow| u128::from(finished.total_us) >= slow.as_micros())
            && self.code.as_ref().is_none_or(|code| finished.reason.is_some_and(|r| r.code == code))
            && self.path.as_ref().is_none_or(|path| batch.path(finished).starts_with(path.as_str()))
            && self.application.as_deref().is_none_or(|name| batch.application(finished) == Some(name))
            && self.api.as_ref().is_none_or(|wanted| {
                batch.api(finished).is_some_and(|api| {
                    *api.id == **wanted
                        || *api.name == **wanted
                        || wanted.split_once(':') == Some((&*api.name, &*api.version))
                })
            })
            && self.policy.as_ref().is_none_or(|wanted| governed_by(batch, finished, wanted))
    }
}

fn governed_by(batch: &Batch, finished: &Finished, wanted: &str) -> bool {
    let Some(api) = batch.api(finished) else { return false };
    let mut active = api.chain(finished.operation).active.iter();
    active.any(|position| {
        let policy = api.policies.get(usize::from(*position));
        policy.is_some_and(|policy| policy.kind == wanted || *policy.name == *wanted)
    })
}

/// All that are open.
#[derive(Default)]
pub struct Taps {
    /// How many there are: all that is looked at while nobody watches.
    open: AtomicUsize,
    list: Mutex<Vec<Tap>>,
}

struct Tap {
    filter: TapFilter,
    records: mpsc::Sender<Explanation>,
    lost: Arc<AtomicU64>,
}

/// Records that a reader may be behind before it loses some.
const BEHIND: usize = 256;

impl Taps {
    /// Opens a tap; it is closed by dropping what is returned.
    pub fn open(&self, filter: TapFilter) -> Tapped {
        let (records, receiver) = mpsc::channel(BEHIND);
        let lost = Arc::new(AtomicU64::new(0));
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(Tap { filter, records, lost: Arc::clone(&lost) });
        self.open.store(list.len(), Relaxed);
        Tapped { records: receiver, lost }
    }

    /// Shows requests that have ended to everybody who wants them. Never waits.
    pub fn offer(&self, batch: &Batch) {
        if self.open.load(Relaxed) == 0 {
            return;
        }
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|tap| !tap.records.is_closed());
        self.open.store(list.len(), Relaxed);
        for tap in &*list {
            for finished in batch.finished.iter().filter(|finished| tap.filter.wants(batch, finished)) {
                // A record is made only where there is room for it.
                match tap.records.try_reserve() {
                    Ok(place) => place.send(explain::explain(batch, finished)),
                    Err(_) => drop(tap.lost.fetch_add(1, Relaxed)),
                }
            }
        }
    }
}

/// One line of a tap.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tapping {
    /// So many records were lost since the last time.
    Lost {
        lost: u64,
    },
    Record(Box<Explanation>),
}

/// The reader's side of a tap.
pub struct Tapped {
    records: mpsc::Receiver<Explanation>,
    lost: Arc<AtomicU64>,
}

/// How long what was lost waits to be told.
const TELL_AFTER: Duration = Duration::from_millis(500);

impl Tapped {
    /// The next line; `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Tapping> {
        loop {
            match timeout(TELL_AFTER, self.records.recv()).await {
                Ok(record) => return record.map(|record| Tapping::Record(Box::new(record))),
                Err(_) => match self.lost.swap(0, Relaxed) {
                    0 => {}
                    lost => return Some(Tapping::Lost { lost }),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::journal::Catalog;

    use super::*;

    /// A batch of requests to nowhere.
    fn batch(count: usize) -> Batch {
        let registry = engine::state::StateRegistry::default();
        let environment = engine::compile::Environment {
            kinds: &[],
            registry: &registry,
            workers: 1,
            clock: engine::Clock::system(),
            alerts: engine::Alerts::default(),
        };
        let (snapshot, _) =
            engine::compile::compile(&engine::compile::Input::default(), &environment, None, 1)
                .unwrap_or_else(|problems| panic!("{problems}"));
        let snapshot = std::rc::Rc::new(Arc::new(snapshot));
        let mut batch = Batch::new(Arc::new(Catalog::default()));
        for number in 0..count {
            let client = engine::Client {
                ip: std::net::Ipv4Addr::LOCALHOST.into(),
                peer: ([127, 0, 0, 1], 1).into(),
                secure: false,
            };
            let mut exchange = engine::Exchange::new(
                engine::RequestId::new(0, number as u64),
                engine::Timestamp::from_millis(1),
                client,
                snapshot.clone(),
                engine::RequestHead::default(),
            );
            batch.push(&mut exchange, &engine::journal::Measures::default());
        }
        batch
    }

    #[tokio::test]
    async fn a_slow_reader_loses_records_and_is_told_how_many() {
        let taps = Taps::default();
        let mut tapped = taps.open(TapFilter::default());
        taps.offer(&batch(BEHIND + 7));
        for _ in 0..BEHIND {
            assert!(matches!(tapped.next().await, Some(Tapping::Record(_))));
        }
        assert!(matches!(tapped.next().await, Some(Tapping::Lost { lost: 7 })));
        taps.offer(&batch(1));
        assert!(matches!(tapped.next().await, Some(Tapping::Record(_))));
        drop(tapped);
        assert_eq!(taps.open.load(Relaxed), 1, "nobody has looked yet");
        taps.offer(&batch(1));
        assert_eq!(taps.open.load(Relaxed), 0);
    }

    #[test]
    fn a_filter_wants_what_it_says() {
        let batch = batch(1);
        let finished = &batch.finished[0];
        let wants = |filter: TapFilter| filter.wants(&batch, finished);
        assert!(wants(TapFilter::default()));
        assert!(wants(TapFilter { status: Some(200..=299), path: Some("/".into()), ..TapFilter::default() }));
        assert!(!wants(TapFilter { status: Some(400..=499), ..TapFilter::default() }));
        assert!(!wants(TapFilter { slow: Some(Duration::from_millis(1)), ..TapFilter::default() }));
        for (name, filter) in [
            ("code", TapFilter { code: Some("x".into()), ..TapFilter::default() }),
            ("api", TapFilter { api: Some("x".into()), ..TapFilter::default() }),
            ("application", TapFilter { application: Some("x".into()), ..TapFilter::default() }),
            ("policy", TapFilter { policy: Some("x".into()), ..TapFilter::default() }),
        ] {
            assert!(!wants(filter), "{name}");
        }
    }
}
