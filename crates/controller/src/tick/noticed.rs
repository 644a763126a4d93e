//! Since which look each drift is known, and what of it is over: kept in the store, so that a restart does not make it new.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::NewRecord;
use axon_audit::payload::{DriftClear, DriftSeen};
use axon_model::Actor;
use axon_reconcile::Step;
use axon_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Ticker;
use super::decide::Decided;
use super::drift::{self, Drift, DriftKind};

/// So much drift is kept with its instant; beyond that it is listed without.
const MOST: usize = 1_000;
/// So much is kept of what is over.
const MOST_OVER: usize = 100;
/// So many records one look makes; the last one says how many more there were.
const MOST_RECORDS: usize = 100;

/// Drift that some look noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// What was so.
    pub what: String,
    /// What kind.
    pub kind: DriftKind,
    /// Whose access it is.
    pub principal: String,
    /// The look that noticed it.
    #[serde(with = "axon_audit::record::instant")]
    pub since: OffsetDateTime,
    /// The decision that did not find it any more.
    #[serde(with = "over", default)]
    pub over: Option<OffsetDateTime>,
}

mod over {
    use axon_audit::record::instant;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use time::OffsetDateTime;

    #[expect(clippy::ref_option, reason = "the shape that serde calls")]
    pub fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, s: S) -> Result<S::Ok, S::Error> {
        at.map(instant::text).serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<OffsetDateTime>, D::Error> {
        Ok(Option::<String>::deserialize(d)?.as_deref().and_then(instant::parse))
    }
}

/// What is kept of one target.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Noticed {
    there: BTreeMap<String, Past>,
    over: Vec<Past>,
    #[serde(skip)]
    loaded: bool,
    /// Whether the store does not have it as it is here.
    #[serde(skip)]
    moved: bool,
    /// What Axon itself put an end to since the last decision.
    #[serde(skip)]
    ended: BTreeSet<String>,
}

/// Of what drift a look does not tell.
#[derive(Debug, Default)]
struct Untold {
    /// Whether any principal may be hidden, with all that it has: then nothing is over because it is not seen.
    any: bool,
    /// What else may still be so.
    these: BTreeSet<String>,
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#drift")
}

impl Noticed {
    /// Reads what this or another process kept.
    pub async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded || self.moved {
            return Ok(());
        }
        let kept = store.summary(&key(target)).await?;
        *self = kept.and_then(|(value, _)| serde_json::from_value(value).ok()).unwrap_or_default();
        self.loaded = true;
        Ok(())
    }

    /// Somebody else may have written since.
    pub fn forget(&mut self) {
        self.loaded = false;
    }

    /// The look that noticed it first.
    pub fn since(&self, what: &str) -> Option<OffsetDateTime> {
        self.there.get(what).map(|past| past.since)
    }

    /// What is over, newest first.
    pub fn over(&self) -> Vec<Past> {
        self.over.iter().rev().cloned().collect()
    }

    /// A step is in force: what drift it ends is over, whatever the next look shows.
    pub fn end_by(&mut self, step: &Step) {
        if !self.there.is_empty() {
            let ended = drift::ended_by(step).into_iter().filter(|what| self.there.contains_key(what));
            self.ended.extend(ended);
        }
    }

    /// Takes in what a decision over the look at `seen` shows, and gives what is new and what is over.
    fn follow(
        &mut self,
        drifts: &[Drift],
        untold: &Untold,
        seen: OffsetDateTime,
        now: OffsetDateTime,
    ) -> (Vec<Past>, Vec<Past>) {
        let there: BTreeSet<String> = drifts.iter().map(Drift::what).collect();
        let by_axon = std::mem::take(&mut self.ended);
        let may_be = |what: &String| (untold.any && !by_axon.contains(what)) || untold.these.contains(what);
        let over = |what: &&String| !there.contains(*what) && !may_be(what);
        let ended: Vec<String> = self.there.keys().filter(over).cloned().collect();
        let mut over = Vec::new();
        for what in ended {
            over.extend(self.there.remove(&what).map(|past| Past { over: Some(now), ..past }));
        }
        self.over.extend(over.iter().cloned());
        let beyond = self.over.len().saturating_sub(MOST_OVER);
        self.over.drain(..beyond);
        let mut new = Vec::new();
        for drift in drifts {
            let what = drift.what();
            if self.there.len() >= MOST || self.there.contains_key(&what) {
                continue;
            }
            let principal = drift.principal.to_string();
            let past = Past { what: what.clone(), kind: drift.kind, principal, since: seen, over: None };
            self.there.insert(what, past.clone());
            new.push(past);
        }
        self.moved |= !new.is_empty() || !over.is_empty();
        (new, over)
    }

    /// As if it had not been looked at.
    fn take_back(&mut self, new: &[Past], over: Vec<Past>) {
        for past in new {
            self.there.remove(&past.what);
        }
        self.over.retain(|past| !over.contains(past));
        let again = over.into_iter().map(|past| (past.what.clone(), Past { over: None, ..past }));
        self.there.extend(again);
    }

    async fn keep(&mut self, store: &dyn Store, target: &str, now: OffsetDateTime) -> Result<(), StoreError> {
        if self.moved {
            let Ok(value) = serde_json::to_value(&*self) else { return Ok(()) };
            store.save_summary(&key(target), value, now).await?;
            self.moved = false;
        }
        Ok(())
    }
}

impl Ticker {
    /// The drift that a decision shows.
    pub(super) fn drift(&self, decided: &Decided) -> Vec<Drift> {
        let Some(known) = &self.actual else { return Vec::new() };
        drift::of(decided, &known.inspection.graph, &self.made, &self.holding, &self.noticed)
    }

    /// Names what somebody else did, once: in the journal, in metrics, and where `axon drift list` finds since when. A store that
    /// does not take it is asked again by the next decision.
    pub(super) async fn notice_drift(&mut self, decided: &Decided) {
        if let Err(error) = self.noticed.load(self.store.as_ref(), self.name.as_str()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what drift is known already cannot be read"
            );
            return;
        }
        let now = self.clock.now();
        let seen = self.actual.as_ref().map_or(now, |known| known.at);
        let drifts = self.drift(decided);
        let these = self
            .actual
            .as_ref()
            .map(|known| drift::untold(decided, &known.inspection.graph, &self.made))
            .unwrap_or_default();
        let untold = Untold { any: decided.hides.principals, these };
        let (new, over) = self.noticed.follow(&drifts, &untold, seen, now);
        if new.is_empty() && over.is_empty() {
            return;
        }
        tracing::warn!(
            new = new.len(),
            over = over.len(),
            "somebody else changed the target, or that is over"
        );
        let grantors = |what: &str| -> Vec<String> {
            let found = drifts.iter().find(|drift| drift.what() == what);
            found.map(|drift| drift.grantors.iter().map(ToString::to_string).collect()).unwrap_or_default()
        };
        let all = new.iter().chain(&over);
        let more = (new.len() + over.len()).saturating_sub(MOST_RECORDS) as u64;
        let last = (new.len() + over.len()).min(MOST_RECORDS) - 1;
        let records = all.take(MOST_RECORDS).enumerate().map(|(n, past)| {
            let clear = DriftClear {
                what: past.what.clone(),
                principal: past.principal.clone(),
                grantors: grantors(&past.what),
            };
            let seen = DriftSeen {
                target: self.name.to_string(),
                drift: past.kind.as_str().to_owned(),
                there: past.over.is_none(),
                more: if n == last { more } else { 0 },
                clear,
            };
            NewRecord::of(&self.ids, now, Actor::Axon, seen)
        });
        let records: Result<Vec<NewRecord>, _> = records.collect();
        let kept = match records {
            Ok(records) => self.store.append(records, None).await.map(drop),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "drift has no record");
                Ok(())
            }
        };
        let kept = match kept {
            Ok(()) => self.noticed.keep(self.store.as_ref(), self.name.as_str(), now).await,
            Err(error) => Err(error),
        };
        if let Err(error) = kept {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "drift could not be recorded: the next decision tells it again"
            );
            self.noticed.take_back(&new, over);
            return;
        }
        for past in &new {
            let target = self.name.to_string();
            metrics::counter!("axon_drift_seen_total", "target" => target, "kind" => past.kind.as_str())
                .increment(1);
        }
    }

    /// What drift is over, newest first.
    pub async fn past_drift(&mut self) -> Result<Vec<Past>, StoreError> {
        self.noticed.load(self.store.as_ref(), self.name.as_str()).await?;
        Ok(self.noticed.over())
    }
}
