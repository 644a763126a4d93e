//! Principals that stand for somebody else: whoever has the name now is not the one for whom the principal was made. It is
//! dropped and made anew, and nobody is given anything by it before.
//!
//! Nothing in the catalog tells it where object ids are not known, a target may sleep through all of the change, and a pool
//! takes names for one that a directory tells apart. So the store keeps for whom each principal was made.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::{SourceId, SqlName};
use axon_reconcile::{Graph, Plan, Planned, Step};
use axon_store::{Store, StoreError};

use crate::behind::Behind;

/// How many names are kept in one write.
const SOME: usize = 2_000;

/// For whom the principals of one target were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MadeFor {
    /// By folded name, as the store has it.
    kept: BTreeMap<String, String>,
    loaded: bool,
    /// Who has names now that were not looked at yet.
    unchecked: BTreeMap<SqlName, Behind>,
    /// What the store does not have yet.
    unkept: BTreeMap<SqlName, Behind>,
    /// Names that are somebody else's now: whose ids they had is somebody else's id.
    passed_on: BTreeSet<SqlName>,
}

/// What is known of principals that the catalog does not show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absent<'a> {
    /// Names under which sessions outlived their user, and of which nothing but the name is known.
    pub lingering: &'a BTreeSet<SqlName>,
    /// Whether some may be there all the same.
    pub hidden: bool,
}

/// Whether the principal of this name was made for the very object that is to have it: an object id that is known and right.
fn is_same_object(name: SqlName, desired: &Graph, actual: &Graph) -> bool {
    let sid = |side: &Graph| side.principals.get(&name).and_then(|there| there.sid.clone());
    sid(actual).is_some_and(|there| sid(desired) == Some(there))
}

impl MadeFor {
    /// Somebody else may have written since.
    pub(super) fn forget(&mut self) {
        self.loaded = false;
    }

    /// Reads what this or another process kept.
    pub(super) async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if !self.loaded {
            self.kept = store.principal_holders(target).await?;
            self.loaded = true;
        }
        Ok(())
    }

    /// For whom principals were made, by folded name.
    pub(super) fn kept(&self) -> &BTreeMap<String, String> {
        &self.kept
    }

    /// Names that came to be somebody else's since they were taken out.
    pub(super) fn passed_on(&mut self) -> &mut BTreeSet<SqlName> {
        &mut self.passed_on
    }

    /// The names that are somebody else's now, with for whom their principals were made.
    pub(super) fn passing_on(&self) -> impl Iterator<Item = (SqlName, &str)> {
        self.passed_on.iter().filter_map(|name| Some((*name, self.kept.get(name.folded())?.as_str())))
    }

    /// The sources of those for whom a principal was made.
    pub(super) fn sources_of(&self, name: SqlName) -> Vec<SourceId> {
        self.kept.get(name.folded()).map(|kept| Behind::sources(kept)).unwrap_or_default()
    }

    /// Takes in who has names now.
    pub(super) fn look(&mut self, now: BTreeMap<SqlName, Behind>) {
        self.unchecked.extend(now);
    }

    /// Whose names were not looked at yet, or stand for somebody else.
    pub(super) fn unchecked(&self) -> impl Iterator<Item = SqlName> {
        self.unchecked.keys().copied()
    }

    /// Takes out of the desired side whoever would inherit another one's principal, and gives their names. `released` are those
    /// whom a person let come under a name that another one had. Lingering sessions are another one's, and nobody would find them beside
    /// a new user of that name: it is made once they are gone. Where principals are hidden, the other one's may be there still.
    pub(super) fn leave_out(
        &mut self,
        released: &BTreeSet<SqlName>,
        absent: Absent<'_>,
        desired: &mut Graph,
        actual: &Graph,
    ) -> BTreeSet<SqlName> {
        let mut stale = BTreeSet::new();
        for (name, behind) in std::mem::take(&mut self.unchecked) {
            if !desired.principals.contains_key(&name) {
                continue;
            }
            let kept = self.kept.get(name.folded());
            if kept.is_some_and(|kept| *kept == behind.text()) {
                continue;
            }
            let another = match kept {
                Some(kept) => !behind.is(kept),
                None => released.contains(&name),
            };
            let theirs = match actual.principals.get(&name) {
                None => !absent.hidden && !absent.lingering.contains(&name),
                Some(_) => is_same_object(name, desired, actual),
            };
            // Another record of the same object is the same person.
            if another && !is_same_object(name, desired, actual) {
                self.passed_on.insert(name);
            }
            if another && !theirs {
                // The target's own spelling: a pool may tell apart what is taken for one here.
                stale.insert(actual.principals.get_key_value(&name).map_or(name, |(there, _)| *there));
                self.unchecked.insert(name, behind);
            } else {
                self.unkept.insert(name, behind);
            }
        }
        if !stale.is_empty() {
            desired.principals.retain(|name, _| !stale.contains(name));
            desired.members.retain(|m| !stale.contains(&m.member));
            desired.grants.retain(|grant, _| !stale.contains(&grant.grantee));
        }
        stale
    }

    /// Puts the dropping of these behind the plan, which shuts them out and strips them.
    pub(super) fn put_into(plan: &mut Plan, stale: &BTreeSet<SqlName>, actual: &Graph) {
        // Of who is not there, sessions are all that is left: whoever found them planned their end.
        for name in stale.iter().filter(|name| actual.principals.contains_key(*name)) {
            let planned = |step: &Step| plan.steps.iter().any(|p| p.step == *step);
            let kill = Step::KillSessions { principal: *name };
            let drop = Step::drop_of(*name, actual);
            let missing: Vec<Step> = [kill, drop].into_iter().filter(|step| !planned(step)).collect();
            plan.steps.extend(missing.into_iter().map(Planned::from));
        }
    }

    /// Keeps for whom principals are made, before they are. What the store cannot take is offered again with the next decision.
    pub(super) async fn keep(&mut self, store: &dyn Store, target: &str) {
        while !self.unkept.is_empty() {
            let rows: Vec<(SqlName, String)> =
                self.unkept.iter().take(SOME).map(|(name, behind)| (*name, behind.text())).collect();
            if let Err(error) = store.keep_principal_holders(target, rows.clone()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "for whom principals are made could not be kept"
                );
                return;
            }
            for (name, text) in rows {
                self.unkept.remove(&name);
                self.kept.insert(name.folded().to_owned(), text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Connect, Principal, PrincipalKind};

    use super::*;

    fn graph(name: SqlName) -> Graph {
        let mut graph = Graph::default();
        let principal =
            Principal { kind: PrincipalKind::External, sid: None, connect: Connect::Granted, created: None };
        graph.principals.insert(name, principal);
        graph
    }

    fn seen(lingering: &BTreeSet<SqlName>) -> Absent<'_> {
        Absent { lingering, hidden: false }
    }

    #[test]
    fn a_look_alike_of_a_name_inherits_nothing_of_it() {
        let (kim, alike) = (SqlName::parse("kim").unwrap(), SqlName::parse("k\u{200b}im").unwrap());
        let behind = |id: &str| Behind::person("entra", Some(id), id);
        let mut made = MadeFor::default();
        let none = BTreeSet::new();
        let actual = graph(kim);
        made.look([(kim, behind("k"))].into());
        assert!(
            made.leave_out(&none, seen(&none), &mut graph(kim), &actual).is_empty(),
            "the first look takes it as it is"
        );
        made.kept.insert("kim".into(), behind("k").text());
        made.look([(alike, behind("other"))].into());
        let mut desired = graph(alike);
        let stale = made.leave_out(&none, seen(&none), &mut desired, &actual);
        assert_eq!(stale, BTreeSet::from([kim]), "the pool takes the two for one");
        assert!(desired.principals.is_empty());
        let mut desired = graph(alike);
        assert_eq!(
            made.leave_out(&none, seen(&none), &mut desired, &actual).len(),
            1,
            "as long as it is there"
        );
        let (mut desired, sessions) = (graph(alike), BTreeSet::from([kim]));
        let stale = made.leave_out(&none, seen(&sessions), &mut desired, &Graph::default());
        assert_eq!(
            (stale.len(), desired.principals.len()),
            (1, 0),
            "as long as sessions of the first one are"
        );
        let (mut desired, before) = (graph(alike), made.unkept.clone());
        let hidden = Absent { lingering: &none, hidden: true };
        let stale = made.leave_out(&none, hidden, &mut desired, &Graph::default());
        assert_eq!((stale.len(), desired.principals.len()), (1, 0), "as long as it may be there unseen");
        assert_eq!(made.unkept, before, "and it stays known for whom it was made");
        let mut desired = graph(alike);
        assert!(
            made.leave_out(&none, seen(&none), &mut desired, &Graph::default()).is_empty(),
            "and no longer"
        );
        assert_eq!(desired.principals.len(), 1);
    }

    #[test]
    fn whose_principal_nobody_knows_is_dropped_only_for_whom_a_person_released() {
        let kim = SqlName::parse("kim").unwrap();
        for released in [true, false] {
            let mut made = MadeFor::default();
            made.look([(kim, Behind::person("entra", None, "1"))].into());
            let names = if released { BTreeSet::from([kim]) } else { BTreeSet::new() };
            assert_eq!(
                made.leave_out(&names, seen(&BTreeSet::new()), &mut graph(kim), &graph(kim)).len(),
                usize::from(released)
            );
        }
    }
}
