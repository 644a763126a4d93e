//! The reasons against one step after another.

use time::OffsetDateTime;

use super::{Guards, History, Mode, Reason};
use crate::plan::Plan;
use crate::scope::Sides;
use crate::step::Step;

pub(super) struct Gate<'a> {
    guards: &'a Guards,
}

impl<'a> Gate<'a> {
    pub(super) fn new(
        _plan: &Plan,
        _sides: &'a Sides,
        guards: &'a Guards,
        _history: &History,
        _now: OffsetDateTime,
    ) -> Self {
        Self { guards }
    }

    pub(super) fn reasons(&mut self, step: &Step) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match self.guards.mode {
            Mode::Observe => reasons.push(Reason::Observe),
            Mode::Additive if step.takes() => reasons.push(Reason::Additive),
            _ => {}
        }
        if step.subject() == self.guards.own {
            reasons.push(Reason::OwnPrincipal { principal: self.guards.own });
        }
        reasons
    }
}
