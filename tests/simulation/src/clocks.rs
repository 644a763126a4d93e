//! The clocks of people who left (ADR 43): each has one, from the record by which they left, and none is told of whoever did not leave.
//!
//! ```text
//!  push ──> who could enter then, as the pool had it ─┐
//!  journal ─> by which record who left, who came back ┼─> each clock's record as it comes; at rest: one for everybody who is gone
//!  pool ────> who can enter now, and has a session ───┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::RecordKind;
use axon_audit::payload::{DirectoryChange, LeaverEnd, LeaverTime, LeftBy, SplitDelta};
use axon_emulator::catalog::Catalog;
use axon_emulator::directory::sid_of;
use axon_model::{Delta, RecordSeq, UserId};
use axon_store::JournalEntry;
use time::{Duration, OffsetDateTime};

use crate::checks::{Broken, is_denied_connect};
use crate::people::Human;
use crate::world::World;

/// What the pool and the journal were when somebody was about to leave.
pub(crate) struct Before {
    head: RecordSeq,
    doors: BTreeSet<String>,
}

/// Somebody left, as the stories saw it.
#[derive(Debug)]
struct Leaving {
    user: UserId,
    /// The record came behind this one.
    after: RecordSeq,
    /// Under which names they could enter, or were in.
    doors: BTreeSet<String>,
}

/// By which record somebody left.
#[derive(Debug)]
struct Departure {
    user: UserId,
    way: LeftBy,
    at: OffsetDateTime,
}

/// A clock's record.
#[derive(Debug, Clone)]
struct Told {
    seq: RecordSeq,
    at: OffsetDateTime,
    user: UserId,
    principal: String,
    time: LeaverTime,
}

/// What clocks ought to say, and what they said.
#[derive(Debug, Default)]
pub struct Clocks {
    /// How far the journal was read.
    read: RecordSeq,
    /// No time is compared with one before the clock was set back.
    set_back: RecordSeq,
    /// The names that each record ever had.
    names: BTreeMap<UserId, BTreeSet<String>>,
    leavings: Vec<Leaving>,
    departures: BTreeMap<RecordSeq, Departure>,
    /// By which records somebody came, or came back.
    returns: BTreeSet<(UserId, RecordSeq)>,
    told: Vec<Told>,
}

impl Clocks {
    /// A record bears this name.
    pub(crate) fn call(&mut self, user: UserId, name: &str) {
        self.names.entry(user).or_default().insert(name.to_owned());
    }

    /// By which record somebody left who did behind this one.
    fn cause_of(&self, leaving: &Leaving) -> Option<RecordSeq> {
        let later = (std::ops::Bound::Excluded(leaving.after), std::ops::Bound::Unbounded);
        let mut of = self.departures.range(later).filter(|(_, departure)| departure.user == leaving.user);
        of.next().map(|(seq, _)| *seq)
    }

    /// Whether somebody came back behind the one record and before the other.
    fn came_back(&self, user: UserId, from: RecordSeq, until: RecordSeq) -> bool {
        from < until && self.returns.range((user, from)..(user, until)).next().is_some()
    }

    fn take_in_change(&mut self, entry: &JournalEntry) -> Result<(), Broken> {
        let facts = entry.record.facts_of::<DirectoryChange>().map_err(|e| format!("a change: {e}"))?;
        for delta in facts.deltas {
            let (way, user) = match delta {
                SplitDelta::User { id, active: true } => {
                    self.returns.insert((id, entry.record.seq));
                    continue;
                }
                SplitDelta::User { id, active: false } => (LeftBy::Deactivated, id),
                SplitDelta::Whole(Delta::UserRemoved { id }) => (LeftBy::Deleted, id),
                _ => continue,
            };
            self.departures.insert(entry.record.seq, Departure { user, way, at: entry.record.at });
        }
        Ok(())
    }

    /// What a record says of itself and of those before it.
    fn take_in_clock(&mut self, entry: &JournalEntry) -> Result<Told, Broken> {
        let time = entry.record.facts_of::<LeaverTime>().map_err(|e| format!("a clock: {e}"))?;
        let clear = entry.clear.as_ref().ok_or("a clock names nobody")?;
        let principal = clear.body_of::<LeaverTime>().map_err(|e| format!("a clock: {e}"))?.principal;
        let (seq, cause) = (entry.record.seq, time.cause);
        let Some(left) = self.departures.get(&cause) else {
            return Err(format!("the clock of {principal} began with {cause}, by which nobody left"));
        };
        let user = left.user;
        if (left.way, left.at) != (time.way, time.arrived_at) {
            return Err(format!("{principal} left by {left:?}, and the clock says {time:?}"));
        }
        if !self.names.get(&user).is_some_and(|names| names.contains(&principal)) {
            return Err(format!("{principal} has the clock of somebody who never had that name: {time:?}"));
        }
        let again = self.came_back(user, cause, seq);
        if time.result == LeaverEnd::Returned && !again {
            return Err(format!("{principal} did not return, and the clock says so: {time:?}"));
        }
        for other in self.told.iter().filter(|told| told.user == user && told.principal == principal) {
            let (one, two) = (other.time.cause.min(cause), other.time.cause.max(cause));
            let out = other.time.result == LeaverEnd::Out && time.result == LeaverEnd::Out;
            if one == two || (out && !self.came_back(user, one, two)) {
                return Err(format!(
                    "{principal} left once and has two clocks: {:?} and {time:?}",
                    other.time
                ));
            }
        }
        if cause > self.set_back {
            let mut order =
                [Some(time.arrived_at), time.shut_out_at, Some(time.ended_at), Some(entry.record.at)]
                    .into_iter()
                    .flatten();
            let mut last = order.next();
            if !order.all(|at| last.replace(at).is_some_and(|before| before <= at)) {
                return Err(format!("the times of {principal} are not in order: {time:?}"));
            }
        }
        let took = (time.ended_at - time.arrived_at).max(Duration::ZERO).whole_milliseconds();
        let within = time.ended_at < time.arrived_at || time.within == (time.millis <= time.objective_millis);
        if i128::from(time.millis) != took || !within {
            return Err(format!("{principal} took {took} ms, and the clock says {time:?}"));
        }
        let told = Told { seq, at: entry.record.at, user, principal, time };
        self.told.push(told.clone());
        Ok(told)
    }
}

/// Under which name a person can enter the pool.
fn door(catalog: &Catalog, human: &Human) -> Option<String> {
    let user = sid_of(&human.object).and_then(|sid| catalog.principal_with_sid(&sid))?;
    (!is_denied_connect(catalog, user.id)).then(|| user.name.clone())
}

impl World {
    fn doors(&self, who: usize) -> BTreeSet<String> {
        door(&self.pool.snapshot(), &self.people[who]).into_iter().collect()
    }

    /// Somebody may be about to leave.
    pub(crate) async fn before_leaving(&self, who: usize) -> Before {
        let head = self.store.head().await.map(|head| head.seq).unwrap_or_default();
        Before { head, doors: self.doors(who) }
    }

    /// Somebody left, or their record says again that they did.
    pub(crate) fn note_leaving(&mut self, who: usize, user: UserId, before: &Before) {
        // Where processes work beside the stories, the push came between two looks.
        let doors = self.doors(who).intersection(&before.doors).cloned().collect();
        self.clocks.leavings.push(Leaving { user, after: before.head, doors });
    }

    /// The clock was set back.
    pub(crate) async fn note_set_back(&mut self) {
        self.clocks.set_back = self.store.head().await.map(|head| head.seq).unwrap_or_default();
    }

    /// Each clock that ended is of somebody who left, once, with its times in order. `still` says that nobody did anything in the pool
    /// since the tick: who is out by a clock then is out.
    pub async fn check_new_clocks(&mut self, still: bool) -> Result<(), Broken> {
        loop {
            let from = RecordSeq(self.clocks.read.0 + 1);
            let entries = self.store.records(from, 500).await.map_err(|e| format!("the journal: {e}"))?;
            let Some(last) = entries.last() else { return Ok(()) };
            self.clocks.read = last.record.seq;
            for entry in &entries {
                match entry.record.kind {
                    RecordKind::DirectoryChange => self.clocks.take_in_change(entry)?,
                    RecordKind::LeaverClock => {
                        let told = self.clocks.take_in_clock(entry)?;
                        self.check_clock(&told, still).await?;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Who is out by a clock could enter before, and cannot now.
    async fn check_clock(&self, told: &Told, still: bool) -> Result<(), Broken> {
        let Told { user, principal, time, at, .. } = told;
        if time.result == LeaverEnd::Out && time.cause > self.clocks.set_back {
            let ledger = self.ledger.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let kill = format!("kill the sessions of {principal}");
            let last = ledger.iter().rev().find(|ran| ran.step == kill && ran.at <= *at);
            if let Some(later) = last.filter(|ran| ran.at > time.ended_at) {
                return Err(format!(
                    "{principal} had a session until {}, and the clock says {time:?}",
                    later.at
                ));
            }
        }
        if !still || time.result != LeaverEnd::Out {
            return Ok(());
        }
        let kept = self.store.leavers("warehouse").await.map_err(|e| format!("the clocks: {e}"))?;
        let catalog = self.pool.snapshot();
        for human in self.people.iter().filter(|human| human.user == Some(*user) && !human.is_active()) {
            // Each of somebody's principals has a clock of its own, and a session may be another one's by the name it was opened under.
            let runs = |name: &str| kept.open.values().any(|leaver| leaver.name.as_str() == name);
            let names = self.clocks.names.get(user).into_iter().flatten();
            if human.is_in() && !names.into_iter().any(|name| runs(name)) {
                return Err(format!("{principal} is out by the clock and has a session: {time:?}"));
            }
            if let Some(name) = door(&catalog, human).filter(|name| name == principal || !runs(name)) {
                return Err(format!("{principal} is out by the clock and can enter as {name}: {time:?}"));
            }
        }
        Ok(())
    }

    /// All has come to rest, and new clocks were looked at: whoever left while they could enter and did not come back has one clock that ended, by the first record
    /// that said so, and none runs.
    pub async fn check_clocks(&self) -> Result<(), Broken> {
        let kept = self.store.leavers("warehouse").await.map_err(|e| format!("the clocks: {e}"))?;
        if let Some(leaver) = kept.open.values().next() {
            return Err(format!("all is as wanted, and a clock runs: {leaver:?}"));
        }
        let clocks = &self.clocks;
        for leaving in &clocks.leavings {
            let Some(cause) = clocks.cause_of(leaving) else {
                return Err(format!("somebody left and the journal does not say so: {leaving:?}"));
            };
            if clocks.came_back(leaving.user, cause, RecordSeq(u64::MAX)) {
                continue;
            }
            for name in &leaving.doors {
                let of = |told: &&Told| {
                    let ends = told.time.result == LeaverEnd::Out && told.seq > cause;
                    told.user == leaving.user && told.principal == *name && ends
                };
                let found: Vec<&Told> = clocks.told.iter().filter(of).collect();
                let [one] = found.as_slice() else {
                    return Err(format!("{name} left by {cause} and has {} clocks: {found:?}", found.len()));
                };
                if one.time.cause > cause {
                    return Err(format!("{name} left by {cause}, and the clock began later: {one:?}"));
                }
            }
        }
        Ok(())
    }
}
