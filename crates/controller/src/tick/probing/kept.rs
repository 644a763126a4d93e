//! What is kept of probes between two of them, for every process that works on the target.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::views::Compiled;
use axon_reconcile::secure::ProbeAnswer;
use axon_store::Store;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{By, Job};
use crate::error::ControllerError;

/// The most words that are kept of one view.
const MOST: usize = 5;

/// Under which name the store keeps it: no target can be called so.
pub fn probe_key(target: &str) -> String {
    format!("view-probes:{target}")
}

/// What the last probes came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The digest of the text that was probed last, by view.
    #[serde(default)]
    pub probed: BTreeMap<String, String>,
    /// Views that showed something else than the policy, and what.
    #[serde(default)]
    pub differs: BTreeMap<String, Vec<String>>,
    /// What could not be tried, and why: it is not said to agree.
    #[serde(default)]
    pub untried: BTreeMap<String, Vec<String>>,
    /// What hostile questions told, and who is not there yet.
    #[serde(default)]
    pub told: BTreeMap<String, Vec<String>>,
    /// When all views were probed last.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub whole: Option<OffsetDateTime>,
}

impl Kept {
    pub async fn load(store: &dyn Store, target: &str) -> Result<Self, ControllerError> {
        let kept = store.summary(&probe_key(target)).await?;
        // What another version kept in another form is found out anew.
        Ok(kept.and_then(|(value, _)| serde_json::from_value(value).ok()).unwrap_or_default())
    }

    pub async fn save(
        &self,
        store: &dyn Store,
        target: &str,
        now: OffsetDateTime,
    ) -> Result<(), ControllerError> {
        let Ok(value) = serde_json::to_value(self) else { return Ok(()) };
        Ok(store.save_summary(&probe_key(target), value, now).await?)
    }

    /// Forgets views that are none any more.
    pub fn forget_others(&mut self, compiled: &Compiled) {
        let known: BTreeSet<String> = compiled.bodies.iter().map(|body| body.name.to_string()).collect();
        self.probed.retain(|view, _| known.contains(view));
        self.differs.retain(|view, _| known.contains(view));
        self.untried.retain(|view, _| known.contains(view));
        self.told.retain(|view, _| known.contains(view));
    }

    /// A view is about to be probed by all its classes: what was found counts until then, and is found anew.
    pub fn begin(&mut self, view: &str) {
        self.probed.remove(view);
    }

    /// What came of one class. The first of a view takes the place of what was kept of it.
    pub fn note(&mut self, job: &Job, answer: &ProbeAnswer) {
        let view = job.view.to_string();
        if self.probed.insert(view.clone(), job.digest.clone()).is_none() {
            self.differs.remove(&view);
            self.untried.remove(&view);
            self.told.remove(&view);
        }
        let known = matches!(job.by, By::Later | By::Beside(_));
        let untried = if known { &mut self.told } else { &mut self.untried };
        add(untried, &view, &answer.untried);
        add(&mut self.differs, &view, &answer.differs);
        add(&mut self.told, &view, &answer.leaks);
    }
}

fn add(kept: &mut BTreeMap<String, Vec<String>>, view: &str, words: &[String]) {
    if words.is_empty() {
        return;
    }
    let known = kept.entry(view.to_owned()).or_default();
    for word in words {
        if known.len() < MOST && !known.contains(word) {
            known.push(word.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_model::SqlName;
    use axon_reconcile::ObjectName;
    use axon_reconcile::secure::{ProbeCase, ProbeReader};
    use axon_reconcile::view_body::{Rows, ViewBody};

    use super::*;

    fn job() -> Job {
        let name = |text: &str| SqlName::parse(text).unwrap();
        let object = |text: &str| ObjectName { schema: name("s"), name: name(text) };
        let body =
            ViewBody { name: object("v"), from: object("t"), columns: Vec::new(), rows: Rows::Nothing };
        let case = ProbeCase { body, standing: None, hidden: None, other: None, native: None };
        let by = By::Reading(ProbeReader::User(name("ann")));
        Job { view: object("v"), digest: "d".into(), reader: name("ann"), by, readers: 1, case }
    }

    #[test]
    fn what_one_class_found_stays_until_the_view_is_probed_anew() {
        let mut kept = Kept::default();
        let bad = ProbeAnswer { differs: vec!["it shows 2 rows".into()], ..ProbeAnswer::default() };
        kept.note(&job(), &bad);
        kept.note(&job(), &ProbeAnswer::default());
        assert_eq!(kept.differs["s.v"], ["it shows 2 rows"]);
        kept.begin("s.v");
        assert_eq!(kept.differs.len(), 1, "until the first answer it still counts");
        kept.note(&job(), &ProbeAnswer::default());
        assert!(kept.differs.is_empty());
        kept.note(&job(), &bad);
        kept.note(&job(), &bad);
        assert_eq!(kept.differs["s.v"].len(), 1);
        kept.forget_others(&Compiled::default());
        assert_eq!(kept, Kept::default());
    }

    #[test]
    fn what_was_not_tried_waits_for_a_person_but_for_who_is_not_there_yet() {
        let mut kept = Kept::default();
        let untried = ProbeAnswer { untried: vec!["why".into()], ..ProbeAnswer::default() };
        kept.note(&Job { by: By::Later, ..job() }, &untried);
        assert!(kept.untried.is_empty() && kept.told["s.v"] == ["why"]);
        kept.note(&Job { by: By::Beside("the map accepts them"), ..job() }, &untried);
        assert!(kept.untried.is_empty(), "a person said that it is seen to");
        kept.note(&job(), &untried);
        assert_eq!(kept.untried["s.v"], ["why"]);
        kept.begin("s.v");
        kept.note(&job(), &ProbeAnswer::default());
        assert!(kept.untried.is_empty() && kept.told.is_empty());
    }
}
