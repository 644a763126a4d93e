//! What must be true after every step of a story.

use std::collections::BTreeSet;

use axon_controller::State;
use axon_emulator::catalog::Catalog;
use axon_emulator::catalog::permission::{Action, Class, Securable, State as Row};
use axon_emulator::directory::sid_of;
use axon_emulator::identity::Caller;
use axon_emulator::permissions::Access;
use time::Duration;

use crate::people::{Human, Powers, ROLES, Roles, TABLES};
use crate::place::Dropped;
use crate::world::World;

/// No map of a story drops the user of somebody sooner.
const TOMBSTONES: Duration = Duration::minutes(10);

/// What was wanted since all was as wanted, and what records said.
#[derive(Debug, Default)]
pub struct Books {
    /// What each person may have at most.
    allowed: Vec<Powers>,
    /// Which roles each may be in, and what each role may hold, where somebody changed things by hand.
    roles: Vec<Roles>,
    grants: [Powers; ROLES],
    direct: Vec<Powers>,
    /// Who stands in the pool under another one's name, and under whose: until that was read, what is given to the one reaches
    /// the other.
    stand_ins: Vec<(usize, usize)>,
    /// For whom users were made by hand under a name of another.
    impostors: Vec<usize>,
    /// Whether somebody did.
    by_hand: bool,
    /// How often each process had read the pool when they did.
    unseen: Option<Vec<u64>>,
    /// What is nobody's business.
    pub unmanaged: BTreeSet<String>,
}

impl Books {
    /// Adds what is wanted now.
    pub fn note(&mut self, now: &[(Roles, Powers)], grants: &[Powers; ROLES]) {
        self.allowed.resize(now.len(), 0);
        self.roles.resize(now.len(), 0);
        self.direct.resize(now.len(), 0);
        for (who, (roles, powers)) in now.iter().enumerate() {
            self.allowed[who] |= powers;
            self.roles[who] |= roles;
        }
        for (role, powers) in grants.iter().enumerate() {
            self.grants[role] |= powers;
        }
        for (one, other) in &self.stand_ins {
            self.allowed[*one] |= self.allowed[*other];
            self.roles[*one] |= self.roles[*other];
        }
    }

    /// Somebody made a user for `one` under the name of `other`.
    pub fn stand_in(&mut self, one: usize, other: usize) {
        self.stand_ins.push((one, other));
    }

    /// Somebody made a user for `one` by hand, under whosever name.
    pub fn impostor(&mut self, one: usize) {
        self.impostors.push(one);
    }

    /// For whom somebody did.
    pub fn impostors(&self) -> &[usize] {
        &self.impostors
    }

    /// Forgets what was wanted before.
    pub fn forget(&mut self) {
        self.impostors.clear();
        self.allowed.clear();
        self.roles.clear();
        self.direct.clear();
        self.stand_ins.clear();
        self.grants = [0; ROLES];
        self.by_hand = false;
        self.unseen = None;
    }

    /// Somebody changed something by hand, when each process had read the pool so often.
    pub fn drift(&mut self, looks: Vec<u64>) {
        self.by_hand = true;
        self.unseen = Some(looks);
    }

    /// Somebody put a person into a role by hand.
    pub fn drift_member(&mut self, who: usize, role: usize) {
        if let Some(roles) = self.roles.get_mut(who) {
            *roles |= 1 << role;
        }
    }

    /// Somebody gave a role something by hand.
    pub fn drift_grant(&mut self, role: usize, bit: usize) {
        self.grants[role] |= 1 << bit;
    }

    /// Somebody gave a person something by hand.
    pub fn drift_direct(&mut self, who: usize, bit: usize) {
        if let Some(powers) = self.direct.get_mut(who) {
            *powers |= 1 << bit;
        }
    }

    /// Whether somebody changed something by hand since all was as wanted.
    pub const fn by_hand(&self) -> bool {
        self.by_hand
    }

    /// What a person may have at most.
    pub fn most(&self, who: usize) -> Powers {
        let allowed = self.allowed.get(who).copied().unwrap_or(0);
        if !self.by_hand {
            return allowed;
        }
        let roles = self.roles.get(who).copied().unwrap_or(0);
        let through = (0..ROLES).filter(|r| roles & (1 << r) != 0).fold(0, |all, r| all | self.grants[r]);
        allowed | through | self.direct.get(who).copied().unwrap_or(0)
    }

    /// Whether a process, that read it so often, read the pool since somebody changed it by hand. One that began later reads it first.
    pub fn fresh_to(&self, process: usize, looks: u64) -> bool {
        self.unseen.as_ref().and_then(|then| then.get(process)).is_none_or(|then| looks > *then)
    }

    /// Whether the pool was read since somebody changed it by hand.
    pub fn fresh(&self, looks: u64) -> bool {
        self.unseen.as_ref().is_none_or(|then| looks > then.iter().sum())
    }
}

/// What a person can do in the pool: as whom they enter, and what the emulator's own engine allows then.
pub fn powers(catalog: &Catalog, human: &Human) -> Powers {
    let Some(user) = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid)) else { return 0 };
    let caller = Caller {
        principal: user.id,
        user_name: user.name.clone(),
        login_name: human.upn.clone(),
        sid: user.sid.clone().unwrap_or_default(),
        groups: Vec::new(),
        external: true,
        application: false,
        administrator: false,
        logins: Vec::new(),
    };
    let access = Access::new(catalog, &caller);
    let shut = access.grantees().iter().any(|grantee| is_denied_connect(catalog, *grantee));
    if shut || !access.allows_database(Action::Connect) {
        return 0;
    }
    let mut powers = 0;
    for (t, table) in TABLES.iter().enumerate() {
        let Some((schema, table)) = table.split_once('.') else { continue };
        let Some(object) = catalog.schema_named(schema).and_then(|s| catalog.object_named(s.id, table))
        else {
            continue;
        };
        for (a, action) in [Action::Select, Action::Insert, Action::Update].into_iter().enumerate() {
            if access.allows(action, Securable::object(object.id)) {
                powers |= 1 << (t * 3 + a);
            }
        }
    }
    powers
}

pub(crate) fn is_denied_connect(catalog: &Catalog, principal: i32) -> bool {
    catalog.states(principal, Securable::DATABASE, Action::Connect).any(|(_, state)| state == Row::Deny)
}

fn managed(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.starts_with("axon_") || (lower.starts_with('p') && lower.ends_with("@acme.com"))
}

/// All that is outside the managed scope, one line each.
pub fn unmanaged(catalog: &Catalog) -> BTreeSet<String> {
    let called = |id: i32| catalog.principal(id).map(|p| p.name.as_str()).unwrap_or_default();
    let mut lines = BTreeSet::new();
    for principal in catalog.principals().filter(|p| !managed(&p.name)) {
        lines.insert(format!("{} {:?}", principal.name, principal.kind));
    }
    for (role, member) in catalog.members() {
        if !managed(called(role)) && !managed(called(member)) {
            lines.insert(format!("{} in {}", called(member), called(role)));
        }
    }
    for row in catalog.permissions().filter(|row| !managed(called(row.key.grantee))) {
        if row.key.securable.class == Class::Principal && managed(called(row.key.securable.major)) {
            continue;
        }
        lines.insert(format!(
            "{} {} {:?} by {}: {:?}",
            called(row.key.grantee),
            row.key.action.name(),
            row.key.securable,
            called(row.key.grantor),
            row.state
        ));
    }
    for object in catalog.objects() {
        lines.insert(format!("object {}", object.name));
    }
    lines
}

/// What was broken, in words.
pub type Broken = String;

impl World {
    /// Nobody has what neither the old nor the new desired state has.
    pub fn check_powers(&self) -> Result<(), Broken> {
        let catalog = self.pool.snapshot();
        for (who, human) in self.people.iter().enumerate() {
            let has = powers(&catalog, human);
            let most = self.books.most(who);
            if has & !most != 0 {
                return Err(format!(
                    "{} ({who}) can do {has:09b}, and neither the old nor the new desired state has more than {most:09b}",
                    human.upn
                ));
            }
        }
        Ok(())
    }

    /// Outside the managed scope nothing changed.
    pub fn check_scope(&self) -> Result<(), Broken> {
        let now = unmanaged(&self.pool.snapshot());
        if now == self.books.unmanaged {
            return Ok(());
        }
        let came: Vec<_> = now.difference(&self.books.unmanaged).collect();
        let went: Vec<_> = self.books.unmanaged.difference(&now).collect();
        Err(format!("outside the managed scope came {came:?} and went {went:?}"))
    }

    /// Nobody who left has anything, or a session. `waits` tells of what a finished run said that it waits.
    pub fn check_leavers(&self, waits: &[String]) -> Result<(), Broken> {
        let catalog = self.pool.snapshot();
        for human in self.people.iter().filter(|h| !h.is_active()) {
            let open = human.is_in();
            let waits = |name: &str| waits.iter().any(|what| what.contains(name));
            let Some(user) = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid)) else {
                if open && !waits(&human.entered_as) {
                    return Err(format!("{} left, has no principal and still has a session", human.upn));
                }
                continue;
            };
            if waits(&user.name) {
                continue;
            }
            let has = powers(&catalog, human);
            if has != 0 {
                return Err(format!("{} left and can still do {has:09b}", human.upn));
            }
            if open {
                return Err(format!("{} left and still has a session", human.upn));
            }
        }
        Ok(())
    }

    /// Nobody's user is dropped, but of somebody who left as long ago as the map says, or to be made anew for whoever has the name.
    /// A name that its owner gave up counts since then: the user goes as soon as they do. `wanted` tells whose names were somebody's
    /// when it was decided.
    pub fn check_drop(&self, dropped: &Dropped, wanted: &BTreeSet<String>) -> Result<(), Broken> {
        let Dropped { name, sid, at } = dropped;
        let of = |human: &&Human| sid_of(&human.object).is_some_and(|own| own == *sid);
        let Some(human) = self.people.iter().find(of) else { return Ok(()) };
        let there = |h: &Human| h.is_active() && (h.upn == *name || h.object == human.object);
        // Whoever had another name by then has a user anew under that, and may have left since it was decided.
        let renamed = human.upn != *name && wanted.contains(&human.upn);
        if renamed || wanted.contains(name) || self.people.iter().any(there) {
            return Ok(());
        }
        // Whoever left under another name has it no more by being called so since.
        let bears = human.upn == *name && self.left_as.get(&human.object).is_none_or(|left| left == name);
        let given_up = self.borne_last.get(name).filter(|_| !bears).copied();
        match human.left.into_iter().chain(given_up).min() {
            Some(left) if *at - left >= TOMBSTONES => Ok(()),
            left => {
                Err(format!("the user {name} of {} was dropped at {at}, who left at {left:?}", human.upn))
            }
        }
    }

    /// Whether somebody left who has a session.
    pub fn leaves_a_session(&self) -> bool {
        self.people.iter().any(|human| !human.is_active() && human.is_in())
    }

    /// Whether somebody who left and has a session is denied CONNECT.
    pub fn is_shut_out_with_a_session(&self) -> bool {
        let catalog = self.pool.snapshot();
        let shut = |human: &Human| {
            let user = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid));
            user.is_some_and(|user| is_denied_connect(&catalog, user.id))
        };
        self.people.iter().any(|human| !human.is_active() && human.is_in() && shut(human))
    }

    /// Whether somebody can do something in the pool, or has a session there.
    pub fn is_in(&self, who: usize) -> bool {
        let human = &self.people[who];
        human.is_in() || powers(&self.pool.snapshot(), human) != 0
    }

    /// Everybody can do what is wanted, no less and no more.
    pub fn check_wanted(&self) -> Result<(), Broken> {
        let catalog = self.pool.snapshot();
        for (who, human) in self.people.iter().enumerate() {
            let (has, wanted) = (powers(&catalog, human), self.wanted(who));
            if has != wanted {
                return Err(format!(
                    "{} ({who}) can do {has:09b} where {wanted:09b} is wanted, and Axon says that all is as wanted",
                    human.upn
                ));
            }
        }
        Ok(())
    }

    /// Every effect has its record and every record its effect. Only where nothing is owed to the journal. `at_work` processes may be
    /// in the middle of a run.
    pub async fn check_records(&mut self, at_work: u64) -> Result<(), Broken> {
        self.register.check(&self.effects, self.deaths + at_work).await
    }

    /// How many statements ran while the store took no writes.
    pub fn spooled(&self) -> u64 {
        let ledger = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ledger.iter().filter(|ran| ran.unrecorded).count() as u64
    }
}

/// Whether a tick in this state has finished its run.
pub fn finished(state: State) -> bool {
    matches!(state, State::Converged | State::Pending)
}
