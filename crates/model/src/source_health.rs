//! How well the calls of a source go, and how near its identity provider is to giving up on it.
//!
//! Entra ID puts a provisioning job into quarantine: at once for refused credentials, else when over 40 % of its calls fail (looked
//! at from 5,000 failures on), when over 40,000 fail, or over 60,000 with those that concern references. Entra counts inside its
//! cycle, which nobody else sees; here the last [`WINDOW`] hours stand for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{RequestId, SourceId};

/// How many hours are looked at, the present one among them.
pub const WINDOW: i64 = 24;

const SHARE_PERCENT: u64 = 40;
const SHARE_FROM: u64 = 5_000;
const FAILURES: u64 = 40_000;
const WITH_REFERENCES: u64 = 60_000;
/// The warning comes at half of each, and where so few calls fail already.
const WARN_FROM: u64 = 20;

/// An hour, counted from 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour of an instant.
    pub fn of(at: OffsetDateTime) -> Self {
        Self(at.unix_timestamp().div_euclid(3600))
    }

    /// The first hour of the window that ends in this one.
    #[must_use]
    pub fn first_of_window(self) -> Self {
        Self(self.0 - WINDOW + 1)
    }
}

/// Calls of a source in some span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// All of them.
    pub calls: u64,
    /// Those that failed, but for the next.
    pub failed: u64,
    /// Those that failed over a reference to another resource alone: a member, a manager.
    pub reference_failed: u64,
}

impl CallCounts {
    /// Adds others to these.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.reference_failed += other.reference_failed;
    }

    /// How many in a hundred failed, references left out.
    pub fn failed_percent(&self) -> u64 {
        (self.failed * 100).checked_div(self.calls).unwrap_or(0)
    }

    fn share_is_over(&self, percent: u64) -> bool {
        self.failed * 100 > self.calls * percent
    }
}

/// A call that failed, told without any value that it carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCall {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The id of the request, as logs have it.
    pub request: RequestId,
    /// The HTTP method.
    pub method: String,
    /// The route's pattern: `/scim/v2/Users/{id}`.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// The answer's keyword, where it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim_type: Option<String>,
    /// The answer's sentence; what it quoted is taken out.
    pub detail: String,
    /// What was sent: names and types, no values.
    pub shape: String,
}

/// What is known of a source's calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// By hour. What is older than the window may be there and does not count.
    pub hours: BTreeMap<Hour, CallCounts>,
    /// The last write that was accepted.
    pub last_push: Option<OffsetDateTime>,
    /// The last call that failed.
    pub last_failure: Option<FailedCall>,
    /// When a token of the source was last refused, as revoked or expired.
    pub refused: Option<OffsetDateTime>,
    /// When a token of the source was last accepted.
    pub accepted: Option<OffsetDateTime>,
}

/// Where a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// It has not called within the window.
    Quiet,
    /// Its calls go well.
    Healthy,
    /// So many calls fail that quarantine is near.
    Failing,
    /// What would be counted is over the rule: Entra is in quarantine, or will be after its cycle.
    Quarantine,
    /// Its token is refused, and no other was accepted since: Entra stops at once.
    Refused,
}

impl HealthState {
    /// The name, as answers and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Quarantine => "quarantine",
            Self::Refused => "refused",
        }
    }

    /// Whether somebody should look at it.
    pub fn is_bad(self) -> bool {
        self >= Self::Failing
    }
}

impl SourceHealth {
    /// The calls of the window that ends now.
    pub fn counts(&self, now: OffsetDateTime) -> CallCounts {
        let mut sum = CallCounts::default();
        let last = Hour::of(now);
        for (_, counts) in self.hours.range(last.first_of_window()..=last) {
            sum.add(*counts);
        }
        sum
    }

    /// Where it stands.
    pub fn state(&self, now: OffsetDateTime) -> HealthState {
        if self.refused.is_some_and(|refused| self.accepted.is_none_or(|accepted| accepted < refused)) {
            return HealthState::Refused;
        }
        let counts = self.counts(now);
        let (failed, all) = (counts.failed, counts.failed + counts.reference_failed);
        if (failed >= SHARE_FROM && counts.share_is_over(SHARE_PERCENT))
            || failed > FAILURES
            || all > WITH_REFERENCES
        {
            HealthState::Quarantine
        } else if (failed >= WARN_FROM && counts.share_is_over(SHARE_PERCENT / 2))
            || failed > FAILURES / 2
            || all > WITH_REFERENCES / 2
        {
            HealthState::Failing
        } else if counts.calls > 0 {
            HealthState::Healthy
        } else {
            HealthState::Quiet
        }
    }

    /// Takes what is newer, or was counted beside this.
    pub fn merge(&mut self, other: &Self) {
        for (hour, counts) in &other.hours {
            self.hours.entry(*hour).or_default().add(*counts);
        }
        self.last_push = self.last_push.max(other.last_push);
        self.refused = self.refused.max(other.refused);
        self.accepted = self.accepted.max(other.accepted);
        let at = |failure: &Option<FailedCall>| failure.as_ref().map(|failure| failure.at);
        if at(&other.last_failure) > at(&self.last_failure) {
            self.last_failure.clone_from(&other.last_failure);
        }
    }

    /// Leaves out the hours before the window that ends now.
    pub fn forget(&mut self, now: OffsetDateTime) {
        self.hours = self.hours.split_off(&Hour::of(now).first_of_window());
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The health of a source, with its name.
pub type HealthOf = (SourceId, SourceHealth);

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 08:30 UTC);

    fn of(calls: u64, failed: u64, reference_failed: u64) -> SourceHealth {
        let counts = CallCounts { calls, failed, reference_failed };
        SourceHealth { hours: BTreeMap::from([(Hour::of(NOW), counts)]), ..SourceHealth::default() }
    }

    #[test]
    fn the_state_follows_the_rule_of_quarantine() {
        use HealthState::{Failing, Healthy, Quarantine, Quiet};
        for (calls, failed, references, state) in [
            (0, 0, 0, Quiet),
            (1_000, 19, 0, Healthy),
            (20, 19, 0, Healthy),
            (100, 20, 0, Healthy),
            (99, 20, 0, Failing),
            (4_999, 4_999, 0, Failing),
            (5_000, 5_000, 0, Quarantine),
            (12_500, 5_000, 0, Failing),
            (12_499, 5_000, 0, Quarantine),
            (1_000_000, 20_000, 0, Healthy),
            (1_000_000, 20_001, 0, Failing),
            (1_000_000, 40_000, 0, Failing),
            (1_000_000, 40_001, 0, Quarantine),
            // References are no part of the share, and part of the sum.
            (10_000, 0, 10_000, Healthy),
            (100_000, 1, 30_000, Failing),
            (100_000, 1, 60_000, Quarantine),
        ] {
            assert_eq!(of(calls, failed, references).state(NOW), state, "{calls} {failed} {references}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_counts_no_more() {
        let mut health = of(10_000, 9_000, 0);
        assert_eq!(health.state(NOW + Duration::hours(23)), HealthState::Quarantine);
        assert_eq!(health.state(NOW + Duration::hours(24)), HealthState::Quiet);
        health.forget(NOW + Duration::hours(23));
        assert_eq!(health.hours.len(), 1);
        health.forget(NOW + Duration::hours(24));
        assert!(health.is_empty());
    }

    #[test]
    fn a_refused_token_is_bad_until_one_is_accepted() {
        let mut health = of(10, 0, 0);
        health.accepted = Some(NOW);
        health.refused = Some(NOW + Duration::minutes(1));
        assert_eq!(health.state(NOW), HealthState::Refused);
        health.accepted = Some(NOW + Duration::minutes(2));
        assert_eq!(health.state(NOW), HealthState::Healthy);
    }

    #[test]
    fn merging_adds_counts_and_keeps_the_latest() {
        let failure = |minute: i64| FailedCall {
            at: NOW + Duration::minutes(minute),
            request: "r".parse().unwrap(),
            method: "POST".into(),
            route: "/scim/v2/Users".into(),
            status: 400,
            scim_type: None,
            detail: String::new(),
            shape: String::new(),
        };
        let mut one = SourceHealth { last_failure: Some(failure(2)), last_push: Some(NOW), ..of(3, 1, 0) };
        let other = SourceHealth { last_failure: Some(failure(1)), ..of(4, 0, 2) };
        one.merge(&other);
        assert_eq!(one.counts(NOW), CallCounts { calls: 7, failed: 1, reference_failed: 2 });
        assert_eq!((one.last_push, one.last_failure.as_ref()), (Some(NOW), Some(&failure(2))));
        one.merge(&SourceHealth { last_failure: Some(failure(3)), ..SourceHealth::default() });
        assert_eq!(one.last_failure, Some(failure(3)));
    }
}
