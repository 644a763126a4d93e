//! The state in which steps are tried: what is, what was, what will be, and what is still to come.

use std::collections::{BTreeSet, HashMap, HashSet};

use axon_model::SqlName;
use axon_model::name::NameSet;

use super::base::Base;
use super::world::{Access, World};
use crate::effect::spans::Spans;
use crate::effect::{Gather, denies_by_definition};
use crate::graph::{GrantKey, GrantState};
use crate::permission::Permission;
use crate::plan::Planned;
use crate::scope::Sides;
use crate::shape::{ObjectName, Securable};
use crate::step::Step;

/// How many steps of one name are still to come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ToCome {
    /// It joins roles.
    pub(super) joins: u32,
    /// It joins roles that deny something.
    pub(super) denying_joins: u32,
    /// It leaves roles.
    pub(super) leaves: u32,
    /// Its rows change.
    pub(super) rows: u32,
    /// Of `rows` those that may give.
    pub(super) gives: u32,
}

/// A principal for whom a law would be broken, and by how much at least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Breach {
    pub(super) who: u32,
    pub(super) atom: u32,
}

/// What a step would break.
#[derive(Debug, Clone, Default)]
pub(crate) struct Breaches {
    /// They would get more than both sides give.
    pub(super) more: Vec<Breach>,
    /// They would lose what both sides give.
    pub(super) less: Vec<Breach>,
}

/// What a step about permissions of a role concerns.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'w> {
    /// All that it can change for anybody.
    pub(super) window: &'w Spans,
    /// Whether nobody denies any of it to anybody, now or later.
    pub(super) undenied: bool,
}

pub(crate) struct Board<'a> {
    pub(super) base: Base<'a>,
    pub(super) old: World,
    pub(super) new: World,
    pub(super) now: World,
    pub(super) to_come: Vec<ToCome>,
    /// Roles, and principals themselves, that deny something now or later.
    pub(super) denies: Vec<bool>,
    /// Principals that something is denied, now or later.
    pub(super) denied: Vec<bool>,
    /// What the rows give that steps of this name put in, or stop denying: those that are done are not taken out.
    pub(super) giving: HashMap<u32, Spans>,
    /// Roles, and principals themselves, with rows on single columns now or later.
    pub(super) columned: Vec<bool>,
    /// Principals that are dropped and made anew as another object, and whether the new one is there.
    pub(super) anew: HashMap<u32, bool>,
    /// Statements on whole objects still to come, where some step is about a column of it, which waits.
    objects_to_come: HashMap<(u32, Permission, ObjectName), u32>,
    /// All that anybody denies to anybody, now or later.
    denials: Spans,
    /// Of two roles: whether the first gives in the end what the second denies.
    clashes: HashMap<(u32, u32), bool>,
    /// Grantable rows still to be revoked before they are given plainly or denied.
    revokes_to_come: HashSet<GrantKey>,
}

impl<'a> Board<'a> {
    pub(crate) fn new(sides: &'a Sides, steps: &[Planned]) -> Self {
        let (base, old) = Base::new(sides, steps);
        let mut new = old.clone();
        // A role is dropped when it is empty, so drops of roles come last.
        let all = || steps.iter().map(|planned| &planned.step);
        let last = |step: &&Step| matches!(step, Step::DropRole { .. });
        all().filter(|step| !last(step)).for_each(|step| drop(new.perform(&base, step)));
        all().filter(last).for_each(|step| drop(new.perform(&base, step)));
        let count = base.count();
        let mut board = Self {
            now: old.clone(),
            old,
            new,
            to_come: vec![ToCome::default(); count],
            denies: vec![false; count],
            denied: vec![false; count],
            giving: HashMap::new(),
            columned: vec![false; count],
            anew: HashMap::new(),
            objects_to_come: HashMap::new(),
            denials: Spans::default(),
            clashes: HashMap::new(),
            revokes_to_come: HashSet::new(),
            base,
        };
        board.find_denials(steps);
        board.find_giving(steps);
        let columned = board.base.columns.keys().map(|(node, ..)| *node).collect();
        board.columned = board.spread(columned);
        board.note_remade(steps);
        board.find_parts(steps);
        for planned in steps {
            board.expect(&planned.step, true);
        }
        board
    }

    pub(super) fn clash(&mut self, giver: u32, denier: u32) -> bool {
        let (new, base) = (&mut self.new, &self.base);
        *self.clashes.entry((giver, denier)).or_insert_with(|| new.gives_what_is_denied(base, giver, denier))
    }

    fn find_denials(&mut self, steps: &[Planned]) {
        let mut open: Vec<u32> = Vec::new();
        let mut gather = Gather::default();
        let mut runs = Vec::new();
        for (key, row) in &self.base.actual.grants {
            if row.state == GrantState::Deny {
                open.push(self.base.number(key.grantee));
                self.base.atoms.runs(key.permission, &key.securable, &mut runs);
            }
        }
        for planned in steps {
            if let Step::Deny { grantee, permission, on, columns } = &planned.step {
                open.push(self.base.number(*grantee));
                for key in keys(*grantee, *permission, *on, columns) {
                    self.base.atoms.runs(key.permission, &key.securable, &mut runs);
                }
            }
        }
        for node in 0..u32::try_from(self.base.count()).unwrap_or(u32::MAX) {
            if self.base.is_role[node as usize] && denies_by_definition(self.base.name(node)) {
                open.push(node);
                gather.fixed_role(&self.base.atoms, self.base.name(node));
            }
        }
        let defined = gather.done();
        self.denials = Spans::of(runs).or(&defined.hard).or(&defined.soft);
        if self.base.public.is_some_and(|public| open.contains(&public)) {
            self.denied.fill(true);
        }
        self.denies = self.spread(open);
        for (denied, denies) in self.denied.iter_mut().zip(&self.denies) {
            *denied |= denies;
        }
    }

    fn find_giving(&mut self, steps: &[Planned]) {
        let mut giving: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
        for planned in steps.iter().filter(|planned| planned.step.gives()) {
            if let Step::Grant { grantee, permission, on, columns }
            | Step::Revoke { grantee, permission, on, columns, .. } = &planned.step
            {
                let runs = giving.entry(self.base.number(*grantee)).or_default();
                for key in keys(*grantee, *permission, *on, columns) {
                    self.base.atoms.runs(key.permission, &key.securable, runs);
                }
            }
        }
        self.giving = giving.into_iter().map(|(node, runs)| (node, Spans::of(runs))).collect();
    }

    /// These and all that are or may come to be in them.
    fn spread(&self, mut open: Vec<u32>) -> Vec<bool> {
        let mut marked = vec![false; self.base.count()];
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut marked[node as usize], true) {
                open.extend(&self.base.down[node as usize]);
            }
        }
        marked
    }

    /// The objects whose columns some step is about: only for these it matters what else is still to come.
    fn find_parts(&mut self, steps: &[Planned]) {
        for planned in steps {
            if let Step::Grant { grantee, permission, on: Securable::Object(object), columns }
            | Step::Deny { grantee, permission, on: Securable::Object(object), columns }
            | Step::Revoke { grantee, permission, on: Securable::Object(object), columns, .. } =
                &planned.step
                && !columns.is_empty()
            {
                self.objects_to_come.insert((self.base.number(*grantee), *permission, *object), 0);
            }
        }
    }

    fn note_remade(&mut self, steps: &[Planned]) {
        let dropped: NameSet = steps
            .iter()
            .filter_map(|planned| match &planned.step {
                Step::DropPrincipal { name, .. } => Some(*name),
                _ => None,
            })
            .collect();
        for planned in steps {
            if let Step::CreatePrincipal { name, .. } = &planned.step
                && dropped.contains(name)
            {
                self.anew.insert(self.base.number(*name), false);
            }
        }
    }

    /// Counts a step in (`true`) when it is still to come, out (`false`) when it is done.
    pub(super) fn expect(&mut self, step: &Step, to_come: bool) {
        let count = |n: &mut u32| if to_come { *n += 1 } else { *n = n.saturating_sub(1) };
        let node = self.base.number(step.subject()) as usize;
        match step {
            Step::AddMember { role, .. } => {
                count(&mut self.to_come[node].joins);
                if self.denies[self.base.number(*role) as usize] {
                    count(&mut self.to_come[node].denying_joins);
                }
            }
            Step::DropMember { .. } => count(&mut self.to_come[node].leaves),
            Step::Grant { grantee, permission, on, columns }
            | Step::Deny { grantee, permission, on, columns }
            | Step::Revoke { grantee, permission, on, columns, .. } => {
                count(&mut self.to_come[node].rows);
                if step.gives() {
                    count(&mut self.to_come[node].gives);
                }
                if let (Securable::Object(object), []) = (on, columns.as_slice()) {
                    let key = (self.base.number(*grantee), *permission, *object);
                    self.objects_to_come.get_mut(&key).map(count);
                }
                if matches!(step, Step::Revoke { was: GrantState::GrantWithOption, .. }) {
                    for key in keys(*grantee, *permission, *on, columns) {
                        if to_come {
                            self.revokes_to_come.insert(key);
                        } else {
                            self.revokes_to_come.remove(&key);
                        }
                    }
                }
            }
            Step::CreatePrincipal { .. } if !to_come => {
                let node = self.base.number(step.subject());
                self.anew.entry(node).and_modify(|made| *made = true);
            }
            _ => {}
        }
    }

    pub(super) fn denies(&self, name: SqlName) -> bool {
        self.denies[self.base.number(name) as usize]
    }

    /// Whether the catalog would take the step now, and whether what must come before it has.
    pub(crate) fn ready(&self, step: &Step) -> bool {
        let at = |name: &SqlName| self.base.number(*name);
        let there = |name: &SqlName| self.now.access[at(name) as usize] != Access::Absent;
        // What is given to, or on, somebody who is made anew is not for the object that goes.
        let lasts = |name: &SqlName| there(name) && self.anew.get(&at(name)) != Some(&false);
        match step {
            Step::CreatePrincipal { name, .. } | Step::CreateRole { name } => !there(name),
            Step::AddMember { role, member } => {
                there(role) && lasts(member) && !self.reaches(at(role), at(member))
            }
            Step::DropMember { role, member } => self.now.in_role(at(member), at(role)),
            Step::Grant { grantee, permission, on, columns }
            | Step::Deny { grantee, permission, on, columns }
            | Step::Revoke { grantee, permission, on, columns, .. } => {
                let revokes = matches!(step, Step::Revoke { .. });
                let is_there = |name: &SqlName| if revokes { there(name) } else { lasts(name) };
                let on_is_there = if let Securable::Principal(name) = on { is_there(name) } else { true };
                let in_turn = match on {
                    Securable::Object(object) if !columns.is_empty() => {
                        let key = (at(grantee), *permission, *object);
                        self.objects_to_come.get(&key).is_none_or(|n| *n == 0)
                    }
                    _ => true,
                };
                let free = revokes
                    || keys(*grantee, *permission, *on, columns)
                        .all(|key| !self.revokes_to_come.contains(&key));
                is_there(grantee) && on_is_there && in_turn && free
            }
            // One that is made anew is shut out as it was, and may be as it will be.
            Step::DenyConnect { principal } => self.now.access[at(principal) as usize] == Access::Open,
            Step::KillSessions { principal } => there(principal),
            Step::GrantConnect { principal } => {
                let to_come = self.to_come[at(principal) as usize];
                there(principal) && to_come.joins + to_come.leaves + to_come.rows == 0
            }
            Step::DropRole { name } => {
                let role = at(name);
                let to_come = self.to_come[role as usize];
                let members = &self.base.down[role as usize];
                there(name)
                    && to_come.rows + to_come.leaves == 0
                    && !members.iter().any(|m| self.now.in_role(*m, role))
            }
            Step::DropPrincipal { name, .. } => self.now.access[at(name) as usize] == Access::Shut,
            Step::Secure(_) | Step::Classify(_) | Step::KillFormer { .. } => true,
        }
    }

    /// Whether going up from one role leads to the other.
    fn reaches(&self, from: u32, to: u32) -> bool {
        if !self.base.is_role[to as usize] {
            return false;
        }
        let mut open = vec![from];
        let mut seen = HashSet::new();
        while let Some(next) = open.pop() {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                open.extend(&self.now.up[next as usize]);
            }
        }
        false
    }

    /// Tries a step: done if it breaks nothing, or nothing but what `may_take` lets it; else the state is as before.
    pub(crate) fn attempt(
        &mut self,
        step: &Step,
        may_take: bool,
        thorough: bool,
    ) -> Result<Breaches, Breaches> {
        // Most steps concern one person, and do no harm: no list is made for them.
        let (suspects, window) = self.suspects(step);
        // What is held on somebody goes with that object: nobody keeps it on another one.
        let drops = matches!(step, Step::DropPrincipal { .. } | Step::DropRole { .. });
        let people = suspects.len();
        for world in [&mut self.old, &mut self.new, &mut self.now] {
            world.look_at(people);
        }
        let before: Vec<Spans> = suspects.iter().map(|who| self.now.may(&self.base, *who, &window)).collect();
        let undo = self.now.perform(&self.base, step);
        self.now.look_at(people);
        let mut breaches = Breaches::default();
        for (who, before) in suspects.into_iter().zip(before) {
            let after = self.now.may(&self.base, who, &window);
            let gained = after.without(&before);
            if !gained.is_empty()
                && let Some(atom) = gained.without(&self.most(who, &window)).first()
            {
                breaches.more.push(Breach { who, atom });
            }
            let lost = before.without(&after);
            if !lost.is_empty()
                && !drops
                && let Some(atom) = lost.and(&self.least(who, &window)).first()
            {
                breaches.less.push(Breach { who, atom });
            }
            let broken = !breaches.more.is_empty() || !breaches.less.is_empty();
            if broken && !thorough {
                break;
            }
        }
        if breaches.more.is_empty() && (may_take || breaches.less.is_empty()) {
            self.expect(step, false);
            Ok(breaches)
        } else {
            self.now.undo(&self.base, undo);
            Err(breaches)
        }
    }

    /// Those for whom a step may break a law, and all that it can change for them.
    fn suspects(&mut self, step: &Step) -> (Vec<u32>, Spans) {
        let undenied = self.undenied_by(step);
        if !undenied.is_empty() {
            let found = undenied.into_iter().chain(self.affected_one(step).flatten());
            let found: BTreeSet<u32> = found.filter(|who| !self.harmless(step, *who, None)).collect();
            return (found.into_iter().collect(), Spans::all());
        }
        if let Some(one) = self.affected_one(step) {
            let found: Vec<u32> = one.into_iter().filter(|who| !self.harmless(step, *who, None)).collect();
            let window = if found.is_empty() { Spans::default() } else { self.window(step) };
            return (found, window);
        }
        let below = self.below(self.base.number(step.subject()));
        if below.is_empty() {
            return (below, Spans::default());
        }
        let window = self.window(step);
        // Only of steps about permissions the window is known whole before they are done.
        let rows = matches!(step, Step::Grant { .. } | Step::Revoke { .. });
        let about = rows.then(|| About { undenied: !window.meets(&self.denials), window: &window });
        let found = below.into_iter().filter(|who| !self.harmless(step, *who, about)).collect();
        (found, window)
    }

    /// Those to whom something is denied on whoever the step drops: the denial goes along.
    fn undenied_by(&self, step: &Step) -> Vec<u32> {
        let (Step::DropPrincipal { name, .. } | Step::DropRole { name }) = step else { return Vec::new() };
        let keys = self.base.on_principals.get(name).into_iter().flatten();
        let grantees = keys.map(|key| (self.base.number(key.grantee), key));
        let denying = grantees.filter(|(grantee, key)| {
            let row = self.now.row(&self.base, *grantee, key.securable, key.permission);
            row.is_some_and(|row| row.state == GrantState::Deny)
        });
        let everybody = || {
            let all = 0..u32::try_from(self.base.count()).unwrap_or(u32::MAX);
            all.filter(|node| !self.base.is_role[*node as usize]).collect()
        };
        let people = |grantee| {
            if self.base.public == Some(grantee) { everybody() } else { self.below(grantee) }
        };
        denying.flat_map(|(grantee, _)| people(grantee)).collect()
    }

    /// Whether nobody can do less after the step. The state stays as it is.
    pub(crate) fn takes_nothing(&mut self, step: &Step) -> bool {
        let affected = self.affected(step);
        let window = self.window(step);
        self.now.look_at(affected.len());
        let before: Vec<Spans> = affected.iter().map(|who| self.now.may(&self.base, *who, &window)).collect();
        let undo = self.now.perform(&self.base, step);
        self.now.look_at(affected.len());
        let spared = affected
            .into_iter()
            .zip(before)
            .all(|(who, before)| before.without(&self.now.may(&self.base, who, &window)).is_empty());
        self.now.undo(&self.base, undo);
        spared
    }

    /// Does a step that needs no check.
    pub(super) fn force(&mut self, step: &Step) {
        self.now.perform(&self.base, step);
        self.expect(step, false);
    }

    /// All atoms that the step can change for anybody.
    fn window(&mut self, step: &Step) -> Spans {
        match step {
            Step::AddMember { role, .. } | Step::DropMember { role, .. } => {
                self.now.concerns(&self.base, self.base.number(*role))
            }
            Step::Grant { grantee, permission, on, columns }
            | Step::Deny { grantee, permission, on, columns }
            | Step::Revoke { grantee, permission, on, columns, .. } => {
                let mut runs = Vec::new();
                for key in keys(*grantee, *permission, *on, columns) {
                    self.base.atoms.runs(key.permission, &key.securable, &mut runs);
                }
                Spans::of(runs)
            }
            _ => Spans::all(),
        }
    }

    /// The most that somebody may ever have on the way.
    fn most(&mut self, who: u32, window: &Spans) -> Spans {
        match self.anew.get(&who) {
            Some(true) => return self.new.may(&self.base, who, window).or(&self.old.public_may(&self.base)),
            Some(false) => return self.old.may(&self.base, who, window),
            None => {}
        }
        let both = self.old.may(&self.base, who, window).or(&self.new.may(&self.base, who, window));
        if self.old.access[who as usize] == Access::Absent {
            // Whoever is made has what everybody has, from the first moment on.
            return both.or(&self.old.public_may(&self.base));
        }
        both
    }

    /// What somebody must never lack on the way.
    fn least(&mut self, who: u32, window: &Spans) -> Spans {
        if self.anew.contains_key(&who) {
            return Spans::default();
        }
        self.old.may(&self.base, who, window).and(&self.new.may(&self.base, who, window))
    }

    /// The principals whose permissions the step can change.
    fn affected(&self, step: &Step) -> Vec<u32> {
        match self.affected_one(step) {
            Some(one) => one.into_iter().collect(),
            None => self.below(self.base.number(step.subject())),
        }
    }

    /// The same, where it is one or none; `None` where it is whoever is in a role.
    #[expect(clippy::option_option, reason = "nobody differs from many")]
    fn affected_one(&self, step: &Step) -> Option<Option<u32>> {
        let node = self.base.number(step.subject());
        match step {
            Step::CreatePrincipal { .. }
            | Step::CreateRole { .. }
            | Step::KillSessions { .. }
            | Step::KillFormer { .. }
            | Step::Secure(_)
            | Step::Classify(_)
            | Step::DropRole { .. } => Some(None),
            Step::DropPrincipal { .. } | Step::DenyConnect { .. } | Step::GrantConnect { .. } => {
                Some(Some(node))
            }
            Step::AddMember { .. }
            | Step::DropMember { .. }
            | Step::Grant { .. }
            | Step::Deny { .. }
            | Step::Revoke { .. } => (!self.base.is_role[node as usize]).then_some(Some(node)),
        }
    }

    /// The principals in a role, or the principal itself.
    pub(super) fn below(&self, node: u32) -> Vec<u32> {
        if !self.base.is_role[node as usize] {
            return vec![node];
        }
        if self.now.held[node as usize] == 0 {
            return Vec::new();
        }
        let nested = !self.base.inner_roles[node as usize].is_empty();
        let mut found = Vec::new();
        let mut open = vec![node];
        let mut seen = HashSet::from([node]);
        while let Some(role) = open.pop() {
            for member in &self.base.down[role as usize] {
                if self.now.in_role(*member, role) {
                    if self.base.is_role[*member as usize] {
                        if seen.insert(*member) {
                            open.push(*member);
                        }
                    } else {
                        found.push(*member);
                    }
                }
            }
        }
        if nested {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

fn keys(
    grantee: SqlName,
    permission: Permission,
    on: Securable,
    columns: &[SqlName],
) -> impl Iterator<Item = GrantKey> {
    let whole = columns.is_empty().then_some(on);
    let parts = columns.iter().filter_map(move |column| match on {
        Securable::Object(object) => Some(Securable::Column(object, *column)),
        _ => None,
    });
    whole.into_iter().chain(parts).map(move |securable| GrantKey { grantee, securable, permission })
}
