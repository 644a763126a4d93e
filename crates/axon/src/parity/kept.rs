//! What is kept from look to look: where the next one begins, and what differed.

use std::collections::{BTreeMap, BTreeSet};

use axon_azure::parity::{Difference, Removal, Subject};
use axon_model::{GroupId, SourceId, UserId};
use axon_store::stored::shown_instant;
use axon_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// The most differences that are kept of one source: more than that is no lost request.
const MOST: usize = 5_000;
/// The most notes that are kept.
const MOST_NOTES: usize = 100;

/// What is known of one source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// When the last look ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
    /// Since when everything was looked at once; none before.
    #[serde(with = "time::serde::rfc3339::option")]
    pub round: Option<OffsetDateTime>,
    /// The group after which the next look begins.
    pub after_group: Option<GroupId>,
    /// The person after whom the next look begins.
    pub after_person: Option<UserId>,
    /// Whether the round that is under way began anew for groups and for people.
    pub wrapped: (bool, bool),
    /// What differs, by key.
    pub found: BTreeMap<String, Known>,
    /// How many more differ than are kept.
    pub more: usize,
    /// What could not be compared.
    pub notes: Vec<String>,
    /// Groups and people of the last look, and its requests.
    pub looked: Looked,
    /// Why the last look ended early.
    pub trouble: Option<String>,
}

/// How much one look was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Looked {
    /// Groups.
    pub groups: usize,
    /// People.
    pub people: usize,
    /// Groups that the role map names and the directory does not have.
    pub mapped: usize,
    /// Requests.
    pub requests: u32,
}

/// A difference, and since when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What differs.
    #[serde(flatten)]
    pub difference: Difference,
    /// When it was found first.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// When it was found last.
    #[serde(with = "time::serde::rfc3339")]
    pub seen: OffsetDateTime,
}

impl Known {
    /// Whether it was there long enough, and at more than one look, to be no push that is under way.
    pub fn is_ripe(&self, grace: Duration) -> bool {
        self.seen - self.since >= grace && (grace.is_zero() || self.seen > self.since)
    }
}

/// Under which name the store keeps it: no target can be called so.
pub(super) fn key(source: &SourceId) -> String {
    format!("#parity {source}")
}

impl Kept {
    /// What the store has of a source; nothing where nothing readable is there.
    pub async fn load(store: &dyn Store, source: &SourceId) -> Result<Self, StoreError> {
        let summary = store.summary(&key(source)).await?;
        Ok(summary.and_then(|(value, _)| serde_json::from_value(value).ok()).unwrap_or_default())
    }

    /// Keeps it.
    pub(super) async fn save(
        &self,
        store: &dyn Store,
        source: &SourceId,
        at: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let value = serde_json::to_value(self).unwrap_or_default();
        store.save_summary(&key(source), value, at).await
    }

    /// Takes in what a look found about whom it looked at: what it did not find there is over.
    pub(super) fn take(&mut self, read: &BTreeSet<Subject>, found: Vec<Difference>, now: OffsetDateTime) {
        let mut fresh: BTreeMap<String, Difference> =
            found.into_iter().map(|difference| (difference.key.clone(), difference)).collect();
        self.found.retain(|key, known| match fresh.remove(key) {
            Some(difference) => {
                *known = Known { difference, since: known.since, seen: now };
                true
            }
            None => !read.contains(&known.difference.subject),
        });
        for (key, difference) in fresh {
            if self.found.len() >= MOST {
                self.more += 1;
            } else {
                self.found.insert(key, Known { difference, since: now, seen: now });
            }
        }
    }

    /// Keeps what could not be compared, without repeating it.
    pub(super) fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        for note in notes {
            if self.notes.len() < MOST_NOTES && !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Where it stands, in a line for people.
    pub fn line(&self) -> String {
        let at = self.at.map_or_else(|| "never".to_owned(), shown_instant);
        let round = match self.round {
            Some(round) => format!("all of it was compared by {}", shown_instant(round)),
            None => "not all of it was compared yet".to_owned(),
        };
        let trouble =
            self.trouble.as_ref().map_or_else(String::new, |trouble| format!("; cut short: {trouble}"));
        format!("{} differ, looked at {at}, {round}{trouble}", self.found.len() + self.more)
    }

    /// The same for machines.
    pub fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "at": self.at.map(shown_instant),
            "round": self.round.map(shown_instant),
            "differences": self.found.len() + self.more,
            "trouble": self.trouble,
        })
    }

    /// Removals that only the identity provider knows and that were there long enough.
    pub fn ripe_removals(&self, grace: Duration) -> impl Iterator<Item = (Removal, &Known)> {
        let ripe = self.found.values().filter(move |known| known.is_ripe(grace));
        ripe.filter_map(|known| Some((known.difference.removal?, known)))
    }
}

#[cfg(test)]
mod tests {
    use axon_azure::parity::DifferenceKind;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

    fn group(n: u128) -> GroupId {
        GroupId::from_uuid(uuid::Uuid::from_u128(n))
    }

    fn gone(n: u128) -> Difference {
        Difference {
            kind: DifferenceKind::GroupGone,
            key: format!("group-gone {n}"),
            subject: Subject::Group(group(n)),
            what: "a group".into(),
            lost: "DELETE".into(),
            removal: Some(Removal::Group(group(n))),
        }
    }

    #[test]
    fn a_difference_ripens_by_being_seen_again_and_is_over_only_when_its_subject_was_read() {
        let mut kept = Kept::default();
        let (one, two) = (Subject::Group(group(1)), Subject::Group(group(2)));
        kept.take(&[one, two].into(), vec![gone(1), gone(2)], NOW);
        assert_eq!(kept.ripe_removals(Duration::HOUR).count(), 0);
        kept.take(&[one].into(), vec![gone(1)], NOW + Duration::HOUR);
        let ripe: Vec<_> = kept.ripe_removals(Duration::HOUR).map(|(removal, _)| removal).collect();
        assert_eq!(ripe, [Removal::Group(group(1))], "the other one was not read again");
        kept.take(&[one].into(), Vec::new(), NOW + Duration::HOUR);
        assert_eq!(kept.found.keys().collect::<Vec<_>>(), ["group-gone 2"]);
        assert_eq!(kept.ripe_removals(Duration::ZERO).count(), 1, "without a grace one look is enough");
    }

    #[test]
    fn what_is_kept_reads_back_from_its_json() {
        let mut kept = Kept { at: Some(NOW), after_group: Some(group(7)), ..Kept::default() };
        kept.take(&BTreeSet::new(), vec![gone(1)], NOW);
        let value = serde_json::to_value(&kept).unwrap();
        assert_eq!(serde_json::from_value::<Kept>(value).unwrap(), kept);
    }
}
