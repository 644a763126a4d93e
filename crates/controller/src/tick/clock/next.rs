//! Names that came to be somebody else's while the clock runs of who left under them.
//!
//! For whom a principal was made is overwritten when it is made for another one, so who it was before is kept with the clock: that one
//! did not return. And whoever came under the name and left again has a clock of their own. A name has one at a time, so theirs begins
//! when the one before has ended, from the record by which they left. Each change is kept with the clock that it is about, at once.

use std::collections::BTreeMap;

use axon_mapping::identity::Holder;
use axon_model::{RecordSeq, SourceId, SqlName};
use axon_store::{Leaver, LeaverChanges, Leavers, NextLeaver};

use super::{Clocks, Departure};
use crate::behind::Behind;

/// The least and the highest key of a name.
fn of(name: SqlName) -> std::ops::RangeInclusive<(SqlName, RecordSeq)> {
    (name, RecordSeq(0))..=(name, RecordSeq(u64::MAX))
}

impl Clocks {
    /// A name is somebody else's from now on, and was of these people.
    pub(super) fn pass_on(&mut self, name: SqlName, behind: &str) {
        if let Some(leaver) = self.open.get_mut(&name) {
            leaver.former.get_or_insert_with(|| behind.to_owned());
        }
    }

    /// The clock of a name, until its end is on record.
    fn running(&self, name: SqlName) -> Option<&Leaver> {
        self.open.get(&name).or_else(|| self.ended.get(&name).map(|ended| &ended.leaver))
    }

    /// Who is behind the clock of a name that came to be somebody else's since it began, until it is on record.
    pub(super) fn left_as(&self, name: SqlName) -> Option<&str> {
        self.running(name)?.former.as_deref()
    }

    /// Whether the store has of each clock whose name it was: only then it may be forgotten otherwise.
    pub(super) fn has_kept_formers(&self) -> bool {
        let ended = self.ended.values().map(|ended| &ended.leaver);
        let known = self.open.values().chain(ended).filter(|leaver| leaver.former.is_some());
        let kept = |leaver: &Leaver| {
            let kept = self.kept.open.get(&leaver.name).filter(|kept| kept.cause == leaver.cause);
            kept.is_some_and(|kept| kept.former == leaver.former)
        };
        known.into_iter().all(kept)
    }

    /// Takes somebody in whose name has the clock of somebody else, who left before. `behind` says for whom the principal was made since.
    /// False: the name's clock is their own, or none runs.
    pub(super) fn waits_for_another(&mut self, name: SqlName, departure: &Departure, behind: &str) -> bool {
        let Some(leaver) = self.running(name) else { return false };
        let Some(former) = leaver.former.as_deref().and_then(Behind::people) else { return false };
        let Departure { cause, arrived, way, user } = *departure;
        let user = user.to_string();
        let is_of = |people: &[(SourceId, Holder)]| people.iter().any(|(_, holder)| holder.id == user);
        if is_of(&former) {
            return false;
        }
        let mut waiting = self.next.range(of(name)).map(|(_, next)| next);
        let known = waiting.any(|next| Behind::people(&next.behind).is_some_and(|people| is_of(&people)));
        if !known && leaver.cause != cause {
            let next = NextLeaver { name, cause, way, arrived, behind: behind.to_owned() };
            self.next.insert(next.key(), next);
        }
        true
    }

    /// Whether somebody waits for the end of this clock.
    pub(super) fn is_awaited(&self, name: SqlName) -> bool {
        self.next.range(of(name)).next().is_some()
    }

    /// Begins the clocks of those for whom the one before has ended, and is on record. `holders` are those for whom principals are made
    /// now, by folded name. Whether there are any.
    pub(super) fn begin_next(&mut self, holders: &BTreeMap<String, String>) -> bool {
        let Self { next, open, ended, out, timed, .. } = self;
        let mut begun = false;
        next.retain(|(name, cause), next| {
            // The least cause of a name comes first.
            if !*timed || open.contains_key(name) || ended.contains_key(name) {
                return true;
            }
            out.remove(name);
            let is_theirs = holders.get(name.folded()).is_none_or(|behind| *behind == next.behind);
            let former = (!is_theirs).then(|| next.behind.clone());
            let NextLeaver { way, arrived, .. } = *next;
            let leaver = Leaver { name: *name, cause: *cause, way, arrived, shut: None, why: None, former };
            open.insert(*name, leaver);
            begun = true;
            false
        });
        begun
    }

    /// Whether a clock that ended here still runs for the store, as far as it waited for another one: else nothing is known of it.
    pub(super) fn waited_still(&self, leaver: &Leaver, now: &Leavers) -> Option<bool> {
        let (waited, waits) =
            (self.kept.next.contains_key(&leaver.key()), now.next.contains_key(&leaver.key()));
        (waited || waits).then_some(waits)
    }

    /// Takes in who waits for the store. What was read of the journal here and never kept is read again.
    pub(super) fn load_next(&mut self) {
        self.next.clone_from(&self.kept.next);
        self.next.retain(|key, _| self.ended.get(&key.0).is_none_or(|ended| ended.leaver.key() != *key));
    }

    /// What the store does not have of those who wait, and what it is to forget.
    pub(super) fn next_changes(&self) -> LeaverChanges {
        let unkept = self.next.iter().filter(|(key, _)| !self.kept.next.contains_key(key));
        let over = self.kept.next.keys().filter(|key| !self.next.contains_key(key));
        LeaverChanges {
            wait: unkept.map(|(_, next)| next.clone()).collect(),
            begun: over.copied().collect(),
            ..LeaverChanges::default()
        }
    }
}
