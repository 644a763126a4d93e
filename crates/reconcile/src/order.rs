//! The order of steps by effect: each step takes its place only if nobody gets more than both sides give together, nor
//! lacks what both give.
//!
//! Steps are tried in a likely order and put off while they would break a law. Where all that is left would take
//! something for a while, the first that does not give too much goes and says so. Where all that is left would give too
//! much (two roles with a DENY each, gained at once), those concerned are shut out until it is over. Where even that is
//! not Axon's to do, the step is left out and named.

mod base;
mod board;
mod harmless;
mod numbers;
mod perform;
mod phase;
mod world;

use std::collections::{BTreeSet, HashMap};

use axon_model::SqlName;

use crate::diff::names::{Holder, Names};
use crate::finding::Finding;
use crate::graph::Connect;
use crate::plan::Planned;
use crate::scope::Sides;
use crate::step::Step;
pub(crate) use board::Board;
use board::{Breach, Breaches};

/// Orders the steps. Those that no order makes safe are left out and named.
pub(crate) fn order(sides: &Sides, mut steps: Vec<Planned>) -> (Vec<Planned>, Vec<Finding>) {
    let mut findings = Vec::new();
    loop {
        match Ordering::new(sides, &steps).run(&steps) {
            Ok(ordered) => return (ordered.of(steps), findings),
            Err(unsafe_steps) => {
                // What is left out changes what will be, so the order is made again from the start.
                let mut at = 0_u32;
                steps.retain(|planned| {
                    let keep = !unsafe_steps.contains(&at);
                    at += 1;
                    if !keep {
                        findings.push(Finding::NoSafeOrder { step: planned.step.to_string() });
                    }
                    keep
                });
            }
        }
    }
}

/// Steps in order, by their numbers: they themselves change places at the end, and are held once.
#[derive(Default)]
struct Ordered {
    /// Numbers of steps; from their count on, numbers of `own`.
    numbers: Vec<u32>,
    /// Steps of the order's own: whom it shuts out for a while, and lets in again.
    own: Vec<Planned>,
    /// What a step interrupts.
    interrupts: HashMap<u32, String>,
}

impl Ordered {
    fn push(&mut self, step: u32) {
        self.numbers.push(step);
    }

    fn push_own(&mut self, steps: usize, planned: Planned) {
        self.push(number(steps + self.own.len()));
        self.own.push(planned);
    }

    fn of(self, mut steps: Vec<Planned>) -> Vec<Planned> {
        for (number, text) in self.interrupts {
            if let Some(planned) = steps.get_mut(number as usize) {
                planned.interrupts = Some(text);
            }
        }
        steps.extend(self.own);
        in_place(&mut steps, self.numbers);
        steps
    }
}

/// No plan holds more steps than such a number counts: memory would be over long before.
fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Puts each at the place where its number stands. Each number stands there once.
fn in_place<T>(these: &mut [T], mut numbers: Vec<u32>) {
    for first in 0..numbers.len() {
        let mut at = first;
        loop {
            let from = std::mem::replace(&mut numbers[at], number(at)) as usize;
            if from == first || from == at {
                break;
            }
            these.swap(at, from);
            at = from;
        }
    }
}

struct Ordering<'a> {
    sides: &'a Sides,
    board: Board<'a>,
    names: Names<'a>,
    ordered: Ordered,
    /// Numbers of steps that wait, in the order in which they are tried.
    waiting: Vec<u32>,
    /// Those shut out for a while.
    fenced: BTreeSet<SqlName>,
}

impl<'a> Ordering<'a> {
    fn new(sides: &'a Sides, steps: &[Planned]) -> Self {
        let board = Board::new(sides, steps);
        let waiting = phase::likely(steps, |role| board.denies(role));
        Self {
            sides,
            board,
            names: Names::new(sides),
            ordered: Ordered { numbers: Vec::with_capacity(steps.len()), ..Ordered::default() },
            waiting,
            fenced: BTreeSet::new(),
        }
    }

    fn run(mut self, steps: &[Planned]) -> Result<Ordered, BTreeSet<u32>> {
        loop {
            self.pass(steps);
            self.lift_fences(steps.len());
            if self.waiting.is_empty() {
                return Ok(self.ordered);
            }
            if !self.interrupt(steps) && !self.fence(steps) {
                return Err(self.unsafe_steps(steps));
            }
        }
    }

    /// Tries all that waits, again and again while that gets on.
    fn pass(&mut self, steps: &[Planned]) {
        loop {
            let before = self.ordered.numbers.len();
            let waiting = std::mem::take(&mut self.waiting);
            for i in waiting {
                let step = &steps[i as usize].step;
                if self.board.ready(step) && self.board.attempt(step, false, false).is_ok() {
                    self.ordered.push(i);
                } else {
                    self.waiting.push(i);
                }
            }
            if self.ordered.numbers.len() == before || self.waiting.is_empty() {
                return;
            }
        }
    }

    /// Does the first step that gives nobody too much, though somebody lacks something from then on.
    fn interrupt(&mut self, steps: &[Planned]) -> bool {
        for at in 0..self.waiting.len() {
            let step = &steps[self.waiting[at] as usize].step;
            if !self.board.ready(step) {
                continue;
            }
            if let Ok(breaches) = self.board.attempt(step, true, true) {
                self.place(at, &breaches);
                return true;
            }
        }
        false
    }

    /// What waits at this place goes now, and says what it interrupts.
    fn place(&mut self, at: usize, breaches: &Breaches) {
        let number = self.waiting.remove(at);
        let interrupts = self.without(&breaches.less);
        self.ordered.interrupts.extend(interrupts.map(|text| (number, text)));
        self.ordered.push(number);
    }

    /// Shuts out those whom the first step concerned would give too much, where all of them are Axon's to shut out.
    fn fence(&mut self, steps: &[Planned]) -> bool {
        for at in 0..self.waiting.len() {
            let step = &steps[self.waiting[at] as usize].step;
            if !self.board.ready(step) || matches!(step, Step::GrantConnect { .. }) {
                continue;
            }
            let Err(breaches) = self.board.attempt(step, true, true) else { continue };
            let who: Vec<SqlName> = breaches.more.iter().map(|b| self.board.base.name(b.who)).collect();
            if !who.iter().all(|name| self.may_fence(*name)) {
                continue;
            }
            for breach in breaches.more {
                let principal = self.board.base.name(breach.who);
                let atom = self.board.base.atoms.shown(breach.atom);
                let reason =
                    format!("{principal} would have {atom} for a while, so it is shut out until then");
                let step = Step::DenyConnect { principal };
                self.board.force(&step);
                self.ordered.push_own(steps.len(), Planned { step, interrupts: Some(reason) });
                self.fenced.insert(principal);
            }
            // At once, so that whoever is let in again is never shut out twice for one step.
            if let Ok(breaches) = self.board.attempt(step, true, true) {
                self.place(at, &breaches);
                return true;
            }
            return false;
        }
        false
    }

    fn may_fence(&self, name: SqlName) -> bool {
        let actual = self.sides.actual.principals.get(&name).map(|p| p.connect);
        self.names.holder(name) == Holder::ManagedPrincipal && actual != Some(Connect::Absent)
    }

    /// Lets in again whoever was shut out for a while and can be let in now.
    fn lift_fences(&mut self, steps: usize) {
        for principal in std::mem::take(&mut self.fenced) {
            let step = Step::GrantConnect { principal };
            if self.board.ready(&step) && self.board.attempt(&step, false, false).is_ok() {
                self.ordered.push_own(steps, Planned::from(step));
            } else {
                self.fenced.insert(principal);
            }
        }
    }

    fn without(&self, less: &[Breach]) -> Option<String> {
        let first = less.first()?;
        let name = self.board.base.name(first.who);
        let atom = self.board.base.atoms.shown(first.atom);
        let others = match less.len() - 1 {
            0 => String::new(),
            1 => " (and one other)".into(),
            n => format!(" (and {n} others)"),
        };
        Some(format!("{name}{others} does without {atom} for a while"))
    }

    /// What to leave out: the first step that could be done but gives too much; where none can be done, all that waits.
    fn unsafe_steps(&self, steps: &[Planned]) -> BTreeSet<u32> {
        let ready = self.waiting.iter().copied().find(|i| self.board.ready(&steps[*i as usize].step));
        ready.map_or_else(|| self.waiting.iter().copied().collect(), |first| BTreeSet::from([first]))
    }
}
