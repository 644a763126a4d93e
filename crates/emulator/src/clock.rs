//! Where the emulator's time comes from.

use std::sync::atomic::{AtomicI64, Ordering};

use time::{OffsetDateTime, PrimitiveDateTime};

/// Gives the present instant in UTC.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> OffsetDateTime;

    /// The present instant as the server's functions and catalog columns show it.
    fn stamp(&self) -> PrimitiveDateTime {
        let now = self.now();
        PrimitiveDateTime::new(now.date(), now.time())
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the emulator reads the machine's clock"
    )]
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The machine's clock, moved ahead on order.
#[derive(Debug, Default)]
pub struct MovableClock {
    ahead: AtomicI64,
}

impl MovableClock {
    /// How far ahead it can be in all, in seconds: ten years.
    pub const MOST: i64 = 315_360_000;

    /// How far ahead it is, in seconds.
    pub fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Moves it ahead; false, and not moved, where that is beyond [`Self::MOST`] or back behind the machine's own time.
    pub fn advance(&self, seconds: i64) -> bool {
        let fits = |now: i64| now.checked_add(seconds).filter(|sum| (0..=Self::MOST).contains(sum));
        self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

impl Clock for MovableClock {
    fn now(&self) -> OffsetDateTime {
        SystemClock.now() + time::Duration::seconds(self.ahead.load(Ordering::Relaxed))
    }
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub OffsetDateTime);

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        self.0
    }
}
