//! Quick answers: where it is plain that a step breaks no law, nobody's permissions need to be computed.

use super::board::{About, Board};
use super::world::Access;
use crate::graph::GrantState;
use crate::step::Step;

impl Board<'_> {
    /// A quick yes where it is plain that the step breaks no law for this principal; no answer else. `about`: what the step concerns,
    /// where that is worth a look since many are in the role.
    pub(super) fn harmless(&mut self, step: &Step, who: u32, about: Option<About<'_>>) -> bool {
        let access = self.now.access[who as usize];
        let lets_in = matches!(step, Step::GrantConnect { .. });
        if access != Access::Open && !lets_in {
            return true;
        }
        // What the end holds for the name is not for the object that is there until the drop.
        if self.new.access[who as usize] != Access::Open || self.anew.get(&who) == Some(&false) {
            return false;
        }
        let undenied = about.is_some_and(|about| about.undenied);
        if lets_in || (self.denied[who as usize] && !undenied) {
            return self.harmless_to_denied(step, who, about);
        }
        // Nothing is ever denied to them, so giving only adds and taking only removes.
        let subject = self.base.number(step.subject());
        let keeps = |role: u32| self.new.in_role(who, role);
        match step {
            Step::AddMember { role, .. } => {
                self.settled(self.base.number(*role)) && (subject == who || keeps(subject))
            }
            Step::Grant { .. } => subject == who || keeps(subject),
            Step::DropMember { .. } | Step::Revoke { .. } => self.has_all_it_gets(who, about),
            _ => false,
        }
    }

    /// For those who are denied something: giving and taking are plain where the denials around them stand still.
    fn harmless_to_denied(&mut self, step: &Step, who: u32, about: Option<About<'_>>) -> bool {
        let subject = self.base.number(step.subject());
        let plain = |role: u32| !self.denies[role as usize] && !self.columned[role as usize];
        let keeps = |role: u32| role != who && self.new.in_role(who, role);
        match step {
            Step::AddMember { role, .. } => {
                let role = self.base.number(*role);
                let gives = plain(role)
                    && self.settled(role)
                    && (subject == who || keeps(subject))
                    && self.denials_stand(who);
                gives || (subject == who && self.harmless_to_new(who, Some(role)))
            }
            Step::GrantConnect { .. } => self.harmless_to_new(who, None),
            Step::Grant { .. } => plain(subject) && keeps(subject) && self.denials_stand(who),
            Step::DropMember { role, .. } => {
                plain(self.base.number(*role)) && self.has_all_it_gets(who, about)
            }
            Step::Revoke { was, .. } => {
                *was != GrantState::Deny
                    && plain(subject)
                    && subject != who
                    && self.has_all_it_gets(who, about)
            }
            _ => false,
        }
    }

    /// Whether all that somebody is to be denied is denied already.
    fn denials_stand(&self, who: u32) -> bool {
        let to_come = self.to_come[who as usize];
        let denying = |role: &&u32| self.denies[**role as usize];
        to_come.denying_joins + to_come.rows == 0
            && self.new.up[who as usize].iter().filter(denying).all(|role| self.settled(*role))
    }

    /// For somebody new, or shut out until now: once all that denies is in force, what gives can only give its share.
    fn harmless_to_new(&mut self, who: u32, joined: Option<u32>) -> bool {
        if self.old.access[who as usize] == Access::Open || self.base.has_rows[who as usize] {
            return false;
        }
        let to_come = self.to_come[who as usize];
        let denying = joined.is_some_and(|role| self.denies[role as usize]);
        let new_share = |role: &u32| self.settled(*role) && self.new.in_role(who, *role);
        to_come.rows == 0
            && joined.iter().chain(&self.now.up[who as usize]).all(new_share)
            && (to_come.denying_joins == u32::from(denying)
                || joined.is_some_and(|role| self.free_of_later(who, role)))
    }

    /// Whether nothing that the role gives is denied by a role that is joined later.
    fn free_of_later(&mut self, who: u32, joined: u32) -> bool {
        let denying = |role: &u32| *role != joined && self.denies[*role as usize];
        let later = |role: &u32| denying(role) && !self.now.in_role(who, *role);
        let later: Vec<u32> = self.new.up[who as usize].iter().copied().filter(later).collect();
        later.into_iter().all(|role| !self.clash(joined, role))
    }

    /// Whether a role gives and denies just what it will in the end.
    fn settled(&self, role: u32) -> bool {
        let to_come = self.to_come[role as usize];
        to_come.rows + to_come.joins + to_come.leaves == 0
            && self.now.up[role as usize].iter().all(|upper| self.settled(*upper))
    }

    /// Whether nothing that somebody will have is still to come, or nothing of what the step is about: what is given beside it
    /// changes nothing there, since each atom depends only on the rows that cover it.
    fn has_all_it_gets(&self, who: u32, about: Option<About<'_>>) -> bool {
        let to_come = self.to_come[who as usize];
        let gives = to_come.gives > 0
            && about
                .is_none_or(|about| self.giving.get(&who).is_none_or(|giving| giving.meets(about.window)));
        to_come.joins == 0
            && !gives
            && self.new.up[who as usize].iter().all(|role| self.has_all_it_gets(*role, about))
    }
}
