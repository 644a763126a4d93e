//! The limit of role assignments in a subscription, and when it will be met.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{ASSIGNMENTS, VERSION};
use crate::service::{Kind, Service, ServiceFault};
use crate::wire::Call;

/// How many role assignments a subscription may have. Source: reference, section 7.3 (general knowledge).
pub(super) const MOST: i64 = 4_000;
/// From here on people are told.
const NEAR: i64 = MOST * 8 / 10;
/// How often all rows of a subscription are counted: that is a list of thousands.
const COUNTED: Duration = Duration::hours(1);
/// How many counts the forecast looks back on.
const KEPT: usize = 48;
const MOST_PAGES: usize = 1_000;

/// How fast the limit is coming nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nobody knows: it was counted once.
    Unknown,
    /// It does not come nearer.
    Still,
    /// It is met in so many days at the pace of the last counts.
    Days(i64),
}

/// How near the limit is, and how fast it is coming nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// How many there are.
    pub used: i64,
    /// How many there may be.
    pub most: i64,
    /// How fast it is coming nearer.
    pub pace: Pace,
}

#[derive(Default)]
struct State {
    counts: VecDeque<(OffsetDateTime, i64)>,
    /// What Axon itself gave and took since the last count.
    since: i64,
}

/// Watches the limit of one subscription.
#[derive(Default)]
pub(super) struct Limit(Mutex<State>);

#[derive(Deserialize)]
struct Page {
    value: Vec<serde::de::IgnoredAny>,
    #[serde(rename = "nextLink")]
    next: Option<String>,
}

impl Limit {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Axon gave (or took, below nothing) so many.
    pub(super) fn given(&self, change: i64) {
        self.state().since += change;
    }

    /// Counts where that was long ago, and says what people should know. A count that cannot be had is told, and hides nothing of the
    /// scope itself.
    pub(super) async fn look(
        &self,
        service: &Service,
        subscription: &str,
        now: OffsetDateTime,
    ) -> Option<String> {
        let due = self.state().counts.back().is_none_or(|(at, _)| now - *at >= COUNTED);
        if due {
            let used = match count(service, subscription).await {
                Ok(used) => used,
                Err(fault) => return Some(uncounted(subscription, &fault)),
            };
            let mut state = self.state();
            state.counts.push_back((now, used));
            state.since = 0;
            if state.counts.len() > KEPT {
                state.counts.pop_front();
            }
        }
        self.forecast().filter(|f| f.used >= NEAR).map(|f| f.told(subscription))
    }

    fn forecast(&self) -> Option<Forecast> {
        let state = self.state();
        let (last, counted) = state.counts.back()?;
        let (first, before) = state.counts.front()?;
        // In hours, since a day's growth may be read from two counts an hour apart.
        let (used, hours) = (counted + state.since, (*last - *first).whole_hours());
        let pace = match counted - before {
            _ if hours <= 0 => Pace::Unknown,
            grown if grown <= 0 => Pace::Still,
            grown => Pace::Days((MOST - used).max(0) * hours / grown / 24),
        };
        Some(Forecast { used, most: MOST, pace })
    }
}

impl Forecast {
    fn told(&self, subscription: &str) -> String {
        let when = match self.pace {
            _ if self.used >= self.most => "nothing can be assigned any more".to_owned(),
            Pace::Days(days) => format!("at the pace of late the limit is met in {days} days"),
            Pace::Still => "their number does not grow".to_owned(),
            Pace::Unknown => "how fast it grows is not known yet: counted once".to_owned(),
        };
        format!(
            "subscription {subscription} has {} of {} role assignments: {when}; assign to groups (`via: group`) and collect rows \
             of deleted principals",
            self.used, self.most
        )
    }
}

/// Why there is no count. What a refusal means is said here: it is another right than the one to give roles at the scope.
fn uncounted(subscription: &str, fault: &ServiceFault) -> String {
    let why = match fault {
        ServiceFault::Refused { kind: Kind::Forbidden, problem, .. } => {
            let status = format!("{} {}", problem.status, problem.code);
            format!(
                "Azure does not list them for Axon ({}); Reader on the subscription is enough to count them",
                status.trim_end()
            )
        }
        other => other.to_string(),
    };
    format!("how many of {MOST} role assignments subscription {subscription} has is not known: {why}")
}

async fn count(service: &Service, subscription: &str) -> Result<i64, ServiceFault> {
    let path = format!("/subscriptions/{subscription}/{ASSIGNMENTS}?{VERSION}");
    let mut call = Call::get(service.base.at(&path));
    let mut used = 0_i64;
    for _ in 0..MOST_PAGES {
        let page: Page = service.call(call).await?.json().map_err(ServiceFault::Unreadable)?;
        used += i64::try_from(page.value.len()).unwrap_or(i64::MAX);
        match page.next.filter(|next| !next.is_empty()) {
            Some(next) => call = service.link(&next)?,
            None => return Ok(used),
        }
    }
    Err(ServiceFault::Unreadable("Azure's list of a subscription's role assignments does not end".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn forecast(counts: &[(i64, i64)], since: i64) -> Forecast {
        let limit = Limit::default();
        let counts = counts.iter().map(|(hours, n)| (NOW + Duration::hours(*hours), *n)).collect();
        *limit.state() = State { counts, since };
        limit.forecast().unwrap()
    }

    #[test]
    fn the_limit_s_day_follows_from_the_pace() {
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 0).pace, Pace::Days(9));
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 800).used, 3_900);
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 800).pace, Pace::Days(1));
        assert_eq!(forecast(&[(0, 3_100), (24, 3_000)], 0).pace, Pace::Still);
        assert_eq!(forecast(&[(0, 3_100)], 0).pace, Pace::Unknown);
        let told = forecast(&[(0, 3_990), (24, 4_000)], 0).told("s");
        assert!(told.contains("4000 of 4000") && told.contains("nothing can be assigned any more"), "{told}");
    }

    #[test]
    fn one_count_tells_nothing_of_the_pace() {
        let told = |counts: &[(i64, i64)]| forecast(counts, 0).told("s");
        let once = told(&[(0, 3_601)]);
        let head = "subscription s has 3601 of 4000 role assignments: ";
        assert!(
            once.starts_with(&format!("{head}how fast it grows is not known yet: counted once;")),
            "{once}"
        );
        for before in [3_601, 3_700] {
            let still = told(&[(0, before), (1, 3_601)]);
            assert!(still.starts_with(&format!("{head}their number does not grow;")), "{still}");
        }
        let grows = told(&[(0, 3_600), (1, 3_601)]);
        assert!(grows.contains("the limit is met in 16 days"), "{grows}");
    }
}
