//! Who was back for less time than lies between two decisions: the journal has both changes where the directory shows the last alone.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::RecordKind;
use axon_audit::payload::{DirectoryChange, SplitDelta};
use axon_mapping::Identity;
use axon_mapping::target::TargetSpec;
use axon_model::{Delta, RecordSeq, SqlName, UserId};
use axon_store::{JournalEntry, StoreError};
use time::OffsetDateTime;

use super::{Tombstone, Tombstones};
use crate::tick::Ticker;

/// Records looked at in one go.
const SOME: u32 = 1_000;
/// After so many records that told of nobody the position is kept all the same.
const KEEP_AFTER: u64 = 500;

/// Who was back, and who left.
#[derive(Debug, Default)]
struct Moves {
    /// Who was active, by the name that they had by that record.
    active: BTreeMap<SqlName, BTreeSet<UserId>>,
    /// The same of those whose names were erased.
    erased: BTreeSet<UserId>,
    /// By which record they left since, and when: of several the last.
    left: BTreeMap<UserId, (RecordSeq, OffsetDateTime)>,
}

impl Moves {
    fn take_in(&mut self, entry: &JournalEntry, spec: &TargetSpec, identity: &Identity) {
        let Ok(facts) = entry.record.facts_of::<DirectoryChange>() else { return };
        let mut active = BTreeSet::new();
        for delta in &facts.deltas {
            match delta {
                SplitDelta::User { id, active: true } => {
                    self.left.remove(id);
                    active.insert(*id);
                }
                SplitDelta::User { id, active: false } | SplitDelta::Whole(Delta::UserRemoved { id }) => {
                    self.left.insert(*id, (entry.record.seq, entry.record.at));
                }
                _ => {}
            }
        }
        if active.is_empty() {
            return;
        }
        let Ok(deltas) = DirectoryChange::deltas_of(&entry.record, entry.clear.as_ref()) else {
            self.erased.extend(active);
            return;
        };
        for delta in deltas {
            if let Delta::UserPut { user } = delta
                && user.active
                && let Ok(text) = spec.principal.over_user(&user)
                && let Ok(name) = SqlName::parse(&text)
                // Whose source may not speak for the name is not behind it.
                && identity.may_name(&user.source, name)
            {
                self.active.entry(name).or_default().insert(user.id);
            }
        }
    }

    /// Who was active behind this one.
    fn behind(&self, name: SqlName, there: &Tombstone) -> BTreeSet<UserId> {
        let mut ids = self.active.get(&name).cloned().unwrap_or_default();
        if !self.erased.is_empty() {
            let people = there.people().unwrap_or_default();
            let known = people.iter().filter_map(|(_, holder)| holder.id.parse().ok());
            ids.extend(known.filter(|id| self.erased.contains(id)));
        }
        ids
    }
}

impl Tombstones {
    /// Whoever was active meanwhile left anew: since then, where a record says when. True: somebody was.
    fn leave_anew(&mut self, journal: &Moves, now: OffsetDateTime) -> bool {
        let mut found = false;
        self.there.retain(|name, there| {
            let ids = journal.behind(*name, there);
            if ids.is_empty() {
                return true;
            }
            found = true;
            let left: Option<Vec<_>> = ids.iter().map(|id| journal.left.get(id).copied()).collect();
            let Some((record, at)) = left.and_then(|all| all.into_iter().max()) else { return false };
            (there.since, there.record) = (there.since.max(at.min(now)), Some(record));
            true
        });
        found
    }
}

impl Ticker {
    /// Takes in who was active under the name of somebody who left, by the records that this decision knows and the last look did not.
    pub(super) async fn note_who_was_back(
        &mut self,
        spec: &TargetSpec,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        let (head, identity) = {
            let world = self.world.lock().await;
            (world.directory().position(), world.identity().clone())
        };
        let since = self.tombs.kept.upto;
        if since >= head {
            return Ok(());
        }
        if self.tombs.kept.there.is_empty() || since == RecordSeq(0) {
            // Where there are tombstones, an older version kept no position.
            self.tombs.moved |= !self.tombs.kept.there.is_empty();
            self.tombs.kept.upto = head;
            return Ok(());
        }
        let (mut moves, mut after) = (Moves::default(), since);
        loop {
            let some = self.store.records_of(RecordKind::DirectoryChange, after.next(), SOME).await?;
            for entry in some.iter().filter(|entry| entry.record.seq <= head) {
                moves.take_in(entry, spec, &identity);
            }
            match some.last() {
                Some(last) if some.len() >= SOME as usize && last.record.seq < head => {
                    after = last.record.seq;
                }
                _ => break,
            }
        }
        let tombs = &mut self.tombs;
        tombs.moved |=
            tombs.kept.leave_anew(&moves, now) || head.0 >= tombs.upto.0.saturating_add(KEEP_AFTER);
        tombs.kept.upto = head;
        Ok(())
    }
}
