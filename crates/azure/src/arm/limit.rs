//! The limit of role assignments in a subscription, and when it will be met.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{ASSIGNMENTS, VERSION};
use crate::service::{Service, ServiceFault};
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
pub struct Forecast {
    /// How many there are.
    pub used: i64,
    /// How many there may be.
    pub most: i64,
    /// In how many days it is met at the pace of the last counts; none where it does not come nearer.
    pub days: Option<i64>,
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

    /// Counts where that was long ago, and says what people should know.
    pub(super) async fn look(
        &self,
        service: &Service,
        subscription: &str,
        now: OffsetDateTime,
    ) -> Result<Option<String>, ServiceFault> {
        let due = self.state().counts.back().is_none_or(|(at, _)| now - *at >= COUNTED);
        if due {
            let used = count(service, subscription).await?;
            let mut state = self.state();
            state.counts.push_back((now, used));
            state.since = 0;
            if state.counts.len() > KEPT {
                state.counts.pop_front();
            }
        }
        Ok(self.forecast().filter(|f| f.used >= NEAR).map(|f| f.told(subscription)))
    }

    fn forecast(&self) -> Option<Forecast> {
        let state = self.state();
        let (last, counted) = state.counts.back()?;
        let (first, before) = state.counts.front()?;
        let (used, days) = (counted + state.since, (*last - *first).whole_hours());
        let grown = counted - before;
        // In hours, since a day's growth may be read from two counts an hour apart.
        let days = (grown > 0 && days > 0).then(|| (MOST - used).max(0) * days / grown / 24);
        Some(Forecast { used, most: MOST, days })
    }
}

impl Forecast {
    fn told(&self, subscription: &str) -> String {
        let when = match self.days {
            _ if self.used >= self.most => "nothing can be assigned any more".to_owned(),
            Some(days) => format!("at the pace of late the limit is met in {days} days"),
            None => "their number does not grow".to_owned(),
        };
        format!(
            "subscription {subscription} has {} of {} role assignments: {when}; assign to groups (`via: group`) and collect rows \
             of deleted principals",
            self.used, self.most
        )
    }
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
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 0).days, Some(9));
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 800).used, 3_900);
        assert_eq!(forecast(&[(0, 3_000), (24, 3_100)], 800).days, Some(1));
        assert_eq!(forecast(&[(0, 3_100), (24, 3_000)], 0).days, None);
        assert_eq!(forecast(&[(0, 3_100)], 0).days, None);
        let told = forecast(&[(0, 3_990), (24, 4_000)], 0).told("s");
        assert!(told.contains("4000 of 4000") && told.contains("nothing can be assigned any more"), "{told}");
    }
}
