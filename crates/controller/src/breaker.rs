//! The circuit breaker of one target: whoever fails again and again is asked seldom, and then by one tick at a time.
//!
//! ```text
//!  closed ──a failure──> closed, tried again soon ──three in a row, or paused──> open ──the time has come, or somebody leaves──┐
//!    ^                                                                            ^                                          v
//!    └────────────────────────────── a tick that reaches the target ──────────────┼───────────────────────────────────── half-open
//!                                                                                 └──────────────── it fails ────────────────┘
//! ```
//!
//! Waits double up to a minute and are shortened by up to a half, by chance: many processes and targets that lost one server do
//! not come back to it in one moment.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::summary::State;

/// So many failures in a row open it.
const OPENS_AT: u32 = 3;
/// The longest wait, but for what a server asks for itself.
const LONGEST: Duration = Duration::from_mins(1);
/// So long after a try nobody who leaves sets off another.
const BETWEEN_EARLY: Duration = Duration::from_secs(5);

/// How a target is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// As always.
    Closed,
    /// Not at all, until a time.
    Open,
    /// By one tick, which tells whether it answers again.
    HalfOpen,
}

impl Standing {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What is shown of a breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaking {
    /// Open or half-open.
    pub standing: Standing,
    /// How many failures in a row.
    pub failures: u32,
    /// Since when.
    #[serde(with = "axon_audit::record::instant")]
    pub since: OffsetDateTime,
    /// When it is tried next at the latest.
    #[serde(with = "axon_audit::record::instant")]
    pub until: OffsetDateTime,
}

/// The breaker of one target.
#[derive(Debug)]
pub(crate) struct Breaker {
    first: Duration,
    failures: u32,
    since: Option<OffsetDateTime>,
    tried: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
    half: bool,
    /// The server said itself how long it wants to be left alone, or is paused: nobody is in it.
    asked: bool,
}

impl Breaker {
    /// Closed; `first` is the wait after the first failure.
    pub fn new(first: Duration) -> Self {
        Self { first, failures: 0, since: None, tried: None, until: None, half: false, asked: false }
    }

    /// The target answered.
    pub fn succeeded(&mut self) {
        *self = Self::new(self.first);
    }

    /// A tick failed. `asked` is the wait that the server asked for; `chance` a random number. Gives the wait.
    pub fn failed(&mut self, state: State, asked: Duration, chance: u64, now: OffsetDateTime) -> Duration {
        let wait = jittered(pause(self.first, self.failures), chance).max(asked);
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(now);
        self.tried = Some(now);
        self.half = false;
        self.asked = !asked.is_zero() || state == State::Paused;
        self.until = (self.failures >= OPENS_AT || self.asked).then(|| now + wait);
        wait
    }

    /// The next tick is the one that tries.
    pub fn try_again(&mut self) {
        self.half = self.until.is_some();
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match (self.until, self.half) {
            (None, _) => Standing::Closed,
            (Some(_), false) => Standing::Open,
            (Some(_), true) => Standing::HalfOpen,
        }
    }

    /// What is shown of it; nothing while it is closed.
    pub fn shown(&self) -> Option<Breaking> {
        let (since, until) = (self.since?, self.until?);
        Some(Breaking { standing: self.standing(), failures: self.failures, since, until })
    }

    /// Whether somebody who leaves is reason enough to try before the time has come.
    pub fn may_try_early(&self, now: OffsetDateTime) -> bool {
        !self.asked && self.tried.is_none_or(|tried| now - tried >= BETWEEN_EARLY)
    }
}

/// How long it is waited after so many failures in a row.
pub(crate) fn pause(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(1 << failures.min(5)).min(LONGEST)
}

/// Between a half of it and all of it.
fn jittered(wait: Duration, chance: u64) -> Duration {
    let part = u32::try_from(chance % 1_024).unwrap_or_default();
    wait / 2 + wait / 2 * part / 1_024
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 00:00 UTC);
    const NOT_ASKED: Duration = Duration::ZERO;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn three_failures_open_it_and_an_answer_closes_it() {
        let mut breaker = Breaker::new(secs(2));
        for failures in 1..=2 {
            breaker.failed(State::Unreachable, NOT_ASKED, 0, NOW);
            assert_eq!((breaker.standing(), breaker.shown()), (Standing::Closed, None), "{failures}");
        }
        let wait = breaker.failed(State::Unreachable, NOT_ASKED, 0, NOW + secs(3));
        let shown = breaker.shown().unwrap();
        assert_eq!((shown.standing, shown.failures, shown.since), (Standing::Open, 3, NOW));
        assert_eq!(shown.until, NOW + secs(3) + wait);
        breaker.try_again();
        assert_eq!(breaker.standing(), Standing::HalfOpen);
        breaker.failed(State::Unreachable, NOT_ASKED, 0, NOW + secs(9));
        assert_eq!(breaker.standing(), Standing::Open, "it failed again: the next try is later");
        breaker.succeeded();
        assert_eq!(breaker.standing(), Standing::Closed);
        assert_eq!(breaker.failed(State::Busy, NOT_ASKED, 0, NOW), secs(1), "and begins anew");
    }

    #[test]
    fn waits_double_to_a_minute_and_lie_between_a_half_and_all_of_it() {
        for chance in [0, 511, 1_023, u64::MAX] {
            let mut breaker = Breaker::new(secs(2));
            let waits: Vec<Duration> =
                (0..8).map(|_| breaker.failed(State::Unreachable, NOT_ASKED, chance, NOW)).collect();
            for (wait, whole) in waits.iter().zip([2, 4, 8, 16, 32, 60, 60, 60].map(secs)) {
                assert!(*wait >= whole / 2 && *wait <= whole, "{waits:?}");
            }
        }
        let of = |chance| jittered(secs(60), chance);
        assert!(of(1) != of(500), "chance makes a difference");
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it_at_once_and_whole() {
        let mut breaker = Breaker::new(secs(2));
        assert_eq!(breaker.failed(State::Busy, secs(40), 0, NOW), secs(40));
        assert_eq!(breaker.standing(), Standing::Open);
        assert!(!breaker.may_try_early(NOW + secs(30)), "it is to be left alone");
        let mut paused = Breaker::new(secs(2));
        paused.failed(State::Paused, NOT_ASKED, 0, NOW);
        assert_eq!(paused.standing(), Standing::Open);
        assert!(!paused.may_try_early(NOW + secs(30)), "nobody has a session in a paused pool");
    }

    #[test]
    fn who_leaves_is_tried_early_but_not_without_a_pause() {
        let mut breaker = Breaker::new(secs(2));
        breaker.failed(State::Unreachable, NOT_ASKED, 0, NOW);
        assert!(!breaker.may_try_early(NOW + secs(4)));
        assert!(breaker.may_try_early(NOW + secs(5)));
    }
}
