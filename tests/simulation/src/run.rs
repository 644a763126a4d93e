//! One seed after another, each on a runtime of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::story::{Failure, Told, tell};

/// How many steps a story has.
pub const STEPS: usize = 40;

/// Tells the story of one seed. A panic is a failure like any other.
pub fn seed(seed: u64, steps: usize) -> Result<Told, Failure> {
    let told = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(tell(seed, steps, None))
    }));
    told.unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = format!("it panicked: {}", words.unwrap_or_default());
        Err(Failure { seed, step: 0, what, log: Vec::new() })
    })
}
