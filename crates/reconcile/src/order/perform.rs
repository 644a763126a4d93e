//! What a step does to a [`World`], and how to take that back. The semantics are those of [`apply_step`](crate::apply_step).

use axon_model::SqlName;

use super::base::Base;
use super::world::{Access, Laid, Over, Row, RowKey, World};
use crate::graph::GrantState;
use crate::permission::Permission;
use crate::shape::Securable;
use crate::step::Step;

/// How to take a step back.
pub(super) enum Undo {
    Nothing,
    Access(u32, Access),
    Join(u32, u32),
    Leave(u32, u32),
    /// The overlay's entries as they were; `None` where there was none.
    Rows(u32, Vec<(RowKey, Option<Laid>)>),
    Drop(Box<Dropped>),
}

/// What went with somebody who was dropped.
pub(super) struct Dropped {
    node: u32,
    access: Access,
    roles: Vec<u32>,
    over: Option<Box<Over>>,
    /// Of others the rows on it.
    rows: Vec<(u32, RowKey, Option<Laid>)>,
}

impl World {
    /// Does the step.
    pub(super) fn perform(&mut self, base: &Base, step: &Step) -> Undo {
        match step {
            Step::CreatePrincipal { name, .. } | Step::CreateRole { name } => {
                self.set_access(base.number(*name), Access::Open)
            }
            Step::GrantConnect { principal } => self.set_access(base.number(*principal), Access::Open),
            Step::DenyConnect { principal } => self.set_access(base.number(*principal), Access::Shut),
            Step::KillSessions { .. } | Step::KillFormer { .. } | Step::Secure(_) | Step::Classify(_) => {
                Undo::Nothing
            }
            Step::AddMember { role, member } => {
                let (role, member) = (base.number(*role), base.number(*member));
                if self.join(base, role, member) { Undo::Leave(role, member) } else { Undo::Nothing }
            }
            Step::DropMember { role, member } => {
                let (role, member) = (base.number(*role), base.number(*member));
                if self.leave(base, role, member) { Undo::Join(role, member) } else { Undo::Nothing }
            }
            Step::Grant { grantee, permission, on, columns } => {
                self.rows(base, base.number(*grantee), *permission, *on, columns, grant)
            }
            Step::Deny { grantee, permission, on, columns } => {
                self.rows(base, base.number(*grantee), *permission, *on, columns, deny)
            }
            Step::Revoke { grantee, permission, on, columns, .. } => {
                self.rows(base, base.number(*grantee), *permission, *on, columns, revoke)
            }
            Step::DropRole { name } | Step::DropPrincipal { name, .. } => self.drop_node(base, *name),
        }
    }

    /// Takes back the step that was performed last.
    pub(super) fn undo(&mut self, base: &Base, undo: Undo) {
        match undo {
            Undo::Nothing => {}
            Undo::Access(node, access) => self.access[node as usize] = access,
            Undo::Drop(dropped) => self.put_back(base, *dropped),
            Undo::Join(role, member) => drop(self.join(base, role, member)),
            Undo::Leave(role, member) => drop(self.leave(base, role, member)),
            Undo::Rows(node, entries) => {
                if let Some(over) = &mut self.over[node as usize] {
                    for (key, row) in entries.into_iter().rev() {
                        match row {
                            Some(row) => drop(over.rows.insert(key, row)),
                            None => drop(over.rows.remove(&key)),
                        }
                    }
                }
                self.changed(base, node);
            }
        }
    }

    fn drop_node(&mut self, base: &Base, name: SqlName) -> Undo {
        let node = base.number(name);
        let access = std::mem::replace(&mut self.access[node as usize], Access::Absent);
        let roles = std::mem::take(&mut self.up[node as usize]);
        for role in &roles {
            self.held[*role as usize] -= 1;
        }
        let wiped = Over { wiped: true, ..Over::default() };
        let over = self.over[node as usize].replace(Box::new(wiped));
        self.changed(base, node);
        let mut rows = Vec::new();
        for key in base.on_principals.get(&name).into_iter().flatten() {
            let grantee = base.number(key.grantee);
            let row = (Securable::Principal(name), key.permission);
            rows.push((grantee, row, self.put(grantee, row, None)));
            self.changed(base, grantee);
        }
        Undo::Drop(Box::new(Dropped { node, access, roles, over, rows }))
    }

    fn put_back(&mut self, base: &Base, dropped: Dropped) {
        let Dropped { node, access, roles, over, rows } = dropped;
        for (grantee, key, laid) in rows.into_iter().rev() {
            let rows = &mut self.over[grantee as usize].get_or_insert_default().rows;
            match laid {
                Some(laid) => drop(rows.insert(key, laid)),
                None => drop(rows.remove(&key)),
            }
            self.changed(base, grantee);
        }
        for role in &roles {
            self.held[*role as usize] += 1;
        }
        self.access[node as usize] = access;
        self.up[node as usize] = roles;
        self.over[node as usize] = over;
        self.changed(base, node);
    }

    fn set_access(&mut self, node: u32, access: Access) -> Undo {
        Undo::Access(node, std::mem::replace(&mut self.access[node as usize], access))
    }

    fn join(&mut self, base: &Base, role: u32, member: u32) -> bool {
        let up = &mut self.up[member as usize];
        let Err(at) = up.binary_search(&role) else { return false };
        up.insert(at, role);
        self.held[role as usize] += 1;
        self.changed(base, member);
        true
    }

    fn leave(&mut self, base: &Base, role: u32, member: u32) -> bool {
        let up = &mut self.up[member as usize];
        let Ok(at) = up.binary_search(&role) else { return false };
        up.remove(at);
        self.held[role as usize] -= 1;
        self.changed(base, member);
        true
    }

    fn put(&mut self, node: u32, key: RowKey, row: Option<Row>) -> Option<Laid> {
        let laid = row.map_or(Laid::Gone, Laid::There);
        self.over[node as usize].get_or_insert_default().rows.insert(key, laid)
    }

    fn rows(
        &mut self,
        base: &Base,
        grantee: u32,
        permission: Permission,
        on: Securable,
        columns: &[SqlName],
        change: fn(Option<Row>) -> Option<Row>,
    ) -> Undo {
        let mut before = Vec::with_capacity(columns.len().max(1));
        let mut one = |world: &mut Self, on: Securable, change: fn(Option<Row>) -> Option<Row>| {
            let row = change(world.row(base, grantee, on, permission));
            before.push(((on, permission), world.put(grantee, (on, permission), row)));
        };
        match on {
            Securable::Object(object) if !columns.is_empty() => {
                for column in columns {
                    one(self, Securable::Column(object, *column), change);
                }
            }
            Securable::Object(object) => {
                for column in base.columns.get(&(grantee, permission, object)).into_iter().flatten() {
                    one(self, Securable::Column(object, *column), revoke);
                }
                one(self, on, change);
            }
            _ => one(self, on, change),
        }
        self.changed(base, grantee);
        Undo::Rows(grantee, before)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one of three changes of a row")]
fn grant(row: Option<Row>) -> Option<Row> {
    let fresh = Row { state: GrantState::Grant, own: true, foreign: false };
    Some(row.map_or(fresh, |row| Row {
        state: if row.state == GrantState::Deny && !row.foreign { GrantState::Grant } else { row.state },
        own: true,
        ..row
    }))
}

#[expect(clippy::unnecessary_wraps, reason = "one of three changes of a row")]
fn deny(row: Option<Row>) -> Option<Row> {
    let foreign = row.is_some_and(|row| row.foreign);
    Some(Row { state: GrantState::Deny, own: true, foreign })
}

fn revoke(row: Option<Row>) -> Option<Row> {
    row.filter(|row| row.foreign).map(|row| Row { own: false, ..row })
}
