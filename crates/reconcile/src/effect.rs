//! What permissions amount to: nested roles, wider securables, CONTROL, DENY and its one exception.
//!
//! The rules: what a principal may do is the union over itself, its roles and theirs; a permission on a thing covers its
//! parts; CONTROL covers every permission; a DENY anywhere wins, but a column GRANT beats a DENY of the same permission on
//! the column's object. `db_owner` is CONTROL on the database, `sysadmin` on the server, `db_datareader` and its like are what their names say;
//! being in any fixed role counts as a permission of its own. Somebody whose CONNECT is denied has nothing.
//!
//! Limits: who owns an object ignores DENY on it in a pool, and ownership chains reach through views; neither is
//! modelled, and none of Axon's steps changes them. A member of an Entra group that is one principal has that principal's
//! permissions in addition to its own; the laws speak of each principal alone.

pub(crate) mod atoms;
pub(crate) mod spans;

use std::cell::OnceCell;

use axon_model::SqlName;

use crate::graph::GrantState;
use crate::permission::Permission;
use crate::shape::Securable;
use atoms::Atoms;
use spans::Spans;

/// What rows amount to, in four sets that unite by union.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Given, other than on columns.
    pub(crate) allow: Spans,
    /// Given on columns: beats `soft`.
    pub(crate) column: Spans,
    /// Denied, whatever is given.
    pub(crate) hard: Spans,
    /// Denied on an object.
    pub(crate) soft: Spans,
    concerns: OnceCell<Spans>,
}

impl Reach {
    /// All that it concerns, given or denied.
    pub(crate) fn concerns(&self) -> &Spans {
        self.concerns.get_or_init(|| self.allow.or(&self.column).or(&self.hard).or(&self.soft))
    }

    /// What may be done in the end.
    pub(crate) fn effective(&self) -> Spans {
        let given = self.allow.or(&self.column);
        if self.hard.is_empty() && self.soft.is_empty() {
            return given;
        }
        given.without(&self.hard).without(&self.soft.without(&self.column))
    }
}

/// Collects rows and reaches into one.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    allow: Vec<(u32, u32)>,
    column: Vec<(u32, u32)>,
    hard: Vec<(u32, u32)>,
    soft: Vec<(u32, u32)>,
}

impl Gather {
    /// One row of the catalog.
    pub(crate) fn row(&mut self, atoms: &Atoms, permission: Permission, on: &Securable, state: GrantState) {
        let into = match (state, on) {
            (GrantState::Deny, Securable::Object(_)) if permission != Permission::Control => &mut self.soft,
            (GrantState::Deny, _) => &mut self.hard,
            (_, Securable::Column(..)) => &mut self.column,
            _ => &mut self.allow,
        };
        atoms.runs(permission, on, into);
    }

    /// What being in a role of this name gives, where the server defines it.
    pub(crate) fn fixed_role(&mut self, atoms: &Atoms, role: SqlName) {
        self.allow.extend(atoms.in_fixed_role(role));
        let writes = [Permission::Insert, Permission::Update, Permission::Delete];
        match role.folded() {
            "db_owner" | "sysadmin" => atoms.runs(Permission::Control, &Securable::Database, &mut self.allow),
            "db_datareader" => atoms.on_all_data(Permission::Select, &mut self.allow),
            "db_denydatareader" => atoms.on_all_data(Permission::Select, &mut self.hard),
            "db_datawriter" => writes.iter().for_each(|p| atoms.on_all_data(*p, &mut self.allow)),
            "db_denydatawriter" => writes.iter().for_each(|p| atoms.on_all_data(*p, &mut self.hard)),
            _ => {}
        }
    }

    /// What another one reaches within the window.
    pub(crate) fn reach_within(&mut self, reach: &Reach, window: &Spans) {
        reach.allow.clip(window, &mut self.allow);
        reach.column.clip(window, &mut self.column);
        reach.hard.clip(window, &mut self.hard);
        reach.soft.clip(window, &mut self.soft);
    }

    /// All that another one reaches.
    pub(crate) fn reach(&mut self, reach: &Reach) {
        self.allow.extend_from_slice(reach.allow.runs());
        self.column.extend_from_slice(reach.column.runs());
        self.hard.extend_from_slice(reach.hard.runs());
        self.soft.extend_from_slice(reach.soft.runs());
    }

    pub(crate) fn done(self) -> Reach {
        Reach {
            allow: Spans::of(self.allow),
            column: Spans::of(self.column),
            hard: Spans::of(self.hard),
            soft: Spans::of(self.soft),
            concerns: OnceCell::new(),
        }
    }
}

/// Whether a role of this name denies by definition.
pub fn denies_by_definition(role: SqlName) -> bool {
    matches!(role.folded(), "db_denydatareader" | "db_denydatawriter")
}
