//! Names that came to be somebody else's while the clock runs of who left under them: that one did not return.
//!
//! For whom a principal was made is overwritten when it is made for another one, so who it was before is kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{RecordSeq, SqlName};
use axon_store::{Leavers, Store, StoreError};

use super::Clocks;

/// By name, by which record somebody left, and who is behind it.
#[derive(Debug, Default)]
pub(super) struct Passed {
    by_name: BTreeMap<SqlName, (RecordSeq, String)>,
    /// What the store does not have yet.
    unkept: BTreeSet<SqlName>,
}

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#passed")
}

fn parse(row: &str) -> Option<(RecordSeq, String)> {
    let (cause, behind) = row.split_once(' ')?;
    Some((RecordSeq(cause.parse().ok()?), behind.to_owned()))
}

impl Passed {
    /// Reads what this or another process kept of those whose clocks run.
    pub(super) async fn load(
        &mut self,
        store: &dyn Store,
        target: &str,
        kept: &Leavers,
    ) -> Result<(), StoreError> {
        if kept.open.is_empty() {
            return Ok(());
        }
        for (name, row) in store.principal_holders(&key(target)).await? {
            let (Ok(name), Some(row)) = (SqlName::parse(&name), parse(&row)) else { continue };
            if !self.unkept.contains(&name) {
                self.by_name.insert(name, row);
            }
        }
        Ok(())
    }
}

impl Clocks {
    /// A name is somebody else's from now on, and was of these people.
    pub(super) fn pass_on(&mut self, name: SqlName, behind: &str) {
        let Some(leaver) = self.open.get(&name) else { return };
        let known = self.passed.by_name.get(&name).is_some_and(|(cause, _)| *cause == leaver.cause);
        if !known {
            self.passed.by_name.insert(name, (leaver.cause, behind.to_owned()));
            self.passed.unkept.insert(name);
        }
    }

    /// Who is behind the clock of a name that came to be somebody else's since it began, until it is on record.
    pub(super) fn left_as(&self, name: SqlName) -> Option<&str> {
        let (cause, behind) = self.passed.by_name.get(&name)?;
        let ended = self.ended.get(&name).map(|ended| &ended.leaver);
        let leaver = self.open.get(&name).or(ended).filter(|leaver| leaver.cause == *cause);
        leaver.map(|_| behind.as_str())
    }

    /// Keeps who had names before, ahead of who has them now.
    pub(super) async fn keep_passed(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let Passed { by_name, unkept } = &mut self.passed;
        let row =
            |name: &SqlName| by_name.get(name).map(|(cause, behind)| (*name, format!("{cause} {behind}")));
        let rows: Vec<(SqlName, String)> = unkept.iter().filter_map(row).collect();
        if !rows.is_empty() {
            store.keep_principal_holders(&key(&self.target), rows).await?;
            unkept.clear();
        }
        Ok(())
    }
}
