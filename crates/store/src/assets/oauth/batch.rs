//! Tokens that several requests have issued at once are written together: a transaction waits for the disk, or for another
//! machine, and how many tokens are in it makes little difference.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;

use super::{super::is_away, OauthStore, OauthToken};
use crate::StoreError;

/// Tokens of so many requests are written at a time.
const MOST: usize = 256;

/// The tokens of one request.
pub(super) struct Issue {
    pub tokens: Vec<OauthToken>,
    /// Hash of the refresh token that is used up with it, and when.
    pub from: Option<(String, u64)>,
}

struct Waiting {
    issue: Issue,
    done: oneshot::Sender<Result<bool, sqlx::Error>>,
}

/// What waits to be written.
#[derive(Default)]
pub(super) struct Queue(Mutex<Waits>);

#[derive(Default)]
struct Waits {
    list: Vec<Waiting>,
    /// Somebody writes, and will look at the list again.
    is_writing: bool,
}

impl Queue {
    /// Whether whoever calls has to have it written.
    fn push(&self, waiting: Waiting) -> bool {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waits.list.push(waiting);
        !mem::replace(&mut waits.is_writing, true)
    }

    /// What is to be written next; without any, nobody writes any more.
    fn next(&self) -> Vec<Waiting> {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waits.list.len().min(MOST);
        waits.is_writing = count > 0;
        waits.list.drain(..count).collect()
    }

    /// Nobody writes; whoever waits hears of it.
    fn give_up(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Waits::default();
    }
}

/// Does not let others wait for somebody who is gone.
struct Writing<'q>(&'q Queue);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

impl OauthStore {
    /// Writes tokens down, together with those of others who come meanwhile.
    pub(super) async fn put_with_others(&self, issue: Issue) -> Result<bool, StoreError> {
        let (done, written) = oneshot::channel();
        if self.queue.push(Waiting { issue, done }) {
            // On its own, since whoever asks may go away, and others wait for it, too.
            let store = self.clone();
            tokio::spawn(async move { store.write_waiting().await });
        }
        let written = written.await.unwrap_or(Err(sqlx::Error::WorkerCrashed));
        written.map_err(|cause| self.database.failed("write tokens to", cause))
    }

    async fn write_waiting(&self) {
        let _writing = Writing(&self.queue);
        loop {
            let batch = self.queue.next();
            if batch.is_empty() {
                return;
            }
            let (issues, done): (Vec<Issue>, Vec<_>) =
                batch.into_iter().map(|Waiting { issue, done }| (issue, done)).unzip();
            let written = self.write(&issues).await;
            if written.iter().any(|put| matches!(put, Ok(true))) {
                self.announce().await;
            }
            for (done, put) in done.into_iter().zip(written) {
                // Whoever asked may be gone.
                let _ = done.send(put);
            }
        }
    }

    /// Whether each was written.
    async fn write(&self, issues: &[Issue]) -> Vec<Result<bool, sqlx::Error>> {
        match self.put_now(issues).await {
            Ok(put) => put.into_iter().map(Ok).collect(),
            Err(cause) if issues.len() == 1 => vec![Err(cause)],
            // Nobody waits for each of them to hear the same.
            Err(cause) if is_away(&cause) => issues.iter().map(|_| Err(sqlx::Error::PoolTimedOut)).collect(),
            // What is wrong with one is not wrong with all.
            Err(_) => {
                let mut written = Vec::with_capacity(issues.len());
                for issue in issues {
                    let put = self.put_now(std::slice::from_ref(issue)).await;
                    written.push(put.map(|put| put.first().copied().unwrap_or_default()));
                }
                written
            }
        }
    }
}
