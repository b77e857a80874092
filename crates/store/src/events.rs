//! The event store: appends, lists, follows and purges events in a directory with one file for each day.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::event::TransactionEvent;
use sqlx::Connection;
use tokio::sync::{Mutex, Semaphore, broadcast};
use tracing::{info, warn};

use crate::{
    StoreError,
    block::{Block, BlockBuilder, Part},
    day::{self, Day},
    filter::{EventFilter, EventPage},
    page::Collector,
    writer::{self, DayWriter},
};

/// The store of a directory is in use by whoever holds a lock on this file.
pub const LOCK_FILE: &str = "events.lock";
/// Batches that a follower may be behind before it misses some.
const FOLLOWED: usize = 256;
/// Most reads at a time: each of them keeps a thread busy.
const READERS: usize = 4;
/// Around midnight events of two days come in.
const OPEN_DAYS: usize = 2;

/// The events of one gateway. One process at a time owns the directory.
pub struct EventStore {
    directory: PathBuf,
    retention: Duration,
    writer: Mutex<Writer>,
    readers: Semaphore,
    followers: broadcast::Sender<Arc<[TransactionEvent]>>,
    /// Number of files set aside. It is changed by who holds the writer.
    set_aside: AtomicU64,
    /// Holds the lock for as long as the store lives. Dropped last.
    lock: File,
}

#[derive(Default)]
struct Writer {
    /// The day written last comes last.
    days: Vec<DayWriter>,
    builder: BlockBuilder,
}

impl EventStore {
    /// Opens the store in `directory`, which is created if it is missing.
    pub async fn open(directory: &Path, retention: Duration) -> Result<Self, StoreError> {
        let io = |action: &'static str, path: &Path| {
            let path = path.to_owned();
            move |cause| StoreError::Io { action, path, cause }
        };
        fs::create_dir_all(directory).map_err(io("create", directory))?;
        let lock_path = directory.join(LOCK_FILE);
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(cause)) => return Err(io("lock", &lock_path)(cause)),
        }
        Ok(Self {
            directory: directory.to_owned(),
            retention,
            writer: Mutex::default(),
            readers: Semaphore::new(READERS),
            followers: broadcast::Sender::new(FOLLOWED),
            set_aside: AtomicU64::new(0),
            lock,
        })
    }

    /// Stores the events. Once this returns, a kill of the process does not lose them. After an error, those of
    /// one day may be stored and those of another not; [`append_block`](Self::append_block) tells them apart.
    pub async fn append(&self, events: &[TransactionEvent]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        for event in events {
            writer.builder.push_event(event);
        }
        let mut block = writer.builder.finish();
        self.store(&mut writer, &mut block).await
    }

    /// Stores a block. What is stored is taken out of it: after an error, a second call stores the rest.
    pub async fn append_block(&self, block: &mut Block) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        self.store(&mut writer, block).await
    }

    async fn store(&self, writer: &mut Writer, block: &mut Block) -> Result<(), StoreError> {
        let mut result = Ok(());
        let mut place = 0;
        while let Some(part) = block.parts.get(place) {
            let mut stored = self.store_part(writer, part).await;
            if let Err(StoreError::Corrupt { file, reason }) = stored {
                stored = match self.set_aside(&file, &reason) {
                    Ok(_) => self.store_part(writer, part).await,
                    Err(error) => Err(error),
                };
            }
            if stored.is_err() {
                // Another day may have a better file.
                result = result.and(stored);
                place += 1;
                continue;
            }
            let part = block.parts.remove(place);
            if self.followers.receiver_count() > 0
                && let Ok(events) = writer::unpack(&part)
            {
                // Nobody may be left to read it, which is no error.
                let _ = self.followers.send(events.into());
            }
        }
        result
    }

    /// Whatever fails closes the day, so that the next append starts from the file as it is then.
    async fn store_part(&self, writer: &mut Writer, part: &Part) -> Result<(), StoreError> {
        let path = part.day.path(&self.directory);
        let failed = |source| StoreError::database("write", path.clone(), source);
        let mut day = match writer.days.iter().position(|day| day.day() == part.day) {
            Some(place) => writer.days.remove(place),
            None => DayWriter::open(part.day, &path).await.map_err(failed)?,
        };
        day.append(part).await.map_err(failed)?;
        if day.wants_merge()
            && let Err(error) = day.merge().await
        {
            // The events are stored; merging is tried again when the file is opened next.
            warn!(file = %path.display(), %error, "small event blocks could not be merged");
            return Ok(());
        }
        writer.days.push(day);
        if writer.days.len() > OPEN_DAYS {
            let oldest = writer.days.remove(0);
            self.close_day(oldest).await;
        }
        Ok(())
    }

    async fn close_day(&self, day: DayWriter) {
        let file = day.day().file_name();
        if let Err(error) = day.close().await {
            // Nothing is lost: the write-ahead log is taken in when the file is opened next.
            warn!(%file, %error, "an event file was not closed well");
        }
    }

    /// Events that fit the filter, newest first.
    pub async fn list(&self, filter: &EventFilter) -> Result<EventPage, StoreError> {
        // The semaphore is never closed; without a permit the read would merely not be counted.
        let _permit = self.readers.acquire().await.ok();
        let (first_ms, last_ms) = filter.span();
        let mut collector = Collector::new(filter);
        let mut days = day::days(&self.directory)?;
        days.retain(|day| (Day::of(first_ms)..=Day::of(last_ms)).contains(day));
        for day in days.into_iter().rev() {
            if collector.is_complete_before(day.end_ms() - 1) {
                break;
            }
            let set_aside = self.set_aside.load(Ordering::Acquire);
            match self.collect(day, &mut collector).await {
                Ok(()) => {}
                Err(StoreError::Corrupt { file, reason }) => {
                    let mut writer = self.writer.lock().await;
                    writer.days.retain(|open| open.day() != day);
                    // While this reader waited, another may have done it, and a sound file be in its place.
                    let done = self.set_aside.load(Ordering::Acquire) != set_aside;
                    collector.warn(if done {
                        format!("{} is damaged: {reason}", file.display())
                    } else {
                        self.set_aside(&file, &reason)?
                    });
                }
                // Other days may still be readable.
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "an event file cannot be read");
                    collector.warn(error.to_string());
                }
            }
        }
        Ok(collector.finish())
    }

    async fn collect(&self, day: Day, collector: &mut Collector<'_>) -> Result<(), StoreError> {
        let path = day.path(&self.directory);
        let failed = |source| StoreError::database("read", path.clone(), source);
        let mut connection = match day::open_to_read(&path).await {
            Ok(connection) => connection,
            // Purged in the meantime.
            Err(_) if !path.exists() => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let collected = collector.collect(day, &mut connection).await;
        let closed = connection.close().await;
        collected.and(closed).map_err(failed)
    }

    /// The event of a request.
    pub async fn get(&self, correlation_id: &str) -> Result<Option<TransactionEvent>, StoreError> {
        let filter = EventFilter {
            correlation_id: Some(correlation_id.to_owned()),
            limit: Some(1),
            ..EventFilter::default()
        };
        Ok(self.list(&filter).await?.events.pop())
    }

    /// Deletes the files of days that ended before the retention; returns how many.
    pub async fn purge(&self, now_ms: u64) -> Result<u64, StoreError> {
        let retention = u64::try_from(self.retention.as_millis()).unwrap_or(u64::MAX);
        let keep_from = now_ms.saturating_sub(retention);
        let mut writer = self.writer.lock().await;
        let mut removed = 0;
        for day in day::days(&self.directory)?.into_iter().take_while(|day| day.end_ms() <= keep_from) {
            writer.days.retain(|open| open.day() != day);
            let path = day.path(&self.directory);
            day::delete(&path)?;
            info!(file = %path.display(), "events beyond the retention were deleted");
            removed += 1;
        }
        Ok(removed)
    }

    /// Batches of events, each after it was stored. Who reads too slowly is told how many batches were missed.
    pub fn follow(&self) -> broadcast::Receiver<Arc<[TransactionEvent]>> {
        self.followers.subscribe()
    }

    /// Merges small blocks and folds the write-ahead logs into the files.
    pub async fn close(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut result = Ok(());
        for day in writer.days.drain(..) {
            let path = day.day().path(&self.directory);
            result =
                result.and(day.close().await.map_err(|error| StoreError::database("close", path, error)));
        }
        // Somebody may still hold on to this store; the directory is free for another one all the same.
        let _ = self.lock.unlock();
        result
    }

    /// Call it with the writer held, and the day's file not open in it.
    fn set_aside(&self, file: &Path, reason: &str) -> Result<String, StoreError> {
        let aside = day::set_aside(file).map_err(|cause| StoreError::Io {
            action: "set aside",
            path: file.to_owned(),
            cause,
        })?;
        self.set_aside.fetch_add(1, Ordering::Release);
        warn!(file = %file.display(), aside = %aside.display(), reason, "a damaged event file was set aside");
        Ok(format!("{} is damaged and was set aside as {}: {reason}", file.display(), aside.display()))
    }
}

#[cfg(test)]
mod tests;
