//! Users of a directory elsewhere, as requests meet them. Whose password was right is remembered for a while; a request
//! of theirs then waits for nobody and locks nothing. How a directory is asked is left to the binary.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::{runtime::Handle, sync::watch};

use crate::{Timestamp, compile::applications::sha256, state::StateRegistry};

/// Requests that wait for the directory. More than these would wait for longer than clients do.
const MOST_WAITING: usize = 256;
/// Most passwords remembered; when there are more, all are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// Somebody in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// As the directory has it, however it was typed.
    pub name: Box<str>,
    /// What the settings make of their groups there.
    pub groups: Vec<Box<str>>,
}

/// The directory could not be asked; whoever tried has logged why.
#[derive(Debug)]
pub struct Away;

/// What a directory says; `None` for nobody.
pub type Said<'a> = Pin<Box<dyn Future<Output = Result<Option<DirectoryUser>, Away>> + Send + 'a>>;

/// A directory of users.
pub trait Directory: Send + Sync + 'static {
    /// Whoever has this name and this password. Comes to an end in any case, and not late.
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Said<'a>;

    /// How long a password that was right counts without a question.
    fn remember(&self) -> Duration;
}

/// What came of asking.
#[derive(Debug, Clone)]
pub enum Answer {
    Right(Arc<DirectoryUser>),
    Wrong,
    /// The directory could not be asked.
    Away,
    /// Too many others are waiting.
    Busy,
}

/// Stands for a name and a password, with a key that only this process knows.
type Mark = [u8; 32];

/// The directory of a gateway. There is one for all its snapshots.
#[derive(Default)]
pub struct UserDirectory(OnceLock<Arc<Asking>>);

impl fmt::Debug for UserDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserDirectory({})", self.0.get().is_some())
    }
}

impl UserDirectory {
    /// The one that belongs to a registry.
    pub fn of(registry: &StateRegistry) -> Arc<Self> {
        registry.keep_always("directory of users", Self::default)
    }

    /// Users here whose passwords are kept by the manager of a registry's gateway.
    pub fn of_accounts(registry: &StateRegistry) -> Arc<Self> {
        registry.keep_always("passwords of users", Self::default)
    }

    /// It can be asked from now on, on these threads and with this key.
    pub fn begin(&self, directory: Arc<dyn Directory>, runtime: Handle, key: [u8; 32]) {
        let _ = self.0.set(Arc::new(Asking {
            directory,
            runtime,
            key,
            remembered: papaya::HashMap::default(),
            under_way: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }));
    }

    /// `None` where there is no directory, as in a rehearsal.
    pub fn get(&self) -> Option<&Arc<Asking>> {
        self.0.get()
    }
}

/// A directory that can be asked, and what it has said.
pub struct Asking {
    directory: Arc<dyn Directory>,
    /// A question goes on when the request that began it goes away: others wait for it, too.
    runtime: Handle,
    key: [u8; 32],
    remembered: papaya::HashMap<Mark, (Arc<DirectoryUser>, Timestamp), RandomState>,
    under_way: Mutex<HashMap<Mark, watch::Receiver<Option<Answer>>, RandomState>>,
    waiting: AtomicUsize,
}

impl Asking {
    /// Whoever had this name and this password when that was asked last, if that is not too long ago.
    pub fn remembered(&self, user: &str, password: &str, now: Timestamp) -> Option<Arc<DirectoryUser>> {
        self.recall(&self.mark(user, password), now)
    }

    /// Whoever has this name and this password. Who asks the same meanwhile waits for the same answer.
    pub async fn ask(self: &Arc<Self>, user: &str, password: &str, now: Timestamp) -> Answer {
        // Without a password a directory lets anybody in, as nobody in particular (RFC 4513, 5.1.2).
        if user.is_empty() || password.is_empty() {
            return Answer::Wrong;
        }
        let Some(_waiting) = Waiting::begin(&self.waiting) else { return Answer::Busy };
        let mut answer = match self.begin(user, password, now) {
            Ok(known) => return Answer::Right(known),
            Err(answer) => answer,
        };
        match answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(Answer::Away),
            Err(_) => Answer::Away,
        }
    }

    /// Joins a question, or begins it, unless it has just been answered.
    fn begin(
        self: &Arc<Self>,
        user: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<Arc<DirectoryUser>, watch::Receiver<Option<Answer>>> {
        let mark = self.mark(user, password);
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = under_way.get(&mark) {
            return Err(answer.clone());
        }
        // What is remembered is written down before its question ends.
        if let Some(known) = self.recall(&mark, now) {
            return Ok(known);
        }
        let (sender, answer) = watch::channel(None);
        under_way.insert(mark, answer.clone());
        drop(under_way);
        let (user, password) = (user.to_owned(), password.to_owned());
        let question = Question { asking: Arc::clone(self), mark };
        self.runtime.spawn(async move {
            let answer = match question.asking.directory.check(&user, &password).await {
                Ok(Some(found)) => {
                    let found = Arc::new(found);
                    question.asking.keep(mark, Arc::clone(&found), now);
                    Answer::Right(found)
                }
                Ok(None) => Answer::Wrong,
                Err(Away) => Answer::Away,
            };
            drop(question);
            sender.send_replace(Some(answer));
        });
        Err(answer)
    }

    fn recall(&self, mark: &Mark, now: Timestamp) -> Option<Arc<DirectoryUser>> {
        let remembered = self.remembered.pin();
        let (user, since) = remembered.get(mark)?;
        (now.since(*since) < self.directory.remember()).then(|| Arc::clone(user))
    }

    fn keep(&self, mark: Mark, user: Arc<DirectoryUser>, now: Timestamp) {
        if self.directory.remember().is_zero() {
            return;
        }
        let remembered = self.remembered.pin();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(mark, (user, now));
    }

    fn mark(&self, user: &str, password: &str) -> Mark {
        let length = u64::try_from(user.len()).unwrap_or(u64::MAX).to_be_bytes();
        let parts: [&[u8]; 4] = [&self.key, &length, user.as_bytes(), password.as_bytes()];
        sha256(&parts.concat())
    }
}

/// A question that is under way, until it ends some way or other.
struct Question {
    asking: Arc<Asking>,
    mark: Mark,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.asking.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.mark);
    }
}

/// A place among those that wait, given back when the request goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        // Dropping it takes away again what was added.
        (waiting.fetch_add(1, Relaxed) < MOST_WAITING).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Knows that every password is `right`, and answers when it may.
    struct Slow {
        asked: AtomicUsize,
        answers: Semaphore,
    }

    impl Directory for Slow {
        fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Said<'a> {
            Box::pin(async move {
                self.asked.fetch_add(1, Relaxed);
                let _may = self.answers.acquire().await;
                assert_ne!(password, "panic");
                let known = DirectoryUser { name: user.into(), groups: Vec::new() };
                Ok((password == "right").then_some(known))
            })
        }

        fn remember(&self) -> Duration {
            Duration::from_secs(60)
        }
    }

    fn asking(answers: usize) -> (Arc<Slow>, Arc<Asking>) {
        let slow = Arc::new(Slow { asked: AtomicUsize::new(0), answers: Semaphore::new(answers) });
        let users = UserDirectory::default();
        users.begin(Arc::clone(&slow) as Arc<dyn Directory>, Handle::current(), [7; 32]);
        (slow, Arc::clone(users.get().expect("it has begun")))
    }

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    #[tokio::test]
    async fn whoever_asks_the_same_at_the_same_time_asks_once() {
        let (slow, asking) = asking(0);
        let all = join_all((0..100).map(|_| asking.ask("ann", "right", NOW)));
        let freed = async { slow.answers.add_permits(1) };
        let (answers, ()) = tokio::join!(all, freed);
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Right(ann) if &*ann.name == "ann")));
        assert_eq!(slow.asked.load(Relaxed), 1);
        assert!(matches!(asking.ask("ann", "right", NOW).await, Answer::Right(_)), "without a question");
        assert_eq!(slow.asked.load(Relaxed), 1);
        for _ in 0..2 {
            assert!(matches!(asking.ask("ann", "wrong", NOW).await, Answer::Wrong));
        }
        assert_eq!(slow.asked.load(Relaxed), 3, "what was wrong is asked again");
        for (user, password) in [("ann", ""), ("", "right")] {
            assert!(matches!(asking.ask(user, password, NOW).await, Answer::Wrong));
        }
        assert_eq!(slow.asked.load(Relaxed), 3, "what nobody may have is not asked");
    }

    #[tokio::test]
    async fn a_password_that_was_right_counts_for_its_time_and_its_user() {
        let (_, asking) = asking(9);
        assert!(asking.remembered("ann", "right", NOW).is_none());
        asking.ask("ann", "right", NOW).await;
        let after = |seconds| NOW.plus(Duration::from_secs(seconds));
        assert!(asking.remembered("ann", "right", after(59)).is_some());
        assert!(asking.remembered("ann", "right", after(60)).is_none());
        for (user, password) in [("annr", "ight"), ("an", "nright"), ("bob", "right"), ("ann", "Right")] {
            assert!(asking.remembered(user, password, NOW).is_none(), "{user} {password}");
        }
    }

    #[tokio::test]
    async fn no_more_wait_than_can_be_answered_and_a_question_that_fails_is_over() {
        let (slow, asking) = asking(0);
        let all = join_all((0..=MOST_WAITING).map(|_| asking.ask("ann", "right", NOW)));
        let (answers, ()) = tokio::join!(all, async { slow.answers.add_permits(9) });
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Answer::Busy)).count(), 1);
        for _ in 0..2 {
            assert!(matches!(asking.ask("ann", "panic", NOW).await, Answer::Away));
        }
        assert_eq!(slow.asked.load(Relaxed), 3, "it is asked again");
        assert_eq!(asking.waiting.load(Relaxed), 0);
    }
}
