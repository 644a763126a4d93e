//! Which security ids principals of a name had: of one that is gone no row of the catalog tells, and its sessions are found by the id
//! alone once somebody else has the name.
//!
//! So the ids of all to whom Axon gave something are kept: as the full looks show them, and, where the directory knows the id, before
//! the principal is made. An id is kept under the last name that it had, a row for each, and none is forgotten: who left may have a
//! session for as long as the pool lives.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::visitor::Bearers;
use axon_reconcile::{Graph, Plan, Sid, Step};
use axon_store::{Store, StoreError};

/// How many ids are kept in one write.
const SOME: usize = 2_000;
/// So many ids of one name are known; beyond that the oldest goes.
const MOST: usize = 16;

/// Who had which name in one target.
#[derive(Debug, Default)]
pub(super) struct Borne {
    ids: Bearers,
    /// Those of people who had their names before whoever has them now.
    past: BTreeSet<Sid>,
    loaded: bool,
    /// What the store does not have yet.
    unkept: BTreeSet<(SqlName, Sid)>,
    /// Whether the target was read since its ids were taken in.
    due: bool,
}

/// What stands before the name of an id that is past, and of another one.
const PAST: &str = "-";
const PRESENT: &str = "+";

/// Under which name the store keeps it: no target can be called so.
fn key(target: &str) -> String {
    format!("{target}#ids")
}

impl Borne {
    /// Somebody else may have written since.
    pub(super) fn forget(&mut self) {
        self.loaded = false;
    }

    /// Reads what this or another process kept.
    pub(super) async fn load(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        if self.loaded {
            return Ok(());
        }
        for (id, name) in store.principal_holders(&key(target)).await? {
            let Some((past, name)) = name.split_at_checked(1) else { continue };
            if let (Ok(sid), Ok(name)) = (id.parse(), SqlName::parse(name)) {
                self.add(name, &sid);
                if past == PAST && !self.unkept.contains(&(name, sid.clone())) {
                    self.past.insert(sid);
                }
            }
        }
        self.loaded = true;
        Ok(())
    }

    /// Who had which name.
    pub(super) fn ids(&self) -> &Bearers {
        &self.ids
    }

    /// Whether an object had this name that is not this one.
    pub(super) fn had_another(&self, name: SqlName, now: Option<&Sid>) -> bool {
        self.ids.get(&name).is_some_and(|ids| ids.iter().any(|id| Some(id) != now))
    }

    /// Whether this id is of somebody who had the name before whoever has it now.
    pub(super) fn is_past(&self, sid: &Sid) -> bool {
        self.past.contains(sid)
    }

    /// Whether an id is known of whoever had this name last: else a user was made of the name at which nobody looked, or none at all.
    pub(super) fn saw_last(&self, name: SqlName) -> bool {
        self.ids.get(&name).is_some_and(|ids| ids.iter().any(|id| !self.past.contains(id)))
    }

    /// Whose sessions a plan ends by the id had the name, though no look ever saw it: a KILL that is refused is tried again, whoever
    /// has the name by then.
    pub(super) fn end(&mut self, plan: &Plan) {
        for planned in &plan.steps {
            if let Step::KillFormer { principal, sid } = &planned.step
                && self.add(*principal, sid)
            {
                self.unkept.insert((*principal, sid.clone()));
            }
        }
    }

    /// These names are somebody else's now.
    pub(super) fn pass_on(&mut self, names: BTreeSet<SqlName>) {
        for name in names {
            for sid in self.ids.get(&name).into_iter().flatten() {
                if self.past.insert(sid.clone()) {
                    self.unkept.insert((name, sid.clone()));
                }
            }
        }
    }

    /// The target was read.
    pub(super) fn look(&mut self) {
        self.due = true;
    }

    /// Takes in whose names these are, of those whom Axon `met`, and whose they will be by this plan.
    pub(super) fn take_in(&mut self, graph: &Graph, plan: &Plan, met: impl Fn(SqlName) -> bool) {
        if std::mem::take(&mut self.due) {
            for (name, there) in &graph.principals {
                if let Some(sid) = there.sid.as_ref().filter(|_| met(*name)) {
                    self.note(*name, sid);
                }
            }
        }
        for planned in &plan.steps {
            if let Step::CreatePrincipal { name, sid: Some(sid), .. } = &planned.step {
                self.note(*name, sid);
            }
        }
    }

    fn note(&mut self, name: SqlName, sid: &Sid) {
        // Whoever has the name again is not past.
        if sid.tells() && (self.add(name, sid) | self.past.remove(sid)) {
            self.unkept.insert((name, sid.clone()));
        }
    }

    /// True: it was not known.
    fn add(&mut self, name: SqlName, sid: &Sid) -> bool {
        let ids = self.ids.entry(name).or_default();
        if ids.contains(sid) {
            return false;
        }
        if ids.len() == MOST {
            ids.remove(0);
        }
        ids.push(sid.clone());
        true
    }

    /// Keeps what is new. What the store cannot take is offered again with the next decision.
    pub(super) async fn keep(&mut self, store: &dyn Store, target: &str) {
        while !self.unkept.is_empty() {
            let some: Vec<(SqlName, Sid)> = self.unkept.iter().take(SOME).cloned().collect();
            let rows = some.iter().filter_map(|(name, sid)| {
                let past = if self.past.contains(sid) { PAST } else { PRESENT };
                Some((SqlName::parse(&sid.to_string()).ok()?, format!("{past}{name}")))
            });
            if let Err(error) = store.keep_principal_holders(&key(target), rows.collect()).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the security ids of principals could not be kept"
                );
                return;
            }
            for one in some {
                self.unkept.remove(&one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axon_reconcile::{Connect, Planned, Principal, PrincipalKind};

    use super::*;

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn sid(last: u8) -> Sid {
        Sid::from_bytes(&[&[7_u8; 15][..], &[last]].concat())
    }

    fn graph(sid: Sid) -> Graph {
        let mut graph = Graph::default();
        let kind = PrincipalKind::External;
        let principal = Principal { kind, sid: Some(sid), connect: Connect::Granted, created: None };
        graph.principals.insert(name("kim"), principal);
        graph
    }

    #[test]
    fn ids_are_those_of_looks_and_of_whom_a_plan_makes() {
        let mut borne = Borne::default();
        let none = Plan::default();
        borne.take_in(&graph(sid(1)), &none, |_| true);
        assert!(borne.ids().is_empty(), "nothing was read");
        borne.look();
        borne.take_in(&graph(sid(1)), &none, |_| false);
        assert!(borne.ids().is_empty(), "whom Axon never met");
        borne.look();
        borne.take_in(&graph(sid(1)), &none, |_| true);
        borne.look();
        borne.take_in(&graph(Sid::from_bytes(&[1])), &none, |_| true);
        assert_eq!(borne.ids()[&name("kim")], [sid(1)], "what tells nobody is no id");
        let kim =
            Step::CreatePrincipal { name: name("KIM"), kind: PrincipalKind::External, sid: Some(sid(2)) };
        let plan = Plan { steps: vec![Planned::from(kim)], ..Plan::default() };
        borne.take_in(&graph(sid(1)), &plan, |_| true);
        assert_eq!(borne.ids()[&name("kim")], [sid(1), sid(2)]);
        assert!(borne.had_another(name("kim"), Some(&sid(1))) && borne.had_another(name("kim"), None));
        assert!(!borne.had_another(name("ana"), None));
    }

    #[test]
    fn an_id_is_past_once_the_name_is_passed_on_until_its_bearer_has_it_again() {
        let mut borne = Borne::default();
        let look = |borne: &mut Borne, n| {
            borne.look();
            borne.take_in(&graph(sid(n)), &Plan::default(), |_| true);
        };
        look(&mut borne, 1);
        borne.unkept.clear();
        borne.pass_on([name("kim"), name("ana")].into());
        assert!(borne.is_past(&sid(1)) && borne.unkept.len() == 1);
        look(&mut borne, 2);
        assert!(borne.is_past(&sid(1)) && !borne.is_past(&sid(2)));
        look(&mut borne, 1);
        assert!(!borne.is_past(&sid(1)));
    }

    #[test]
    fn of_one_name_the_last_sixteen_are_known() {
        let mut borne = Borne::default();
        for n in 0..20 {
            borne.note(name("kim"), &sid(n));
            borne.note(name("kim"), &sid(n));
        }
        let ids = &borne.ids()[&name("kim")];
        assert_eq!((ids.len(), &ids[0], &ids[15]), (MOST, &sid(4), &sid(19)));
    }
}
