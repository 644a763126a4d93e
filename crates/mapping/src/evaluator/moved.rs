//! Which names of the desired side moved since somebody looked at it.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::{GrantKey, Membership, Scope, Securable, Sid, Tied, Ties};

use super::Evaluator;
use crate::pending::Pending;

/// What moved since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Whether it may be anything: a role, what roles give, or everybody was computed anew.
    pub all: bool,
    /// Else these names: what they are, what they hold, or whether they are managed.
    pub names: BTreeSet<SqlName>,
}

impl Moved {
    /// Takes in what moved later.
    pub fn merge(&mut self, later: Self) {
        self.all |= later.all;
        self.names.extend(later.names);
    }
}

impl Evaluator {
    /// What moved since this was asked last.
    pub fn take_moved(&mut self) -> Moved {
        std::mem::take(&mut self.moved)
    }

    /// The desired graph with its index, which is made when first asked for and moves with the graph from then on; and what may
    /// be touched.
    pub fn tied(&mut self) -> (Tied<'_>, &Scope) {
        let ties = self.ties.get_or_insert_with(|| Ties::of(&self.graph));
        (Tied { graph: &self.graph, ties }, &self.scope)
    }

    /// Names that several claim: all are withheld.
    pub fn shared_names(&self) -> impl Iterator<Item = SqlName> {
        self.withheld.values().filter_map(|pending| match pending {
            Pending::NameShared { name, .. } => Some(*name),
            _ => None,
        })
    }

    /// Everything may be another than it was.
    pub(super) fn all_moved(&mut self) {
        self.moved = Moved { all: true, names: BTreeSet::new() };
        self.ties = None;
    }

    /// A name was settled: of what it is tied to, what came is told; what went does no harm.
    pub(super) fn name_moved(&mut self, name: SqlName) {
        if !self.moved.all {
            self.moved.names.insert(name);
        }
    }

    /// What was put into the graph for a name.
    pub(super) fn tie(&mut self, member: SqlName, sid: Option<&Sid>, joined: &[usize], stands: &[GrantKey]) {
        let Some(ties) = &mut self.ties else { return };
        for role in joined.iter().filter_map(|number| self.view.joined.get(*number)) {
            ties.joined(Membership { role: *role, member });
        }
        if let Some(sid) = sid {
            ties.identified(member, sid);
        }
        for key in stands.iter().filter(|key| matches!(key.securable, Securable::Principal(_))) {
            ties.given(*key);
        }
    }
}
