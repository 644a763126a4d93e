//! How much one identity may ask: a few requests a second, so that a job that runs wild waits for itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// After a pause so many times what comes in a second may come at once.
const BURST: f64 = 4.0;
/// How many identities are remembered.
const MOST: usize = 1_024;

/// What each identity has left.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    left: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rates {
    /// So many requests a second for each identity.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1).into(), left: Mutex::default() }
    }

    /// Takes one request of an identity. False where it has none left.
    pub(crate) fn take(&self, identity: &str) -> bool {
        let now = Instant::now();
        let (per_second, burst) = (self.per_second, self.per_second * BURST);
        let mut table = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let full =
            |at: &Instant, left: f64| left + now.duration_since(*at).as_secs_f64() * per_second >= burst;
        if table.len() >= MOST {
            table.retain(|_, (left, at)| !full(at, *left));
            // So many identities at once are none of ours.
            if table.len() >= MOST && !table.contains_key(identity) {
                return false;
            }
        }
        let (left, at) = table.entry(identity.to_owned()).or_insert((burst, now));
        *left = (*left + now.duration_since(*at).as_secs_f64() * per_second).min(burst);
        *at = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_identity_has_its_own_rate_and_the_table_is_bounded() {
        let rates = Rates::new(10);
        let taken = (0..100).filter(|_| rates.take("kim")).count();
        assert_eq!(taken, 40);
        assert!(rates.take("lee"));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(rates.take("kim") && !rates.take("kim"));
        for n in 0..5_000 {
            rates.take(&format!("n{n}"));
        }
        assert!(rates.left.lock().unwrap().len() <= MOST);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(rates.take("new"), "who was quiet is forgotten");
    }
}
