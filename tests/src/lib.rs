//! What the end-to-end suites share: starting the real binary, speaking to it, waiting for what it does.
//!
//! The suites are in `tests/tests/`, one file a story. Nothing here sleeps and hopes: [`until`] waits on a condition.

use std::time::{Duration, Instant};

/// Waits until `look` gives a value, at most `within`; says what was awaited if it never does.
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
