//! How fast a service may be asked: after it said "too many", nothing is sent until its time has passed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::cloud::Base;
use crate::wire::Answer;

/// The first wait after a 429 that names none; doubles.
const FIRST: Duration = Duration::from_secs(5);
/// The longest such wait.
const LONGEST: Duration = Duration::from_mins(5);
/// How long it is waited when a service says that its allowance is used up, before it has to refuse.
const SPENT: Duration = Duration::from_secs(5);

/// What services said of their pace to one identity: whoever asks in its name keeps the same silence. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Paces(Arc<Mutex<BTreeMap<Place, Arc<Pace>>>>);

/// A service and its address.
type Place = (&'static str, String);

impl Paces {
    /// The pace of a service at an address.
    pub(crate) fn of(&self, service: &'static str, base: &Base) -> Arc<Pace> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry((service, base.as_str().to_owned())).or_default().clone()
    }
}

/// What a service said of its pace.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    quiet_until: Option<OffsetDateTime>,
    refusals: u32,
}

impl State {
    /// An answer that comes late does not shorten what was said before it.
    fn be_quiet(&mut self, until: OffsetDateTime) {
        self.quiet_until = self.quiet_until.max(Some(until));
    }
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
            // One that was on its way when another was refused tells nothing new of the pace.
            if state.quiet_until.is_none_or(|until| until <= now) {
                state.refusals = state.refusals.saturating_add(1);
            }
            state.be_quiet(now + wait);
            return Some(wait);
        }
        if answer.status() < 500 {
            state.refusals = 0;
        }
        if spent(answer) {
            state.be_quiet(now + asked.unwrap_or(SPENT));
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
        let (pace, mut now) = (Pace::default(), NOW);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = pace.note(&answer(429, None), now).unwrap();
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(pace.note(&answer(200, None), now), None);
        assert_eq!(pace.note(&answer(429, None), now), Some(FIRST));
    }

    #[test]
    fn what_was_on_its_way_neither_shortens_the_silence_nor_doubles_it() {
        let pace = Pace::default();
        pace.note(&answer(429, Some(("retry-after", "600"))), NOW);
        for late in [
            answer(429, None),
            answer(429, Some(("retry-after", "5"))),
            answer(200, Some(("x-ms-ratelimit-remaining-subscription-reads", "0"))),
            answer(200, None),
        ] {
            pace.note(&late, NOW);
            assert_eq!(pace.wait(NOW), Some(Duration::from_mins(10)));
        }
        let pace = Pace::default();
        for _ in 0..3 {
            pace.note(&answer(429, None), NOW);
        }
        let later = NOW + FIRST * 2;
        assert_eq!(pace.note(&answer(429, None), later), Some(FIRST * 2), "three at once are one refusal");
    }

    #[test]
    fn each_address_has_its_own_pace_and_clones_share_it() {
        let (paces, base) = (Paces::default(), |text: &str| Base::parse(text).unwrap());
        let (one, two) = (base("https://a.example"), base("https://b.example"));
        paces.of("It", &one).note(&answer(429, None), NOW);
        assert_eq!(paces.clone().of("It", &one).wait(NOW), Some(FIRST));
        assert_eq!(paces.of("It", &two).wait(NOW), None);
        assert_eq!(paces.of("Another", &one).wait(NOW), None);
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
