//! Waiting for a condition, never for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Long enough for a busy machine; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Waits until a condition holds.
///
/// # Panics
///
/// When it does not hold in time; `what` says what was waited for.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(BETWEEN_LOOKS).await;
    }
}

/// Waits for a future, but not for ever.
///
/// # Panics
///
/// When it does not end in time.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}
