//! The ledger of a source: what went well and what failed, kept in memory and handed to the store now and then.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axon_model::{FailedCall, HealthState, Hour, SourceHealth, SourceId};
use time::OffsetDateTime;

/// How a source's calls go.
#[derive(Debug)]
pub struct Ledger {
    source: SourceId,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    /// As the store had it last: of earlier runs, and of other processes.
    stored: SourceHealth,
    /// What the store has not seen yet.
    news: SourceHealth,
    /// What is on its way to the store. It counts meanwhile, or the state would seem to mend for a moment.
    sending: SourceHealth,
    /// What the log was told last.
    told: HealthState,
}

impl Ledger {
    /// An empty one.
    pub fn new(source: SourceId) -> Self {
        let pages = Pages {
            stored: SourceHealth::default(),
            news: SourceHealth::default(),
            sending: SourceHealth::default(),
            told: HealthState::Quiet,
        };
        Self { source, pages: Mutex::new(pages) }
    }

    /// A call that went well.
    pub fn went_well(&self, now: OffsetDateTime, is_write: bool) {
        let mut pages = self.pages();
        pages.news.hours.entry(Hour::of(now)).or_default().calls += 1;
        pages.news.accepted = Some(now);
        if is_write {
            pages.news.last_push = Some(now);
        }
    }

    /// A call that failed.
    pub fn failed(&self, failure: FailedCall, about_references: bool) {
        let mut pages = self.pages();
        let now = failure.at;
        let counts = pages.news.hours.entry(Hour::of(now)).or_default();
        counts.calls += 1;
        if about_references {
            counts.reference_failed += 1;
        } else {
            counts.failed += 1;
        }
        pages.news.accepted = Some(now);
        pages.news.last_failure = Some(failure);
        self.tell(&mut pages, now);
    }

    /// A token of this source was refused: revoked, or over its time.
    pub fn token_refused(&self, now: OffsetDateTime) {
        let mut pages = self.pages();
        pages.news.refused = Some(now);
        self.tell(&mut pages, now);
    }

    /// All that is known.
    pub fn health(&self) -> SourceHealth {
        self.pages().whole()
    }

    /// Where the source stands.
    pub fn state(&self, now: OffsetDateTime) -> HealthState {
        self.health().state(now)
    }

    /// Takes out what the store has not seen, if there is any.
    pub fn take_news(&self) -> Option<SourceHealth> {
        let mut pages = self.pages();
        pages.sending = std::mem::take(&mut pages.news);
        (!pages.sending.is_empty()).then(|| pages.sending.clone())
    }

    /// Puts back what could not be stored.
    pub fn put_back(&self, now: OffsetDateTime) {
        let mut pages = self.pages();
        let news = std::mem::take(&mut pages.sending);
        pages.news.merge(&news);
        pages.news.forget(now);
    }

    /// Takes over what the store has.
    pub fn set_stored(&self, stored: SourceHealth, now: OffsetDateTime) {
        let mut pages = self.pages();
        pages.stored = stored;
        pages.sending = SourceHealth::default();
        self.tell(&mut pages, now);
    }

    /// Adds what was stored and could not be read back.
    pub fn add_stored(&self, now: OffsetDateTime) {
        let mut pages = self.pages();
        let news = std::mem::take(&mut pages.sending);
        pages.stored.merge(&news);
        pages.stored.forget(now);
    }

    /// Writes a change of the state into the log, once.
    fn tell(&self, pages: &mut Pages, now: OffsetDateTime) {
        let health = pages.whole();
        let state = health.state(now);
        if state == pages.told {
            return;
        }
        let before = std::mem::replace(&mut pages.told, state);
        let counts = health.counts(now);
        let (source, percent) = (&self.source, counts.failed_percent());
        if state.is_bad() {
            let advice = match state {
                HealthState::Refused => "its token is revoked or over its time: give the provider a new one",
                HealthState::Quarantine => {
                    "the provider is in quarantine or will be: `axon status` has the last error"
                }
                _ => "quarantine is near: `axon status` has the last error",
            };
            tracing::warn!(source.id = %source, source.health = state.as_str(), calls = counts.calls,
                failed = counts.failed, failed_percent = percent, references = counts.reference_failed, advice,
                "calls of a source fail");
        } else if before.is_bad() {
            tracing::info!(source.id = %source, source.health = state.as_str(), failed_percent = percent,
                "calls of a source go well again");
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn whole(&self) -> SourceHealth {
        let mut whole = self.stored.clone();
        whole.merge(&self.sending);
        whole.merge(&self.news);
        whole
    }
}

#[cfg(test)]
mod tests {
    use axon_model::CallCounts;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 08:30 UTC);

    fn failure() -> FailedCall {
        FailedCall {
            at: NOW,
            request: "r".parse().unwrap(),
            method: "PATCH".into(),
            route: "/scim/v2/Groups/{id}".into(),
            status: 400,
            scim_type: Some("invalidPath".into()),
            detail: "no".into(),
            shape: "{}".into(),
        }
    }

    #[test]
    fn calls_are_counted_once_whether_or_not_the_store_has_them() {
        let ledger = Ledger::new("entra".parse().unwrap());
        ledger.went_well(NOW, true);
        ledger.failed(failure(), false);
        ledger.failed(failure(), true);
        let all = CallCounts { calls: 3, failed: 1, reference_failed: 1 };
        assert_eq!(ledger.health().counts(NOW), all);
        ledger.take_news().unwrap();
        assert_eq!(ledger.health().counts(NOW), all, "what is on its way counts");
        ledger.put_back(NOW);
        assert_eq!(ledger.health().counts(NOW), all);
        let news = ledger.take_news().unwrap();
        ledger.set_stored(news, NOW);
        assert_eq!(ledger.take_news(), None);
        assert_eq!(ledger.health().counts(NOW), all);
        ledger.went_well(NOW, false);
        ledger.take_news().unwrap();
        ledger.add_stored(NOW);
        assert_eq!(ledger.health().counts(NOW).calls, 4);
        ledger.went_well(NOW, false);
        let health = ledger.health();
        assert_eq!((health.counts(NOW).calls, health.last_push), (5, Some(NOW)));
        assert_eq!(health.last_failure, Some(failure()));
    }

    #[test]
    fn what_cannot_be_stored_for_days_does_not_grow() {
        let ledger = Ledger::new("entra".parse().unwrap());
        for hour in 0..1000 {
            let now = NOW + time::Duration::hours(hour);
            ledger.went_well(now, true);
            ledger.take_news().unwrap();
            ledger.put_back(now);
        }
        assert_eq!(ledger.take_news().unwrap().hours.len(), 24);
    }
}
