//! How much may be taken in a window of time.

use time::{Duration, OffsetDateTime};

/// At most this share in this time. Small numbers below the floor always pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalBudget {
    /// How far back is counted.
    pub window: Duration,
    /// Of what is there now, 0 to 100.
    pub most_percent: u32,
    /// So many always pass, whatever their share.
    pub floor: u64,
}

impl RemovalBudget {
    /// How many may be taken in one window from this many.
    pub fn allowed(&self, of: u64) -> u64 {
        let share = u128::from(of) * u128::from(self.most_percent.min(100)) / 100;
        self.floor.max(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// How many may still be taken.
    pub fn left(&self, of: u64, past: &[Past], now: OffsetDateTime) -> u64 {
        self.left_and(of, 0, past, now)
    }

    /// The same, where so many more were announced.
    pub fn left_and(&self, of: u64, announced: u64, past: &[Past], now: OffsetDateTime) -> u64 {
        let spent: u64 = past.iter().filter(|p| p.at > now - self.window).map(|p| p.count).sum();
        self.allowed(of).saturating_add(announced).saturating_sub(spent)
    }
}

/// So many were taken then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// When.
    pub at: OffsetDateTime,
    /// How many.
    pub count: u64,
}

/// What was taken from a target lately. Entries older than the window may be left in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Memberships and grants, leavers' own left out.
    pub removals: Vec<Past>,
    /// Principals that were shut out.
    pub leavers: Vec<Past>,
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_floor_and_the_share_are_spent_within_the_window_only() {
        let budget = RemovalBudget { window: Duration::hours(24), most_percent: 5, floor: 20 };
        assert_eq!(budget.allowed(100), 20);
        assert_eq!(budget.allowed(1_000), 50);
        let now = datetime!(2026-11-22 12:00 UTC);
        let past = [
            Past { at: now - Duration::hours(25), count: 1_000 },
            Past { at: now - Duration::hours(24), count: 1_000 },
            Past { at: now - Duration::hours(23), count: 15 },
        ];
        assert_eq!(budget.left(100, &past, now), 5);
        assert_eq!(budget.left(100, &[Past { at: now, count: 21 }], now), 0);
        assert_eq!(RemovalBudget { most_percent: 200, ..budget }.allowed(u64::MAX), u64::MAX);
    }
}
