//! Who came under a name and left again while the clock of the one before runs: a name has one clock at a time, so theirs begins when
//! that one has ended, from the record by which they left.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::payload::LeftBy;
use axon_model::{RecordSeq, SqlName};
use axon_store::{Leaver, Leavers, Store, StoreError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Clocks, Departure};
use crate::behind::Behind;

/// Who waits for the end of which clock, by name.
#[derive(Debug, Default)]
pub(super) struct After {
    by_name: BTreeMap<SqlName, (RecordSeq, LeftBy, OffsetDateTime)>,
    /// What the store does not have yet.
    unkept: BTreeSet<SqlName>,
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#after")
}

fn row((cause, way, arrived): &(RecordSeq, LeftBy, OffsetDateTime)) -> Option<String> {
    Some(format!("{cause} {} {}", way.as_str(), arrived.format(&Rfc3339).ok()?))
}

fn parse(row: &str) -> Option<(RecordSeq, LeftBy, OffsetDateTime)> {
    let mut words = row.split(' ');
    let cause = RecordSeq(words.next()?.parse().ok()?);
    let way = LeftBy::parse(words.next()?)?;
    Some((cause, way, OffsetDateTime::parse(words.next()?, &Rfc3339).ok()?))
}

impl After {
    /// Reads what this or another process kept. What was read of the journal here and never kept is read again.
    pub(super) async fn load(
        &mut self,
        store: &dyn Store,
        target: &str,
        kept: &Leavers,
    ) -> Result<(), StoreError> {
        if kept.version == 0 {
            return Ok(());
        }
        let rows = store.principal_holders(&key(target)).await?;
        let rows = rows.iter().filter_map(|(name, row)| Some((SqlName::parse(name).ok()?, parse(row)?)));
        self.by_name = rows.collect();
        self.unkept.clear();
        Ok(())
    }
}

impl Clocks {
    /// Takes somebody in whose name has the clock of somebody else, who left before. False: the name's clock is their own, or none runs.
    pub(super) fn waits_after(&mut self, name: SqlName, departure: &Departure) -> bool {
        let Some(behind) = self.left_as(name).and_then(Behind::people) else { return false };
        let user = departure.user.to_string();
        if behind.iter().any(|(_, holder)| holder.id == user) {
            return false;
        }
        if !self.is_awaited(name) {
            let Departure { cause, arrived, way, user: _ } = *departure;
            self.after.by_name.insert(name, (cause, way, arrived));
            self.after.unkept.insert(name);
        }
        true
    }

    /// Whether somebody waits for the end of this clock.
    pub(super) fn is_awaited(&self, name: SqlName) -> bool {
        self.after.by_name.contains_key(&name)
    }

    /// Whether this clock began so, and may not end yet: what says that it is to begin is not yet forgotten.
    pub(super) fn is_begun_anew(&self, leaver: &Leaver) -> bool {
        self.after.by_name.get(&leaver.name).is_some_and(|(cause, ..)| *cause == leaver.cause)
    }

    /// Begins the clocks of those for whom the one before has ended, and is on record. Whether there are any.
    pub(super) fn begin_after(&mut self) -> bool {
        let free =
            |name: &SqlName| self.timed && !self.open.contains_key(name) && !self.ended.contains_key(name);
        let next: Vec<SqlName> = self.after.by_name.keys().copied().filter(free).collect();
        for name in &next {
            let (cause, way, arrived) = self.after.by_name[name];
            self.out.remove(name);
            self.open.insert(*name, Leaver { name: *name, cause, way, arrived, shut: None, why: None });
        }
        !next.is_empty()
    }

    /// Keeps who waits, ahead of the position up to which the journal was read, and forgets whose clock the store has: only then it may
    /// end. False: somebody else changed the clocks, and nothing is kept.
    pub(super) async fn keep_after(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        let begun = |name: &SqlName, cause: RecordSeq| {
            self.kept.open.get(name).is_some_and(|leaver| leaver.cause == cause)
        };
        let After { by_name, unkept } = &mut self.after;
        let over: Vec<SqlName> =
            by_name.iter().filter(|(name, (cause, ..))| begun(name, *cause)).map(|(name, _)| *name).collect();
        let waiting = unkept.iter().filter_map(|name| Some((*name, row(by_name.get(name)?)?)));
        let rows: Vec<_> = waiting.chain(over.iter().map(|name| (*name, String::new()))).collect();
        if rows.is_empty() {
            return Ok(true);
        }
        // By what is old here nobody is to wait again, or to wait no more.
        if store.leavers(&self.target).await?.version != self.kept.version {
            self.forget();
            return Ok(false);
        }
        store.keep_principal_holders(&key(&self.target), rows).await?;
        unkept.clear();
        by_name.retain(|name, _| !over.contains(name));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        for way in LeftBy::ALL {
            let waits = (RecordSeq(77), way, datetime!(2026-11-23 08:00:01.000002 UTC));
            assert_eq!(parse(&row(&waits).unwrap()), Some(waits));
        }
        for other in
            ["", "77", "77 gone 2026-11-23T08:00:00Z", "x deleted 2026-11-23T08:00:00Z", "77 deleted 9"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
