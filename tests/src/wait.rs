//! Waiting on a condition.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Long enough for anything that should happen soon, on a machine that does other work as well.
pub const SOON: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until `look` gives a value, at most `within`. A failed look is another try; the last one is told at the end.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + within;
    loop {
        let seen = look().await;
        if let Ok(Some(value)) = seen {
            return Ok(value);
        }
        if Instant::now() >= end {
            match seen {
                Err(error) => return Err(error.context(format!("not within {within:?}: {what}"))),
                Ok(_) => bail!("not within {within:?}: {what}"),
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
