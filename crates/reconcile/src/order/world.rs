//! One state of a catalog, made for asking what somebody may do: names are numbers, rows lie over the actual graph.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::base::Base;
use crate::effect::spans::Spans;
use crate::effect::{Gather, Reach};
use crate::graph::{GrantKey, GrantState};
use crate::permission::Permission;
use crate::shape::Securable;

/// Whether somebody is there and may enter. A role that is there is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Absent,
    Shut,
    Open,
}

/// A row as the steps see it: as in [`Grant`](crate::Grant), grantors only counted as some or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) state: GrantState,
    pub(super) own: bool,
    pub(super) foreign: bool,
}

/// Which of a grantee's rows.
pub(super) type RowKey = (Securable, Permission);

/// What lies over a row of the actual graph.
#[derive(Debug, Clone, Copy)]
pub(super) enum Laid {
    Gone,
    There(Row),
}

impl Laid {
    fn row(self) -> Option<Row> {
        match self {
            Self::Gone => None,
            Self::There(row) => Some(row),
        }
    }
}

/// What differs from the actual graph in one grantee's rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Over {
    /// The grantee was dropped: nothing of the actual graph is left.
    pub(super) wiped: bool,
    pub(super) rows: BTreeMap<RowKey, Laid>,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    /// The roles that each is directly in, sorted.
    pub(super) up: Vec<Vec<u32>>,
    pub(super) access: Vec<Access>,
    pub(super) over: Vec<Option<Box<Over>>>,
    /// What a role reaches, its own roles counted in.
    reaches: Vec<Option<Rc<Reach>>>,
    /// What roles reach within the window of one look at many people, and which look that was.
    seen: Vec<Option<(u32, Rc<Reach>)>>,
    look: u32,
    /// Whether the look is at many.
    many: bool,
    /// How many are directly in each role.
    pub(super) held: Vec<u32>,
}

impl World {
    pub(super) fn new(up: Vec<Vec<u32>>, access: Vec<Access>) -> Self {
        let count = up.len();
        let mut held = vec![0; count];
        for role in up.iter().flatten() {
            held[*role as usize] += 1;
        }
        Self {
            up,
            access,
            over: vec![None; count],
            reaches: vec![None; count],
            seen: vec![None; count],
            look: 0,
            many: false,
            held,
        }
    }

    pub(super) fn in_role(&self, member: u32, role: u32) -> bool {
        self.up[member as usize].binary_search(&role).is_ok()
    }

    pub(super) fn row(
        &self,
        base: &Base,
        grantee: u32,
        on: Securable,
        permission: Permission,
    ) -> Option<Row> {
        let over = self.over[grantee as usize].as_deref();
        if let Some(row) = over.and_then(|over| over.rows.get(&(on, permission))) {
            return row.row();
        }
        if over.is_some_and(|over| over.wiped) {
            return None;
        }
        let key = GrantKey { grantee: base.name(grantee), securable: on, permission };
        base.actual.grants.get(&key).map(|row| Row {
            state: row.state,
            own: row.own_row,
            foreign: !row.foreign_grantors.is_empty(),
        })
    }

    fn gather_own(&self, base: &Base, node: u32, gather: &mut Gather) {
        let over = self.over[node as usize].as_deref();
        if base.has_rows[node as usize] && !over.is_some_and(|over| over.wiped) {
            for (key, row) in base.actual.grants_of(base.name(node)) {
                if !over.is_some_and(|over| over.rows.contains_key(&(key.securable, key.permission))) {
                    gather.row(&base.atoms, key.permission, &key.securable, row.state);
                }
            }
        }
        for ((on, permission), row) in over.into_iter().flat_map(|over| &over.rows) {
            if let Some(row) = row.row() {
                gather.row(&base.atoms, *permission, on, row.state);
            }
        }
    }

    fn reach(&mut self, base: &Base, role: u32, depth: usize) -> Rc<Reach> {
        if let Some(reach) = &self.reaches[role as usize] {
            return Rc::clone(reach);
        }
        let mut gather = Gather::default();
        self.gather_own(base, role, &mut gather);
        gather.fixed_role(&base.atoms, base.name(role));
        // No catalog holds a circle of roles; a graph that does must not hang the planner.
        if depth < base.roles {
            for upper in self.up[role as usize].clone() {
                gather.reach(&self.reach(base, upper, depth + 1));
            }
        }
        let reach = Rc::new(gather.done());
        self.reaches[role as usize] = Some(Rc::clone(&reach));
        reach
    }

    /// From here on the same window is asked about, and nothing changes until the next look. For many people it is worth while to
    /// keep what each role reaches within it.
    pub(super) fn look_at(&mut self, people: usize) {
        self.look = self.look.wrapping_add(1);
        self.many = people > 4;
    }

    fn gather_role(&mut self, base: &Base, role: u32, window: &Spans, gather: &mut Gather) {
        if !self.many {
            return gather.reach_within(&self.reach(base, role, 0), window);
        }
        if let Some((look, reach)) = &self.seen[role as usize]
            && *look == self.look
        {
            return gather.reach(reach);
        }
        let mut within = Gather::default();
        within.reach_within(&self.reach(base, role, 0), window);
        let within = Rc::new(within.done());
        gather.reach(&within);
        self.seen[role as usize] = Some((self.look, within));
    }

    /// What this principal may do, as far as the window shows.
    pub(super) fn may(&mut self, base: &Base, who: u32, window: &Spans) -> Spans {
        if self.access[who as usize] != Access::Open {
            return Spans::default();
        }
        let mut gather = Gather::default();
        if base.has_rows[who as usize] || self.over[who as usize].is_some() {
            let mut own = Gather::default();
            self.gather_own(base, who, &mut own);
            gather.reach_within(&own.done(), window);
        }
        for at in 0..self.up[who as usize].len() {
            self.gather_role(base, self.up[who as usize][at], window, &mut gather);
        }
        if let Some(public) = base.public {
            self.gather_role(base, public, window, &mut gather);
        }
        gather.done().effective()
    }

    /// Whether one role gives something that the other one denies.
    pub(super) fn gives_what_is_denied(&mut self, base: &Base, giver: u32, denier: u32) -> bool {
        let (one, other) = (self.reach(base, giver, 0), self.reach(base, denier, 0));
        [&one.allow, &one.column]
            .into_iter()
            .any(|given| given.meets(&other.hard) || given.meets(&other.soft))
    }

    /// All that being in this role gives or denies now.
    pub(super) fn concerns(&mut self, base: &Base, role: u32) -> Spans {
        self.reach(base, role, 0).concerns().clone()
    }

    /// What everybody may do who may enter.
    pub(super) fn public_may(&mut self, base: &Base) -> Spans {
        base.public.map(|public| self.reach(base, public, 0).effective()).unwrap_or_default()
    }

    /// The rows or roles of this node changed.
    pub(super) fn changed(&mut self, base: &Base, node: u32) {
        if !base.is_role[node as usize] {
            return;
        }
        let mut open = vec![node];
        while let Some(role) = open.pop() {
            if self.reaches[role as usize].take().is_some() || role == node {
                open.extend(base.inner_roles[role as usize].iter().filter(|inner| **inner != node));
            }
        }
    }
}
