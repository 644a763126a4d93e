//! What a tick means for the clocks of people who left: who is out, who came back, and what the others wait for.

use std::collections::{BTreeMap, BTreeSet};

use axon_audit::payload::{LeaverClear, LeaverEnd, LeaverEvent, LeaverTime, LeftBy};
use axon_mapping::{RoleMap, TargetSpec, Words};
use axon_model::{RecordSeq, SqlName, UserId};
use axon_reconcile::admit::Mode;
use axon_reconcile::{Connect, Graph, Step};
use axon_store::Leaver;
use time::{Duration, OffsetDateTime};

use super::super::Ticker;
use super::super::decide::Decided;
use super::event::all_left_by;
use super::{Clocks, Ended};
use crate::behind::Behind;
use crate::error::ControllerError;
use crate::summary::State;
use crate::world::{Standing, World};

/// Where somebody stands whose clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Shut out, and no session is left; or gone, and none is.
    Out,
    /// Never was in.
    Never,
    /// Gone, with every session, and the name is somebody else's.
    Passed,
    /// Let in again.
    Returned,
    /// The door is shut, and a session may be left.
    Shut,
    /// Still in, as far as is known.
    In,
}

/// Of an end before its beginning, none: clocks disagree, and the record says with both instants that no time is known.
fn millis(from: OffsetDateTime, to: OffsetDateTime) -> u64 {
    u64::try_from((to - from).max(Duration::ZERO).whole_milliseconds()).unwrap_or(u64::MAX)
}

impl Ended {
    /// Whether the bearer of the name is out.
    pub(super) fn is_out(&self) -> bool {
        self.result == LeaverEnd::Out && !self.passed
    }
}

/// Counts a time in metrics, once its record is in the journal.
pub(super) fn count(time: &LeaverTime) {
    if time.result != LeaverEnd::Out || time.ended_at < time.arrived_at {
        return;
    }
    let seconds = |millis: u64| std::time::Duration::from_millis(millis).as_secs_f64();
    metrics::histogram!("axon_leaver_seconds", "target" => time.target.clone()).record(seconds(time.millis));
    if let Some(millis) = time.event_millis {
        metrics::histogram!("axon_leaver_event_seconds", "target" => time.target.clone())
            .record(seconds(millis));
    }
}

impl Clocks {
    /// What the record of a clock says.
    pub(super) fn time_of(&self, ended: &Ended) -> LeaverTime {
        let Ended { leaver, result, at, passed: _ } = ended;
        let (event, event_at) = self.events.get(&leaver.key()).copied().unwrap_or((LeaverEvent::Lost, None));
        let objective = self.settings.objective;
        let took = millis(leaver.arrived, *at);
        // One replica wrote when they left and another one when they were out: a time below nothing proves none to have been kept.
        let known = *at >= leaver.arrived;
        let objective_millis = u64::try_from(objective.whole_milliseconds()).unwrap_or(u64::MAX);
        LeaverTime {
            target: self.target.clone(),
            cause: leaver.cause,
            way: leaver.way,
            result: *result,
            arrived_at: leaver.arrived,
            event,
            event_at,
            shut_out_at: leaver.shut,
            ended_at: *at,
            millis: took,
            event_millis: event_at.filter(|_| known).map(|event| millis(event, *at)),
            objective_millis,
            within: known && took <= objective_millis,
            clear: LeaverClear { principal: leaver.name.to_string() },
        }
    }

    /// Ends the clocks of who is out or came back, of those who left by a record up to `position`.
    ///
    /// Where somebody else has the name by now, who may have left by a record that is `unread` as yet, the clock of the one before does
    /// not end: who left since would be taken for that one.
    fn settle(
        &mut self,
        position: RecordSeq,
        unread: bool,
        stands: impl Fn(SqlName) -> Stands,
        now: OffsetDateTime,
    ) {
        let may_end = |leaver: &&Leaver| leaver.cause <= position;
        let names: Vec<SqlName> = self.open.values().filter(may_end).map(|leaver| leaver.name).collect();
        for name in names {
            let stands = stands(name);
            if matches!(stands, Stands::Shut | Stands::In) {
                // A session that is there now ended at no earlier time.
                self.gone.remove(&name);
                if stands == Stands::Shut {
                    self.shut(name, now);
                }
                continue;
            }
            if unread && self.left_as(name).is_some() {
                continue;
            }
            let Some(mut leaver) = self.open.remove(&name) else { continue };
            // What was seen counts for whoever left under the name meanwhile, too.
            let awaited = self.is_awaited(name);
            let gone = if awaited { self.gone.get(&name).copied() } else { self.gone.remove(&name) };
            let seen = if awaited { self.seen.contains(&name) } else { self.seen.remove(&name) };
            let gone = gone.filter(|gone| *gone >= leaver.arrived);
            leaver.why = None;
            let result = match stands {
                Stands::Never if leaver.shut.is_none() && gone.is_none() && !seen => continue,
                Stands::Returned => LeaverEnd::Returned,
                _ => LeaverEnd::Out,
            };
            let (mut at, passed) = (now, stands == Stands::Passed);
            if result == LeaverEnd::Out {
                // Whoever has the name now may leave in turn, or did.
                if !passed && !awaited {
                    self.out.insert(name);
                }
                // What this process saw itself is the time; what it did not see is as late as now.
                at = gone.map_or(now, |gone| leaver.shut.map_or(gone, |shut| gone.max(shut)));
            }
            // Where nobody is shut out no time is measured of whom somebody else shut out.
            if self.enforced {
                self.ended.insert(name, Ended { leaver, result, at, passed });
            }
        }
    }
}

/// Whether whoever leaves is shut out of such a target: not where it is only watched or nothing is taken. Assigned roles are no way
/// in that could be shut, and have no sessions.
pub fn shuts_out(spec: &TargetSpec) -> bool {
    spec.mode == Mode::Authoritative && spec.kind.words() == Words::Sql
}

impl Ticker {
    /// Reads who left, before the target is asked for anything: that also goes on while it does not answer.
    pub(in super::super) async fn follow_leavers(&mut self, map: &RoleMap, now: OffsetDateTime) {
        let spec = map.targets.get(&self.name);
        let timed = spec.is_some_and(|spec| spec.kind.words() == Words::Sql);
        let enforced = spec.is_some_and(shuts_out);
        let shared = self.clocks.clone();
        let mut clocks = shared.lock().await;
        clocks.enforce(timed, enforced);
        self.look_at_clocks(&mut clocks, now).await;
    }

    async fn look_at_clocks(&mut self, clocks: &mut Clocks, now: OffsetDateTime) {
        if std::mem::take(&mut self.clocks_moved) {
            clocks.forget();
        }
        if let Err(error) = clocks.follow(self.store.as_ref(), now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "who left could not be read");
        }
    }

    /// Whether this store ever gave something to the bearer of this name.
    fn has_met(&self, name: SqlName) -> bool {
        self.remembered.contains(&name) || self.unkept.contains(&name)
    }

    /// Whether this name is wanted in the target, and its principal is not somebody else's.
    fn is_wanted(&self, desired: Option<&Graph>, name: SqlName) -> bool {
        let there = desired.and_then(|desired| desired.principals.get(&name));
        there.is_some_and(|there| there.connect == Connect::Granted)
            && !self.made_for.unchecked().any(|stale| stale == name)
    }

    /// Whether this principal was made for somebody, as far as is known for whom: a record that many changes came with is also others'.
    fn may_be_behind(&self, name: SqlName, user: UserId) -> bool {
        let people = self.made_for.kept().get(name.folded()).and_then(|behind| Behind::people(behind));
        people.is_none_or(|people| people.iter().any(|(_, holder)| holder.id == user.to_string()))
    }

    /// Whether this principal was made for people of whom the directory has none any more.
    fn is_behind_nobody(&self, world: &World, name: SqlName) -> bool {
        let people = self.made_for.kept().get(name.folded()).and_then(|behind| Behind::people(behind));
        people.is_some_and(|people| {
            let mut ids = people.iter().filter_map(|(_, holder)| holder.id.parse().ok());
            ids.all(|id| world.standing(id) == Standing::Gone)
        })
    }

    /// Begins the clocks of those whom a decision shuts out, and forgets that people are out who are wanted again. `settled` are the
    /// names that were looked at anew. False: whose names are somebody else's now could not be kept, and is not to be forgotten.
    pub(in super::super) async fn time_leavers(
        &mut self,
        settled: &[SqlName],
        decided: &Decided,
        now: OffsetDateTime,
    ) -> bool {
        let shared = self.clocks.clone();
        let mut clocks = shared.lock().await;
        if self.clocks_moved {
            self.look_at_clocks(&mut clocks, now).await;
        }
        let mut begin = Vec::new();
        let first = clocks.first;
        {
            let world = self.world.lock().await;
            if clocks.is_to_resolve() {
                clocks.resolve(self.made_for.kept(), |id| world.standing(id));
            }
            let desired = world.desired(&self.name).map(|(desired, _)| desired);
            clocks.let_in(settled, |name| self.is_wanted(desired, name));
            let shuts = decided.plan.steps.iter().map(|planned| &planned.step);
            let shuts =
                shuts.filter(|step| matches!(step, Step::DenyConnect { .. } | Step::KillSessions { .. }));
            for step in shuts {
                let name = step.subject();
                if clocks.knows(name) || self.tombs.buries(name) {
                    continue;
                }
                if let Some((record, way)) = world.left_by(&self.name, name) {
                    begin.push((name, record, way, way != LeftBy::Offboarded));
                } else if let Some(record) = first.filter(|_| self.is_behind_nobody(&world, name)) {
                    begin.push((name, record, LeftBy::Deleted, false));
                }
            }
        }
        let mut missed = false;
        for (name, record, way, says_so) in begin {
            // A record that cannot be read now is looked for by the next decision.
            let Ok(found) = self.store.records(record, 1).await else {
                missed = true;
                continue;
            };
            let Some(entry) = found.first().filter(|entry| entry.record.seq == record) else { continue };
            if !says_so || all_left_by(entry, way).iter().any(|user| self.may_be_behind(name, *user)) {
                clocks.begin(name, (record, way), entry.record.at);
            }
        }
        if !missed {
            clocks.first = None;
        }
        if let Some(known) = &self.actual {
            clocks.see(|name| known.inspection.graph.principals.contains_key(&name));
        }
        for (name, behind) in self.made_for.passing_on() {
            clocks.pass_on(name, behind);
        }
        self.why_leavers_wait(&mut clocks, decided, now);
        clocks.keep(self.store.as_ref(), &self.ids, now).await;
        clocks.has_kept_formers()
    }

    /// Under which names of people whose clocks run somebody else is known by now.
    fn passed(&self, clocks: &Clocks, world: &World) -> BTreeSet<SqlName> {
        let Some((evaluator, directory, _)) = world.people(&self.name) else { return BTreeSet::new() };
        let passed = |name: &SqlName| {
            let left =
                clocks.left_as(*name).or_else(|| Some(self.made_for.kept().get(name.folded())?.as_str()));
            let now = Behind::of(evaluator, directory, *name);
            left.is_some_and(|left| !now.is_nobody() && !now.is(left))
        };
        clocks.open().filter(passed).collect()
    }

    /// What a step that is in force means.
    pub(in super::super) async fn note_leavers(&self, in_force: &[Step], now: OffsetDateTime) {
        let mut clocks = self.clocks.lock().await;
        for step in in_force {
            match step {
                Step::DenyConnect { principal } => clocks.close(*principal, now),
                Step::GrantConnect { principal: name } | Step::CreatePrincipal { name, .. } => {
                    clocks.enter(*name);
                }
                Step::KillSessions { principal } | Step::KillFormer { principal, .. } => {
                    clocks.gone(*principal, now);
                }
                Step::DropPrincipal { name, .. } => clocks.gone(*name, now),
                _ => {}
            }
        }
    }

    /// What those wait for who are not out, as a decision shows it.
    fn why_leavers_wait(&self, clocks: &mut Clocks, decided: &Decided, now: OffsetDateTime) {
        if clocks.open().next().is_none() {
            return;
        }
        let ends = |step: &Step| {
            matches!(step, Step::DenyConnect { .. } | Step::KillSessions { .. } | Step::KillFormer { .. })
        };
        let mut why: BTreeMap<SqlName, String> = BTreeMap::new();
        for blocked in self.blocked.waiting(now).filter(|blocked| ends(&blocked.step)) {
            let words = || match blocked.refusal.number {
                // Axon's own words, as they are told before the step is left out.
                0 => format!("{}: {}", blocked.step, blocked.refusal.message),
                _ => format!("{}: {}", blocked.step, blocked.refusal),
            };
            why.entry(blocked.step.subject()).or_insert_with(words);
        }
        for withheld in decided.admitted.withheld().iter().filter(|withheld| ends(&withheld.planned.step)) {
            let (step, name) = (&withheld.planned.step, withheld.planned.step.subject());
            why.entry(name).or_insert_with(|| {
                let reasons: Vec<String> = withheld.reasons.iter().map(ToString::to_string).collect();
                let hold = self.holding.of_leaver(name).or_else(|| self.holding.about(&step.to_string()));
                let hold = hold.map(|hold| format!(" (hold {})", hold.id)).unwrap_or_default();
                format!("{step} is withheld: {}{hold}", reasons.join("; "))
            });
        }
        if let Some(known) = self.actual.as_ref().filter(|_| self.leaving.is_blind()) {
            let there = &known.inspection.graph.principals;
            let gone = |name: &SqlName| !there.contains_key(name) || clocks.left_as(*name).is_some();
            for name in clocks.open().filter(gone) {
                let kill = Step::KillSessions { principal: name };
                let unseen = || match clocks.left_as(name) {
                    // A principal of the name is somebody else's.
                    Some(_) => self.leaving.refused().map(str::to_owned),
                    None => self.unseen(&kill),
                };
                if let Some(reason) = self.target.lacks(&kill).or_else(unseen) {
                    why.entry(name).or_insert_with(|| format!("{kill}: {reason}"));
                }
            }
        }
        if let Some((known, note)) =
            self.actual.as_ref().and_then(|k| Some((k, k.inspection.hides_principals_by()?)))
        {
            let there = &known.inspection.graph.principals;
            for name in clocks.open().filter(|name| !there.contains_key(name)) {
                why.entry(name).or_insert_with(|| format!("not all of the target is seen: {note}"));
            }
        }
        clocks.wait_for(|name| why.remove(&name));
    }

    /// Ends the clocks of those who are out as of this tick.
    pub(in super::super) async fn settle_leavers(&mut self, now: OffsetDateTime) {
        let shared = self.clocks.clone();
        let mut clocks = shared.lock().await;
        if self.clocks_moved {
            self.look_at_clocks(&mut clocks, now).await;
        }
        self.settle_clocks(&mut clocks, now).await;
        clocks.keep(self.store.as_ref(), &self.ids, now).await;
        while clocks.begin_next(self.made_for.kept()) {
            self.settle_clocks(&mut clocks, now).await;
            clocks.keep(self.store.as_ref(), &self.ids, now).await;
        }
        clocks.show(now);
    }

    async fn settle_clocks(&self, clocks: &mut Clocks, now: OffsetDateTime) {
        if let Some(known) = &self.actual {
            let look = known.at;
            let mut sorts = clocks.is_to_sort(look);
            let passed_on = clocks.open().any(|name| clocks.left_as(name).is_some());
            if sorts || passed_on {
                // Whoever left before the target was looked at is a leaver, and not taken for somebody who merely is out.
                if let Err(error) = clocks.follow(self.store.as_ref(), now).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "who left could not be read");
                    sorts = false;
                }
            }
            let world = self.world.lock().await;
            if (sorts || passed_on) && clocks.is_to_resolve() {
                clocks.resolve(self.made_for.kept(), |id| world.standing(id));
            }
            let unread = clocks.is_to_resolve() || world.directory().position() > clocks.upto;
            let desired = world.desired(&self.name).map(|(desired, _)| desired);
            let actual = &known.inspection.graph;
            let leaving: BTreeSet<SqlName> = self.leaving.names().collect();
            let passed = self.passed(clocks, &world);
            // A look that is still due, or that shows nobody's session yet, may show one that outlived its user.
            let unknown = self.leaving.suspects() || self.leaving.is_blind();
            // The door of who is not seen may be open.
            let hidden = known.inspection.hides().principals;
            let stands = |name: SqlName| {
                let session = leaving.contains(&name);
                match actual.principals.get(&name) {
                    None if session || hidden => Stands::In,
                    None if !self.has_met(name) => Stands::Never,
                    None if unknown => Stands::In,
                    None => Stands::Out,
                    Some(there) if there.connect == Connect::Denied && !session => Stands::Out,
                    Some(_) if self.is_wanted(desired, name) => match passed.contains(&name) {
                        false => Stands::Returned,
                        true if session || unknown => Stands::In,
                        true => Stands::Passed,
                    },
                    Some(there) if there.connect == Connect::Denied => Stands::Shut,
                    Some(_) => Stands::In,
                }
            };
            clocks.settle(self.summary.position, unread, stands, now);
            if sorts {
                let granted = |name| {
                    actual.principals.get(&name).is_some_and(|there| there.connect == Connect::Granted)
                };
                let is_in = |name| granted(name) && self.is_wanted(desired, name);
                let is_out = |name| stands(name) == Stands::Out && !self.is_wanted(desired, name);
                clocks.sort(look, self.made_for.kept().keys(), is_in, is_out);
                // Of whoever left by a record that the clocks did not read yet it is not known that nothing more will come.
                let read = world.directory().position() <= clocks.upto;
                let is_over = |name| {
                    let there = actual.principals.contains_key(&name);
                    !there && stands(name) == Stands::Out && self.is_behind_nobody(&world, name)
                };
                clocks.forget_over(|name| read && is_over(name));
            }
        }
    }

    /// Says what those wait for who are not out while the target is not reached.
    pub(in super::super) async fn leavers_wait(
        &mut self,
        error: &ControllerError,
        state: State,
        now: OffsetDateTime,
    ) {
        let why = match state {
            State::Paused => "the target is paused".to_owned(),
            State::Busy => "the target is busy".to_owned(),
            State::LoginRefused => "the target does not let Axon in".to_owned(),
            State::Unreachable => "the target is not reached".to_owned(),
            State::StoreFailed => "the store fails".to_owned(),
            _ => error.to_string(),
        };
        let shared = self.clocks.clone();
        let mut clocks = shared.lock().await;
        if self.clocks_moved {
            self.look_at_clocks(&mut clocks, now).await;
        }
        let resolved = clocks.resolve_by(self.name.as_str(), self.store.as_ref(), &self.world, now).await;
        if let Err(error) = resolved {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "whose principals they are who left could not be read"
            );
        }
        clocks.wait_for(|_| Some(why.clone()));
        clocks.keep(self.store.as_ref(), &self.ids, now).await;
        clocks.show(now);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::LeaverSettings;
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

    fn running() -> (Clocks, SqlName) {
        let name = SqlName::parse("kim").unwrap();
        let mut clocks = Clocks::of("warehouse", LeaverSettings::default());
        let (cause, way) = (RecordSeq(5), LeftBy::Deleted);
        let leaver = Leaver { name, cause, way, arrived: NOW, shut: None, why: None, former: None };
        clocks.open.insert(name, leaver);
        (clocks, name)
    }

    #[test]
    fn what_was_seen_of_an_earlier_leaving_or_before_another_session_ends_no_clock() {
        let ends = |gone: Duration, before: Option<Stands>| {
            let (mut clocks, name) = running();
            clocks.gone(name, NOW + gone);
            if let Some(before) = before {
                clocks.settle(RecordSeq(9), false, |_| before, NOW + Duration::seconds(2));
            }
            clocks.settle(RecordSeq(9), false, |_| Stands::Out, NOW + Duration::seconds(3));
            clocks.ended[&name].at - NOW
        };
        assert_eq!(ends(Duration::seconds(1), None), Duration::seconds(1));
        assert_eq!(ends(Duration::days(-9), None), Duration::seconds(3));
        assert_eq!(ends(Duration::seconds(1), Some(Stands::In)), Duration::seconds(3));
        assert_eq!(ends(Duration::seconds(1), Some(Stands::Shut)), Duration::seconds(3));
    }

    #[test]
    fn while_records_are_unread_no_clock_ends_under_whose_name_somebody_else_may_have_left() {
        let (mut clocks, name) = running();
        clocks.settle(RecordSeq(9), true, |_| Stands::Shut, NOW);
        clocks.pass_on(name, "who left");
        for stands in [Stands::Out, Stands::Passed, Stands::Returned] {
            clocks.settle(RecordSeq(9), true, |_| stands, NOW);
            assert!(clocks.ended.is_empty() && clocks.out.is_empty(), "{stands:?}");
        }
        clocks.settle(RecordSeq(9), false, |_| Stands::Passed, NOW);
        assert!(clocks.ended.contains_key(&name));
        // Nobody else has the name: it is theirs that ends.
        let (mut clocks, name) = running();
        clocks.settle(RecordSeq(9), true, |_| Stands::Out, NOW);
        assert!(clocks.ended.contains_key(&name));
    }

    #[test]
    fn an_end_before_the_beginning_proves_no_time_and_keeps_no_objective() {
        let time = |took: Duration| {
            let (mut clocks, name) = running();
            clocks.settle(RecordSeq(9), false, |_| Stands::Out, NOW + took);
            let event = (LeaverEvent::Known, Some(NOW - Duration::minutes(1)));
            clocks.events.insert((name, RecordSeq(5)), event);
            let time = clocks.time_of(&clocks.ended[&name]);
            assert_eq!((time.arrived_at, time.ended_at), (NOW, NOW + took));
            (time.millis, time.event_millis, time.within)
        };
        assert_eq!(time(Duration::seconds(2)), (2_000, Some(62_000), true));
        assert_eq!(time(Duration::ZERO), (0, Some(60_000), true));
        assert_eq!(time(Duration::minutes(6)), (360_000, Some(420_000), false));
        for behind in [Duration::milliseconds(1), Duration::hours(1)] {
            assert_eq!(time(-behind), (0, None, false), "{behind}");
        }
    }
}
