//! Where answers are kept: the least recently used ones make room, writes and purges make them unusable at once.

use std::{
    hash::BuildHasher,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use engine::Headers;
use foldhash::fast::RandomState;
use moka::{ops::compute::Op, policy::EvictionPolicy, sync::Cache};

use super::{key::Digest, stored::Stored};

/// Answers with one key, told apart by what Vary names.
pub type Variants = Arc<[Arc<Stored>]>;

/// Answers by key. A hash needs no strong hash.
pub type Answers = Cache<Digest, Variants, RandomState>;

/// Answers that one key has at most; the oldest one goes.
const MOST_VARIANTS: usize = 16;

/// How finely writes are told apart: paths share a version, so that the numbers take no more memory however many there
/// are. A write makes unusable what was kept under its path, and one in so many of the others.
const VERSIONS: usize = 1_024;

/// What is kept for one policy of one API. Outlives a reload.
pub struct Store {
    current: Mutex<Option<(String, Answers)>>,
    versions: Box<[AtomicU64]>,
    purges: AtomicU64,
    places: RandomState,
}

/// What had been written and purged when a request was on its way, so that an answer from before is not kept after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    place: u32,
    writes: u64,
    purges: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            current: Mutex::default(),
            versions: (0..VERSIONS).map(|_| AtomicU64::new(0)).collect(),
            purges: AtomicU64::new(0),
            places: RandomState::default(),
        }
    }
}

impl Store {
    /// The answers; a new cache when `shape`, which tells what keys mean and how many fit, is another one.
    pub fn answers(&self, shape: String, total: u64) -> Answers {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, cache)) = &*current
            && *known == shape
        {
            return cache.clone();
        }
        let cache = Cache::builder()
            .max_capacity(total)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_, variants: &Variants| {
                let bytes: usize = variants.iter().map(|stored| stored.weight()).sum();
                u32::try_from(bytes + size_of::<Digest>()).unwrap_or(u32::MAX)
            })
            .build_with_hasher(RandomState::default());
        *current = Some((shape, cache.clone()));
        cache
    }

    /// The version of a path now.
    pub fn version(&self, path: &str) -> Version {
        let place = self.places.hash_one(path) % VERSIONS as u64;
        let writes = self.versions[place as usize].load(Relaxed);
        Version { place: place as u32, writes, purges: self.purges.load(Relaxed) }
    }

    /// Something was written under the path of this version.
    pub fn written(&self, version: Version) {
        self.versions[version.place as usize].fetch_add(1, Relaxed);
    }

    pub fn purge(&self, answers: &Answers) {
        self.purges.fetch_add(1, Relaxed);
        answers.invalidate_all();
    }
}

/// The answer for a request with these headers, if it is one of now.
pub fn find(answers: &Answers, key: &Digest, headers: &Headers, now: Version) -> Option<Arc<Stored>> {
    let variants = answers.get(key)?;
    variants.iter().find(|stored| stored.version == now && stored.is_for(headers)).cloned()
}

/// Keeps an answer, in the place of one that it takes the same requests from.
pub fn keep(answers: &Answers, key: Digest, stored: Stored) {
    let stored = Arc::new(stored);
    answers.entry(key).and_compute_with(|known| {
        let known = known.map(moka::Entry::into_value);
        let others = known.iter().flat_map(|known| known.iter());
        let others = others.filter(|other| other.version == stored.version && other.vary != stored.vary);
        let variants = [Arc::clone(&stored)].into_iter().chain(others.cloned()).take(MOST_VARIANTS);
        Op::Put(variants.collect())
    });
}
