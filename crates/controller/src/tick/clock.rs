//! The clocks of people who left: from the arrival of what said so to the last session gone (ADR 43).
//!
//! ```text
//!  journal ─> who left (kept up to a position) ─> whose principal ─> open ─┬─ shut out, no session left ─> record: out
//!                                                                          └─ let in again before ───────> record: returned
//! ```
//!
//! What began and what ended is in the store, changed by versions: a process that dies, a target that is away and a second replica
//! neither lose a clock nor end one twice.

mod beat;
mod event;
mod journal;
mod next;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axon_audit::payload::{LeaverEnd, LeftBy};
use axon_model::{IdSource, RecordSeq, SourceId, SqlName, UserId};
use axon_store::{Leaver, LeaverChanges, Leavers, NextLeaver, Store, StoreError};
use time::{Duration, OffsetDateTime};

use crate::behind::Behind;
use crate::world::Standing;
pub use event::EventAttribute;
pub use settle::shuts_out;

/// After so many records that told of nobody the position is kept all the same.
const KEEP_AFTER: u64 = 500;
/// So many rows that no clock depends on are written at once.
const PIECE: usize = 500;

/// Within which time leavers ought to be out, and where sources say when their people really left.
#[derive(Debug, Clone)]
pub struct LeaverSettings {
    /// From the push's arrival to the last session gone.
    pub objective: Duration,
    /// By source, the attribute that holds the identity provider's own event.
    pub events: BTreeMap<SourceId, EventAttribute>,
}

impl Default for LeaverSettings {
    fn default() -> Self {
        Self { objective: Duration::minutes(5), events: BTreeMap::new() }
    }
}

/// Somebody left, by one record: whose principal that is comes to light later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Departure {
    cause: RecordSeq,
    arrived: OffsetDateTime,
    way: LeftBy,
    user: UserId,
}

/// A clock that ended and has no record yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    leaver: Leaver,
    result: LeaverEnd,
    at: OffsetDateTime,
    /// Whether the name is somebody else's by now, who may leave in turn.
    passed: bool,
}

/// The clocks of one target.
#[expect(clippy::struct_excessive_bools, reason = "four facts that change apart from each other")]
#[derive(Debug)]
pub(crate) struct Clocks {
    target: String,
    settings: LeaverSettings,
    /// As the store has it.
    kept: Leavers,
    loaded: bool,
    /// Nothing was kept before: whoever left before this record and is still in is timed from it.
    first: Option<RecordSeq>,
    /// Up to here the journal was looked through.
    upto: RecordSeq,
    /// Who left and whose principal was not looked for yet.
    departed: Vec<Departure>,
    open: BTreeMap<SqlName, Leaver>,
    out: BTreeSet<SqlName>,
    ended: BTreeMap<SqlName, Ended>,
    /// Who left under a name that came to be theirs while the clock of the one before runs.
    next: BTreeMap<(SqlName, RecordSeq), NextLeaver>,
    /// What was found out for their records, until these are kept.
    events: BTreeMap<(SqlName, RecordSeq), event::Event>,
    /// When somebody's last session ended, or the user went, as this process saw it.
    gone: BTreeMap<SqlName, OffsetDateTime>,
    /// Who was seen in the target.
    seen: BTreeSet<SqlName>,
    /// Whose doors this process shut who had not left then, and who may have a session.
    doors: BTreeSet<SqlName>,
    /// As of which look at the target it is known who is out.
    out_as_of: Option<OffsetDateTime>,
    /// Whether there is a door here that could be shut.
    timed: bool,
    /// Whether whoever leaves is shut out here: not where the target is only watched.
    enforced: bool,
    /// When the journal was looked at last.
    followed: Option<OffsetDateTime>,
    /// Whether it was told in the log that somebody is late.
    told_late: bool,
    /// Whether the store took the last change.
    troubled: bool,
}

impl Clocks {
    /// Of one target, of which nothing is known yet.
    pub fn of(target: &str, settings: LeaverSettings) -> Self {
        Self {
            target: target.to_owned(),
            settings,
            kept: Leavers::default(),
            loaded: false,
            first: None,
            upto: RecordSeq(0),
            departed: Vec::new(),
            open: BTreeMap::new(),
            out: BTreeSet::new(),
            ended: BTreeMap::new(),
            next: BTreeMap::new(),
            events: BTreeMap::new(),
            gone: BTreeMap::new(),
            seen: BTreeSet::new(),
            doors: BTreeSet::new(),
            out_as_of: None,
            timed: true,
            enforced: true,
            followed: None,
            told_late: false,
            troubled: false,
        }
    }

    /// Whether there is a door here, and whether whoever leaves is shut out.
    pub fn enforce(&mut self, timed: bool, enforced: bool) {
        (self.timed, self.enforced) = (timed, enforced);
    }

    /// Somebody else may have written since.
    pub fn forget(&mut self) {
        self.loaded = false;
    }

    /// Whether this name's clock runs, or needs none.
    fn knows(&self, name: SqlName) -> bool {
        let runs = self.open.contains_key(&name) || self.ended.contains_key(&name) || self.is_awaited(name);
        runs || self.out.contains(&name)
    }

    /// Whose clock runs.
    pub fn open(&self) -> impl Iterator<Item = SqlName> {
        self.open.keys().copied()
    }

    /// Whether somebody left who is to be shut out and may still be in.
    pub fn is_anybody_leaving(&self) -> bool {
        self.enforced && !(self.open.is_empty() && self.departed.is_empty())
    }

    /// Whether there is a door here that could be shut.
    pub fn has_door(&self) -> bool {
        self.timed
    }

    /// Whether principals are to be looked for.
    pub fn is_to_resolve(&self) -> bool {
        !self.departed.is_empty()
    }

    /// Begins the clock of somebody whose principal is known, also where nobody is shut out: the store then knows the cause when the
    /// mode changes.
    fn begin(&mut self, name: SqlName, (cause, way): (RecordSeq, LeftBy), arrived: OffsetDateTime) {
        if !self.knows(name) && self.timed {
            self.gone.remove(&name);
            self.open.insert(name, Leaver { name, cause, way, arrived, shut: None, why: None, former: None });
        }
    }

    /// Finds the principals of those who left. `holders` are those for whom principals were made, by folded name.
    pub fn resolve(&mut self, holders: &BTreeMap<String, String>, standing: impl Fn(UserId) -> Standing) {
        let departed = std::mem::take(&mut self.departed);
        let left: BTreeSet<UserId> = departed.iter().map(|departure| departure.user).collect();
        let names = names_of(&left, holders);
        // Where one of several records of a person is deleted and another one may be in, nobody left. Inactive in one is inactive.
        let goes_on = |people: &[UserId]| {
            let stands = |is: Standing| people.iter().any(|id| !left.contains(id) && standing(*id) == is);
            stands(Standing::In) && !stands(Standing::Out)
        };
        for departure in departed {
            let Departure { cause, arrived, way, user } = departure;
            for (name, people) in names.get(&user).into_iter().flatten() {
                let left = way != LeftBy::Deleted || !goes_on(people);
                let behind = holders.get(name.folded()).map_or("", String::as_str);
                if left && !self.waits_for_another(*name, &departure, behind) {
                    self.begin(*name, (cause, way), arrived);
                }
            }
        }
    }

    /// Whoever is let in is out no more, and may leave again.
    pub fn enter(&mut self, name: SqlName) {
        self.out.remove(&name);
        self.doors.remove(&name);
    }

    /// A door was shut, of somebody whose clock runs or who merely is wanted no more.
    pub fn close(&mut self, name: SqlName, now: OffsetDateTime) {
        self.shut(name, now);
        if !self.knows(name) {
            self.doors.insert(name);
        }
    }

    /// Whether it is to be found out who is out without a clock.
    pub fn is_to_sort(&self, look: OffsetDateTime) -> bool {
        self.timed && (self.out_as_of != Some(look) || !self.doors.is_empty())
    }

    /// Takes in who is out without having left: nothing is timed when they leave. Once for each full look at the target all are asked
    /// who ever had a principal, and between two looks those whose door was shut.
    pub fn sort<'h>(
        &mut self,
        look: OffsetDateTime,
        holders: impl Iterator<Item = &'h String>,
        is_in: impl Fn(SqlName) -> bool,
        is_out: impl Fn(SqlName) -> bool,
    ) {
        let mut names = std::mem::take(&mut self.doors);
        if self.out_as_of.replace(look) != Some(look) {
            self.out.retain(|name| !is_in(*name));
            names.extend(holders.filter_map(|folded| SqlName::parse(folded).ok()));
            names.retain(|name| !self.knows(*name) && is_out(*name));
            self.out.append(&mut names);
            return;
        }
        for name in names.into_iter().filter(|name| !self.open.contains_key(name)) {
            if is_out(name) {
                self.out.insert(name);
            } else {
                self.doors.insert(name);
            }
        }
    }

    /// Forgets who is out and cannot leave again: no user of theirs is in the target, and nobody behind it is in the directory. What is
    /// kept is forgotten piece by piece.
    pub fn forget_over(&mut self, is_over: impl Fn(SqlName) -> bool) {
        let Self { out, ended, kept, .. } = self;
        let mut room = PIECE;
        out.retain(|name| {
            if ended.contains_key(name) || !is_over(*name) {
                return true;
            }
            let waits = kept.out.contains(name) && room == 0;
            room = room.saturating_sub(usize::from(kept.out.contains(name)));
            waits
        });
    }

    /// Who is wanted again may leave again.
    pub fn let_in(&mut self, looked_at: &[SqlName], wanted: impl Fn(SqlName) -> bool) {
        for name in looked_at {
            if self.out.contains(name) && wanted(*name) {
                self.out.remove(name);
            }
        }
    }

    /// Who is in the target.
    pub fn see(&mut self, there: impl Fn(SqlName) -> bool) {
        let names: Vec<SqlName> = self.open.keys().copied().filter(|name| there(*name)).collect();
        self.seen.extend(names);
    }

    /// The door is shut.
    pub fn shut(&mut self, name: SqlName, now: OffsetDateTime) {
        if let Some(leaver) = self.open.get_mut(&name) {
            leaver.shut.get_or_insert(now);
        }
    }

    /// No session is left, or the user is dropped.
    pub fn gone(&mut self, name: SqlName, now: OffsetDateTime) {
        if self.open.contains_key(&name) {
            self.gone.insert(name, now);
        }
    }

    /// What they wait for whose clock runs.
    pub fn wait_for(&mut self, mut why: impl FnMut(SqlName) -> Option<String>) {
        for (name, leaver) in &mut self.open {
            leaver.why = why(*name);
        }
    }

    /// For how long the oldest clock runs.
    fn oldest(&self, now: OffsetDateTime) -> Duration {
        let oldest = self.open.values().map(|leaver| now - leaver.arrived).max();
        oldest.filter(|_| self.enforced).unwrap_or_default().max(Duration::ZERO)
    }

    /// Shows how long the oldest clock runs.
    pub fn show(&mut self, now: OffsetDateTime) {
        let oldest = self.oldest(now);
        let late = oldest > self.settings.objective;
        metrics::gauge!("axon_leaver_oldest_open_seconds", "target" => self.target.clone())
            .set(oldest.as_seconds_f64());
        metrics::gauge!("axon_leaver_overdue_bool", "target" => self.target.clone()).set(if late {
            1.0
        } else {
            0.0
        });
        if late && !self.told_late {
            let people =
                self.open.values().filter(|leaver| now - leaver.arrived > self.settings.objective).count();
            tracing::warn!(target.name = %self.target, people, "people who left are not out in time");
        }
        self.told_late = late;
    }

    /// Whether a clock ended and has no record yet.
    pub fn owes(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Whether another process may know better which clocks run, and nothing is known here that the store does not have.
    pub fn may_be_old(&self) -> bool {
        let kept = self.open == self.kept.open && self.out == self.kept.out && self.next == self.kept.next;
        self.enforced && !self.open.is_empty() && !self.owes() && kept
    }

    /// Keeps what changed, with the records of clocks that ended. What the store does not take is offered again.
    pub async fn keep(&mut self, store: &dyn Store, ids: &Arc<IdSource>, now: OffsetDateTime) {
        let mut kept = self.try_keep(store, ids, now).await;
        if matches!(kept, Ok(false)) {
            // Another replica was first: what it kept counts, and what it did not end is ended now.
            kept = match self.follow(store, now).await {
                Ok(()) => self.try_keep(store, ids, now).await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = kept {
            if !std::mem::replace(&mut self.troubled, true) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the clocks of people who left could not be kept: it is tried again"
                );
            }
        } else {
            self.troubled = false;
        }
    }

    /// False: somebody else changed them, and nothing is kept.
    async fn try_keep(
        &mut self,
        store: &dyn Store,
        ids: &Arc<IdSource>,
        now: OffsetDateTime,
    ) -> Result<bool, StoreError> {
        if !self.loaded || self.is_to_resolve() || self.first.is_some() {
            return Ok(true);
        }
        let Some(changes) = self.changes() else { return Ok(true) };
        self.look_for_events(store).await?;
        let mut records = Vec::with_capacity(self.ended.len());
        let mut times = Vec::with_capacity(self.ended.len());
        for ended in self.ended.values() {
            let time = self.time_of(ended);
            match axon_audit::NewRecord::of(ids, now, axon_model::Actor::Axon, time.clone()) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a clock has no record");
                }
            }
            times.push(time);
        }
        let Some(version) = store.change_leavers(&self.target, changes.clone(), records).await? else {
            self.forget();
            return Ok(false);
        };
        times.iter().for_each(settle::count);
        self.ended.clear();
        self.events.clear();
        self.kept.version = version;
        take_in(&mut self.kept, changes);
        Ok(true)
    }

    /// What the store does not have, a piece of it where it is much; none where it has all. The one writer of a store is not to be
    /// kept from pushes by thousands of rows, so what a clock does not depend on goes piece by piece: reasons, and who is out anyway.
    fn changes(&self) -> Option<LeaverChanges> {
        let differ = self.open.values().filter(|leaver| self.kept.open.get(&leaver.name) != Some(leaver));
        let same_but_for_why = |leaver: &&Leaver| {
            let kept = self.kept.open.get(&leaver.name);
            kept.is_some_and(|kept| Leaver { why: leaver.why.clone(), ..kept.clone() } == **leaver)
        };
        let (told, clocks): (Vec<&Leaver>, Vec<&Leaver>) = differ.partition(same_but_for_why);
        let open: Vec<Leaver> = clocks.into_iter().chain(told.into_iter().take(PIECE)).cloned().collect();
        let timed = |name: &&SqlName| self.kept.open.contains_key(name) || self.ended.contains_key(name);
        let (ended, others): (Vec<&SqlName>, Vec<&SqlName>) =
            self.out.difference(&self.kept.out).partition(timed);
        let out: Vec<SqlName> = ended.into_iter().chain(others.into_iter().take(PIECE)).copied().collect();
        let kept = self.kept.open.keys().chain(&self.kept.out);
        let forget: Vec<SqlName> =
            kept.filter(|name| !self.open.contains_key(name) && !self.out.contains(name)).copied().collect();
        let LeaverChanges { wait, begun, .. } = self.next_changes();
        let same = open.is_empty() && out.is_empty() && forget.is_empty() && self.ended.is_empty();
        let same = same && wait.is_empty() && begun.is_empty();
        let far = self.upto.0 >= self.kept.upto.0.saturating_add(KEEP_AFTER) || self.kept.version == 0;
        (!same || far).then_some(LeaverChanges {
            version: self.kept.version,
            upto: self.upto,
            open,
            out,
            forget,
            wait,
            begun,
        })
    }
}

/// What the store has after these changes.
fn take_in(kept: &mut Leavers, changes: LeaverChanges) {
    let LeaverChanges { version: _, upto, open, out, forget, wait, begun } = changes;
    kept.upto = upto;
    for name in forget.iter().chain(&out) {
        kept.open.remove(name);
        kept.out.remove(name);
    }
    kept.out.extend(out);
    for leaver in open {
        kept.out.remove(&leaver.name);
        kept.open.insert(leaver.name, leaver);
    }
    for key in begun {
        kept.next.remove(&key);
    }
    kept.next.extend(wait.into_iter().map(|next| (next.key(), next)));
}

/// The principals that were made for these users, with all who are behind each.
pub(super) fn names_of(
    users: &BTreeSet<UserId>,
    holders: &BTreeMap<String, String>,
) -> BTreeMap<UserId, Vec<(SqlName, Vec<UserId>)>> {
    /// Beyond so many all that is kept is read once, before that it is searched for each.
    const FEW: usize = 8;
    let texts: Vec<String> = users.iter().map(ToString::to_string).collect();
    let mut names: BTreeMap<UserId, Vec<(SqlName, Vec<UserId>)>> = BTreeMap::new();
    if users.is_empty() {
        return names;
    }
    for (folded, behind) in holders {
        if texts.len() <= FEW && !texts.iter().any(|text| behind.contains(text.as_str())) {
            continue;
        }
        let Some(people) = Behind::people(behind) else { continue };
        let Ok(name) = SqlName::parse(folded) else { continue };
        let ids: Vec<UserId> = people.iter().filter_map(|(_, holder)| holder.id.parse().ok()).collect();
        for user in ids.iter().filter(|id| users.contains(id)) {
            names.entry(*user).or_default().push((name, ids.clone()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 08:00 UTC);

    fn name(text: &str) -> SqlName {
        SqlName::parse(text).unwrap()
    }

    fn user(n: u64) -> UserId {
        format!("018f3a00-0000-7000-8000-{n:012}").parse().unwrap()
    }

    fn clocks() -> Clocks {
        Clocks { loaded: true, ..Clocks::of("warehouse", LeaverSettings::default()) }
    }

    fn holders(all: &[(&str, u64)]) -> BTreeMap<String, String> {
        let behind = |id: u64| Behind::person("entra", None, &user(id).to_string()).text();
        all.iter().map(|(name, id)| ((*name).to_owned(), behind(*id))).collect()
    }

    fn departed(n: u64, cause: u64) -> Departure {
        let (cause, arrived) = (RecordSeq(cause), NOW + Duration::seconds(i64::try_from(cause).unwrap()));
        Departure { cause, arrived, way: LeftBy::Deactivated, user: user(n) }
    }

    #[test]
    fn of_several_records_the_older_one_counts_and_who_is_out_leaves_no_second_time() {
        let mut clocks = clocks();
        clocks.out.insert(name("ana"));
        clocks.departed = vec![departed(1, 5), departed(1, 7), departed(2, 6), departed(3, 8)];
        clocks.resolve(&holders(&[("kim", 1), ("ana", 2)]), |_| Standing::Gone);
        let open: Vec<(SqlName, RecordSeq)> = clocks.open.values().map(|l| (l.name, l.cause)).collect();
        assert_eq!(open, [(name("kim"), RecordSeq(5))], "whoever has no principal here has no clock");
        clocks.let_in(&[name("ana")], |_| true);
        clocks.departed = vec![departed(2, 9)];
        clocks.resolve(&holders(&[("kim", 1), ("ana", 2)]), |_| Standing::Gone);
        assert_eq!(clocks.open.len(), 2, "ana came back and left again");
    }

    #[test]
    fn what_no_clock_depends_on_is_kept_piece_by_piece_and_clocks_at_once() {
        let mut clocks = clocks();
        let many = 2 * PIECE + 200;
        clocks.out = (0..many).map(|n| name(&format!("o{n}"))).collect();
        for n in 0..many {
            clocks.begin(name(&format!("p{n}")), (RecordSeq(1), LeftBy::Deactivated), NOW);
        }
        let mut pieces = Vec::new();
        while let Some(changes) = clocks.changes() {
            pieces.push((changes.open.len(), changes.out.len()));
            clocks.kept.version += 1;
            take_in(&mut clocks.kept, changes);
        }
        assert_eq!(pieces, [(many, PIECE), (0, PIECE), (0, 200)]);
        clocks.wait_for(|_| Some("the target is paused".to_owned()));
        clocks.shut(name("p7"), NOW);
        let first = clocks.changes().unwrap();
        assert_eq!(first.open.len(), PIECE + 1);
        assert!(first.open.iter().any(|leaver| leaver.name == name("p7") && leaver.shut.is_some()));
        while let Some(changes) = clocks.changes() {
            take_in(&mut clocks.kept, changes);
        }
        assert_eq!((&clocks.kept.open, &clocks.kept.out), (&clocks.open, &clocks.out));
    }

    #[test]
    fn many_are_found_like_few() {
        let all: Vec<(String, u64)> = (0..50).map(|n| (format!("p{n}"), n)).collect();
        let kept: Vec<(&str, u64)> = all.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        for count in [1, 8, 9, 50] {
            let mut clocks = clocks();
            clocks.departed = (0..count).map(|n| departed(n, 1)).collect();
            clocks.resolve(&holders(&kept), |_| Standing::Gone);
            assert_eq!(clocks.open.len() as u64, count);
        }
    }

    #[test]
    fn the_oldest_clock_says_who_is_late_but_not_where_a_target_is_only_watched() {
        let mut clocks = clocks();
        assert_eq!(clocks.oldest(NOW), Duration::ZERO);
        clocks.begin(name("kim"), (RecordSeq(1), LeftBy::Deleted), NOW);
        clocks.begin(name("ana"), (RecordSeq(2), LeftBy::Deleted), NOW + Duration::minutes(1));
        assert_eq!(clocks.oldest(NOW + Duration::minutes(7)), Duration::minutes(7));
        assert_eq!(clocks.oldest(NOW - Duration::minutes(7)), Duration::ZERO, "a clock that was set back");
        clocks.enforce(true, false);
        assert_eq!(clocks.oldest(NOW + Duration::minutes(7)), Duration::ZERO, "nothing is promised there");
        clocks.begin(name("bob"), (RecordSeq(3), LeftBy::Deleted), NOW);
        assert_eq!(clocks.open.len(), 3, "and the store knows since when, should the mode change");
        clocks.enforce(false, false);
        clocks.begin(name("lee"), (RecordSeq(4), LeftBy::Deleted), NOW);
        assert_eq!(clocks.open.len(), 3, "assigned roles have no door");
    }

    #[test]
    fn who_is_out_without_having_left_begins_no_clock_until_let_in_again() {
        let (mut clocks, holders) = (clocks(), holders(&[("kim", 1), ("ana", 2), ("bob", 3)]));
        clocks.out.insert(name("bob"));
        clocks.sort(NOW, holders.keys(), |who| who == name("bob"), |who| who == name("ana"));
        assert_eq!(clocks.out, [name("ana")].into(), "bob is in whatever was thought");
        assert!(!clocks.is_to_sort(NOW) && clocks.is_to_sort(NOW + Duration::minutes(5)));
        clocks.close(name("kim"), NOW);
        clocks.sort(NOW, holders.keys(), |_| false, |_| false);
        assert!(clocks.is_to_sort(NOW), "a session may be left");
        clocks.sort(NOW, holders.keys(), |_| false, |_| true);
        assert_eq!(clocks.out, [name("ana"), name("kim")].into(), "bob was not looked at");
        clocks.departed = vec![departed(1, 5), departed(3, 6)];
        clocks.resolve(&holders, |_| Standing::Gone);
        assert_eq!(clocks.open().collect::<Vec<_>>(), [name("bob")]);
        clocks.enter(name("kim"));
        clocks.departed = vec![departed(1, 7)];
        clocks.resolve(&holders, |_| Standing::Gone);
        assert_eq!(clocks.open.len(), 2);
    }

    #[test]
    fn whoever_cannot_leave_again_is_forgotten_piece_by_piece_and_not_before_the_record_is_written() {
        let mut clocks = clocks();
        clocks.out = (0..PIECE + 7).map(|n| name(&format!("o{n}"))).collect();
        clocks.kept.out.clone_from(&clocks.out);
        // Found by this look, and never kept.
        clocks.out.extend([name("new"), name("ana"), name("kim")]);
        let leaver = Leaver {
            name: name("kim"),
            cause: RecordSeq(5),
            way: LeftBy::Deleted,
            arrived: NOW,
            shut: None,
            why: None,
            former: None,
        };
        clocks.ended.insert(name("kim"), Ended { leaver, result: LeaverEnd::Out, at: NOW, passed: false });
        let is_over = |who| who != name("ana");
        clocks.forget_over(is_over);
        assert_eq!(clocks.out.len(), 7 + 2, "all but a piece, and who never was kept");
        assert!(clocks.out.contains(&name("ana")) && clocks.out.contains(&name("kim")));
        assert_eq!(clocks.changes().unwrap().forget.len(), PIECE);
        clocks.ended.clear();
        clocks.forget_over(is_over);
        assert_eq!(clocks.out, [name("ana")].into());
    }

    #[test]
    fn of_joined_records_the_last_one_that_goes_is_the_leaver() {
        let both = format!(r#"[["entra",null,"{}"],["okta",null,"{}"]]"#, user(1), user(2));
        let holders: BTreeMap<String, String> = [("kim".to_owned(), both)].into();
        let deleted = |n, cause| Departure { way: LeftBy::Deleted, ..departed(n, cause) };
        let begins = |departed: Vec<Departure>, other: Standing| {
            let mut clocks = Clocks { departed, ..clocks() };
            clocks.resolve(&holders, |id| if id == user(1) { other } else { Standing::Gone });
            clocks.open.values().map(|leaver| leaver.cause.0).collect::<Vec<_>>()
        };
        assert!(begins(vec![deleted(2, 5)], Standing::In).is_empty(), "the other one goes on");
        assert_eq!(begins(vec![deleted(2, 5)], Standing::Out), [5], "inactive in one is inactive");
        assert_eq!(begins(vec![deleted(2, 5)], Standing::Gone), [5]);
        // Whatever was known of the other one: it left by a record that was not heeded yet.
        assert_eq!(begins(vec![deleted(2, 5), deleted(1, 6)], Standing::In), [5]);
        assert_eq!(begins(vec![departed(2, 5)], Standing::In), [5]);
    }
}
