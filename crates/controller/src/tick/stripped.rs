//! What else those hold whom a run shut out. Whoever leaves loses all of it, whoever gave it, and what somebody gave by hand since the
//! last full look is in no plan: so the target is asked for their rows once they are out, which costs one request for all of them. Whose
//! session could not be ended yet may still give and be given: they are asked for again by the run that ends it.

use std::collections::{BTreeMap, BTreeSet};

use axon_model::SqlName;
use axon_reconcile::{Connect, Grant, GrantKey, Graph, InspectScope, Membership, Principal, Sid, Step, Ties};

use super::Ticker;
use super::decide::Decided;
use super::known::Known;
use super::work::Ran;

/// What is in force about one name.
fn rows(graph: &Graph, name: SqlName) -> BTreeMap<GrantKey, Grant> {
    graph.grants_of(name).map(|(key, grant)| (*key, grant.clone())).collect()
}

/// Moves what is known of these names to what was read of them. `None`: it cannot be moved, all is to be read anew; else whether
/// something was there that was not known.
fn moved(known: &mut Known, names: &BTreeSet<SqlName>, read: &Graph) -> Option<bool> {
    let graph = &mut known.inspection.graph;
    let ties = known.ties.get_or_insert_with(|| Ties::of(graph));
    let mut moved = false;
    for name in names {
        let there = read.principals.get(name)?;
        // Somebody else has the name meanwhile: who left is to be looked for by the id.
        let another = |known: &Principal| {
            let (was, is) = (known.sid.as_ref(), there.sid.as_ref());
            was.is_some_and(Sid::tells) && is.is_some_and(Sid::tells) && was != is
        };
        if graph.principals.get(name).is_some_and(another) {
            return None;
        }
        let (had, has) = (rows(graph, *name), rows(read, *name));
        let was_in: BTreeSet<SqlName> = ties.roles_of(graph, *name).collect();
        let is_in: BTreeSet<SqlName> = read.roles_of(*name).collect();
        if !is_in.iter().all(|role| graph.roles.contains_key(role)) {
            return None;
        }
        // What was made since the last full look has no date yet: that is no news.
        let same = graph.principals.get(name).is_some_and(|known| known.connect == there.connect);
        if same && had == has && was_in == is_in {
            continue;
        }
        moved = true;
        let membership = |role: &SqlName| Membership { role: *role, member: *name };
        for role in was_in.difference(&is_in) {
            graph.members.remove(&membership(role));
        }
        graph.members.extend(is_in.difference(&was_in).map(membership));
        for key in had.keys() {
            graph.grants.remove(key);
        }
        graph.grants.extend(has);
        graph.principals.insert(*name, there.clone());
    }
    Some(moved)
}

impl Ticker {
    /// Whom these steps shut out for good.
    pub(super) fn note_stripped(&mut self, in_force: &[Step], decided: &Decided) {
        let shut = in_force.iter().filter_map(|step| match step {
            Step::DenyConnect { principal } => Some(*principal),
            _ => None,
        });
        self.stripped.extend(shut.filter(|name| decided.leavers.contains(name)));
    }

    /// Reads what is left of those whom this run shut out. What comes to light is in the next plan, which follows at once.
    pub(super) async fn look_at_stripped(&mut self, ran: &mut Ran) {
        let mut names = std::mem::take(&mut self.stripped);
        self.stripped.extend(names.iter().filter(|name| self.leaving.is_owed_a_kill(**name)));
        let Some(known) = &self.actual else { return };
        // Who was made anew is somebody else.
        let there = &known.inspection.graph.principals;
        names.retain(|name| there.get(name).is_some_and(|known| known.connect == Connect::Denied));
        if names.is_empty() {
            return;
        }
        let scope = InspectScope::Principals(names.iter().copied().collect());
        let read = self.target.inspect(scope).await;
        let Some(known) = &mut self.actual else { return };
        let found = match read {
            // Whoever sees less than before may not see what they hold.
            Ok(read) if read.unseen.iter().any(|part| !known.inspection.unseen.contains(part)) => None,
            Ok(read) => moved(known, &names, &read.graph),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what is left of people who were shut out could not be read"
                );
                None
            }
        };
        match found {
            Some(false) => {}
            Some(true) => {
                tracing::info!("people who were shut out held more than was known");
                known.near = None;
                known.ties = None;
                self.made.look();
                ran.again = true;
            }
            None => {
                self.actual = None;
                ran.again = true;
            }
        }
    }
}
