//! Who left, read from the journal: by the facts of records, which stay when names are erased.

use axon_audit::RecordKind;
use axon_audit::payload::{DirectoryChange, LeftBy, SplitDelta};
use axon_model::{AccessState, Asked, Delta, RecordSeq, SqlName};
use axon_store::{JournalEntry, Leaver, Store, StoreError};
use time::OffsetDateTime;

use super::{Clocks, Departure};

/// Records looked at in one go.
const SOME: u32 = 1_000;

/// Who left by a record.
fn departures(entry: &JournalEntry) -> impl Iterator<Item = Departure> {
    let (cause, arrived) = (entry.record.seq, entry.record.at);
    // A record that this version cannot read was written by another one, or by nobody who tells of people.
    let facts = entry.record.facts_of::<DirectoryChange>().ok();
    let deltas = facts.map(|facts| facts.deltas).unwrap_or_default();
    deltas.into_iter().filter_map(move |delta| {
        let (way, user) = match delta {
            SplitDelta::User { id, active: false } => (LeftBy::Deactivated, id),
            SplitDelta::Whole(Delta::UserRemoved { id }) => (LeftBy::Deleted, id),
            _ => return None,
        };
        Some(Departure { cause, arrived, way, user })
    })
}

impl Clocks {
    /// Reads what this or another process kept. Clocks that ended here and have no record stay, as long as they run there.
    async fn load(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        let kept = store.leavers(&self.target).await?;
        let head = store.head().await?.seq;
        self.first = None;
        self.upto = kept.upto.min(head);
        if kept.version == 0 {
            // What is behind the last run that left nothing to do was never timed; in a new target nobody is yet.
            let last = store.summary(&self.target).await?;
            let settled = last.and_then(|(summary, _)| summary["settled"].as_u64()).filter(|seq| *seq > 0);
            self.upto = settled.map_or(head, |seq| RecordSeq(seq).min(head));
            self.first = settled.map(|_| self.upto);
        }
        self.departed.clear();
        // One that began here and was never kept ends here, unless whoever kept something since has looked through its record, too.
        let (was, now) = (&self.kept, &kept);
        let unseen = |leaver: &Leaver| {
            let never_kept = !was.open.contains_key(&leaver.name) && !now.out.contains(&leaver.name);
            never_kept && (leaver.cause > now.upto || leaver.cause <= was.upto)
        };
        let runs = |leaver: &Leaver| match now.open.get(&leaver.name) {
            Some(theirs) => theirs.cause == leaver.cause,
            None => self.waited_still(leaver, now).unwrap_or_else(|| unseen(leaver)),
        };
        let over: Vec<SqlName> =
            self.ended.iter().filter(|(_, ended)| !runs(&ended.leaver)).map(|(name, _)| *name).collect();
        self.ended.retain(|name, _| !over.contains(name));
        let before = std::mem::replace(&mut self.open, kept.open.clone());
        self.open.retain(|name, _| !self.ended.contains_key(name));
        // Whose name it was is known though it could not be kept.
        for (name, leaver) in &mut self.open {
            let known = before.get(name).filter(|before| before.cause == leaver.cause);
            leaver.former = leaver.former.take().or_else(|| known?.former.clone());
        }
        // What was seen of an earlier leaving says nothing of this one.
        let open = &self.open;
        let same = |name: &SqlName| {
            let was = before.get(name).map(|leaver| leaver.cause);
            open.get(name).is_some_and(|leaver| was == Some(leaver.cause))
        };
        self.gone.retain(|name, _| same(name));
        self.seen.retain(same);
        self.out.clone_from(&kept.out);
        let out = self.ended.values().filter(|ended| ended.is_out()).map(|ended| ended.leaver.name);
        self.out.extend(out);
        self.out_as_of = None;
        self.kept = kept;
        self.load_next();
        self.loaded = true;
        Ok(())
    }

    /// Reads who left since the last look.
    pub async fn follow(&mut self, store: &dyn Store, now: OffsetDateTime) -> Result<(), StoreError> {
        self.load(store).await?;
        self.followed = Some(now);
        let head = store.head().await?.seq;
        if head <= self.upto {
            return Ok(());
        }
        let since = self.upto;
        let mut departed = Vec::new();
        let mut upto = since;
        loop {
            let some = store.records_of(RecordKind::DirectoryChange, upto.next(), SOME).await?;
            departed.extend(some.iter().flat_map(departures));
            match some.last() {
                Some(last) if some.len() >= SOME as usize => upto = last.record.seq,
                Some(last) => {
                    upto = head.max(last.record.seq);
                    break;
                }
                None => {
                    upto = head.max(upto);
                    break;
                }
            }
        }
        for request in store.access_requests(since).await? {
            // What came behind the records that were read is in the next look.
            let counts = request.state == AccessState::InForce && request.record <= upto;
            if !counts || request.asked != Asked::Offboard {
                continue;
            }
            let arrived = request.released.as_ref().unwrap_or(&request.asking).at;
            let cause = request.record;
            let of = |user| Departure { cause, arrived, way: LeftBy::Offboarded, user };
            departed.extend(request.whom.records.iter().map(|record| of(record.id)));
        }
        departed.sort_by_key(|departure| departure.cause);
        self.departed.append(&mut departed);
        self.upto = upto;
        Ok(())
    }

    /// Whether the journal was not looked at for so long.
    pub fn is_stale(&self, now: OffsetDateTime, after: time::Duration) -> bool {
        // A clock that was set back would make the last look new for as long as it was set back.
        self.followed.is_none_or(|then| now < then || now - then >= after)
    }
}
