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
    /// The digest of the text that was probed last by all classes, by view.
    #[serde(default)]
    pub probed: BTreeMap<String, String>,
    /// The classes of readers that were asked of that text, by view.
    #[serde(default)]
    pub classes: BTreeMap<String, BTreeSet<String>>,
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
        self.classes.retain(|view, _| known.contains(view));
        self.differs.retain(|view, _| known.contains(view));
        self.untried.retain(|view, _| known.contains(view));
        self.told.retain(|view, _| known.contains(view));
    }

    /// Whether nobody of the job's class was asked of this text yet, and somebody can be; or nobody can be, and that is not told.
    pub fn is_new(&self, job: &Job) -> bool {
        let view = job.view.to_string();
        let lacks = |told: &BTreeMap<String, Vec<String>>, why: &str| {
            told.get(&view).is_none_or(|words| words.len() < MOST && !words.iter().any(|word| word == why))
        };
        match job.by {
            By::Reading(_) => !self.classes.get(&view).is_some_and(|asked| asked.contains(&job.class())),
            By::Not(why) => lacks(&self.untried, why),
            By::Beside(why) => lacks(&self.told, why),
            By::Later => false,
        }
    }

    /// Takes back that a class could not be asked, where by these jobs none of the view is in that case any more.
    pub fn forget_reasons(&mut self, jobs: &[Job]) {
        let mut by_view: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for job in jobs {
            by_view.entry(job.view.to_string()).or_default().extend(job.by.why_not());
        }
        for kept in [&mut self.untried, &mut self.told] {
            for (view, words) in kept.iter_mut() {
                let Some(still) = by_view.get(view) else { continue };
                words.retain(|word| !By::is_a_reason(word) || still.contains(word.as_str()));
            }
            kept.retain(|_, words| !words.is_empty());
        }
    }

    /// What came of one class. It is told at once.
    fn note(&mut self, job: &Job, answer: &ProbeAnswer) {
        let view = job.view.to_string();
        let known = matches!(job.by, By::Later | By::Beside(_));
        let untried = if known { &mut self.told } else { &mut self.untried };
        add(untried, &view, &answer.untried);
        add(&mut self.differs, &view, &answer.differs);
        add(&mut self.told, &view, &answer.leaks);
    }
}

/// Views that are probed by all their classes, which may take many ticks. What was found of one before counts until the last class
/// of it answered: one that agrees says nothing of the others.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// How many classes of a view did not answer yet.
    left: BTreeMap<String, usize>,
    found: Kept,
}

impl Round {
    pub fn begin<'j>(jobs: impl IntoIterator<Item = &'j Job>, kept: &mut Kept) -> Self {
        let mut round = Self::default();
        for job in jobs {
            let view = job.view.to_string();
            // Who begins anew, after this process, asks all of them.
            kept.probed.remove(&view);
            kept.classes.remove(&view);
            *round.left.entry(view).or_default() += 1;
        }
        round
    }

    /// What came of one class; one that is new to a view does not begin its round again. The last of a view takes what was found in this round to the place of what was kept of it.
    pub fn note(&mut self, kept: &mut Kept, job: &Job, answer: &ProbeAnswer) {
        kept.note(job, answer);
        self.found.note(job, answer);
        let view = job.view.to_string();
        if matches!(job.by, By::Reading(_)) {
            kept.classes.entry(view.clone()).or_default().insert(job.class());
        }
        let Some(left) = self.left.get_mut(&view) else { return };
        *left -= 1;
        if *left > 0 {
            return;
        }
        self.left.remove(&view);
        let found = &mut self.found;
        for (kept, found) in [
            (&mut kept.differs, &mut found.differs),
            (&mut kept.untried, &mut found.untried),
            (&mut kept.told, &mut found.told),
        ] {
            kept.remove(&view);
            kept.extend(found.remove_entry(&view));
        }
        kept.probed.insert(view, job.digest.clone());
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
    use axon_reconcile::secure::{ProbeCase, ProbeReader, Standing};
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

    /// A round of one view, by so many classes.
    fn round(kept: &mut Kept, classes: usize, answers: &[&ProbeAnswer]) -> Round {
        let mut round = Round::begin(&vec![job(); classes], kept);
        for answer in answers {
            round.note(kept, &job(), answer);
        }
        round
    }

    #[test]
    fn what_was_found_of_a_view_stays_until_all_its_classes_were_asked_anew() {
        let (mut kept, good) = (Kept::default(), ProbeAnswer::default());
        let bad = ProbeAnswer { differs: vec!["it shows 2 rows".into()], ..ProbeAnswer::default() };
        round(&mut kept, 2, &[&bad, &good]);
        assert_eq!(kept.differs["s.v"], ["it shows 2 rows"]);
        assert_eq!(kept.probed["s.v"], "d");
        let mut half = round(&mut kept, 2, &[&good]);
        assert_eq!(kept.differs.len(), 1, "the class that differed was not asked yet");
        assert!(kept.probed.is_empty(), "who goes on after this process asks both");
        half.note(&mut kept, &job(), &good);
        assert!(kept.differs.is_empty() && kept.probed.len() == 1);
        let half = round(&mut kept, 2, &[&bad]);
        assert_eq!(kept.differs.len(), 1, "it is told at once");
        // The round breaks, and the next one begins anew.
        drop(half);
        round(&mut kept, 2, &[&good]);
        assert_eq!(kept.differs.len(), 1);
        round(&mut kept, 3, &[&bad, &bad, &good]);
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
        round(&mut kept, 1, &[&ProbeAnswer::default()]);
        assert!(kept.untried.is_empty() && kept.told.is_empty());
    }

    #[test]
    fn why_a_class_was_not_asked_is_forgotten_when_it_can_be() {
        let mut kept = Kept::default();
        let later = Job { by: By::Later, ..job() };
        let not_yet = later.by.why_not().unwrap().to_owned();
        let answer = |words: &str| ProbeAnswer { untried: vec![words.into()], ..ProbeAnswer::default() };
        round(&mut kept, 1, &[&ProbeAnswer::default()]);
        kept.note(&later, &answer(&not_yet));
        kept.note(&job(), &answer("the question was too long"));
        assert!(
            kept.is_new(&Job {
                case: ProbeCase { standing: Some(Standing::default()), ..job().case },
                ..job()
            })
        );
        assert!(!kept.is_new(&job()), "it was asked");
        assert!(!kept.is_new(&later), "it cannot be asked yet");
        kept.forget_reasons(&[job(), later]);
        assert_eq!(kept.told["s.v"], [not_yet], "somebody still cannot be asked");
        kept.forget_reasons(&[job()]);
        assert!(kept.told.is_empty());
        // Somebody who could be asked cannot any more: that is told once.
        let not = Job { by: By::Not("why"), ..job() };
        assert!(kept.is_new(&not));
        kept.note(&not, &answer("why"));
        assert!(!kept.is_new(&not));
        kept.untried.get_mut("s.v").unwrap().pop();
        assert_eq!(kept.untried["s.v"], ["the question was too long"], "that is found by asking");
    }
}
