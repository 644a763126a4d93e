//! How fast a service may be asked: after it said "too many", nothing is sent until its time has passed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::wire::Answer;

/// The first wait after a 429 that names none; doubles.
const FIRST: Duration = Duration::from_secs(5);
/// The longest such wait.
const LONGEST: Duration = Duration::from_mins(5);
/// How long it is waited when a service says that its allowance is used up, before it has to refuse.
const SPENT: Duration = Duration::from_secs(5);

/// What a service said of its pace.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    quiet_until: Option<OffsetDateTime>,
    refusals: u32,
}

impl Pace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nothing may be sent yet.
    pub(crate) fn wait(&self, now: OffsetDateTime) -> Option<Duration> {
        let until = self.state().quiet_until?;
        Duration::try_from(until - now).ok().filter(|wait| !wait.is_zero())
    }

    /// Takes in what an answer says. Gives the wait where it refused for haste.
    pub(crate) fn note(&self, answer: &Answer, now: OffsetDateTime) -> Option<Duration> {
        let mut state = self.state();
        let asked = answer.retry_after(now);
        let hasty = answer.status() == 429 || (answer.status() == 503 && asked.is_some());
        if hasty {
            let own = FIRST.saturating_mul(1 << state.refusals.min(6)).min(LONGEST);
            let wait = asked.unwrap_or(own).max(Duration::from_secs(1));
            state.refusals = state.refusals.saturating_add(1);
            state.quiet_until = Some(now + wait);
            return Some(wait);
        }
        if answer.status() < 500 {
            state.refusals = 0;
        }
        if spent(answer) {
            state.quiet_until = Some(now + asked.unwrap_or(SPENT));
        }
        None
    }
}

/// `x-ms-ratelimit-remaining-subscription-{reads,writes,deletes}` at nothing: the next request would be refused.
fn spent(answer: &Answer) -> bool {
    ["reads", "writes", "deletes"].iter().any(|kind| {
        let left = answer.header(&format!("x-ms-ratelimit-remaining-subscription-{kind}"));
        left.and_then(|n| n.trim().parse::<i64>().ok()).is_some_and(|n| n <= 0)
    })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-22 10:00 UTC);

    fn answer(status: u16, header: Option<(&'static str, &'static str)>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Answer::new("h".into(), status, headers, Vec::new())
    }

    #[test]
    fn a_service_that_says_too_many_is_left_alone_for_as_long_as_it_says() {
        let pace = Pace::default();
        assert_eq!(pace.wait(NOW), None);
        assert_eq!(pace.note(&answer(429, Some(("retry-after", "600"))), NOW), Some(Duration::from_mins(10)));
        let later = NOW + time::Duration::minutes(9);
        assert_eq!(pace.wait(later), Some(Duration::from_mins(1)));
        assert_eq!(pace.wait(NOW + time::Duration::minutes(10)), None);
    }

    #[test]
    fn without_a_time_the_wait_doubles_and_an_answer_ends_it() {
        let pace = Pace::default();
        let waits: Vec<u64> =
            (0..8).filter_map(|_| pace.note(&answer(429, None), NOW)).map(|w| w.as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pace.note(&answer(200, None), NOW), None);
        assert_eq!(pace.note(&answer(429, None), NOW), Some(FIRST));
    }

    #[test]
    fn an_allowance_that_is_used_up_is_not_overdrawn() {
        let pace = Pace::default();
        let left = |n| answer(201, Some(("x-ms-ratelimit-remaining-subscription-writes", n)));
        pace.note(&left("1"), NOW);
        assert_eq!(pace.wait(NOW), None);
        pace.note(&left("0"), NOW);
        assert_eq!(pace.wait(NOW), Some(SPENT));
    }
}
