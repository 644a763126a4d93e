//! Steps that wait for a person: what guards withhold and a release may lift, as holds of the store.
//!
//! A hold is about a set of steps that never changes: a release lets through what the person saw, and nothing that came later.
//! Nobody else's steps wait for it. What is not planned any more lapses, and a release is used up when its steps are done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use axon_audit::Digest;
use axon_model::name::shown;
use axon_model::{HoldId, RecordSeq, SqlName};
use axon_reconcile::admit::{Class, Reason, Withheld};
use axon_reconcile::{Plan, Step};
use axon_store::{Act, Hold, HoldEnd, HoldKind, HoldState, HoldTerms, NewHold, Store, StoreError};
use time::{Duration, OffsetDateTime};

/// The most holds that are opened at one look.
const MOST: usize = 1_000;
/// How long a wave gathers before another hold is opened for what came to it.
const GATHERS: Duration = Duration::minutes(1);
/// How many steps or people a hold's text names.
const NAMED: usize = 10;
/// What parts begin with that are about all steps of somebody who is shut out.
const LEAVER: &str = "leaver ";
/// What the part of an announcement begins with.
const ANNOUNCED: &str = "announced leavers ";

/// What the key of an exception begins with: a no that ends by itself.
pub const EXCEPTED: &str = "excepted ";

/// The holds of one target's steps.
#[derive(Debug, Default)]
pub(super) struct Holding {
    read: RecordSeq,
    known: BTreeMap<HoldId, (Hold, BTreeSet<String>)>,
    /// Those that were opened here.
    mine: BTreeSet<HoldId>,
}

/// What a release lets through.
#[derive(Debug, Default)]
pub(super) struct Released {
    steps: BTreeSet<String>,
    leavers: BTreeSet<SqlName>,
    /// How many more leavers were announced.
    pub announced: u64,
}

impl Released {
    /// Whether a reason of this class is lifted for this step. Who was released as a leaver is stripped and shut out; that lets
    /// nothing through that a guard withholds for another reason.
    pub fn lifts(&self, step: &Step, class: Class) -> bool {
        let leaves = matches!(class, Class::Leavers | Class::SourceEmpty | Class::AttributeGone)
            && self.leavers.contains(&step.subject());
        leaves || (!self.steps.is_empty() && self.steps.contains(&step.to_string()))
    }
}

/// The part of a hold that announces leavers.
pub fn announcement(count: u32) -> String {
    format!("{ANNOUNCED}{count}")
}

impl Holding {
    /// Takes in what the store has since the last look.
    pub async fn follow(&mut self, store: &dyn Store, target: &str) -> Result<(), StoreError> {
        for hold in store.holds(self.read).await? {
            self.read = self.read.max(hold.record);
            if hold.held.kind != HoldKind::Step || hold.held.target.as_deref() != Some(target) {
                continue;
            }
            if !hold.state.stands() && hold.state != HoldState::Released {
                self.known.remove(&hold.id);
                self.mine.remove(&hold.id);
            } else if let Some((known, _)) = self.known.get_mut(&hold.id) {
                *known = hold;
            } else {
                let parts = store.hold_parts(hold.id).await?.into_iter().collect();
                self.known.insert(hold.id, (hold, parts));
            }
        }
        Ok(())
    }

    /// Whether somebody else saw something in the target later than at this instant: what is known here is out of date, and must
    /// end no hold of theirs.
    pub fn seen_elsewhere_since(&self, at: OffsetDateTime) -> bool {
        self.known.iter().any(|(id, (hold, _))| hold.opened >= at && !self.mine.contains(id))
    }

    /// What waits, or is answered, about a step. An exception comes first.
    pub fn about(&self, part: &str) -> Option<&Hold> {
        let holds = self.known.values().filter(|(_, parts)| parts.contains(part)).map(|(hold, _)| hold);
        holds.min_by_key(|hold| (!hold.held.key.starts_with(EXCEPTED), hold.id))
    }

    /// What waits, or is answered, about somebody who is shut out by a wave.
    pub fn of_leaver(&self, name: SqlName) -> Option<&Hold> {
        self.about(&format!("{LEAVER}{}", name.as_str()))
    }

    /// What persons released.
    pub fn released(&self, now: OffsetDateTime) -> Released {
        let mut released = Released::default();
        let counts = |hold: &&(Hold, BTreeSet<String>)| {
            hold.0.state == HoldState::Released && hold.0.held.expires.is_none_or(|expires| now < expires)
        };
        for (_, parts) in self.known.values().filter(counts) {
            for part in parts {
                if let Some(name) = part.strip_prefix(LEAVER) {
                    released.leavers.extend(SqlName::parse(name));
                } else if let Some(count) = part.strip_prefix(ANNOUNCED) {
                    released.announced += count.parse::<u32>().map_or(0, u64::from);
                } else {
                    released.steps.insert(part.clone());
                }
            }
        }
        released
    }

    /// What persons were asked about, as waves, long enough ago that what comes now is of another wave.
    pub fn standing(&self, plan: &Plan, now: OffsetDateTime) -> Standing<'_> {
        let asked = self.known.values().filter(|(hold, _)| {
            let rests = hold.state != HoldState::Open || hold.opened + GATHERS <= now;
            hold.state != HoldState::Released && rests
        });
        let mut parts: BTreeMap<Class, BTreeSet<&str>> = BTreeMap::new();
        for (hold, these) in asked {
            for class in [Class::Leavers, Class::Removals] {
                let prefix = format!("{} ", class.as_str());
                if hold.held.key.starts_with(&prefix) || hold.held.key.starts_with(EXCEPTED) {
                    parts.entry(class).or_default().extend(these.iter().map(String::as_str));
                }
            }
        }
        Standing { leavers: if parts.is_empty() { BTreeSet::new() } else { leavers(plan) }, parts }
    }

    /// Opens holds for what is withheld and has none, and ends those whose steps are not planned any more. Gives when another look
    /// is due.
    pub async fn keep(
        &mut self,
        store: &dyn Store,
        target: &str,
        decided: Decided<'_>,
        act: &Act,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        let planned = if self.known.is_empty() { BTreeSet::new() } else { parts_of(decided.plan) };
        let gone = self.known.values().filter(|(hold, parts)| {
            let announces = parts.iter().any(|part| part.starts_with(ANNOUNCED));
            let over = hold.held.expires.is_some_and(|expires| expires <= act.now);
            let ends = announces || hold.held.key.starts_with(EXCEPTED);
            (ends && over) || (!announces && parts.is_disjoint(&planned))
        });
        for (hold, _) in gone.take(MOST) {
            let (end, words) = match hold.state {
                HoldState::Released => (HoldEnd::Finish, "what was released is done, or not wanted any more"),
                _ => (HoldEnd::Lapse, "it is not wanted any more"),
            };
            store.end_hold(hold.id, end, words.to_owned(), act.clone()).await?;
        }
        let (holds, mut next) = self.wanted(target, decided, act.now);
        let ends = self.known.values().filter(|(hold, _)| hold.held.key.starts_with(EXCEPTED));
        for until in ends.filter_map(|(hold, _)| hold.held.expires) {
            // At once, if it is over: what was excepted waits again from the next look on.
            next = Some(next.map_or(until, |next: OffsetDateTime| next.min(until)));
        }
        if !holds.is_empty() {
            for hold in store.open_holds(holds, act.clone()).await? {
                self.mine.insert(hold.id);
                tracing::warn!(hold.id = %hold.id, "steps wait for a person");
                metrics::counter!("axon_holds_opened_total", "kind" => "step").increment(1);
            }
        }
        Ok(next)
    }

    fn wanted(
        &self,
        target: &str,
        decided: Decided<'_>,
        now: OffsetDateTime,
    ) -> (Vec<NewHold>, Option<OffsetDateTime>) {
        let covered: BTreeSet<&String> = self.known.values().flat_map(|(_, parts)| parts).collect();
        let leaving = leavers(decided.plan);
        let mut groups: BTreeMap<(Class, Option<SqlName>), Group> = BTreeMap::new();
        for Withheld { planned, reasons } in decided.withheld {
            // Where something else withholds it too, a release would do nothing.
            let classes: Option<Vec<Class>> = reasons.iter().map(Reason::class).collect();
            let Some(class) = classes.and_then(|classes| classes.into_iter().min()) else { continue };
            let subject = planned.step.subject();
            let part = part_of(&planned.step, class, &leaving);
            if covered.contains(&part) {
                continue;
            }
            let group = groups.entry((class, (!class.is_wave()).then_some(subject))).or_default();
            group.why.get_or_insert_with(|| {
                reasons.iter().find(|r| r.class() == Some(class)).map(ToString::to_string).unwrap_or_default()
            });
            if group.parts.insert(part) && group.named.len() < NAMED {
                group.named.push(match class {
                    Class::Leavers | Class::SourceEmpty if leaving.contains(&subject) => {
                        shown(subject.as_str())
                    }
                    _ => planned.step.to_string(),
                });
            }
        }
        let mut next = None;
        let mut holds = Vec::new();
        for ((class, _), group) in groups.into_iter().take(MOST) {
            if let Some(until) = self.gathers(class, now) {
                next = Some(next.map_or(until, |next: OffsetDateTime| next.min(until)));
                continue;
            }
            holds.push(group.hold(target, class, decided.people, decided.expires));
        }
        (holds, next)
    }

    /// Until when what comes to a wave is gathered, so that it fills one more hold and not hundreds.
    fn gathers(&self, class: Class, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !class.is_wave() {
            return None;
        }
        let prefix = format!("{} ", class.as_str());
        let of_class = |hold: &&Hold| hold.held.key.starts_with(&prefix) && hold.state == HoldState::Open;
        let latest =
            self.known.values().map(|(hold, _)| hold).filter(of_class).map(|hold| hold.opened).max()?;
        Some(latest + GATHERS).filter(|until| now < *until)
    }
}

/// What persons were asked about and did not release.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    parts: BTreeMap<Class, BTreeSet<&'a str>>,
    leavers: BTreeSet<SqlName>,
}

impl Standing<'_> {
    /// Whether this step waits by this class.
    pub fn has(&self, step: &Step, class: Class) -> bool {
        let part = || part_of(step, class, &self.leavers);
        self.parts.get(&class).is_some_and(|parts| parts.contains(part().as_str()))
    }
}

/// What was decided, as far as holds are concerned.
#[derive(Clone, Copy)]
pub(super) struct Decided<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What is withheld of it.
    pub withheld: &'a [Withheld],
    /// How many persons have to release a step.
    pub people: u8,
    /// When holds that nobody answers expire.
    pub expires: Option<OffsetDateTime>,
}

#[derive(Default)]
struct Group {
    parts: BTreeSet<String>,
    named: Vec<String>,
    why: Option<String>,
}

impl Group {
    fn hold(self, target: &str, class: Class, people: u8, expires: Option<OffsetDateTime>) -> NewHold {
        let count = self.parts.len();
        let more = count.saturating_sub(self.named.len());
        let mut what = match (class.is_wave(), count) {
            (false, 1) => String::new(),
            (true, _) if self.parts.iter().all(|part| part.starts_with(LEAVER)) => {
                format!("{count} people are shut out: ")
            }
            _ => format!("{count} steps: "),
        };
        what.push_str(&self.named.join("; "));
        if more > 0 {
            let _ = write!(what, "; and {more} more");
        }
        let parts: Vec<String> = self.parts.into_iter().collect();
        let bytes: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        let digest = Digest::of("axon.hold.parts.v1", &bytes).to_string();
        NewHold {
            kind: HoldKind::Step,
            key: format!("{} {target} {digest}", class.as_str()),
            source: None,
            target: Some(target.to_owned()),
            what,
            why: self.why.unwrap_or_default(),
            binds: None,
            expires,
            terms: HoldTerms { people, parts, ..HoldTerms::default() },
        }
    }
}

/// Who is shut out by a plan.
fn leavers(plan: &Plan) -> BTreeSet<SqlName> {
    let kills = plan.steps.iter().filter(|planned| matches!(planned.step, Step::KillSessions { .. }));
    kills.map(|planned| planned.step.subject()).collect()
}

fn part_of(step: &Step, class: Class, leavers: &BTreeSet<SqlName>) -> String {
    let subject = step.subject();
    let wave = matches!(class, Class::Leavers | Class::SourceEmpty | Class::AttributeGone);
    if wave && leavers.contains(&subject) {
        return format!("{LEAVER}{}", subject.as_str());
    }
    step.to_string()
}

/// All parts that holds may be about, of a plan.
fn parts_of(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.steps.iter().map(|planned| planned.step.to_string());
    steps.chain(leavers(plan).iter().map(|name| format!("{LEAVER}{}", name.as_str()))).collect()
}
