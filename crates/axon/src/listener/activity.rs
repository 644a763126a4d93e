//! What a connection does: how many requests it began, and how many of them are worked on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one connection.
#[derive(Debug, Default)]
pub struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

/// A request that is worked on.
pub struct Begun(Arc<Activity>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Activity {
    /// A request begins; it ends with what is given.
    pub fn begin(self: &Arc<Self>) -> Begun {
        self.begun.fetch_add(1, Ordering::Relaxed);
        Begun(self.clone())
    }

    /// How many requests began.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether nothing began since there were `seen`, and nothing is worked on.
    pub fn is_idle_since(&self, seen: u64) -> bool {
        let begun = self.begun();
        begun == seen && self.ended.load(Ordering::Relaxed) == begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_worked_on_is_no_idleness() {
        let activity = Arc::new(Activity::default());
        assert!(activity.is_idle_since(0));
        let begun = activity.begin();
        assert!(!activity.is_idle_since(0) && !activity.is_idle_since(1));
        drop(begun);
        assert!(activity.is_idle_since(1) && !activity.is_idle_since(0));
    }
}
