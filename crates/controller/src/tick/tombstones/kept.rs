//! What is kept of the users of people who left, for every process and for the other targets of the same server.

use std::collections::{BTreeMap, BTreeSet};

use axon_mapping::identity::Holder;
use axon_model::{RecordSeq, SourceId, SqlName};
use axon_reconcile::{Sid, Step};
use axon_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::behind::Behind;

/// Under which name the store keeps it: no target can be called so.
pub fn tombstones_key(target: &str) -> String {
    format!("{target}#tombstones")
}

/// The user of somebody who left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Since when it is shut out, and nobody whom the directory calls active has the name.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The record by which the person left, where it was still known when the tombstone was seen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordSeq>,
    /// Whose it is: another object under the name begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
    /// For whom it was made, as the store keeps it of principals.
    pub behind: String,
    /// Why it stays although its time has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

impl Tombstone {
    /// For whom it was made, by source; none where that is not told, or where one of them is in no source.
    pub(super) fn people(&self) -> Option<Vec<(SourceId, Holder)>> {
        Behind::people(&self.behind)
    }
}

/// What is kept of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstones {
    /// By name.
    #[serde(default)]
    pub there: BTreeMap<SqlName, Tombstone>,
    /// Groups that let their members in.
    #[serde(default)]
    pub doors: BTreeSet<SqlName>,
    /// Who may enter although nothing is asked for: told where databases share a server.
    #[serde(default)]
    pub open: BTreeSet<SqlName>,
    /// Whether not all of this is seen.
    #[serde(default)]
    pub unseen: bool,
    /// Up to here the journal was looked through for people who were back for a while.
    #[serde(default)]
    pub upto: RecordSeq,
}

impl Tombstones {
    /// What a process left of a target, and when.
    pub async fn of(store: &dyn Store, target: &str) -> Result<Option<(Self, OffsetDateTime)>, StoreError> {
        let kept = store.summary(&tombstones_key(target)).await?;
        // What another version kept in another form is found out anew.
        Ok(kept.and_then(|(value, at)| Some((serde_json::from_value(value).ok()?, at))))
    }

    /// What is known of a name in a sentence, for people. `wait` is what the map says.
    pub fn told(&self, name: SqlName, wait: Option<Duration>) -> Option<String> {
        let there = self.there.get(&name)?;
        let since = axon_store::stored::shown_instant(there.since);
        Some(match (&there.stays, wait) {
            (_, None) => format!("shut out since {since}; the user stays (guards.tombstones)"),
            (Some(stays), _) => format!("shut out since {since}; the user stays: {stays}"),
            (None, Some(wait)) => {
                let due = axon_store::stored::shown_instant(there.since + wait);
                format!("shut out since {since}; the user is dropped from {due} on")
            }
        })
    }
}

/// The same in memory, and what moved of it.
#[derive(Debug, Default)]
pub(in crate::tick) struct Keeping {
    pub(super) kept: Tombstones,
    loaded: bool,
    /// What the store has of `upto`.
    pub(super) upto: RecordSeq,
    /// Whether the store does not have it.
    pub(super) moved: bool,
    /// When the store took it last, as far as this process knows.
    saved: Option<OffsetDateTime>,
    /// Which look at the target it is of.
    pub(super) looked: Option<OffsetDateTime>,
    /// What the map says, since the last decision.
    pub(super) wait: Option<Duration>,
    /// By which records people left who are no tombstones yet.
    pub(super) left_by: BTreeMap<SqlName, RecordSeq>,
    /// Whom the last decision would drop.
    pub(super) burying: BTreeSet<SqlName>,
    /// Whose drop the last decision withheld.
    pub(super) held: BTreeSet<SqlName>,
    /// Whether there are more of them than one plan drops, or than a plan over a few names shows.
    pub(super) more: bool,
    /// Until when these are left alone, of whom the target refused something.
    refused: BTreeMap<SqlName, OffsetDateTime>,
    /// Until when nobody is dropped: what one was refused for may be so for all.
    rests: Option<OffsetDateTime>,
}

/// So long nobody is dropped after a refusal.
const REST: Duration = Duration::minutes(10);
/// So long not who was refused.
const REFUSED: Duration = Duration::hours(1);

impl Keeping {
    /// Somebody else may have written since.
    pub(in crate::tick) fn forget(&mut self) {
        self.loaded = false;
        self.looked = None;
    }

    /// Reads what this or another process kept. What could not be kept since counts.
    pub(super) async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded || self.moved {
            return Ok(());
        }
        (self.kept, self.saved) =
            Tombstones::of(store, target).await?.map(|(kept, at)| (kept, Some(at))).unwrap_or_default();
        self.upto = self.kept.upto;
        self.loaded = true;
        Ok(())
    }

    /// Whose time has come and who is not known to stay, unless the target refused something of it lately.
    pub(in crate::tick) fn due(&self, now: OffsetDateTime) -> impl Iterator<Item = SqlName> {
        let rests = self.rests.is_some_and(|until| now < until);
        let left_alone =
            move |name: &SqlName| rests || self.refused.get(name).is_some_and(|until| now < *until);
        let due = self.over(now).filter(|(_, there)| there.stays.is_none()).map(|(name, _)| name);
        due.filter(move |name| !left_alone(name))
    }

    /// Whether the last decision would drop this one.
    pub(in crate::tick) fn buries(&self, name: SqlName) -> bool {
        self.burying.contains(&name)
    }

    /// The target refused the drop, or the end of the sessions before it.
    pub(in crate::tick) fn refused(&mut self, name: SqlName, now: OffsetDateTime) {
        if self.buries(name) {
            self.refused.retain(|_, until| now < *until);
            self.refused.insert(name, now + REFUSED);
            self.rests = Some(now + REST);
        }
    }

    /// Whether it was so lately.
    pub(super) fn was_refused(&self, name: SqlName, now: OffsetDateTime) -> bool {
        self.refused.get(&name).is_some_and(|until| now < *until)
    }

    /// Tells how many there are, and how many of them something keeps although their time has come.
    pub(super) fn measure(&self, target: &str) {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let stuck = self.kept.there.values().filter(|there| there.stays.is_some()).count();
        let target = target.to_owned();
        metrics::gauge!("axon_tombstones_kept_users", "target" => target.clone())
            .set(count(self.kept.there.len()));
        metrics::gauge!("axon_tombstones_stuck_users", "target" => target).set(count(stuck));
    }

    /// When whoever was left alone is looked at again.
    pub(super) fn resumes(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.rests.into_iter().chain(self.refused.values().copied()).filter(|until| *until > now).min()
    }

    /// Whose time has come.
    pub(super) fn over(&self, now: OffsetDateTime) -> impl Iterator<Item = (SqlName, &Tombstone)> {
        let wait = self.wait;
        let over = move |there: &Tombstone| wait.is_some_and(|wait| now - there.since >= wait);
        self.kept.there.iter().filter(move |(_, there)| over(there)).map(|(name, there)| (*name, there))
    }

    /// When the next one's time comes.
    pub(super) fn next(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let wait = self.wait?;
        self.kept.there.values().map(|there| there.since + wait).filter(|due| *due > now).min()
    }

    /// Whoever is let in, made or shut out by this plan begins anew.
    pub(super) fn heed(&mut self, step: &Step) {
        if matches!(step, Step::GrantConnect { .. } | Step::CreatePrincipal { .. } | Step::DenyConnect { .. })
        {
            self.moved |= self.kept.there.remove(&step.subject()).is_some();
        }
    }

    /// Whose name is somebody's begins anew when it is nobody's again.
    pub(super) fn begin_anew(&mut self, is_somebodys: impl Fn(SqlName) -> bool) {
        let before = self.kept.there.len();
        self.kept.there.retain(|name, _| !is_somebodys(*name));
        self.moved |= self.kept.there.len() != before;
    }

    /// Keeps it where it moved, and now and then where others rest on how old it is. A store that fails is asked again.
    pub(super) async fn keep(&mut self, store: &dyn Store, target: &str, shared: bool, now: OffsetDateTime) {
        let old = self.saved.is_none_or(|saved| now - saved >= Duration::hours(1) || now < saved);
        if !(self.moved || shared && old) {
            return;
        }
        let Ok(value) = serde_json::to_value(&self.kept) else { return };
        match store.save_summary(&tombstones_key(target), value, now).await {
            Ok(()) => (self.moved, self.saved, self.upto) = (false, Some(now), self.kept.upto),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "since when people are shut out could not be kept"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    const LEFT: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

    fn keeping() -> Keeping {
        let behind = Behind::person("entra", Some("k"), "1").text();
        let there = Tombstone { since: LEFT, record: None, sid: None, behind, stays: None };
        let mut keeping = Keeping { wait: Some(Duration::days(30)), ..Keeping::default() };
        keeping.kept.there.insert(name("kim"), there);
        keeping
    }

    #[test]
    fn the_time_comes_once_and_only_where_the_map_says_a_time() {
        let mut keeping = keeping();
        let at = LEFT + Duration::days(30);
        assert_eq!(keeping.next(LEFT), Some(at));
        assert_eq!(keeping.due(at - Duration::seconds(1)).count(), 0);
        assert_eq!(keeping.due(at).collect::<Vec<_>>(), [name("kim")]);
        assert_eq!(keeping.next(at), None);
        // A clock that was set back proves nothing.
        assert_eq!(keeping.due(LEFT - Duration::days(1)).count(), 0);
        keeping.wait = None;
        assert_eq!((keeping.due(at).count(), keeping.next(LEFT)), (0, None));
    }

    #[test]
    fn whoever_is_let_in_again_begins_anew() {
        for step in
            [Step::GrantConnect { principal: name("KIM") }, Step::DenyConnect { principal: name("kim") }]
        {
            let mut keeping = keeping();
            keeping.heed(&step);
            assert!(keeping.moved && keeping.kept.there.is_empty());
        }
        let mut keeping = keeping();
        keeping.heed(&Step::KillSessions { principal: name("kim") });
        assert!(!keeping.moved && keeping.kept.there.len() == 1);
    }

    #[test]
    fn what_is_kept_reads_back_and_is_told() {
        let mut kept = keeping().kept;
        let value = serde_json::to_value(&kept).unwrap();
        assert_eq!(serde_json::from_value::<Tombstones>(value).unwrap(), kept);
        let told = |kept: &Tombstones, wait| kept.told(name("Kim"), wait).unwrap();
        let month = Some(Duration::days(30));
        assert_eq!(
            told(&kept, month),
            "shut out since 2026-11-01T00:00:00.000Z; the user is dropped from 2026-12-01T00:00:00.000Z on"
        );
        assert!(told(&kept, None).ends_with("the user stays (guards.tombstones)"));
        kept.there.get_mut(&name("kim")).unwrap().stays = Some("group g lets its members in".into());
        assert!(told(&kept, month).ends_with("the user stays: group g lets its members in"));
        assert_eq!(kept.told(name("ana"), month), None);
    }
}
